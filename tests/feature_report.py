"""Collects which feature ids are shown by passing tests (`@pytest.mark.feature("B1")`) into .features.json, for `make features`."""

import json
from pathlib import Path

import pytest

REPORT = Path(__file__).resolve().parents[1] / ".features.json"
FEATURE_LIST = Path(__file__).resolve().parents[1] / "docs" / "features.txt"

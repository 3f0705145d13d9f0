"""Where the vendors' API descriptions and public test corpora lie, when they are present beside the project."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared(relative: str) -> Path:
    """The path of a shared file; the test that asks is not run when the folder is absent."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"not run: ../shared/{relative} is absent")
    return path

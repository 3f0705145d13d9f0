"""How hard the rules are tried (as in tests/rules), and whole hubs with their worker."""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parents[1] / "spokes"))

from town import Town, town_over

from operators import bare, sayso

settings.register_profile(
    "steady", derandomize=True, deadline=None, max_examples=60, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", deadline=None, max_examples=1_500, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("SAYSO_HYPOTHESIS", "steady"))


@pytest.fixture
async def town(database: str, tmp_path: Path) -> AsyncIterator[Town]:
    """A hub with its worker."""
    async with town_over(database, tmp_path / "data") as found:
        yield found


__all__ = ["bare", "sayso"]

"""The hub that strangers shake the doors of."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from stranger import Doors, doors_over


@pytest.fixture
async def doors(database: str, tmp_path: Path) -> AsyncIterator[Doors]:
    """Every door of a hub, with nothing behind them but its database."""
    async with doors_over(database, tmp_path / "data") as found:
        yield found

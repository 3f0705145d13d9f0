"""A whole hub to ask, over real HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from spokes.town import Town, town_over


@pytest.fixture
async def town(database: str, tmp_path: Path) -> AsyncIterator[Town]:
    """A hub whose worker rests."""
    async with town_over(database, tmp_path / "data", worker=False) as found:
        yield found

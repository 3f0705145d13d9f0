"""The town of the spokes, for people who want to be forgotten."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

for _folder in (Path(__file__).parent, Path(__file__).parents[1] / "spokes"):
    sys.path.insert(0, str(_folder))

from town import Receiver, Town, receiver, town_over  # noqa: E402


@pytest.fixture
async def town(database: str, tmp_path: Path) -> AsyncIterator[Town]:
    """A hub with its worker."""
    async with town_over(database, tmp_path / "data") as found:
        yield found


@pytest.fixture
async def quiet_town(database: str, tmp_path: Path) -> AsyncIterator[Town]:
    """A hub whose worker has not begun."""
    async with town_over(database, tmp_path / "data", worker=False) as found:
        yield found


@pytest.fixture
async def shop() -> AsyncIterator[Receiver]:
    """A shop that wants to be told."""
    async with receiver() as found:
        yield found

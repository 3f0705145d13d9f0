"""Fixtures of a town: a whole hub and its neighbours. A folder of tests that wants them imports them in its conftest."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from town import Receiver, Town, receiver, town_over


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

"""Hubs for the tests of links and messages."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from office import Office, office_over


@pytest.fixture
async def office(database: str, tmp_path: Path) -> AsyncIterator[Office]:
    """A hub that takes opt-outs by mail too."""
    async with office_over(database, tmp_path / "data", SAYSO_UNSUBSCRIBE_MAILBOX="out@example.com") as found:
        yield found

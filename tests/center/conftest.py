"""The hub that people of these tests knock at."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from people import Town, town

from operators import bare, sayso

__all__ = ["bare", "hub_town", "sayso"]


@pytest.fixture
async def hub_town(database: str, tmp_path: Path) -> AsyncIterator[Town]:
    """A whole hub without a worker."""
    async with town(database, tmp_path, SAYSO_EMBED_ORIGINS="https://shop.example", SAYSO_WEBHOOK_ALLOW="127.0.0.0/8") as found:
        yield found

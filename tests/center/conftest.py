"""The hubs that people of these tests knock at: one for a module where each test is about somebody else, or one of its own."""

import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent))

from people import COUNT, Town, town

from operators import bare, sayso

__all__ = ["bare", "hub_town", "sayso"]
SETTINGS = {"SAYSO_EMBED_ORIGINS": "https://shop.example", "SAYSO_WEBHOOK_ALLOW": "127.0.0.0/8"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_town(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """A whole hub without a worker."""
    async with town(module_database, tmp_path_factory.mktemp("town"), **SETTINGS) as found:
        yield found


@pytest.fixture
def hub_town(shared_town: Town) -> Town:
    """The hub of the module, and somebody whom it does not know yet."""
    n = next(COUNT)
    return replace(shared_town, email=f"a{n}@example.com", contact=f"c-{n}")


@pytest_asyncio.fixture(loop_scope="module")
async def own_town(database: str, tmp_path: Path) -> AsyncIterator[Town]:
    """A hub for one test alone."""
    async with town(database, tmp_path, **SETTINGS) as found:
        yield found

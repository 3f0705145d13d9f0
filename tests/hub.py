"""A hub's parts on a real database, for tests that enter below the web."""

import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest

from sayso.contracts.ground import Ground
from sayso.rules.statements import Voice
from sayso.store.book import PostgresBook
from sayso.store.pool import open_pool
from sayso.store.vault import Vault
from sayso.store.writing import Tools

PEPPER = b"p" * 32


def tools() -> Tools:
    return Tools(PEPPER, Vault({"k1": b"k" * 32}, "k1", os.urandom), os.urandom)


@dataclass(frozen=True, slots=True)
class Hub:
    """The parts that flows take as ports."""

    pool: "asyncpg.Pool[asyncpg.Record]"
    book: PostgresBook
    ground: Ground


@pytest.fixture
async def hub(database: str) -> AsyncIterator[Hub]:
    pool = await open_pool(database)
    book = PostgresBook(pool, tools())
    await book.open()
    yield Hub(pool, book, Ground(clock=lambda: time.time_ns() // 1000, chance=os.urandom))
    await book.close()
    await pool.close()


def api(client: str = "shop", source: str = "api", **more: object) -> Voice:
    """A relayed voice of an API client."""
    return Voice(source, False, f"c:{client}:{source}", f"c:{client}", **more)  # type: ignore[arg-type]  # keywords of Voice


def person(source: str = "preference_center", **more: object) -> Voice:
    """The person's own voice."""
    return Voice(source, True, "", "center", **more)  # type: ignore[arg-type]  # keywords of Voice

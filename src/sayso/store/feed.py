"""The feed on PostgreSQL: the log in its order, opened for those who may read it."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from sayso.contracts.book import Noted
from sayso.contracts.feed import LOG, Fed, Place
from sayso.rules.words import OWN_SOURCES
from sayso.store.pool import borrowed
from sayso.store.queries import QUERIES
from sayso.store.shown import noted
from sayso.store.vault import Vault


class PostgresFeed:
    """Reads the entries of one log in order and keeps endpoints' places."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", vault: Vault, log: int = LOG) -> None:
        self._pool, self._vault, self._log = pool, vault, log

    async def size(self) -> int:
        """How many entries have a place."""
        async with borrowed(self._pool) as borrow:
            return int(await borrow.fetchval(QUERIES["log_size"], self._log))

    async def read(self, start: int, limit: int) -> Sequence[Fed]:
        """The entries of a run of places."""
        async with borrowed(self._pool) as borrow:
            records = await borrow.fetch(QUERIES["feed_entries"], self._log, start, start + limit)
        return [_fed(noted(record, record["wrapped"], self._vault), record["seq"], record["kind"] or "") for record in records]

    async def read_own(self, start: int, limit: int) -> Sequence[Fed]:
        """What people said themselves, of a run of places."""
        async with borrowed(self._pool) as borrow:
            records = await borrow.fetch(QUERIES["own_words"], self._log, start, start + limit, sorted(OWN_SOURCES))
        return [_fed(noted(record, record["wrapped"], self._vault), record["seq"], record["kind"] or "") for record in records]

    async def place(self, connection: UUID) -> Place:
        """How far an endpoint was told."""
        async with borrowed(self._pool) as borrow:
            record = await borrow.fetchrow(QUERIES["feed_place"], connection)
        return Place(record["feed_seq"], record["feed_attempts"], record["feed_due_at"]) if record else Place(0, 0, 0)

    async def claim(self, connection: UUID, seq: int, now: int, until: int) -> bool:
        """Takes the turn of telling an endpoint."""
        async with borrowed(self._pool) as borrow:
            return await borrow.fetchval(QUERIES["feed_claim"], connection, seq, now, until) is not None

    async def advance(self, connection: UUID, seq: int, to: int) -> None:
        """Moves an endpoint on."""
        async with borrowed(self._pool) as borrow:
            await borrow.execute(QUERIES["feed_advance"], connection, seq, to)

    async def postpone(self, connection: UUID, seq: int, due_at: int) -> None:
        """Notes a failed attempt."""
        async with borrowed(self._pool) as borrow:
            await borrow.execute(QUERIES["feed_postpone"], connection, seq, due_at)


def _fed(one: Noted, seq: int, about_kind: str) -> Fed:
    return Fed(seq, one.id, one.sub, about_kind, one.act, one.fields, one.detail)

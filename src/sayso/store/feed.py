"""The feed on PostgreSQL: the log in its order, opened for those who may read it."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from sayso.contracts.book import Noted
from sayso.contracts.feed import Fed, Place
from sayso.rules.words import OWN_SOURCES
from sayso.store.pool import Connection, borrowed
from sayso.store.queries import QUERIES
from sayso.store.shown import noted
from sayso.store.vault import Vault


class PostgresFeed:
    """Reads entries in order and keeps endpoints' places.

    Without a `log` it reads all of them, one behind the other: places of a later log (opened when an older database was put back) go on
    where the closed one ends. With a `log` it reads that one alone, from its own place 0.
    """

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", vault: Vault, log: int | None = None) -> None:
        self._pool, self._vault, self._log = pool, vault, log

    async def size(self) -> int:
        """How many entries have a place."""
        async with borrowed(self._pool) as borrow:
            return sum(size for _, size in await self._logs(borrow))

    async def read(self, start: int, limit: int) -> Sequence[Fed]:
        """The entries of a run of places; it ends where a log does."""
        return await self._read("feed_entries", start, limit)

    async def _read(self, query: str, start: int, limit: int, *more: object) -> Sequence[Fed]:
        async with borrowed(self._pool) as borrow:
            before = 0
            for log, size in await self._logs(borrow):
                if start < before + size:
                    first = start - before
                    records = await borrow.fetch(QUERIES[query], log, first, first + limit, *more)
                    return [_fed(noted(one, one["wrapped"], self._vault), before + one["seq"], one["kind"] or "") for one in records]
                before += size
        return ()

    async def _logs(self, borrow: Connection) -> list[tuple[int, int]]:
        """The logs that are read, in order, with how many places each has given."""
        if self._log is not None:
            return [(self._log, await borrow.fetchval(QUERIES["log_size"], self._log))]
        return [(record["log"], record["size"]) for record in await borrow.fetch(QUERIES["log_sizes"])]

    async def read_own(self, start: int, limit: int) -> Sequence[Fed]:
        """What people said themselves, of a run of places."""
        return await self._read("own_words", start, limit, sorted(OWN_SOURCES))

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

"""Setting up connections on PostgreSQL."""

import asyncio
import json
from collections.abc import Mapping
from typing import Final
from uuid import UUID

import asyncpg

from sayso.contracts.connecting import ReadBack
from sayso.contracts.spokes import Connection
from sayso.rules.ids import SHARDS
from sayso.store.pool import Connection as BorrowedConnection
from sayso.store.pool import borrowed
from sayso.store.queries import QUERIES
from sayso.store.rows import bound, shards_and_pseudonyms
from sayso.store.writing import Tools

LOOKS: Final = 40
"""How often a backfill looks whether older transactions have ended before it gives up for this turn."""
PAUSE: Final = 0.05
SLOW: Final = 60.0
"""Seconds one shard's backfill or a replay may take."""


class PostgresConnecting:
    """Keeps connections and plans their work in bulk."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", tools: Tools) -> None:
        self._pool, self._tools = pool, tools

    async def add(self, connection: Connection) -> None:
        """Keeps a new connection."""
        one = connection
        async with borrowed(self._pool) as borrow:
            await borrow.execute(
                QUERIES["add_connection"], one.id, one.connector, one.name, one.brand, one.grain, self._sealed(one), one.description,
                one.state, one.cause, one.created_at, one.backfilled,
            )  # fmt: skip

    async def save(self, connection: Connection) -> None:
        """Keeps what may change of a connection."""
        one = connection
        async with borrowed(self._pool) as borrow:
            await borrow.execute(
                QUERIES["save_connection"], one.id, one.name, one.brand, one.grain, self._sealed(one), one.description, one.state,
                one.cause, one.backfilled,
            )  # fmt: skip

    async def remove(self, connection: UUID) -> None:
        """Makes a connection gone."""
        empty = self._tools.vault.wrap(b"{}", bound("connection", connection.bytes))
        async with borrowed(self._pool) as borrow:
            await borrow.execute(QUERIES["remove_connection"], connection, empty)
        await self.unplan(connection)

    async def unplan(self, connection: UUID) -> None:
        """Forgets a connection's work, shard by shard."""
        async with borrowed(self._pool) as borrow:
            for shard in range(SHARDS):
                await borrow.execute(QUERIES["forget_work"], shard, connection)

    async def backfill(self, connection: Connection) -> bool:
        """Plans work for everybody, shard by shard.

        A write that read the connections before this one was there may still be running: its change is seen by neither. So this
        begins only when every transaction that is older than this moment has ended.
        """
        async with borrowed(self._pool) as borrow:
            if connection.grain in ("address", "contact") and not await self._planned(connection, borrow):
                return False
            await borrow.execute(QUERIES["mark_backfilled"], connection.id, connection.brand, connection.grain)
        return True

    async def _planned(self, connection: Connection, borrow: BorrowedConnection) -> bool:
        newest = await borrow.fetchval(QUERIES["newest_transaction"])
        for _ in range(LOOKS):
            if await borrow.fetchval(QUERIES["ended_before"], newest):
                break
            await asyncio.sleep(PAUSE)
        else:
            return False
        query = QUERIES["backfill_addresses" if connection.grain == "address" else "backfill_contacts"]
        for shard in range(SHARDS):
            await borrow.execute(query, shard, connection.id, timeout=SLOW)
        return True

    async def replay(self, connection: UUID, since: int) -> int:
        """Plans again what changed since a time."""
        async with borrowed(self._pool) as borrow:
            status = await borrow.execute(QUERIES["replay_work"], connection, since, timeout=SLOW)
        return int(status.rpartition(" ")[2])

    async def begin_pull(self, connection: UUID, every: int) -> bool:
        """Takes the turn of pulling."""
        async with borrowed(self._pool) as borrow:
            return await borrow.fetchval(QUERIES["begin_pull"], connection, every) is not None

    async def end_pull(self, connection: UUID, before: str | None, cursor: str | None, more: bool) -> None:
        """Moves a pull's cursor."""
        async with borrowed(self._pool) as borrow:
            await borrow.execute(QUERIES["end_pull"], connection, before, cursor, more)

    async def unread(self, connection: UUID, limit: int) -> Mapping[str, str]:
        """Subjects nobody has read back since their acknowledgement."""
        async with borrowed(self._pool) as borrow:
            return {row["sub"].hex(): row["told"].decode() for row in await borrow.fetch(QUERIES["unread_work"], connection, limit)}

    async def note_read_back(self, connection: UUID, found: Mapping[str, ReadBack]) -> None:
        """Keeps what was read back."""
        if found:
            async with borrowed(self._pool) as borrow:
                await borrow.execute(QUERIES["note_read_back"], connection, *shards_and_pseudonyms(found), list(found.values()))

    def _sealed(self, connection: Connection) -> bytes:
        plain = json.dumps(dict(connection.settings.values)).encode()
        return self._tools.vault.wrap(plain, bound("connection", connection.id.bytes))

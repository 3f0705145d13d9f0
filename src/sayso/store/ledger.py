"""The ledger in PostgreSQL: the log's turns, reading it, and the audit's one consistent view (contracts/ledger.py)."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg

from sayso.contracts.ledger import ALL_SHARDS, Kept, LedgerDamaged, Placed, Places, Signed, Stored, Turn, Waiting
from sayso.rules.tiles import WIDTH, TileKey
from sayso.store.details import PostgresDetails
from sayso.store.pool import borrowed, see_the_same
from sayso.store.queries import QUERIES
from sayso.store.vault import Vault

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = PoolConnectionProxy[asyncpg.Record]

_LOCK_CLASS = 0x5A59
"""Sayso's number among advisory locks of two integers; the second one is the log."""
_AUDIT_ROWS = 16 * WIDTH
_AUDIT_SECONDS = 3_600.0
"""How long one step of an audit may take: the first one sorts everything."""


@dataclass(slots=True)
class PostgresLog:
    """One log of a database: reads take a connection each, a turn takes one for its transaction. Only `follow` changes it."""

    pool: "Pool"
    log: int = 0

    async def follow(self) -> None:
        """Turns to the database's newest log: the one it was about may have been closed."""
        async with borrowed(self.pool) as connection:
            self.log = int(await connection.fetchval(QUERIES["log_newest"]))

    def number(self, log: int) -> "PostgresLog":
        """Another log of the same database."""
        return PostgresLog(self.pool, log)

    async def size(self) -> int:
        """How many entries the log has."""
        async with borrowed(self.pool) as connection:
            return int(await connection.fetchval(QUERIES["log_size"], self.log))

    async def stopped(self) -> str | None:
        """Why this log may not be believed; None when nothing is known against it."""
        async with borrowed(self.pool) as connection:
            found: str | None = await connection.fetchval(QUERIES["log_stopped"], self.log)
        return found

    async def stop(self, why: str) -> None:
        """Marks the log as one that may not be believed; the first reason stays."""
        async with borrowed(self.pool) as connection:
            await connection.execute(QUERIES["log_stop"], self.log, why)

    async def newest(self) -> Signed | None:
        """The newest stored checkpoint."""
        async with borrowed(self.pool) as connection:
            return _signed(await connection.fetchrow(QUERIES["log_newest_checkpoint"], self.log))

    async def tiles(self, keys: Collection[TileKey]) -> Mapping[TileKey, bytes]:
        """The tiles with these keys, as far as they exist."""
        async with borrowed(self.pool) as connection:
            return await _tiles(connection, self.log, keys)

    async def place_of(self, entry: UUID) -> Placed | None:
        """The place of an entry; None before it is sequenced."""
        async with borrowed(self.pool) as connection:
            row = await connection.fetchrow(QUERIES["log_place_of"], self.log, entry)
        return Placed(*row) if row else None

    async def leaves(self, start: int, count: int) -> Sequence[bytes]:
        """The leaves from place `start` on, at most `count`, without gaps."""
        async with borrowed(self.pool) as connection:
            rows = await connection.fetch(QUERIES["log_leaves"], self.log, start, start + count)
        return [row["leaf"] for place, row in enumerate(rows, start) if row["seq"] == place]

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn | None]:
        """A transaction that holds the log's lock and commits at its end; None when another process holds it, or the log is closed."""
        log = self.log
        async with borrowed(self.pool) as connection, connection.transaction():
            is_ours = await connection.fetchval(QUERIES["log_lock"], _LOCK_CLASS, log)
            is_open = is_ours and await connection.fetchval(QUERIES["log_is_open"], log)
            yield _PostgresTurn(connection, log) if is_open else None

    @asynccontextmanager
    async def audit(self, snapshot: str = "") -> AsyncIterator["PostgresAudit"]:
        """One consistent, read-only view of the whole ledger, or of a snapshot that another audit holds.

        It holds a connection and old row versions until it ends.
        """
        async with borrowed(self.pool) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            if snapshot:
                await connection.execute(see_the_same(snapshot))
            await connection.execute(QUERIES["audit_begins"])
            yield PostgresAudit(connection, self.log)


@dataclass(frozen=True, slots=True)
class _PostgresTurn:
    connection: "Connection"
    log: int

    async def size(self) -> int:
        return int(await self.connection.fetchval(QUERIES["log_size"], self.log))

    async def newest(self) -> Signed | None:
        return _signed(await self.connection.fetchrow(QUERIES["log_newest_checkpoint"], self.log))

    async def tiles(self, keys: Collection[TileKey]) -> Mapping[TileKey, bytes]:
        return await _tiles(self.connection, self.log, keys)

    async def waiting(self, limit: int) -> Sequence[Waiting]:
        rows = await self.connection.fetch(QUERIES["log_waiting"], limit)
        for row in rows:
            if row["leaf"] is None:
                raise LedgerDamaged(f"entry {row['id']} waits for its place in the log but does not exist")
        return [Waiting(*row) for row in rows]

    async def append(self, size: int, entries: Sequence[Waiting], tiles: Mapping[TileKey, bytes]) -> None:
        await self._place(self.log, size, entries, tiles)

    async def _place(self, log: int, size: int, entries: Sequence[Waiting], tiles: Mapping[TileKey, bytes]) -> None:
        shards, ids = [entry.shard for entry in entries], [entry.id for entry in entries]
        await self.connection.execute(QUERIES["log_append"], log, size, shards, ids)
        await self.connection.execute(QUERIES["log_unqueue"], shards, ids)
        levels, places = [level for level, _ in tiles], [n for _, n in tiles]
        await self.connection.execute(QUERIES["log_keep_tiles"], log, levels, places, list(tiles.values()))

    async def keep(self, checkpoint: Signed) -> None:
        values = (checkpoint.size, checkpoint.root, checkpoint.note, checkpoint.at)
        await self.connection.execute(QUERIES["log_keep_checkpoint"], self.log, *values)

    async def signed(self) -> Sequence[Signed]:
        return [Signed(*row) for row in await self.connection.fetch(QUERIES["log_signed_sizes"], self.log)]

    async def entry(self, entry: UUID) -> Waiting | None:
        row = await self.connection.fetchrow(QUERIES["log_waiting_entry"], entry.bytes[-1], entry)
        return Waiting(*row) if row else None

    async def close(self, after: int, opening: Waiting, tiles: Mapping[TileKey, bytes], at: int) -> None:
        await self.connection.execute(QUERIES["log_open"], after, at, opening.id)
        await self._place(after, 0, [opening], tiles)


@dataclass(frozen=True, slots=True)
class PostgresAudit:
    """What `verify` reads, from one snapshot of the database."""

    connection: "Connection"
    log: int

    def number(self, log: int) -> "PostgresAudit":
        """The same view, about another log."""
        return PostgresAudit(self.connection, log)

    async def snapshot(self) -> str:
        """What other connections see the same by, as long as this audit lasts."""
        return str(await self.connection.fetchval(QUERIES["share_snapshot"]))

    def details(self, vault: Vault) -> PostgresDetails:
        """The personal parts of entries in this view."""
        return PostgresDetails(self.connection, vault)

    async def logs(self) -> Sequence[int]:
        """The numbers of all logs, oldest first."""
        return [row["id"] for row in await self.connection.fetch(QUERIES["log_numbers"])]

    async def counts(self) -> tuple[int, int]:
        """Places given out in this log, and entries in all."""
        row = await self.connection.fetchrow(QUERIES["audit_counts"], self.log, timeout=_AUDIT_SECONDS)
        return (row[0], row[1]) if row else (0, 0)

    async def places(self) -> AsyncGenerator[Places, None]:
        """All places in order, 4,096 at a time."""
        cursor = await self.connection.cursor(QUERIES["audit_places"], self.log, timeout=_AUDIT_SECONDS)
        while rows := await cursor.fetch(_AUDIT_ROWS, timeout=_AUDIT_SECONDS):
            yield Places(*zip(*rows, strict=True))

    async def entries(self, shards: range = ALL_SHARDS) -> AsyncIterator[Sequence[Stored]]:
        """All entries of these shards, chain by chain, 4,096 at a time."""
        cursor = await self.connection.cursor(QUERIES["audit_entries"], shards.start, shards.stop, timeout=_AUDIT_SECONDS)
        while rows := await cursor.fetch(_AUDIT_ROWS, timeout=_AUDIT_SECONDS):
            yield list(map(Stored._make, rows))

    async def tiles(self, keys: Collection[TileKey]) -> Mapping[TileKey, bytes]:
        """The tiles with these keys, as far as they exist."""
        return await _tiles(self.connection, self.log, keys)

    async def tile_keys_beyond(self, keys: Collection[TileKey]) -> Sequence[TileKey]:
        """Tiles right of these last ones or on other levels, at most 100."""
        rows = await self.connection.fetch(QUERIES["log_tiles_beyond"], self.log, [level for level, _ in keys], [n for _, n in keys])
        return [(row["level"], row["n"]) for row in rows]

    async def checkpoints(self, after: int, upto: int) -> Sequence[Signed]:
        """Stored checkpoints of sizes after < size ≤ upto, smallest first."""
        return [Signed(*row) for row in await self.connection.fetch(QUERIES["log_checkpoints"], self.log, after, upto)]

    async def subjects(self, subs: Collection[bytes]) -> Mapping[bytes, Kept]:
        """The subjects with these pseudonyms, as far as they exist."""
        rows = await self.connection.fetch(QUERIES["audit_subjects"], [int.from_bytes(sub[:1]) for sub in subs], list(subs))
        return {pseudonym: Kept(*kept) for pseudonym, *kept in rows}

    async def unfounded(self) -> Sequence[bytes]:
        """Pseudonyms of subjects that have state but no entry, at most 100."""
        return [row["pseudonym"] for row in await self.connection.fetch(QUERIES["audit_unfounded"], timeout=_AUDIT_SECONDS)]

    async def misqueued(self) -> Sequence[UUID]:
        """Queued ids that have a place already or no entry, at most 100."""
        return [row["id"] for row in await self.connection.fetch(QUERIES["audit_misqueued"], timeout=_AUDIT_SECONDS)]


async def _tiles(connection: "Connection", log: int, keys: Collection[TileKey]) -> dict[TileKey, bytes]:
    rows = await connection.fetch(QUERIES["log_tiles"], log, [level for level, _ in keys], [n for _, n in keys])
    return {(row["level"], row["n"]): row["hashes"] for row in rows}


def _signed(row: Any) -> Signed | None:
    return Signed(*row) if row else None

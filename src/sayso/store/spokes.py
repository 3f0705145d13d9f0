"""Connections and their work on PostgreSQL."""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sayso.contracts.settings import Settings
from sayso.contracts.spokes import Accuracy, Claimed, Connection, Delivery, NoSuchConnection, Settled, Talk, Told
from sayso.rules.ids import RANDOM_BYTES, day_of, uuid7
from sayso.store.memos import daily_key
from sayso.store.pool import borrowed
from sayso.store.queries import QUERIES
from sayso.store.rows import bound, shards_and_pseudonyms
from sayso.store.vault import Sealed
from sayso.store.writing import Tools


class PostgresSpokes:
    """Keeps connections, claims and settles work, logs attempts."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", tools: Tools) -> None:
        self._pool, self._tools = pool, tools

    async def connections(self) -> list[Connection]:
        """All connections that are not gone, oldest first."""
        async with borrowed(self._pool) as connection:
            return [self._connection(record) for record in await connection.fetch(QUERIES["all_connections"])]

    async def connection(self, connection: UUID) -> Connection:
        """One connection. Raises NoSuchConnection, also for one that is gone."""
        async with borrowed(self._pool) as borrow:
            record = await borrow.fetchrow(QUERIES["connection_by_id"], connection)
        if record is None or record["state"] == "gone":
            raise NoSuchConnection(str(connection))
        return self._connection(record)

    def _connection(self, record: Any) -> Connection:
        vault = self._tools.vault
        place = bound("connection", record["id"].bytes)
        settings = json.loads(vault.unwrap(record["settings"], place))
        names = ("id", "connector", "name", "brand", "grain", "description", "state", "cause", "created_at", "backfilled", "cursor")
        return Connection(
            **{name: record[name] for name in names},
            settings=Settings(settings),
            pulled_at=record["pulled_at"],
            feed_seq=record["feed_seq"],
        )

    async def claim(self, connection: UUID, *, limit: int, lease: int, early: bool = False) -> list[Claimed]:
        """Rows that are due, leased for `lease` microseconds."""
        token = UUID(bytes=self._tools.chance(16))
        async with borrowed(self._pool) as borrow:
            places = await borrow.fetch(QUERIES["waiting_work" if early else "due_work"], connection, limit)
            if not places:
                return []
            shards, subs, deliveries = zip(*((shard, sub, UUID(bytes=self._tools.chance(16))) for shard, sub in places), strict=True)
            records = await borrow.fetch(QUERIES["claim_work"], connection, shards, subs, deliveries, token, lease, early)
        return [
            Claimed(
                r["connection"], r["sub"].hex(), r["wanted"], r["lease"], r["delivery"], r["attempts"], r["unsure"],
                r["told"].decode() if r["told"] is not None else None, r["origin"], r["wanted_at"],
            )
            for r in records
        ]  # fmt: skip

    async def settle(self, settled: Sequence[Settled]) -> None:
        """Ends leases; each row only while its lease is still ours."""
        done, left = [], []
        for one in settled:
            row = one.claimed
            place = (int(row.sub[:2], 16), row.connection, bytes.fromhex(row.sub), row.lease)
            if one.done:
                done.append((*place, row.wanted, one.told.encode() if one.told is not None else None))
            else:
                unsure = one.outcome.kind == "unknown" or (row.unsure and not one.outcome.acknowledged)
                again = one.outcome.acknowledged
                cause = None if again else f"{one.outcome.kind}: {one.outcome.reason}"[:500]
                left.append((*place, one.due_at or 0, again, unsure, cause, one.parked, row.wanted))
        async with borrowed(self._pool) as borrow:
            if done:
                await borrow.execute(QUERIES["settle_done"], done)
            if left:
                await borrow.executemany(QUERIES["settle_open"], left)

    async def hasten(self, connection: UUID) -> None:
        """Makes everything that waits for a retry due now."""
        async with borrowed(self._pool) as borrow:
            await borrow.execute(QUERIES["hasten_work"], connection)

    async def disable(self, connection: UUID, cause: str) -> None:
        """Stops a connection, with the reason people are shown."""
        async with borrowed(self._pool) as borrow:
            await borrow.execute(QUERIES["disable_connection"], connection, cause[:500])

    async def log_attempts(self, connection: UUID, talks: Sequence[Talk]) -> None:
        """Keeps what was sent and answered, redacted and encrypted under the day's key."""
        if not any(talk.attempts for talk in talks):
            return
        days: dict[date, AESGCM] = {}
        rows = []
        async with borrowed(self._pool) as borrow:
            for talk in talks:
                alone = talk.claimed[0] if len(talk.claimed) == 1 else None
                kinds = ",".join(sorted({outcome.kind for outcome in talk.outcomes}))
                for attempt in talk.attempts:
                    day = day_of(attempt.at)
                    if day not in days:
                        days[day] = AESGCM(await daily_key(borrow, day, self._tools.vault))
                    attempt_id = uuid7(attempt.at, self._tools.chance(RANDOM_BYTES), int(alone.sub[:2], 16) if alone else 0)
                    sealed = self._tools.vault.seal(days[day], msgspec.json.encode(attempt), bound("attempt", attempt_id.bytes))
                    rows.append((
                        attempt_id.bytes[-1], attempt_id, connection, bytes.fromhex(alone.sub) if alone else None, attempt.at,
                        attempt.milliseconds, attempt.status, kinds, alone.delivery if alone else None, day, sealed,
                    ))  # fmt: skip
            await borrow.execute(QUERIES["keep_attempts"], rows)

    async def deliveries(self, connection: UUID, *, before: str, limit: int) -> list[Delivery]:
        """A connection's newest attempts first, beginning before the attempt `before` ("" for the newest)."""
        async with borrowed(self._pool) as borrow:
            records = await borrow.fetch(QUERIES["attempts_of_connection"], connection, UUID(before) if before else None, limit)
            found = []
            for r in records:
                try:
                    key = await daily_key(borrow, r["day"], self._tools.vault)
                    plain = json.loads(self._tools.vault.open(key, r["sealed"], bound("attempt", r["id"].bytes)))
                except Sealed:
                    plain = None
                found.append(Delivery(
                    r["id"], r["connection"], r["sub"].hex() if r["sub"] else None, r["at"], r["milliseconds"], r["status"] or 0,
                    r["outcome"], r["delivery"], plain,
                ))  # fmt: skip
        return found

    async def told(self, subs: Sequence[str]) -> list[Told]:
        """How far each connection is with some subjects."""
        async with borrowed(self._pool) as borrow:
            records = await borrow.fetch(QUERIES["told_of_subjects"], *shards_and_pseudonyms(subs))
        return [
            Told(
                r["connection"], r["sub"].hex(), r["wanted"], r["acked"], r["wanted_at"], r["acked_at"], r["attempts"], r["parked"],
                r["read_back"], r["cause"], r["leased"],
            )
            for r in records
        ]  # fmt: skip

    async def accuracy(self) -> list[Accuracy]:
        """How far every connection is with everybody."""
        async with borrowed(self._pool) as borrow:
            records = await borrow.fetch(QUERIES["accuracy"])
        return [Accuracy(r["connection"], r["pairs"], r["in_sync"], r["oldest_lag"]) for r in records]

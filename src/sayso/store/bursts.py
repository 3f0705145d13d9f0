"""Bursts on PostgreSQL."""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg

from sayso.contracts.bursts import Burst, Marked, Member, Offered, Reached, Waiting
from sayso.contracts.feed import Fed
from sayso.contracts.letters import Cursor
from sayso.rules.bursts import SOURCES, Signal
from sayso.rules.ids import shard_of
from sayso.store.pool import Connection, borrowed
from sayso.store.queries import QUERIES
from sayso.store.shown import noted
from sayso.store.writing import Tools

HASH_BYTES: Final = 16
PERSONS_OPT_OUTS: Final = 100
"""How many opt-outs one person can have in one burst, at most, that they are asked about."""


class _Moved(Exception):
    """Another process changed what this transaction builds on."""


class PostgresBursts:
    """Keeps signs and bursts."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", tools: Tools) -> None:
        self._pool, self._tools = pool, tools

    async def cursor(self) -> Cursor:
        """How far watching has read."""
        async with borrowed(self._pool) as borrow:
            row = await borrow.fetchrow(QUERIES["burst_cursor"])
        assert row is not None  # the migration made it
        return Cursor(row["log"], row["seq"])

    def veiled(self, kind: str, value: str) -> bytes:
        """A keyed hash, to compare with."""
        if not value:
            return b""
        return hmac.digest(self._tools.pepper, f"burst/{kind}\0{value}".encode("utf-8", "surrogatepass"), "sha256")[:HASH_BYTES]

    async def reached(self, asked: Sequence[Reached]) -> list[int | None]:
        """When the last message reached people."""
        found: list[int | None] = [None] * len(asked)
        rows = [(n, bytes.fromhex(sub), one.before) for n, one in enumerate(asked) for sub in one.subs]
        if not rows:
            return found
        places, subs, befores = (list(column) for column in zip(*rows, strict=True))
        async with borrowed(self._pool) as borrow:
            for row in await borrow.fetch(QUERIES["last_reached"], places, [sub[0] for sub in subs], subs, befores):
                found[row["place"]] = row["at"]
        return found

    async def statements(self, log: int, start: int, end: int) -> Sequence[Fed]:
        """What was chosen through links in a run of places."""
        async with borrowed(self._pool) as borrow:
            rows = await borrow.fetch(QUERIES["link_statements"], log, start, end, sorted(SOURCES))
        found = [(row, noted(row, row["wrapped"], self._tools.vault)) for row in rows]
        return [Fed(row["seq"], one.id, one.sub, row["kind"] or "", one.act, one.fields, one.detail) for row, one in found]

    async def recent(self, since: int, until: int) -> list[Signal]:
        """Signals of some minutes."""
        return await self._signals("recent_signals", since, until)

    async def undated(self, since: int, until: int) -> list[Signal]:
        """Signals that deserve a second look."""
        return await self._signals("undated_signals", since, until)

    async def _signals(self, query: str, since: int, until: int) -> list[Signal]:
        async with borrowed(self._pool) as borrow:
            return [_signal(row) for row in await borrow.fetch(QUERIES[query], since, until)]

    async def keep(
        self, start: Cursor, end: Cursor, signals: Sequence[Signal], again: Sequence[Signal], marked: Sequence[Marked], now: int
    ) -> bool:
        """What one look found, all of it or nothing."""
        try:
            async with borrowed(self._pool) as borrow, borrow.transaction():
                await _keep(borrow, start, end, signals, again, marked, now)
        except _Moved:
            return False
        return True

    async def forget(self, before: int) -> None:
        """Forgets what was no burst."""
        async with borrowed(self._pool) as borrow:
            await borrow.execute(QUERIES["forget_signals"], before)

    async def newest(self, before: UUID | None, limit: int) -> list[Burst]:
        """Bursts, newest first."""
        async with borrowed(self._pool) as borrow:
            return [_burst(row) for row in await borrow.fetch(QUERIES["bursts"], before, None, limit)]

    async def burst(self, burst: UUID) -> Burst | None:
        """One burst."""
        async with borrowed(self._pool) as borrow:
            row = await borrow.fetchrow(QUERIES["bursts"], None, burst, 1)
        return _burst(row) if row else None

    async def untold(self, since: int) -> list[Burst]:
        """Bursts to tell of."""
        async with borrowed(self._pool) as borrow:
            ids = [row["id"] for row in await borrow.fetch(QUERIES["bursts_to_tell"], since)]
            rows = [await borrow.fetchrow(QUERIES["bursts"], None, one, 1) for one in ids]
        return [_burst(row) for row in rows if row is not None]

    async def told(self, burst: UUID, entry: str) -> None:
        """Notes who told of a burst."""
        async with borrowed(self._pool) as borrow:
            await borrow.execute(QUERIES["burst_told"], burst, UUID(entry))

    async def members(self, burst: UUID, limit: int) -> list[Member]:
        """The opt-outs of a burst."""
        async with borrowed(self._pool) as borrow:
            return await self._members(borrow, burst, None, limit)

    async def _members(self, borrow: Connection, burst: UUID, person: bytes | None, limit: int) -> list[Member]:
        rows = await borrow.fetch(QUERIES["burst_members"], burst, person, limit)
        vault = self._tools.vault
        return [
            Member(row["person"].hex(), (row["address"] or b"").hex(), row["after"], noted(row, row["wrapped"], vault), row["scanner"])
            for row in rows
        ]

    async def marks(self, entries: Sequence[str]) -> Mapping[str, UUID]:
        """Which entries are marked."""
        ids = [UUID(entry) for entry in entries]
        async with borrowed(self._pool) as borrow:
            rows = await borrow.fetch(QUERIES["burst_marks"], [shard_of(one) for one in ids], ids) if ids else []
        return {str(row["entry"]): row["burst"] for row in rows}

    async def offer(self, burst: UUID, offered: Offered) -> bool:
        """Closes a burst."""
        async with borrowed(self._pool) as borrow:
            return await borrow.fetchval(QUERIES["offer_burst"], burst, offered.at, offered.by, UUID(offered.entry)) is not None

    async def to_ask(self, limit: int) -> Sequence[Waiting]:
        """Who was not asked yet."""
        found = []
        async with borrowed(self._pool) as borrow:
            for row in await borrow.fetch(QUERIES["people_to_ask"], limit):
                members = await self._members(borrow, row["burst"], row["person"], PERSONS_OPT_OUTS)
                found.append(Waiting(row["burst"], row["offered_at"], row["person"].hex(), tuple(members)))
        return found

    async def settle(self, burst: UUID, person: str, *, asked: bool) -> None:
        """Notes that an offer is over with somebody."""
        async with borrowed(self._pool) as borrow, borrow.transaction():
            await borrow.execute(QUERIES["settle_person"], burst, bytes.fromhex(person), asked)
            await borrow.execute(QUERIES["settle_burst"], burst)

    async def suspected(self) -> int:
        """How many opt-outs are marked."""
        async with borrowed(self._pool) as borrow:
            return int(await borrow.fetchval(QUERIES["count_suspected"]))


async def _keep(
    borrow: Connection, start: Cursor, end: Cursor, signals: Sequence[Signal], again: Sequence[Signal], marked: Sequence[Marked], now: int
) -> None:  # fmt: skip
    """Everything of one look; to be called within a transaction. Raises _Moved."""
    if await borrow.fetchval(QUERIES["move_burst_cursor"], start.log, start.seq, end.log, end.seq) is None:
        raise _Moved
    if signals:
        rows = [
            (
                *_place(one.entry),
                bytes.fromhex(one.person),
                bytes.fromhex(one.address) or None,
                one.at,
                one.after,
                one.network,
                one.host,
                one.agent,
                one.scanner,
                one.relayed,
            )
            for one in signals
        ]
        await borrow.execute(QUERIES["keep_signals"], *(list(column) for column in zip(*rows, strict=True)))
    if again:
        looked = [(*_place(one.entry), one.after) for one in again]
        await borrow.execute(QUERIES["look_twice"], *(list(column) for column in zip(*looked, strict=True)))
    for one in marked:
        if one.made:
            await borrow.execute(QUERIES["make_burst"], one.burst, now)
        elif await borrow.fetchval(QUERIES["lock_open_burst"], one.burst) is None:
            raise _Moved
        shards, entries = (list(column) for column in zip(*map(_place, one.entries), strict=True))
        await borrow.execute(QUERIES["mark_signals"], one.burst, shards, entries)


def _place(entry: str) -> tuple[int, UUID]:
    found = UUID(entry)
    return shard_of(found), found


def _signal(row: Any) -> Signal:
    return Signal(
        entry=str(row["entry"]), person=row["person"].hex(), address=(row["address"] or b"").hex(), at=row["at"], network=row["network"], host=row["host"], agent=row["agent"],
        scanner=row["scanner"], relayed=row["relayed"], after=row["after"], burst=str(row["burst"] or ""), closed=row["closed"],
    )  # fmt: skip


def _burst(row: Any) -> Burst:
    offered = Offered(row["offered_at"], row["offered_by"], str(row["offer"])) if row["offered_at"] is not None else None
    return Burst(
        id=row["id"], found_at=row["found_at"], first_at=row["first_at"], last_at=row["last_at"], people=row["people"],
        opt_outs=row["opt_outs"], networks=row["networks"], hosts=row["hosts"], agents=row["agents"], scanners=row["scanners"],
        undelivered=row["undelivered"], soonest=row["soonest"], median=row["median"], latest=row["latest"], offered=offered,
        asked=row["asked"], settled=row["settled"],
    )  # fmt: skip

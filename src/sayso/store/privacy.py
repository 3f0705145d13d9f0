"""Erasures on PostgreSQL: one transaction takes a person's keys, details and names away and leaves the restrictions behind.

Deleted rows stay in the files until they are swept. What lies there are ciphertexts, and data keys wrapped by a key-encryption key that is
itself destroyed when it is exchanged.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import asyncpg

from sayso.contracts.privacy import Completion, Erasure, Informed, Journal, Locked, Remains
from sayso.rules import leaves
from sayso.rules.answer import from_log, to_log
from sayso.rules.entries import Entry, leaf_fields
from sayso.rules.happenings import KNOWN
from sayso.rules.ids import RANDOM_BYTES, shard_of, uuid7
from sayso.rules.merkle import leaf_hash
from sayso.rules.state import to_bytes
from sayso.rules.statements import Row
from sayso.rules.values import altered
from sayso.store.pool import Connection, borrowed
from sayso.store.queries import QUERIES
from sayso.store.rows import Held, held, shards_and_pseudonyms
from sayso.store.writing import Tools

DESTROYED: Final = (
    "destroy_details", "destroy_keys", "destroy_work", "destroy_attempts", "destroy_sent", "destroy_mail_keys", "destroy_letters",
    "destroy_pending", "destroy_signs", "destroy_reservations",
)  # fmt: skip
"""What is deleted or emptied of an erased subject, besides its name and the words in verdicts and events."""
SWEPT: Final = (
    "subject", "subject_key", "detail", "entry", "work", "attempt", "sent", "mail_key", "letter", "pending", "link_opt_out", "reservation", "verdict", "erasure", "idempotency",
    "pg_catalog.pg_statistic",
)  # fmt: skip
"""Tables that erasing deletes from or rewrites. Statistics are made anew too: the planner keeps common values as samples."""
SLOW: Final = 3_600.0


class PostgresErasures:
    """Keeps erasures, and completes them."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", tools: Tools, journal: Journal) -> None:
        self._pool, self._tools, self._journal = pool, tools, journal

    async def open(self, sub: str, now: int) -> Erasure | None:
        """The erasure that was accepted for a subject, or a new one."""
        raw = bytes.fromhex(sub)
        made = uuid7(now, self._tools.chance(RANDOM_BYTES), raw[0])
        async with borrowed(self._pool) as connection:
            await connection.execute(QUERIES["open_erasure"], raw[0], raw, made, now)
            return _erasure(await connection.fetchrow(QUERIES["open_erasure_of"], raw[0], raw))

    async def note(self, erasure: Erasure, entries: Sequence[str]) -> Erasure:
        """Keeps which entries accepted it."""
        async with borrowed(self._pool) as connection:
            await connection.execute(QUERIES["note_erasure"], shard_of(erasure.id), erasure.id, [UUID(entry) for entry in entries])
        return replace(erasure, entries=(*erasure.entries, *entries))

    async def erasure(self, erasure: UUID) -> Erasure | None:
        """The erasure of an id."""
        async with borrowed(self._pool) as connection:
            return _erasure(await connection.fetchrow(QUERIES["erasure"], shard_of(erasure), erasure))

    async def due(self, now: int, limit: int) -> Sequence[Erasure]:
        """Accepted erasures whose turn it is."""
        async with borrowed(self._pool) as connection:
            records = await connection.fetch(QUERIES["due_erasures"], now, limit)
        return [found for record in records if (found := _erasure(record)) is not None]

    async def later(self, erasure: Erasure, due_at: int) -> None:
        """Looks at an erasure again at a time."""
        async with borrowed(self._pool) as connection:
            await connection.execute(QUERIES["erasure_later"], shard_of(erasure.id), erasure.id, due_at)

    async def last_place(self, entries: Sequence[str]) -> int | None:
        """The last place in the log of these entries."""
        async with borrowed(self._pool) as connection:
            record = await connection.fetchrow(QUERIES["places_of_entries"], [UUID(entry) for entry in entries])
        assert record is not None  # it counts
        return record["last"] if record["placed"] == len(set(entries)) else None

    async def complete(
        self, erasure: Erasure, subs: Sequence[str], judge: Callable[[Locked], Completion | None], systems: Sequence[Informed]
    ) -> bool:
        """Completes an erasure in one transaction."""
        place = shard_of(erasure.id), erasure.id
        async with borrowed(self._pool, SLOW) as connection, connection.transaction():
            if await connection.fetchval(QUERIES["lock_erasure"], *place) is None:
                return False
            now = await self._forget(connection, subs, judge)
            if now is None:
                return False
            await connection.execute(QUERIES["end_erasure"], *place, now, json.dumps([_plain(one) for one in systems]))
        return True

    async def again(self, remains: Sequence[Remains], judge: Callable[[Locked], Completion | None]) -> int:
        """How many subjects were erased again: an older database was put back."""
        if not remains:
            return 0
        columns = [[one.id[0] for one in remains], [one.id for one in remains]]
        lines = [*columns, [bytes.fromhex(one.sub) for one in remains], [one.at for one in remains]]
        async with borrowed(self._pool, SLOW) as connection, connection.transaction():
            records = await connection.fetch(QUERIES["restored_subjects"], *lines, timeout=SLOW)
            missing = [remains[one["ord"] - 1] for one in records if one["pseudonym"] is None]
            made = [(one.id[0], one.id, one.kind, bytes([one.id[0]]) + self._tools.chance(15)) for one in missing]
            if made:
                await connection.execute(QUERIES["make_remains"], *map(list, zip(*made, strict=True)))
            subs = [one["pseudonym"].hex() for one in records if one["pseudonym"] is not None] + [one[3].hex() for one in made]
            if subs:
                await self._forget(connection, subs, judge)
        return len(subs)

    async def _forget(self, connection: Connection, subs: Sequence[str], judge: Callable[[Locked], Completion | None]) -> int | None:
        """Does it all within the caller's transaction; the moment, or None when the judge would not."""
        records = await connection.fetch(QUERIES["lock_by_pseudonym"], *shards_and_pseudonyms(subs))
        locked = {one.row.sub: one for one in map(held, records)}
        now = await connection.fetchval(QUERIES["microseconds_now"])
        work = await connection.fetch(QUERIES["open_work_of"], *shards_and_pseudonyms(locked))
        chance = self._tools.chance
        ticks = iter(range(now, now + 1_000_000))
        completion = judge(Locked(
            {sub: one.row for sub, one in locked.items()}, {one["sub"].hex(): one["open"] for one in work}, now,
            lambda sub: str(uuid7(next(ticks), chance(RANDOM_BYTES), int(sub[:2], 16))), lambda sub: sub[:2] + chance(15).hex(),
        ))  # fmt: skip
        if completion is None:
            return None
        await _write(connection, completion, locked)
        erased = shards_and_pseudonyms([old for old, *_ in completion.erased])
        for name in DESTROYED:
            await connection.execute(QUERIES[name], *erased, timeout=SLOW)
        await connection.execute(QUERIES["destroy_event_names"], *erased, [*KNOWN, "custom"], timeout=SLOW)
        await _blank_verdicts(connection, erased)
        # Before the commit: a line too many erases once more what is erased, one too few would let a backup bring somebody back.
        self._journal.keep([Remains(locked[old].id, row.kind, row.sub, now) for old, _, _, row in completion.erased])
        return int(now)

    async def sweep(self) -> bool:
        """Clears away what deleted rows left in the files."""
        async with borrowed(self._pool, SLOW) as connection:
            records = await connection.fetch(QUERIES["unswept_erasures"])
            if not records:
                return False
            for table in SWEPT:
                # ANALYZE of our own tables first: only then are the old samples deleted rows that the last VACUUM takes away.
                options = "VACUUM" if table.startswith("pg_catalog") else "VACUUM (ANALYZE)"
                await connection.execute(f"{options} {table}", timeout=SLOW)
            await connection.execute(QUERIES["mark_swept"], [one["shard"] for one in records], [one["id"] for one in records])
        return True


async def _write(connection: Connection, completion: Completion, locked: Mapping[str, Held]) -> None:
    """The entries, chained to what is locked, and the subjects as they go on."""
    rows: list[tuple[Any, ...]] = []
    saved: list[tuple[Any, ...]] = []
    for old, last, first, row in completion.erased:
        was = locked[old]
        rows += [_leaf_row(last, was.row.state.length + 1, was.head), _leaf_row(first, 1, b"")]
        saved.append((was.shard, was.id, *_state_of(row, rows[-1][-1])))
    for entries, row in completion.stayed:
        was = locked[row.sub]
        head = was.head
        for ver, entry in enumerate(entries, was.row.state.length + 1):
            rows.append(_leaf_row(entry, ver, head))
            head = leaf_hash(rows[-1][-1])
        saved.append((was.shard, was.id, *_state_of(row, rows[-1][-1])))
    if not rows:
        return
    await connection.execute(QUERIES["append_leaves"], *map(list, zip(*rows, strict=True)))
    await connection.execute(QUERIES["save_erased"], *map(list, zip(*saved, strict=True)))


def _leaf_row(entry: Entry, ver: int, head: bytes) -> tuple[Any, ...]:
    """An entry without a personal part as a row."""
    leaf = leaves.build(leaf_fields(entry, ver=ver, prev=head.hex(), commitment=""))
    entry_id = UUID(entry.id)
    return (shard_of(entry_id), entry_id, bytes.fromhex(entry.sub), ver, entry.at, entry.kind, entry.act, entry.src, entry.effect, leaf)


def _state_of(row: Row, leaf: bytes) -> tuple[Any, ...]:
    state = row.state
    return bytes.fromhex(row.sub), state.version, state.length, leaf_hash(leaf), state.last_at, to_bytes(state)


async def _blank_verdicts(connection: Connection, erased: tuple[list[int], list[bytes]]) -> None:
    """Takes campaign, message and sender out of the verdicts about these people: they are words of whoever asked."""
    changed = []
    for record in await connection.fetch(QUERIES["verdicts_of_erased"], *erased, timeout=SLOW):
        logged = from_log(record["body"])
        if logged.campaign or logged.message or logged.sender:
            blank = to_log(altered(logged, campaign="", message="", sender=""))
            changed.append((record["shard"], record["day"], record["id"], blank))
    if changed:
        await connection.execute(QUERIES["blank_verdicts"], *map(list, zip(*changed, strict=True)))


def _erasure(record: Any) -> Erasure | None:
    if record is None:
        return None
    systems = tuple(Informed(UUID(one.pop("connection")), **one) for one in json.loads(record["systems"]))
    start = record["pseudonym"].hex() if record["pseudonym"] is not None else ""
    return Erasure(
        record["id"], record["state"], record["accepted_at"], record["completed_at"], start, tuple(map(str, record["entries"])), systems
    )


def _plain(one: Informed) -> dict[str, Any]:
    return {"connection": str(one.connection), "connector": one.connector, "name": one.name, "state": one.state, "at": one.at}

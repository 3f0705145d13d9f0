"""Letters on PostgreSQL: put, claimed, ended; what limits them; sign-ups that wait for the click in their mail."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg

from sayso.contracts.letters import Backlog, Confirmation, Cursor, DoubleOptIn, Letter, Limit, Matter, Pending
from sayso.rules.ids import RANDOM_BYTES, shard_of, uuid7
from sayso.rules.times import DAY, HOUR, MINUTE
from sayso.rules.words import Scope
from sayso.store import matters
from sayso.store.pool import Connection, borrowed
from sayso.store.queries import QUERIES
from sayso.store.rows import bound, shards_and_pseudonyms
from sayso.store.vault import Sealed
from sayso.store.writing import Tools

TOGETHER: Final = MINUTE
"""Changes that follow within this time of a confirmation go into one more."""
MANY: Final = 10
TOGETHER_LATER: Final = HOUR
"""After `MANY` of them within a day, changes of a whole hour: whoever holds somebody's link must not bury them in mail by clicking."""
MOST: Final = 100
"""Changes in one letter, the latest ones: their undo still fits a link."""
KEPT: Final = 90 * DAY


class _NotKept(Exception):
    """Takes back what was done for somebody who is not there."""


class PostgresLetters:
    """Keeps letters and says which ones are due."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", tools: Tools) -> None:
        self._pool, self._tools = pool, tools

    async def put(self, sub: str, matter: Matter, *, now: int, once: str = "") -> UUID | None:
        """The letter's id; None when one with the same `once` was put before, or the subject was erased."""
        async with borrowed(self._pool) as borrow:
            key = await self._key(borrow, sub)
            return None if key is None else await self._put(borrow, sub, key, matter, now, now, once)

    async def put_limited(self, sub: str | None, matter: Matter, *, now: int, limits: Sequence[Limit]) -> bool:
        """Whether the limits allowed a letter; it is kept only where somebody is known."""
        whose = sub or self._tools.chance(16).hex()
        async with borrowed(self._pool) as borrow, borrow.transaction():
            if not await self._allowed(borrow, limits, now):
                return False
            try:
                async with borrow.transaction():
                    key = await self._key(borrow, whose) or self._tools.chance(32)
                    await self._put(borrow, whose, key, matter, now, now)
                    if sub is None:
                        raise _NotKept
            except _NotKept:
                pass
        return True

    async def claim(self, *, now: int, limit: int, lease: int) -> Sequence[Letter]:
        """Letters that are due, leased for `lease` microseconds."""
        token = UUID(bytes=self._tools.chance(16))
        async with borrowed(self._pool) as borrow:
            places = await borrow.fetch(QUERIES["due_letters"], now, limit)
            if not places:
                return []
            records = await borrow.fetchmany(QUERIES["claim_letter"], [(p["shard"], p["id"], token, now, lease) for p in places])
        return [
            Letter(r["id"], r["sub"].hex(), r["kind"], r["made_at"], r["attempts"], r["lease"], self._matter(r, r["wrapped"]))
            for r in records
        ]

    async def sent(self, letter: Letter, at: int) -> None:
        """Notes that it went out."""
        await self._end(letter, "sent", None, at)

    async def later(self, letter: Letter, due_at: int, cause: str) -> None:
        """Puts it back."""
        async with borrowed(self._pool) as borrow:
            await borrow.execute(QUERIES["postpone_letter"], shard_of(letter.id), letter.id, letter.lease, due_at, cause[:500])

    async def park(self, letter: Letter, cause: str, at: int) -> None:
        """Sets it aside."""
        await self._end(letter, "parked", cause, at)

    async def drop(self, letter: Letter, cause: str, at: int) -> None:
        """Notes that it must not be sent."""
        await self._end(letter, "dropped", cause, at)

    async def backlog(self, now: int) -> Backlog:
        """How letters stand."""
        async with borrowed(self._pool) as borrow:
            row = await borrow.fetchrow(QUERIES["letter_backlog"], now)
        assert row is not None  # an aggregate always has a row
        oldest = 0 if row["oldest"] is None else max(0, now - row["oldest"])
        return Backlog(row["waiting"], row["failing"], row["parked"], oldest, row["cause"] or "")

    async def cursor(self) -> Cursor:
        """How far confirming has read."""
        async with borrowed(self._pool) as borrow:
            row = await borrow.fetchrow(QUERIES["letter_cursor"])
        assert row is not None  # the migration made it
        return Cursor(row["log"], row["seq"])

    async def confirm(self, start: Cursor, end: Cursor, told: Mapping[str, Confirmation], *, now: int) -> bool:
        """Moves the cursor together with the letters for what lies behind it; False when another process was first."""
        async with borrowed(self._pool) as borrow, borrow.transaction():
            row = await borrow.fetchrow(QUERIES["lock_letter_cursor"])
            assert row is not None  # as above
            if Cursor(row["log"], row["seq"]) != start:
                return False
            for sub in sorted(told):
                await self._confirm(borrow, sub, told[sub], now)
            await borrow.execute(QUERIES["move_letter_cursor"], end.log, end.seq)
        return True

    async def _confirm(self, borrow: Connection, sub: str, matter: Confirmation, now: int) -> None:
        key = await self._key(borrow, sub)
        if key is None:
            return
        newest = await borrow.fetchrow(QUERIES["newest_confirmation"], int(sub[:2], 16), bytes.fromhex(sub))
        if newest is None:
            await self._put(borrow, sub, key, matter, now, now)
            return
        untried = newest["state"] == "waiting" and newest["lease"] is None and newest["attempts"] == 0
        held = self._opened(key, "confirmation", newest["id"], newest["sealed"]) if untried and newest["planned_at"] > now else None
        if not isinstance(held, Confirmation):
            place = (int(sub[:2], 16), bytes.fromhex(sub))
            lately = await borrow.fetchval(QUERIES["confirmations_since"], *place, now - DAY)
            apart = TOGETHER if lately < MANY else TOGETHER_LATER
            await self._put(borrow, sub, key, matter, now, max(now, newest["planned_at"] + apart))
            return
        both = Confirmation((*held.changes, *matter.changes)[-MOST:], matter.language or held.language, matter.address or held.address)
        sealed = self._sealed(key, newest["id"], both)
        await borrow.execute(QUERIES["rewrite_letter"], int(sub[:2], 16), newest["id"], sealed)

    async def wait_for(self, pending: Pending, matter: DoubleOptIn, *, now: int, limits: Sequence[Limit]) -> bool:
        """Keeps a sign-up and its letter; False when a limit is used up or the address was erased."""
        sub = pending.address
        flat = [part for scope in pending.scopes for part in (scope.brand, scope.channel, scope.category)]
        async with borrowed(self._pool) as borrow, borrow.transaction():
            key = await self._key(borrow, sub)
            if key is None or not await self._allowed(borrow, limits, now):
                return False
            personal = json.dumps(dict(pending.personal or {}), ensure_ascii=False).encode()
            sealed = self._tools.vault.seal(key, personal, bound("pending", pending.id.bytes))
            contact = bytes.fromhex(pending.contact) if pending.contact else None
            whose = (shard_of(pending.id), pending.id, bytes.fromhex(sub), contact)
            await borrow.execute(QUERIES["put_pending"], *whose, flat, pending.asked_at, pending.expires_at, sealed)
            await self._put(borrow, sub, key, matter, now, now)
        return True

    async def pending(self, sign_up: UUID) -> Pending | None:
        """One sign-up."""
        async with borrowed(self._pool) as borrow:
            record = await borrow.fetchrow(QUERIES["pending_by_id"], shard_of(sign_up), sign_up)
        return self._pending(record) if record is not None else None

    async def open_pending(self, subs: Sequence[str], now: int) -> Sequence[Pending]:
        """The sign-ups that wait for their click, oldest first."""
        shards, pseudonyms = shards_and_pseudonyms(subs)
        async with borrowed(self._pool) as borrow:
            records = await borrow.fetch(QUERIES["open_pending_of"], shards, pseudonyms, now)
            records += await borrow.fetch(QUERIES["open_pending_for"], pseudonyms, now)
        return sorted({record["id"]: self._pending(record) for record in records}.values(), key=lambda one: (one.asked_at, one.id))

    async def confirmed(self, sign_up: UUID, at: int) -> None:
        """Notes the click."""
        async with borrowed(self._pool) as borrow:
            await borrow.execute(QUERIES["confirm_pending"], shard_of(sign_up), sign_up, at)

    async def tidy(self, now: int) -> None:
        """Forgets what is over for long."""
        async with borrowed(self._pool) as borrow:
            for name, before in (("forget_letters", now - KEPT), ("forget_limits", now), ("forget_pending", now - KEPT)):
                await borrow.execute(QUERIES[name], before)

    async def _put(
        self, borrow: Connection, sub: str, key: bytes, matter: Matter, now: int, planned_at: int, once: str = ""
    ) -> UUID | None:  # fmt: skip
        letter = uuid7(now, self._tools.chance(RANDOM_BYTES), int(sub[:2], 16))
        sealed = self._sealed(key, letter, matter)
        only = hashlib.sha256(once.encode()).digest() if once else None
        row = (shard_of(letter), letter, bytes.fromhex(sub), matters.kind_of(matter), now, planned_at, only, sealed)
        found: UUID | None = await borrow.fetchval(QUERIES["put_letter"], *row)
        return found

    async def _end(self, letter: Letter, state: str, cause: str | None, at: int) -> None:
        async with borrowed(self._pool) as borrow:
            place = (shard_of(letter.id), letter.id, letter.lease)
            await borrow.execute(QUERIES["end_letter"], *place, state, cause[:500] if cause else None, at)

    async def _allowed(self, borrow: Connection, limits: Sequence[Limit], now: int) -> bool:
        """Whether none of the limits is used up; then each of them is used once more. All are locked, in one order."""
        grouped: dict[bytes, list[Limit]] = {}
        for one in limits:
            grouped.setdefault(hmac.digest(self._tools.pepper, b"sayso/letter-limit/1\0" + one.name.encode(), "sha256"), []).append(one)
        used: dict[bytes, list[int]] = {}
        for name in sorted(grouped):
            span = max(one.span for one in grouped[name])
            await borrow.execute(QUERIES["make_limit"], name[0], name, now + span)
            used[name] = [at for at in await borrow.fetchval(QUERIES["lock_limit"], name[0], name) if at > now - span]
        if any(sum(at > now - one.span for at in used[name]) >= one.count for name, group in grouped.items() for one in group):
            return False
        for name, group in grouped.items():
            await borrow.execute(QUERIES["use_limit"], name[0], name, [*used[name], now], now + max(one.span for one in group))
        return True

    async def _key(self, borrow: Connection, sub: str) -> bytes | None:
        pseudonym = bytes.fromhex(sub)
        return self._unwrapped(pseudonym, await borrow.fetchval(QUERIES["key_of_subject"], pseudonym[0], pseudonym))

    def _unwrapped(self, pseudonym: bytes, wrapped: bytes | None) -> bytes | None:
        try:
            return self._tools.vault.unwrap(wrapped, bound("subject_key", pseudonym)) if wrapped else None
        except Sealed:
            return None

    def _sealed(self, key: bytes, letter: UUID, matter: Matter) -> bytes:
        return self._tools.vault.seal(key, matters.to_bytes(matter), bound("letter", letter.bytes))

    def _opened(self, key: bytes, kind: str, letter: UUID, sealed: bytes) -> Matter | None:
        try:
            return matters.from_bytes(kind, self._tools.vault.open(key, sealed, bound("letter", letter.bytes)))
        except Sealed:
            return None

    def _matter(self, record: Any, wrapped: bytes | None) -> Matter | None:
        key = self._unwrapped(record["sub"], wrapped)
        return self._opened(key, record["kind"], record["id"], record["sealed"]) if key is not None else None

    def _pending(self, record: Any) -> Pending:
        flat = record["scopes"]
        scopes = tuple(Scope(*flat[at : at + 3]) for at in range(0, len(flat), 3))
        personal, key = None, self._unwrapped(record["sub"], record["wrapped"])
        if key is not None and record["sealed"]:
            try:
                personal = json.loads(self._tools.vault.open(key, record["sealed"], bound("pending", record["id"].bytes)))
            except Sealed:
                personal = None
        return Pending(
            record["id"], record["contact"].hex() if record["contact"] else "", record["sub"].hex(), scopes, record["asked_at"],
            record["expires_at"], record["confirmed_at"], personal,
        )  # fmt: skip

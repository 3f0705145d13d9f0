"""Deliver: the one way out. Tells one connection the current state of what is due, and keeps its answers."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar
from uuid import UUID

import msgspec

from sayso.contracts.book import Act, Book, Judged, Key, Scene, Unavailable
from sayso.contracts.connector import BadSettings, Change, Connector, Drive, MessageClass, Outcome, Standing
from sayso.contracts.ground import Ground
from sayso.contracts.portrait import Portrait, Portray
from sayso.contracts.spokes import Claimed, Connection, Settled, Spokes, Talk
from sayso.rules import telling, view
from sayso.rules.backoff import next_due, retry_after
from sayso.rules.catalogue import Catalogue
from sayso.rules.entries import Entry
from sayso.rules.state import fold
from sayso.rules.statements import Ruling
from sayso.rules.times import DAY, SECOND
from sayso.rules.words import ANY, CHANNELS

LEASE = 60 * SECOND
DEADLINE = 45 * SECOND
"""A request's deadline ends before its lease, so that nobody else is telling the same thing meanwhile."""
PARKED = 3_650 * DAY
"""Where no later attempt can help before the next change: ten years, which the next change cuts short."""
_NONE = UUID(int=0)
WAITING = frozenset({"later", "unknown"})
PAUSE = 0.2
"""Seconds between two attempts to reach the store in the middle of a round."""

Answer = tuple[Claimed, Change, Outcome]
"""What one subject's row of work was, what was told, and what the system said to it."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Round:
    """How one round went: rows claimed, acknowledged, and left waiting because the system did not take them (any of them).

    `retry_after` is the longest wait in microseconds that the system asked for.
    """

    claimed: int = 0
    acknowledged: int = 0
    waiting: int = 0
    retry_after: int | None = None


async def deliver(
    connection: Connection, connector: Connector, *, spokes: Spokes, book: Book, drive: Drive, portray: Portray,
    checkpoint: Callable[[], Awaitable[str | None]], ground: Ground, limit: int, early: bool = False, lifts: bool = True,
) -> Round:  # fmt: skip
    """One round for one connection: claim what is due, translate, talk, settle, and enter each acknowledgement into the trail.

    `early` takes rows that wait for a retry too: a probe whether the system answers again. Without `lifts` nobody is told that something
    was lifted: the store may be older than the last opt-out. A store that is lost on the way is waited
    for as long as the lease runs. Raises Unavailable; what was claimed then comes back when its lease ends.
    """
    lease_ends = asyncio.get_running_loop().time() + LEASE / SECOND
    claimed = await spokes.claim(connection.id, limit=limit, lease=LEASE, early=early)
    if not claimed:
        return Round()
    brand = None if connection.brand == ANY else connection.brand
    portraits = await _reached(lambda: portray([row.sub for row in claimed], brand), lease_ends - DEADLINE / SECOND)
    note = await _reached(checkpoint, lease_ends - DEADLINE / SECOND)
    changes = [(row, change_of(row, portraits[row.sub], connection, connector, note, ground)) for row in claimed if row.sub in portraits]
    changes = changes if lifts else [(row, without_lifting(change)) for row, change in changes]
    settled = [Settled(row, Outcome("already_so"), done=True) for row in claimed if row.sub not in portraits]
    talks = await _told(connection, connector, changes, drive, ground)
    outcomes = [outcome for talk in talks for outcome in talk.outcomes]
    await _reached(lambda: spokes.log_attempts(connection.id, talks), lease_ends)
    settled += [_settled(row, portraits[row.sub], outcome, ground) for (row, _), outcome in zip(changes, outcomes, strict=True)]
    answers = [(row, change, outcome) for (row, change), outcome in zip(changes, outcomes, strict=True)]
    await _reached(lambda: _acknowledge(connection, answers, book), lease_ends)
    await _reached(lambda: spokes.settle(settled), lease_ends)
    await _reached(lambda: _stop_if_told(connection, outcomes, spokes), lease_ends)
    waits = [retry_after(outcome.retry_after, ground.clock()) for outcome in outcomes]
    return Round(
        claimed=len(claimed),
        acknowledged=sum(one.done for one in settled),
        waiting=sum(outcome.kind in WAITING for outcome in outcomes),
        retry_after=max((wait for wait in waits if wait is not None), default=None),
    )


async def _told(
    connection: Connection, connector: Connector, changes: Sequence[tuple[Claimed, Change]], drive: Drive, ground: Ground
) -> list[Talk]:
    """What the connection answered to each change, and how. Where every change is a request of its own, they are made side by side."""
    one_by_one = connector.about.batch == 1
    parts = [[each] for each in changes] if one_by_one else [changes] if changes else []
    now = ground.clock()
    return list(await asyncio.gather(*(_talk(connection, connector, part, drive, now) for part in parts)))


async def _talk(connection: Connection, connector: Connector, changes: Sequence[tuple[Claimed, Change]], drive: Drive, now: int) -> Talk:
    """One talk about these changes; settings that cannot be used leave everything waiting for their mend."""
    rows = [row for row, _ in changes]
    try:
        driven = await drive(
            connector.push(connection.settings, [change for _, change in changes], now),
            connection=str(connection.id), about=connector.about, settings=connection.settings, deadline=now + DEADLINE,
        )  # fmt: skip
    except BadSettings as bad:
        return Talk(rows, [Outcome("broken_auth", str(bad)) for _ in rows], ())
    return Talk(rows, driven.value, driven.attempts)


async def _reached(ask: Callable[[], Awaitable[T]], until: float) -> T:
    """What the store answers; one that is away for a moment is asked again until then (loop time). Raises Unavailable.

    The lease is ours meanwhile: giving up at once would leave what was told, or only claimed, waiting for the end of it.
    """
    while True:
        try:
            return await ask()
        except Unavailable:
            if asyncio.get_running_loop().time() + PAUSE > until:
                raise
            await asyncio.sleep(PAUSE)


def change_of(
    row: Claimed, portrait: Portrait, connection: Connection, connector: Connector, checkpoint: str | None, ground: Ground
) -> Change:
    """What a connection is told about a subject in one claimed row of work."""
    before = msgspec.json.decode(row.told) if row.told else {}
    blacklisted = view.is_blacklisted(portrait.readings)
    return Change(
        key=row.sub,
        contact_id=portrait.contact_id,
        addresses=portrait.addresses,
        version=portrait.version,
        standings=_standings(portrait, connection.brand, connector, ground.catalogue, ground.window),
        document=msgspec.json.encode(portrait.document).decode(),
        changed=msgspec.json.encode(telling.difference(row.told, portrait.document)).decode(),
        delivery_id=str(row.delivery),
        event_type="preferences.changed",
        occurred_at=row.wanted_at,
        blacklisted=blacklisted,
        lifted_blacklist=bool(before.get("blacklisted")) and not blacklisted,
        complaint=tuple(block for block in portrait.blocks if block == "complaint"),
        blocked=tuple(block for block in portrait.blocks if block != "complaint"),
        origin=row.origin,
        checkpoint=checkpoint,
    )


def without_lifting(change: Change) -> Change:
    """The change with everything in it that would lift a restriction taken for silence, which changes nothing."""
    standings = tuple(replace(one, word="silent") if one.word == "back" else one for one in change.standings)
    return replace(change, standings=standings, lifted_blacklist=False)


def change_now(portrait: Portrait, connection: Connection, connector: Connector, ground: Ground) -> Change:
    """What a connection would be told about a subject now: to compare with what it says or holds, never to send."""
    row = Claimed(connection.id, portrait.sub, 0, _NONE, _NONE, 0, False, None, None, ground.clock())
    return change_of(row, portrait, connection, connector, None, ground)


def _standings(portrait: Portrait, brand: str, connector: Connector, catalogue: Catalogue, window: int) -> tuple[Standing, ...]:
    if connector.about.by_document:
        return ()
    channels = CHANNELS if ANY in connector.about.channels else connector.about.channels
    found = []
    for channel in channels:
        about: list[tuple[str, MessageClass]] = [(ANY, ANY), *((category.key, category.kind) for category in catalogue.refusable)]
        for category, kind in about:
            word = telling.word_for(portrait.readings, brand, channel, category, window)
            found.append(Standing(channel, category, word, kind, brand))
    return tuple(found)


def _settled(row: Claimed, portrait: Portrait, outcome: Outcome, ground: Ground) -> Settled:
    """How a row ends. After an attempt that ended unknown, the next success is pushed once more before it counts."""
    told = telling.remembered(portrait.document)
    if outcome.acknowledged and not row.unsure:
        return Settled(row, outcome, told=told, done=True)
    if outcome.acknowledged:
        return Settled(row, outcome, due_at=0)
    if outcome.kind in ("cannot_express", "needs_confirmation") or (outcome.kind == "refused" and outcome.permanent):
        return Settled(row, outcome, due_at=PARKED, parked=True)
    now = ground.clock()
    chance = int.from_bytes(ground.chance(4)) / 0xFFFFFFFF
    due = next_due(row.attempts + 1, now, chance, retry_after(outcome.retry_after, now))
    return Settled(row, outcome, due_at=max(0, due - now))


async def _acknowledge(connection: Connection, answers: Sequence[Answer], book: Book) -> None:
    """Enters every answer into the connection's own chain, before the work is settled: a crash between repeats, never forgets."""
    if not answers:
        return
    spoke = Key("connection", str(connection.id), connection.name)

    def judged(scene: Scene, answers: Sequence[Answer]) -> Judged:
        sub = scene.page.keys[spoke]
        row = scene.page.rows[sub]
        entries = []
        for claimed, change, outcome in answers:
            at = max(scene.now, row.state.last_at + 1)
            entry = Entry(
                id=scene.new_id(sub), sub=sub, kind="ack", at=at, ts=at, act=outcome.kind, src="connection", by=f"k:{connection.id}",
                via="worker", effect="stored", about=claimed.sub,
                x=(("wanted", claimed.wanted), ("version", change.version), ("waited_ms", max(0, at - claimed.wanted_at) // 1000)),
            )  # fmt: skip
            entries.append(entry)
            row = type(row)(row.sub, row.kind, fold(row.state, entry))
        return Judged(Ruling(tuple(entries), {sub: row}, ()))

    by_reason: dict[str, list[Answer]] = {}
    for answer in answers:
        by_reason.setdefault(answer[2].reason, []).append(answer)
    acts = [Act((spoke,), partial(judged, answers=some), json.dumps({"reason": why} if why else {})) for why, some in by_reason.items()]
    for became in await book.write_all(acts):
        if isinstance(became, Exception):
            raise became


async def _stop_if_told(connection: Connection, outcomes: Sequence[Outcome], spokes: Spokes) -> None:
    """An endpoint that says it is gone (410) is not asked again; what it was not told is listed as drift."""
    gone = next((outcome for outcome in outcomes if outcome.kind == "refused" and outcome.permanent), None)
    if gone is not None and connection.connector == "webhook":
        await spokes.disable(connection.id, gone.reason or "the endpoint said that it is gone")

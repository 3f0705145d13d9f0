"""Receive: what a vendor's call says is kept, understood and recorded. Raw bytes first, so that no crash and no bug loses an opt-out."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from sayso.contracts.book import Book, Unavailable
from sayso.contracts.connector import BadCall, BadSettings, BadSignature, Call, Connector, Heard, KnowsEchoes, UnknownEvent
from sayso.contracts.ground import Ground
from sayso.contracts.inbox import Inbox, Kept
from sayso.contracts.portrait import Portray
from sayso.contracts.spokes import Connection, NoSuchConnection, Spokes
from sayso.flows.deliver import change_now
from sayso.flows.hearsay import Unplaced, said_of
from sayso.flows.record import Said, record
from sayso.rules.subjects import InvalidAddress
from sayso.rules.times import SECOND
from sayso.rules.words import ANY

log = structlog.get_logger("sayso.receive")

LEFT_AFTER: Final = 10 * SECOND
"""How long a kept call may wait for its process to record it before another one does."""
AT_ONCE: Final = 100


class CallRefused(Exception):
    """The call does not prove that it comes from the vendor; nothing in it is believed or kept."""


class CallUnreadable(Exception):
    """The call is genuine, but nobody can read it; its bytes are kept for a person to look at."""


@dataclass(frozen=True, slots=True)
class Ears:
    """The ports that hearing needs."""

    inbox: Inbox
    book: Book
    spokes: Spokes
    portray: Portray


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a call's facts: recorded, counted before, only showing what we had told; and sentences about the odd ones."""

    recorded: int = 0
    duplicates: int = 0
    echoes: int = 0
    oddities: tuple[str, ...] = ()


async def receive(connection: Connection, connector: Connector, call: Call, *, ears: Ears, ground: Ground) -> Received:
    """The facts of one call, recorded when this returns.

    Raises CallRefused, CallUnreadable, and Unavailable: then the call is kept if it could be, and recorded later by `finish`.
    A genuine call with events nobody knows counts as received: its known facts are recorded, the rest is kept and flagged.
    """
    if not call.body:
        return await _probed(connection, connector, call)
    return await _take_in(await ears.inbox.keep(connection.id, call), connection, connector, ears=ears, ground=ground)


async def finish(*, connectors: Mapping[str, Connector], ears: Ears, ground: Ground) -> int:
    """How many calls were recorded that an earlier process had kept and not finished. Facts that had counted count once."""
    done = 0
    for kept in await ears.inbox.left(ground.clock() - LEFT_AFTER, AT_ONCE):
        done += await _again(kept, connectors, ears, ground)
    return done


async def hear_again(connection: Connection, *, connectors: Mapping[str, Connector], ears: Ears, ground: Ground) -> int:
    """How many odd calls of a connection could be read this time, after its settings or its connector were mended."""
    return sum([await _again(kept, connectors, ears, ground) for kept in await ears.inbox.odd(connection.id, AT_ONCE)])


async def take(heard: Sequence[tuple[str, Heard]], connection: Connection, connector: Connector, *, ears: Ears, ground: Ground) -> Received:
    """Facts with an id each that makes them count once, recorded together. Raises Unavailable when any could not be kept."""
    said: list[tuple[Said, Heard]] = []
    oddities: list[str] = []
    for seen, fact in heard:
        try:
            said.append((said_of(fact, connection, ground, seen=seen), fact))
        except (InvalidAddress, Unplaced) as odd:
            oddities.append(f"{fact.event_name[:80]}: {odd}")
    echoes = await _echoes(said, connection, connector, ears, ground)
    news = [one for n, (one, _) in enumerate(said) if n not in echoes]
    became = await asyncio.gather(*(record(one, book=ears.book, ground=ground) for one in news), return_exceptions=True)
    for failed in became:
        if isinstance(failed, BaseException):
            raise failed
    duplicates = sum(one.duplicate for one in became if not isinstance(one, BaseException))
    return Received(len(news) - duplicates, duplicates, len(echoes), tuple(oddities))


async def _take_in(kept: Kept, connection: Connection, connector: Connector, *, ears: Ears, ground: Ground) -> Received:
    unknown: tuple[str, ...] = ()
    try:
        heard = connector.hear(connection.settings, kept.call)
    except BadSignature as refused:
        log.warning("call refused", connection=str(connection.id), connector=connection.connector, reason=str(refused))
        await ears.inbox.refuse(kept, str(refused), ground.clock())
        raise CallRefused(str(refused)) from refused
    except UnknownEvent as surprise:
        heard, unknown = list(surprise.heard), tuple(f"unknown event {name}" for name in surprise.names)
    except (BadCall, BadSettings) as odd:
        await _flag(kept, connection, ears.inbox, str(odd))
        raise CallUnreadable(str(odd)) from odd
    except Exception as bug:
        log.exception("connector failed", connection=str(connection.id), connector=connection.connector)
        await _flag(kept, connection, ears.inbox, f"the connector failed: {type(bug).__name__}")
        raise CallUnreadable("the connector could not read this call; it is kept and an operator was told") from bug
    facts = [(fact.event_id or f"{kept.id}:{n}", fact) for n, fact in enumerate(heard)]
    found = await take(facts, connection, connector, ears=ears, ground=ground)
    oddities = (*unknown, *found.oddities)
    if oddities:
        await _flag(kept, connection, ears.inbox, "; ".join(oddities))
    else:
        await ears.inbox.end(kept, "done", f"{found.recorded} recorded, {found.duplicates} known, {found.echoes} echoes")
    return Received(found.recorded, found.duplicates, found.echoes, oddities)


async def _flag(kept: Kept, connection: Connection, inbox: Inbox, detail: str) -> None:
    """Keeps an odd call and says so loudly; the text may come from outside and goes no further than log and inbox."""
    log.error("odd call", connection=str(connection.id), connector=connection.connector, call=str(kept.id), detail=detail[:500])
    await inbox.end(kept, "odd", detail)


async def _again(kept: Kept, connectors: Mapping[str, Connector], ears: Ears, ground: Ground) -> int:
    try:
        connection = await ears.spokes.connection(kept.connection)
    except NoSuchConnection:
        await ears.inbox.end(kept, "odd", "its connection was removed")
        return 0
    connector = connectors.get(connection.connector)
    if connector is None:
        await ears.inbox.end(kept, "odd", f"the connector {connection.connector} is not installed")
        return 0
    try:
        found = await _take_in(kept, connection, connector, ears=ears, ground=ground)
    except (CallRefused, CallUnreadable):
        return 0
    return int(not found.oddities)


async def _probed(connection: Connection, connector: Connector, call: Call) -> Received:
    """A call without a body says nothing and is not kept; some vendors probe an address with one."""
    try:
        connector.hear(connection.settings, call)
    except BadSignature as refused:
        raise CallRefused(str(refused)) from refused
    except (BadCall, BadSettings, UnknownEvent) as odd:
        raise CallUnreadable(str(odd)) from odd
    return Received()


async def _echoes(
    said: Sequence[tuple[Said, Heard]], connection: Connection, connector: Connector, ears: Ears, ground: Ground
) -> frozenset[int]:
    """Which facts only show what this connection had been told: not news, and the acknowledgement is in the trail already."""
    if not isinstance(connector, KnowsEchoes):
        return frozenset()
    asked = {n: one.address or one.contact for n, (one, fact) in enumerate(said) if not fact.own}
    keys = sorted({key for key in asked.values() if key is not None}, key=lambda key: (key.kind, key.value))
    if not keys:
        return frozenset()
    page = await ears.book.read(keys)
    people = {key: [row.sub, *row.state.links] for key in keys if (row := page.row(key)) is not None}
    rows = await ears.spokes.told(sorted({sub for subs in people.values() for sub in subs}))
    told = sorted({row.sub for row in rows if row.connection == connection.id and (row.acknowledged or row.attempts or row.leased)})
    portraits = await ears.portray(told, None if connection.brand == ANY else connection.brand) if told else {}
    changes = {sub: change_now(portrait, connection, connector, ground) for sub, portrait in portraits.items()}
    return frozenset(
        n
        for n, key in asked.items()
        if key is not None
        and any(connector.echo(connection.settings, changes[sub], said[n][1]) for sub in people.get(key, ()) if sub in changes)
    )


__all__ = ["CallRefused", "CallUnreadable", "Ears", "Received", "Unavailable", "finish", "hear_again", "receive", "take"]

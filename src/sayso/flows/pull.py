"""Pull: asks a system what changed there, and looks whether it holds what it acknowledged. What it tells is recorded like its calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from sayso.contracts.connecting import Connecting, ReadBack
from sayso.contracts.connector import BadSettings, Connector, Drive, Outcome, Page, ReadsBack
from sayso.contracts.ground import Ground
from sayso.contracts.spokes import Connection, Talk
from sayso.flows.connect import pull_every
from sayso.flows.deliver import change_now
from sayso.flows.receive import Ears, take
from sayso.rules import telling
from sayso.rules.times import SECOND
from sayso.rules.words import ANY

log = structlog.get_logger("sayso.pull")

PAGE_TIME: Final = 60 * SECOND
PAGES: Final = 20
"""Pages of one turn; with more to come the next turn follows at once."""
SAMPLE: Final = 25
"""Acknowledged subjects that one turn reads back."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """How a turn went: facts recorded, facts known before or only echoes, pages read, whether there is more, and what went wrong."""

    recorded: int = 0
    known: int = 0
    pages: int = 0
    more: bool = False
    problem: str = ""


async def pull(
    connection: Connection, connector: Connector, *, connecting: Connecting, ears: Ears, drive: Drive, ground: Ground, now: bool = False
) -> Pulled | None:
    """One turn of asking, or None when it is not due (`now` makes it due). The cursor moves only behind facts that are recorded.

    Raises Unavailable; the same page is then asked for again, and facts that had counted count once.
    """
    every = 0 if now else pull_every(connection.settings)
    if not connector.about.pulls or (connection.pulled_at is not None and connection.pulled_at + every > ground.clock()):
        return None
    if not await connecting.begin_pull(connection.id, every):
        return None
    cursor, recorded, known = connection.cursor, 0, 0
    for done in range(PAGES):
        page = await _asked(connection, connector, cursor, ears, drive, ground)
        if not page.outcome.acknowledged:
            log.warning("pull failed", connection=str(connection.id), connector=connection.connector, problem=page.outcome.reason)
            return Pulled(recorded, known, done, problem=page.outcome.reason)
        facts = [(fact.event_id or f"{cursor}:{n}", fact) for n, fact in enumerate(page.heard)]
        found = await take(facts, connection, connector, ears=ears, ground=ground)
        for odd in found.oddities:
            log.error("odd fact", connection=str(connection.id), connector=connection.connector, detail=odd[:200])
        recorded, known = recorded + found.recorded, known + found.duplicates + found.echoes
        more = page.more and page.next != cursor
        await connecting.end_pull(connection.id, cursor, page.next, more)
        cursor = page.next
        if not more:
            return Pulled(recorded, known, done + 1)
    return Pulled(recorded, known, PAGES, more=True)


async def read_back(
    connection: Connection, connector: Connector, *, connecting: Connecting, ears: Ears, drive: Drive, ground: Ground
) -> Mapping[str, ReadBack]:
    """What a look at a sample of acknowledged subjects found, by pseudonym. Who differs is told again.

    Only those are compared whose state is still the one that was told: the system a change came from was never told that change.
    """
    if not isinstance(connector, ReadsBack):
        return {}
    told = await connecting.unread(connection.id, SAMPLE)
    portraits = await ears.portray(list(told), None if connection.brand == ANY else connection.brand) if told else {}
    asked = [sub for sub, one in portraits.items() if telling.remembered(one.document) == told[sub]]
    if not asked:
        return {}
    changes = [change_now(portraits[sub], connection, connector, ground) for sub in asked]
    try:
        driven = await drive(
            connector.read_back(connection.settings, changes), connection=str(connection.id), about=connector.about,
            settings=connection.settings, deadline=ground.clock() + PAGE_TIME,
        )  # fmt: skip
    except BadSettings:
        return {}
    words: dict[bool, ReadBack] = {True: "confirmed", False: "differs"}
    found = {sub: words[fits] for sub, fits in zip(asked, driven.value, strict=True) if fits is not None}
    differing = sum(word == "differs" for word in found.values())
    if differing:
        log.error("acknowledged but not held", connection=str(connection.id), connector=connection.connector, subjects=differing)
    await connecting.note_read_back(connection.id, found)
    return found


async def _asked(connection: Connection, connector: Connector, cursor: str | None, ears: Ears, drive: Drive, ground: Ground) -> Page:
    now = ground.clock()
    try:
        driven = await drive(
            connector.pull(connection.settings, cursor, now), connection=str(connection.id), about=connector.about,
            settings=connection.settings, deadline=now + PAGE_TIME,
        )  # fmt: skip
    except BadSettings as bad:
        return Page((), cursor, outcome=Outcome("broken_auth", str(bad)))
    if not driven.value.outcome.acknowledged:
        await ears.spokes.log_attempts(connection.id, [Talk((), (driven.value.outcome,), driven.attempts)])
    return driven.value

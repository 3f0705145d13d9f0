"""Emit: tells a webhook endpoint single events in the order of the ledger, each at least once, none before the one ahead of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from sayso.contracts.connector import BadSettings, Change, Connector, Drive, Outcome
from sayso.contracts.feed import Fed, Feed
from sayso.contracts.ground import Ground
from sayso.contracts.portrait import Portrait, Portray
from sayso.contracts.spokes import Claimed, Connection, Spokes, Talk
from sayso.flows.connect import WEBHOOK
from sayso.rules import tidings
from sayso.rules.backoff import next_due, retry_after
from sayso.rules.times import SECOND, format_time

READ: Final = 250
"""Places of the log that one turn looks at."""
LEASE: Final = 60 * SECOND
DEADLINE: Final = 45 * SECOND
RECEIVED: Final = "event.received"
BLOCKED: Final = "address.blocked"
ERASED: Final = "contact.erased"
ALERT: Final = "alert.raised"


async def emit(
    connection: Connection, connector: Connector, *, feed: Feed, spokes: Spokes, portray: Portray, drive: Drive, ground: Ground
) -> bool:
    """Whether more is waiting right now. An endpoint's place moves only behind what it acknowledged (2xx); a crash repeats, never skips.

    `webhook-id` is the entry's id, the same over all retries. Raises Unavailable.
    """
    if not any(hears_of(connection, kind) for kind in (RECEIVED, BLOCKED, ERASED, ALERT)):
        return False
    place = await feed.place(connection.id)
    if place.due_at > ground.clock():
        return False
    entries = await feed.read(place.seq, READ)
    if not entries:
        return False
    told = [(one, found) for one in entries if (found := _event(one, connection)) is not None]
    after = entries[-1].seq + 1
    if not told:
        await feed.advance(connection.id, place.seq, after)
        return len(entries) == READ
    if not await feed.claim(connection.id, place.seq, ground.clock(), ground.clock() + LEASE):
        return False
    reached, outcome = await _tell(connection, connector, told, spokes, portray, drive, ground)
    if outcome is None:
        await feed.advance(connection.id, place.seq, after if reached is None else reached)
        return reached is not None or len(entries) == READ
    if reached is not None and reached > place.seq:
        await feed.advance(connection.id, place.seq, reached)
        place = replace(place, seq=reached, attempts=0)
    if outcome.permanent:
        await spokes.disable(connection.id, outcome.reason or "the endpoint said that it is gone")
        return False
    now = ground.clock()
    chance = int.from_bytes(ground.chance(4)) / 0xFFFFFFFF
    await feed.postpone(connection.id, place.seq, next_due(place.attempts + 1, now, chance, retry_after(outcome.retry_after, now)))
    return False


async def _tell(
    connection: Connection, connector: Connector, told: Sequence[tuple[Fed, tuple[str, dict[str, Any]]]], spokes: Spokes, portray: Portray,
    drive: Drive, ground: Ground,
) -> tuple[int | None, Outcome | None]:  # fmt: skip
    """The place of the first event that was not taken (None: all were), with the answer to it (None: the time for it was over)."""
    portraits = await portray(sorted({one.sub for one, _ in told}), None)
    end = ground.clock() + DEADLINE
    for one, (kind, data) in told:
        change = _change(one, kind, {**about(portraits.get(one.sub)), **data})
        now = ground.clock()
        if now >= end:
            return one.seq, None
        try:
            driven = await drive(
                connector.push(connection.settings, [change], now), connection=str(connection.id), about=connector.about,
                settings=connection.settings, deadline=end,
            )  # fmt: skip
        except BadSettings as bad:
            return one.seq, Outcome("broken_auth", str(bad))
        row = Claimed(connection.id, one.sub, one.seq, UUID(one.id), UUID(one.id), 0, False, None, None, one.fields["at"])
        await spokes.log_attempts(connection.id, [Talk((row,), driven.value, driven.attempts)])
        if not driven.value[0].acknowledged:
            return one.seq, driven.value[0]
    return None, None


def about(portrait: Portrait | None) -> dict[str, Any]:
    """Whom an entry is about, by the names they were given; nulls once they are erased."""
    if portrait is None:
        return {"contact_id": None, "address": None}
    address = next((each.value for each in portrait.addresses if each.kind == "email"), None)
    return {"contact_id": portrait.contact_id, "address": address or next((each.value for each in portrait.addresses), None)}


def _event(one: Fed, connection: Connection) -> tuple[str, dict[str, Any]] | None:
    """The type and data of an entry as this endpoint wants it, or None when it does not."""
    fields, wanted = one.fields, _wanted(connection)
    if tidings.is_copy(fields) or not tidings.concerns(fields, connection.brand):
        return None
    if tidings.blocks(fields) and BLOCKED in wanted:
        return BLOCKED, {**tidings.event_data(fields, one.detail, BLOCKED), "block": fields["act"]}
    if tidings.erases(fields) and ERASED in wanted:
        return ERASED, {"accepted_at": format_time(fields["ts"]), "entry": fields["id"]}
    if tidings.alerts(fields):
        return (ALERT, {**(one.detail or {}), "timestamp": format_time(fields["ts"]), "entry": fields["id"]}) if ALERT in wanted else None
    name = tidings.event_name(fields, one.act)
    names = connection.settings.texts("names")
    if name is None or RECEIVED not in wanted or (names and name not in names):
        return None
    return RECEIVED, tidings.event_data(fields, one.detail, name)


def hears_of(connection: Connection, kind: str) -> bool:
    """Whether a connection is told events of this type one by one."""
    return connection.connector == WEBHOOK and kind in _wanted(connection)


def _wanted(connection: Connection) -> frozenset[str]:
    return frozenset(connection.settings.texts("events") or (RECEIVED, BLOCKED, ERASED, ALERT))


def _change(one: Fed, kind: str, data: Mapping[str, Any]) -> Change:
    said = json.dumps(data, ensure_ascii=False)
    return Change(one.sub, data.get("contact_id"), (), one.fields["ver"], (), said, "{}", one.id, kind, one.fields["ts"])

"""Erasure: what outlives it, who of the people around is meant, when it may be completed, and how its leaves look.

A chain that is erased ends with a leaf `erased`; the subject goes on under a fresh pseudonym whose first leaf, `kept`, carries the
restrictions and nothing else: scopes that are out, blocks, the ends of pauses rounded up to the hour. No time, actor or entry of the old
chain stands in it, so that nobody can tie the two together by what they say. Source: GDPR articles 17 and 19; design section 4.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sayso.rules.entries import Entry
from sayso.rules.gate import bounced, soft_streak
from sayso.rules.replay import ERASED
from sayso.rules.state import EMPTY, SOFT_KEPT, State, fold
from sayso.rules.statements import Row
from sayso.rules.subjects import CONTACT
from sayso.rules.times import DAY, HOUR
from sayso.rules.values import altered
from sayso.rules.words import ANY, Scope

LONGEST: Final = 30 * DAY
"""After so long an erasure is completed even if a system did not acknowledge it."""
ALL: Final = Scope(ANY, ANY, ANY)
SOURCE: Final = "erasure"
_MOST_SCOPES: Final = 400
"""So many scopes fit a leaf in any case; broader ones go first, and everything is out anyway."""


def is_erasing(state: State) -> bool:
    """Whether an erasure of this subject was accepted and is not completed yet."""
    mark = state.blocks.get("erasing")
    return mark is not None and mark.on


def members(start: Row, rows: Mapping[str, Row]) -> tuple[Row, ...]:
    """Whom an erasure is about: the contact with each of its addresses; or an address with the contacts whose mail goes there.

    Who receives a contact's mail speaks for it; a contact with another main address is somebody else who shares this one.
    """
    if start.kind == CONTACT:
        people = [start]
    else:
        owners = [rows[sub] for sub, link in start.state.links.items() if link.kind == CONTACT and sub in rows]
        people = [owner for owner in owners if _primary(owner, start.kind) == start.sub]
    found = {one.sub: one for one in (start, *people)}
    for person in people:
        found.update({sub: rows[sub] for sub in person.state.links if sub in rows and rows[sub].kind != CONTACT})
    return tuple(found[sub] for sub in sorted(found))


def _primary(contact: Row, kind: str) -> str:
    tied = [(link.primary, link.entry, sub) for sub, link in contact.state.links.items() if link.kind == kind]
    return max(tied)[2] if tied else ""


def is_orphan(lookalike: Row, people: Collection[str]) -> bool:
    """Whether another spelling of an erased address is nobody else's: then it tells of the erased person and goes with them."""
    return all(sub in people for sub in lookalike.state.links)


@dataclass(frozen=True, slots=True)
class Waits:
    """What an erasure waits for: systems that have not acknowledged all they must be told of these people."""

    open: int
    accepted_at: int


def may_end(waits: Waits, now: int) -> bool:
    """Whether an erasure may be completed: every system knows, or thirty days are over."""
    return waits.open == 0 or now >= waits.accepted_at + LONGEST


def end_of(row: Row, *, entry: str, now: int) -> Entry:
    """The last entry of a chain that is erased."""
    at = max(now, row.state.last_at + 1)
    return Entry(id=entry, sub=row.sub, kind="rights", at=at, ts=at, act=ERASED, src=SOURCE, by="hub", via="worker", effect="stored")


def kept_of(
    row: Row, sub: str, *, entry: str, now: int, owners: Sequence[State] = (), links: Sequence[tuple[str, str, int]] = ()
) -> tuple[Entry, Row]:
    """The first entry of the chain that goes on under the fresh pseudonym `sub`, and the row after it.

    `owners` are the contacts of an address that go with it: what was said to them stops it too, now that no tie says so any more. `links` are (pseudonym, kind, primary) of people who stay: an address that others use too goes on restricting them.
    """
    state = row.state
    said = {at.scope for one in (state, *owners) for at, stamp in one.strong.items() if stamp.out}
    outs = sorted({ALL, *said}, key=_broad)[:_MOST_SCOPES]
    on = {name for name, mark in state.blocks.items() if mark.on and name not in ("erasing", "hard_bounce", "soft_bounce")}
    on |= {"blacklist" for one in owners if (mark := one.blocks.get("blacklist")) and mark.on}
    on |= {"hard_bounce"} if bounced(state) else set()
    x: dict[str, str | int] = {
        "out": json.dumps([[scope.brand, scope.channel, scope.category] for scope in outs], separators=(",", ":"), ensure_ascii=False),
        "blocks": ",".join(sorted(on | {"erased"})),
    }
    pauses = {brand: -(-pause.until // HOUR) * HOUR for brand, pause in state.pauses.items() if pause.until > now}
    if pauses:
        x["pauses"] = json.dumps(sorted(pauses.items()), separators=(",", ":"), ensure_ascii=False)
    if soft_streak(state):
        x["soft"] = SOFT_KEPT
    if links:
        x["links"] = json.dumps([list(link) for link in sorted(links)], separators=(",", ":"))
    kept = Entry(id=entry, sub=sub, kind="kept", at=now, ts=now, act="kept", src=SOURCE, by="hub", via="worker", x=tuple(sorted(x.items())))
    return kept, Row(sub, row.kind, fold(EMPTY, kept))


def relinked(other: Row, old: str, fresh: str, *, entry: str, now: int) -> tuple[Entry, Row]:
    """The entry that ties somebody who stays to what is left of an address (`old`) that they share with the erased person."""
    link = other.state.links[old]
    at = max(now, other.state.last_at + 1)
    is_newest = link.primary > 0 and link.primary == max(one.primary for one in other.state.links.values())
    tied = Entry(
        id=entry, sub=other.sub, kind="link", at=at, ts=at, act="link", src=SOURCE, by="hub", via="worker", other=fresh,
        other_kind=link.kind, primary=is_newest,
    )  # fmt: skip
    return tied, altered(other, state=fold(other.state, tied))


def _broad(scope: Scope) -> tuple[int, Scope]:
    return (3 - (scope.brand == ANY) - (scope.channel == ANY) - (scope.category == ANY), scope)

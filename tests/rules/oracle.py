"""Who wins, written a second time and as plainly as the design says it (section 3): the judge of the real rules.

Knows no registers, rows or states: it looks at the whole list of what was said, in whatever order, and at who is linked to whom.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sayso.rules.words import Scope

Link = tuple[str, str]
"""A contact and one of its addresses."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One strong statement: kept with the contact and the address it names ("" for none). Times are in any unit."""

    contact: str
    address: str
    scope: Scope
    actor: str
    ts: int
    out: bool
    id: int
    own: bool
    strong: bool = True

    @property
    def stamp(self) -> tuple[int, bool, int]:
        return (self.ts, self.out, self.id)

    def key(self, window: int) -> tuple[int, bool, int]:
        return (self.ts + window * (self.out or self.own), self.out, self.id)


def is_answered(out: Spoken, by: Spoken, message: Scope, window: int) -> bool:
    """Whether an opt-in covers the message, lies inside the opt-out, may speak so narrowly, and is later."""
    covers = by.scope.covers(message) and out.scope.covers(by.scope)
    may = by.own or by.scope.category == "*" or by.scope == out.scope
    later = by.stamp > out.stamp if by.actor == out.actor else by.key(window) > out.key(window)
    return covers and may and later


def latest_words(heard: Iterable[Spoken]) -> list[Spoken]:
    """Each actor's latest word per scope and contact it is about: an actor knows its own earlier one."""
    last: dict[tuple[Scope, str, str], Spoken] = {}
    for one in sorted(heard, key=lambda one: one.stamp):
        last[one.scope, one.actor, one.contact] = one
    return list(last.values())


def denied(said: Collection[Spoken], contact: str, address: str, message: Scope, window: int) -> bool:
    """Whether choice denies a message to one contact ("" for nobody) at one address."""
    heard = [one for one in said if one.strong and (one.contact == contact != "" or one.address == address != "")]
    words = [one for one in latest_words(heard) if one.out or one.contact in ("", contact)]
    ins = [one for one in words if not one.out]
    outs = [one for one in words if one.out and one.scope.covers(message)]
    return any(not any(is_answered(out, by, message, window) for by in ins) for out in outs)


def stopped(said: Collection[Spoken], links: Collection[Link], contact: str, address: str, message: Scope, window: int) -> bool:
    """Whether choice denies a message: to the contact named, or to any contact of the address."""
    about = [contact] if contact else sorted(one for one, at in links if at == address) or [""]
    return any(denied(said, one, address, message, window) for one in about)


def as_model_events(said: Iterable[Spoken], links: Iterable[Link]) -> list[tuple[Any, ...]]:
    """The same statements as events of the shared executable model."""
    events: list[tuple[Any, ...]] = [("link", *link) for link in links]
    for one in said:
        scope = (one.scope.brand, one.scope.channel, one.scope.category)
        at = ("say", one.contact or None, one.address or None, scope, one.actor, one.ts, one.out, one.id, one.own, one.strong)
        events.append(at)
    return events

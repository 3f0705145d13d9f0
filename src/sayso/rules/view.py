"""What people and systems are shown of a state: the choice per category, the flag per channel, what still blocks."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from sayso.rules import conflict, gate
from sayso.rules.catalogue import Catalogue
from sayso.rules.state import State
from sayso.rules.values import Value
from sayso.rules.words import ANY, CHANNELS, Choice, Scope

Word = Literal["out", "back", "silent"]


class Reading(Value, frozen=True):
    """One contact (or nobody, "") with one address (or none): the rows that are judged together."""

    contact: str
    rows: tuple[State, ...]


class Heard(Value, frozen=True):
    """What the rows of one reading say together, merged once for many questions: strong stamps, and weak opt-ins."""

    strong: conflict.Register
    weak: conflict.Register
    outs: frozenset[Scope] | None
    """Whatever was opted out of, where nothing but opt-outs was ever said: then no times have to be weighed."""


def heard(readings: tuple[Reading, ...]) -> tuple[Heard, ...]:
    """What each reading says."""
    return tuple([_heard(reading.contact, reading.rows) for reading in readings])


def _heard(contact: str, rows: tuple[State, ...]) -> Heard:
    """One reading's. Most rows hold nothing, or opt-outs only: those are taken as they are, whomever they were about."""
    outs: set[Scope] = set()
    strong: conflict.Register = {}
    spoken = 0
    for row in rows:
        if row.weak:
            return _weighed(contact, rows)
        if row.strong:
            strong, spoken = row.strong, spoken + 1
            for at, stamp in row.strong.items():
                if not stamp.out:
                    return _weighed(contact, rows)
                outs.add(at.scope)
    return Heard(strong if spoken < 2 else conflict.merged(rows, contact), {}, frozenset(outs))


def _weighed(contact: str, rows: tuple[State, ...]) -> Heard:
    strong, weak = conflict.merged(rows, contact), conflict.weak_of(rows, contact)
    only_outs = not weak and all(stamp.out for stamp in strong.values())
    return Heard(strong, weak, frozenset([at.scope for at in strong]) if only_outs else None)


def choice_at(readings: tuple[Reading, ...], scope: Scope, window: int) -> Choice:
    """The choice that stands for exactly one category (or, with category ``*``, one channel) of a scope.

    Any reading that is out makes it opted_out; broader opt-outs are not counted here, they have flags of their own.
    """
    return choice_among(heard(readings), scope, window)


def choice_among(said: tuple[Heard, ...], scope: Scope, window: int) -> Choice:
    """The same, of what was merged before."""
    agreed = False
    for one in said:
        if one.outs is not None:
            if one.outs and _is_among(one.outs, scope):
                return "opted_out"
            continue
        if any(out.at.scope.category == scope.category for out in conflict.standing(one.strong, scope, window)):
            return "opted_out"
        agreed = agreed or conflict.consent(one.strong, one.weak, scope, window) is not None
    return "opted_in" if agreed else "not_set"


def standing_at(readings: tuple[Reading, ...], scope: Scope, window: int) -> list[tuple[Reading, conflict.Standing]]:
    """Every opt-out that still denies a message of the scope, with the reading it stands in."""
    found = []
    for reading in readings:
        stamps = conflict.merged(reading.rows, reading.contact)
        found += [(reading, out) for out in conflict.standing(stamps, scope, window)]
    return found


def is_out(readings: tuple[Reading, ...], brand: str, channel: str, window: int) -> bool:
    """Whether a whole channel of a brand is opted out; channel ``*`` asks for the opt-out of everything."""
    return is_out_among(heard(readings), brand, channel, window)


def is_out_among(said: tuple[Heard, ...], brand: str, channel: str, window: int) -> bool:
    """The same, of what was merged before."""
    scope = Scope(brand, channel, ANY)
    for one in said:
        if conflict.standing(one.strong, scope, window) if one.outs is None else one.outs and _is_covered(one.outs, scope):
            return True
    return False


@lru_cache(maxsize=4_096)
def _is_among(outs: frozenset[Scope], scope: Scope) -> bool:
    """Whether one of the opt-outs covers a scope and is about its very category."""
    return any(out.category == scope.category and out.covers(scope) for out in outs)


@lru_cache(maxsize=4_096)
def _is_covered(outs: frozenset[Scope], scope: Scope) -> bool:
    return any(out.covers(scope) for out in outs)


@lru_cache(maxsize=4_096)
def _choices_of(outs: frozenset[Scope], keys: tuple[str, ...], brand: str, channel: str) -> Mapping[str, Choice]:
    return {key: "opted_out" if _is_among(outs, Scope(brand, channel, key)) else "not_set" for key in keys}


def word_at(readings: tuple[Reading, ...], scope: Scope, window: int) -> Word:
    """Out now; back (an opt-out exists and was answered); or silent: nobody ever said stop (``traits.optOut``)."""
    if standing_at(readings, scope, window):
        return "out"
    left = any(said.covers(scope) for reading in readings for row in reading.rows for said in row.left)
    return "back" if left else "silent"


def brands_of(readings: tuple[Reading, ...]) -> tuple[str, ...]:
    """Every brand that somebody named a choice or pause for, sorted, without ``*``."""
    named = {ANY}
    for reading in readings:
        for row in reading.rows:
            named.update([at.scope.brand for at in row.strong])
            named.update([at.scope.brand for at in row.weak])
            named.update(row.pauses)
    return tuple(sorted(named - {ANY})) if len(named) > 1 else ()


def paused_until(readings: tuple[Reading, ...], brand: str, now: int) -> int | None:
    """The end of the longest pause in force for a brand (with ``*``: of all brands), or None."""
    if not _any_pauses(readings):
        return None
    pauses = [said for reading in readings for said in gate.pauses_of(reading.rows).items()]
    until = [pause.until for named, pause in pauses if named in (ANY, brand) and pause.until > now]
    return max(until, default=None)


def _any_pauses(readings: tuple[Reading, ...]) -> bool:
    for reading in readings:
        for row in reading.rows:
            if row.pauses:
                return True
    return False


def is_blacklisted(readings: tuple[Reading, ...]) -> bool:
    """Whether company policy blocks everything, transactional mail too."""
    marks = [row.blocks.get("blacklist") for reading in readings for row in reading.rows if row.blocks]
    return bool(marks) and any(mark is not None and mark.on for mark in marks)


def blocks_of(row: State) -> tuple[str, ...]:
    """The names of the blocks in force on one row, sorted."""
    on = {name for name, mark in row.blocks.items() if mark.on and name != "hard_bounce"}
    if gate.bounced(row):
        on.add("hard_bounce")
    if gate.soft_streak(row):
        on.add("soft_bounce_streak")
    return tuple(sorted(on))


def channels_shown(readings: tuple[Reading, ...]) -> tuple[str, ...]:
    """The channels worth a line: e-mail and SMS always, others once somebody has said something about them."""
    named = {at.scope.channel for reading in readings for row in reading.rows for at in (*row.strong, *row.weak)}
    return _channels_among(frozenset(named))


@lru_cache(maxsize=256)
def _channels_among(named: frozenset[str]) -> tuple[str, ...]:
    return tuple(channel for channel in CHANNELS if channel in ("email", "sms") or channel in named)


def choices_shown(readings: tuple[Reading, ...], catalogue: Catalogue, brand: str, channel: str, window: int) -> dict[str, Choice]:
    """The choice for every refusable category of the catalogue, in its order."""
    return choices_among(heard(readings), catalogue.refusable_keys, brand, channel, window)


def choices_among(said: tuple[Heard, ...], keys: tuple[str, ...], brand: str, channel: str, window: int) -> dict[str, Choice]:
    """The same of some categories, of what was merged before."""
    if len(said) == 1 and said[0].outs is not None:
        return dict(_choices_of(said[0].outs, keys, brand, channel))
    return {key: choice_among(said, Scope(brand, channel, key), window) for key in keys}

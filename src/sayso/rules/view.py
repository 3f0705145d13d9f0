"""What people and systems are shown of a state: the choice per category, the flag per channel, what still blocks."""

from dataclasses import dataclass
from typing import Literal

from sayso.rules import conflict, gate
from sayso.rules.catalogue import Catalogue
from sayso.rules.state import State
from sayso.rules.words import ANY, CHANNELS, Choice, Scope

Word = Literal["out", "back", "silent"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One contact (or nobody, "") with one address (or none): the rows that are judged together."""

    contact: str
    rows: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """What the rows of one reading say together, merged once for many questions: strong stamps, and weak opt-ins."""

    strong: conflict.Register
    weak: conflict.Register


def heard(readings: tuple[Reading, ...]) -> tuple[Heard, ...]:
    """What each reading says."""
    return tuple(
        Heard(conflict.merged(reading.rows, reading.contact), conflict.weak_of(reading.rows, reading.contact)) for reading in readings
    )


def choice_at(readings: tuple[Reading, ...], scope: Scope, window: int) -> Choice:
    """The choice that stands for exactly one category (or, with category ``*``, one channel) of a scope.

    Any reading that is out makes it opted_out; broader opt-outs are not counted here, they have flags of their own.
    """
    return choice_among(heard(readings), scope, window)


def choice_among(said: tuple[Heard, ...], scope: Scope, window: int) -> Choice:
    """The same, of what was merged before."""
    agreed = False
    for one in said:
        if not one.strong and not one.weak:
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
    return any(conflict.standing(one.strong, scope, window) for one in said if one.strong)


def word_at(readings: tuple[Reading, ...], scope: Scope, window: int) -> Word:
    """Out now; back (an opt-out exists and was answered); or silent: nobody ever said stop (``traits.optOut``)."""
    if standing_at(readings, scope, window):
        return "out"
    left = any(said.covers(scope) for reading in readings for row in reading.rows for said in row.left)
    return "back" if left else "silent"


def brands_of(readings: tuple[Reading, ...]) -> tuple[str, ...]:
    """Every brand that somebody named a choice or pause for, sorted, without ``*``."""
    rows = [row for reading in readings for row in reading.rows]
    named = {at.scope.brand for row in rows for at in (*row.strong, *row.weak)} | {brand for row in rows for brand in row.pauses}
    return tuple(sorted(named - {ANY}))


def paused_until(readings: tuple[Reading, ...], brand: str, now: int) -> int | None:
    """The end of the longest pause in force for a brand (with ``*``: of all brands), or None."""
    pauses = [said for reading in readings for said in gate.pauses_of(reading.rows).items()]
    until = [pause.until for named, pause in pauses if named in (ANY, brand) and pause.until > now]
    return max(until, default=None)


def is_blacklisted(readings: tuple[Reading, ...]) -> bool:
    """Whether company policy blocks everything, transactional mail too."""
    marks = [row.blocks.get("blacklist") for reading in readings for row in reading.rows]
    return any(mark is not None and mark.on for mark in marks)


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
    rows = [row for reading in readings for row in reading.rows]
    named = {at.scope.channel for row in rows for at in (*row.strong, *row.weak)}
    return tuple(channel for channel in CHANNELS if channel in {"email", "sms"} | named)


def choices_shown(readings: tuple[Reading, ...], catalogue: Catalogue, brand: str, channel: str, window: int) -> dict[str, Choice]:
    """The choice for every refusable category of the catalogue, in its order."""
    return choices_among(heard(readings), catalogue, brand, channel, window)


def choices_among(said: tuple[Heard, ...], catalogue: Catalogue, brand: str, channel: str, window: int) -> dict[str, Choice]:
    """The same, of what was merged before."""
    return {c.key: choice_among(said, Scope(brand, channel, c.key), window) for c in catalogue.refusable}

"""Letters: mails of ours that wait to be sent. What each is about, where they wait, and the pending sign-ups they ask about.

A letter belongs to one subject; what it is about is sealed under that subject's data key and gone with it. It is composed when it is
sent, not when it is put here: language, address and links are those of that moment. Times are int microseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol
from uuid import UUID

from sayso.contracts.feed import Fed
from sayso.rules.words import Scope

LetterKind = Literal["confirmation", "link", "double_opt_in", "offer"]
PendingState = Literal["pending", "confirmed", "expired"]


@dataclass(frozen=True, slots=True)
class Changed:
    """One change that somebody made: an entry of kind `choice` or `pause`, what stood before and what stands now.

    `rule` is the entry's (``undo`` where an act was taken back), `until` the end of a pause (0: none).
    """

    entry: str
    kind: str
    scope: Scope
    old: str
    new: str
    at: int
    src: str
    rule: str = ""
    until: int = 0


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Tells somebody what was changed in their name; `address` is the pseudonym of the address that spoke ("" for none)."""

    changes: tuple[Changed, ...]
    language: str = ""
    address: str = ""


def gathered(changes: Sequence[Changed]) -> tuple[Changed, ...]:
    """Changes as one letter tells them: the last one of each scope, with what stood before the first; in the order they were made."""
    last: dict[tuple[str, Scope], Changed] = {}
    for change in sorted(changes, key=lambda one: (one.at, one.entry)):
        place = (change.kind, change.scope)
        first = last.pop(place, None)
        last[place] = replace(change, old=first.old) if first is not None else change
    return tuple(last.values())


@dataclass(frozen=True, slots=True)
class FreshLink:
    """A link of at most an hour that somebody asked for. `contact` and `address` are the pseudonyms it will name ("" for none)."""

    contact: str
    address: str
    scope: Scope
    language: str = ""
    campaign: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class DoubleOptIn:
    """Asks the owner of an address whether they want what somebody entered it for; `pending` is the sign-up that waits."""

    pending: UUID
    contact: str
    address: str
    scopes: tuple[Scope, ...]
    expires_at: int
    language: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """Asks whether an opt-out that looks like a machine's was meant: confirm or undo. `contact` and `address` are who spoke."""

    contact: str
    address: str
    changes: tuple[Changed, ...]
    undo_until: int
    language: str = ""


Matter = Confirmation | FreshLink | DoubleOptIn | Offer


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter that this process may send until its lease ends; `matter` None when nobody can open it any more (erased).

    `attempts` counts the failed ones so far, `made_at` is when it was put here.
    """

    id: UUID
    sub: str
    kind: LetterKind
    made_at: int
    attempts: int
    lease: UUID
    matter: Matter | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` letters within `span` microseconds for whatever `name` stands for; only a keyed hash of the name is kept."""

    name: str = field(repr=False)
    count: int
    span: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far confirming has read: the log, and the next place in it."""

    log: int
    seq: int


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-up that waits for the click in its mail. `personal` is what is kept with the consent (None once erased)."""

    id: UUID
    contact: str
    address: str
    scopes: tuple[Scope, ...]
    asked_at: int
    expires_at: int
    confirmed_at: int | None = None
    personal: Mapping[str, Any] | None = field(default=None, repr=False)


def state_of(pending: Pending, now: int) -> PendingState:
    """How a sign-up stands."""
    if pending.confirmed_at is not None:
        return "confirmed"
    return "expired" if now >= pending.expires_at else "pending"


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many letters wait, how many of them failed at least once, how many are parked, and the oldest one's age (microseconds)."""

    waiting: int
    failing: int
    parked: int
    oldest: int
    cause: str = ""


class OwnWords(Protocol):
    """What people said themselves, in the order of one log. Everything here raises book.Unavailable when the store cannot be reached."""

    async def size(self) -> int:
        """How many entries have a place in the log."""

    async def read_own(self, start: int, limit: int) -> Sequence[Fed]:
        """Of the entries of a run of places, the choices and pauses that were applied and came from a source in which people act."""


class Letters(Protocol):
    """Everything here raises book.Unavailable when the store cannot be reached."""

    async def put(self, sub: str, matter: Matter, *, now: int, once: str = "") -> UUID | None:
        """Puts a letter to a subject where the worker finds it; None when one with the same `once` was put before, or nobody is there."""

    async def put_limited(self, sub: str | None, matter: Matter, *, now: int, limits: Sequence[Limit]) -> bool:
        """Puts a letter unless one of the limits is used up; True when the limits allowed it.

        For a `sub` of None (nobody known) everything is done alike and nothing is kept but the limits, so that no clock tells them apart.
        """

    async def claim(self, *, now: int, limit: int, lease: int) -> Sequence[Letter]:
        """Letters that are due, for this process alone until the lease ends."""

    async def sent(self, letter: Letter, at: int) -> None:
        """Notes that a letter went out."""

    async def later(self, letter: Letter, due_at: int, cause: str) -> None:
        """Puts a letter back to be tried again."""

    async def park(self, letter: Letter, cause: str, at: int) -> None:
        """Sets a letter aside that this address will never take; it is shown with its cause."""

    async def drop(self, letter: Letter, cause: str, at: int) -> None:
        """Notes that a letter must not be sent any more; what it was about is destroyed."""

    async def backlog(self, now: int) -> Backlog:
        """How letters stand."""

    async def cursor(self) -> Cursor:
        """How far confirming has read."""

    async def confirm(self, start: Cursor, end: Cursor, told: Mapping[str, Confirmation], *, now: int) -> bool:
        """Moves the cursor and puts one confirmation a subject, in one transaction; False when another process was first.

        The first is due at once, what comes within a minute of it is gathered in one more.
        """

    async def wait_for(self, pending: Pending, matter: DoubleOptIn, *, now: int, limits: Sequence[Limit]) -> bool:
        """Keeps a sign-up and its letter together, in place of an earlier one; False when a limit is used up: then nothing is kept."""

    async def pending(self, sign_up: UUID) -> Pending | None:
        """One sign-up, whatever became of it."""

    async def open_pending(self, subs: Sequence[str], now: int) -> Sequence[Pending]:
        """The sign-ups of subjects (as contact or address) that wait for their click."""

    async def confirmed(self, sign_up: UUID, at: int) -> None:
        """Notes that a sign-up was confirmed; the first time counts."""

    async def tidy(self, now: int) -> None:
        """Forgets what is over for long: letters that ended and sign-ups after 90 days, limits once they say nothing any more."""

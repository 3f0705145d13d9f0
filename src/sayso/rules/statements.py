"""Statements: who says what through which door, and what is told of it. Plain values; `decide` says what becomes of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from sayso.rules.entries import Entry
from sayso.rules.state import Stamp, State
from sayso.rules.values import Value
from sayso.rules.words import Choice, Effect, Scope
from sayso.rules.words import Method as ConsentMethod


class Voice(Value, frozen=True):
    """Who speaks through which door. `own`: the person acted; `granted`: a sync profile lets this connection opt people in."""

    src: str
    own: bool
    actor: str
    via: str
    method: ConsentMethod | None = None
    outright: bool = False
    granted: bool = False
    relay_only: bool = False


class Choose(Value, frozen=True):
    """A word for one scope; `field` is what the speaker called it ("" when it is not answered as a preference field)."""

    scope: Scope
    out: bool
    field: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Restore:
    """Takes back the speaker's own word that `entry` recorded, as long as it is still their latest for the scope.

    What they had said before (`before`; None: nothing) stands again as of its own time. Never more than that.
    """

    scope: Scope
    entry: str
    before: Stamp | None = None
    field: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A deliverability or policy fact that is set or lifted: hard_bounce, soft_bounce, complaint, blacklist, carrier_stop."""

    name: str
    on: bool


@dataclass(frozen=True, slots=True)
class Suspend:
    """A pause of one brand until a time; None ends it. `instead_of` takes back that entry, if it is still the speaker's latest pause."""

    brand: str
    until: int | None
    instead_of: str = ""


@dataclass(frozen=True, slots=True)
class Locate:
    """The country of whom it is about."""

    country: str


@dataclass(frozen=True, slots=True)
class Tie:
    """A contact and one of its addresses belong together; `address` is the key of the address's row."""

    address: str
    primary: bool


@dataclass(frozen=True, slots=True)
class Happen:
    """Something happened that changes no choice: opens, clicks, custom events."""

    name: str


Word = Choose | Restore | Block | Suspend | Locate | Tie | Happen


class Row(Value, frozen=True):
    """One subject as it stands: pseudonym in hex, kind, state, and the readings of others linked to it by pseudonym."""

    sub: str
    kind: str
    state: State


class Statement(Value, frozen=True):
    """Words said in one act. `contact`, `address` and `lookalikes` are pseudonyms of the rows they are kept in ("" for none).

    `refused` names the rule that forbids the whole act: the attempt is kept, nothing changes.
    """

    voice: Voice
    words: tuple[Word, ...]
    contact: str = ""
    address: str = ""
    lookalikes: tuple[str, ...] = ()
    given_ts: int | None = None
    refused: str = ""


class Told(Value, frozen=True):
    """What one word became. `became` is the choice that stands now; `entries` are where it is kept."""

    word: Word
    effect: Effect
    rule: str
    became: Choice | str
    entries: tuple[str, ...]


class Ruling(Value, frozen=True):
    """The entries a statement leaves, in order, the rows after them, and one answer a word."""

    entries: tuple[Entry, ...]
    rows: Mapping[str, Row]
    told: tuple[Told, ...]

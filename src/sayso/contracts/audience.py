"""Audiences: what screening asks of the store and of the engine that joins, and the values between them.

The *census* is the store seen at one moment: everything in a screening is read from it, so the result is exact as of its revision. The
*engine* keeps the decision snapshot (profiles by subject, no personal data) and puts rows against it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from sayso.contracts.gatehouse import Found, Wanted
from sayso.rules.audience import Answer, Profile, Recipe
from sayso.rules.gate import Ask
from sayso.rules.statements import Row
from sayso.rules.subjects import Address

Form = Literal["csv", "ndjson", "parquet", "arrow"]
FORMS: tuple[Form, ...] = ("csv", "ndjson", "parquet", "arrow")


class BadAudience(Exception):
    """The input cannot be screened at all; the text tells how to mend it. Single bad rows are no reason: they come back with one."""


@dataclass(frozen=True, slots=True)
class Revision:
    """The state that a result is exact for: the log, places given out in it, the last of those entries, and the database's clock."""

    log: int
    log_size: int
    head: str
    at: int


@dataclass(frozen=True, slots=True)
class Stand:
    """A decision snapshot that is kept: its name, what it was made of (recipe key), as of when, and for how many subjects."""

    name: str
    recipe: str
    revision: Revision
    subjects: int


@dataclass(frozen=True, slots=True)
class Known:
    """One subject with the id that audiences are joined by, and its row."""

    id: bytes
    row: Row


class Line(NamedTuple):
    """One subject of the snapshot.

    `owner` is the id of the only contact of an address, b"" for none; `owners` their number. `shadow`: it may deny as a look-alike.
    """

    id: bytes
    owner: bytes
    owners: int
    profile: Profile
    shadow: bool


@dataclass(frozen=True, slots=True)
class Named:
    """A row of an audience that the gate itself has to judge."""

    address: Address | None
    contact: str | None
    ask: Ask


@dataclass(frozen=True, slots=True)
class Totals:
    """What became of an audience. Hashes are SHA-256 in hex over the bytes that came and the bytes that went."""

    rows: int
    allowed: int
    asked: int
    reasons: Mapping[str, int]
    hash_in: str
    hash_out: str


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom to screen: a file and its form (None: found out), where the result goes and in which form (None: as it came)."""

    source: Path
    target: Path
    form: Form | None = None
    form_out: Form | None = None


@dataclass(frozen=True, slots=True)
class Screened:
    """A finished screening: the totals, the revision it is exact for, the form it was written in, and the ledger entry that keeps it."""

    totals: Totals
    revision: Revision
    form: Form
    entry: str


class Census(Protocol):
    """The store at one moment. Everything read through one census is of one revision."""

    @property
    def revision(self) -> Revision:
        """The moment."""

    async def shared(self) -> str:
        """What other processes see the same by, as long as this census lasts."""

    async def entry_at(self, place: int) -> str:
        """The id of the entry at a place of the log; "" when there is none."""

    def everybody(self, shards: range) -> AsyncIterator[tuple[Sequence[Known], Mapping[str, Known]]]:
        """All contacts and addresses of these shards in batches, each with everything its members are linked to within two steps, by pseudonym."""

    def changed(self, since: int) -> AsyncIterator[tuple[Sequence[Known], Mapping[str, Known]]]:
        """Those whose profile may have changed by entries that got their place in the log at `since` or later, or have none yet."""

    def spenders(self, since: int) -> AsyncIterator[tuple[Sequence[Known], Mapping[str, Known]]]:
        """Those to whom something was sent or promised after a time, and whoever shares a budget with them, in batches as `everybody`."""

    async def unseen_spenders(self, since: int) -> Sequence[bytes]:
        """Ids of addresses that nobody has ever said a word about, and to which something was promised after a time."""

    async def found(self, wanted: Sequence[Wanted]) -> list[Found]:
        """The rows of questions, as checks read them, with what was sent and promised where caps look back."""


class Censuses(Protocol):
    """Opens censuses."""

    def opened(self) -> AbstractAsyncContextManager[Census]:
        """The store as it is now, until the block ends. Raises Unavailable."""


class Draft(Protocol):
    """A snapshot being made; it is thrown away unless it is kept."""

    def add(self, lines: Sequence[Line]) -> None:
        """Takes more subjects."""

    def leave(self) -> str:
        """Ends it as a piece that another draft in the same folder takes; its name."""

    def take(self, piece: str) -> None:
        """Takes the subjects of a piece. Raises OSError and ValueError where it cannot be read."""

    def keep(self, recipe: str, revision: Revision) -> Stand:
        """Puts the snapshot in force, whole or not at all."""

    def close(self) -> None:
        """Throws away what was not kept."""


Count = Callable[[int], None]
"""Told how many contacts and addresses have been read into a snapshot so far."""
Crew = Callable[[Census, Recipe, Count], Awaitable[Sequence[str]]]
"""Reads everybody with several processes: the pieces that each of them left; none where one process alone is as quick. Raises Unavailable."""


class Run(Protocol):
    """One screening under way."""

    form: Form

    def step(self) -> Sequence[Named] | None:
        """Reads and joins some more rows: those the gate has to judge. None at the end. Raises BadAudience."""

    def settle(self, answers: Sequence[Answer]) -> tuple[int, int]:
        """Writes those rows with the gate's answers in their places; (bytes read, bytes in all) so far."""

    def finish(self) -> Totals:
        """Closes the result."""

    def close(self) -> None:
        """Lets go of everything, finished or not."""


class Engine(Protocol):
    """Keeps the snapshot and joins audiences against it. Its functions block: call them in threads."""

    def stand(self) -> Stand | None:
        """What is kept; None when there is nothing, or nothing that can be read."""

    def draft(self, fixed: Sequence[Profile], base: Stand | None) -> Draft:
        """A new snapshot, over a kept one where `base` is given. `fixed` are the profiles of nobody, strangers and unsure ones."""

    def begin(self, audience: Audience, ask: Ask, stand: Stand, changed: Sequence[Line], default_country: str | None) -> Run:
        """A screening over a snapshot, `changed` laid over it. Raises BadAudience, and OSError when the snapshot is gone."""

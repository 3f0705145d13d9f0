"""Erasures: people who asked to be forgotten. Where those are kept, and the values between flows and the store.

An erasure names its people by subject ids (keyed hashes) and only until it is completed; then nothing in it leads to anybody. The
*journal* lies outside the database and names what is left of each erased subject, so that an older database that is put back can be made to
forget them again. Times are int microseconds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

from sayso.rules.decide import NewId
from sayso.rules.entries import Entry
from sayso.rules.statements import Row

ErasureState = Literal["accepted", "completed"]
SystemState = Literal["acknowledged", "waiting", "cannot_be_told"]


class JournalUnwritable(Exception):
    """The journal of erasures cannot be written, so nobody may be forgotten: a backup could bring them back. Mend the data folder."""


@dataclass(frozen=True, slots=True)
class Informed:
    """How far one connected system is with an erasure: it acknowledged everything, or not yet, or no attempt helps."""

    connection: UUID
    connector: str
    name: str
    state: SystemState
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Erasure:
    """One erasure. `start` is the pseudonym of whom it was asked for and `entries` those of its acceptance; both empty once completed."""

    id: UUID
    state: ErasureState
    accepted_at: int
    completed_at: int | None = None
    start: str = ""
    entries: tuple[str, ...] = ()
    systems: tuple[Informed, ...] = ()


@dataclass(frozen=True, slots=True)
class Remains:
    """One erased subject as the journal names it: subject id, kind, the pseudonym it goes on under, and when it was erased."""

    id: bytes
    kind: str
    sub: str
    at: int


@dataclass(frozen=True, slots=True)
class Locked:
    """The rows of an erasure while nobody else can write to them; `open` counts the work about each that no system acknowledged."""

    rows: Mapping[str, Row]
    open: Mapping[str, int]
    now: int
    new_id: NewId
    new_sub: Callable[[str], str]
    """A fresh pseudonym in the shard of another one."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What completing writes: the last entry of each erased chain, the first of the one that goes on, and ties of people who stay.

    `erased` are (old pseudonym, last entry, first entry, row after it), `stayed` (entries, row after them).
    """

    erased: tuple[tuple[str, Entry, Entry, Row], ...]
    stayed: tuple[tuple[tuple[Entry, ...], Row], ...] = ()


class Journal(Protocol):
    """Remembers what is left of erased subjects outside the database."""

    def keep(self, remains: Sequence[Remains]) -> None:
        """Keeps lines so that they survive a crash right after the return. Raises JournalUnwritable."""

    def kept(self) -> Sequence[Remains]:
        """The newest line of each subject."""


class Erasures(Protocol):
    """Everything here raises book.Unavailable when the store cannot be reached."""

    async def open(self, sub: str, now: int) -> Erasure | None:
        """The erasure that was accepted for a subject, or a new one; None when nothing is held of it any more."""

    async def note(self, erasure: Erasure, entries: Sequence[str]) -> Erasure:
        """Keeps which entries accepted it, in addition to those it has."""

    async def erasure(self, erasure: UUID) -> Erasure | None:
        """The erasure of an id."""

    async def due(self, now: int, limit: int) -> Sequence[Erasure]:
        """Accepted erasures whose turn it is to be looked at, oldest first."""

    async def later(self, erasure: Erasure, due_at: int) -> None:
        """Looks at an erasure again at a time."""

    async def last_place(self, entries: Sequence[str]) -> int | None:
        """The last place in the log of these entries; None while one of them has none."""

    async def complete(
        self, erasure: Erasure, subs: Sequence[str], judge: Callable[[Locked], Completion | None], systems: Sequence[Informed]
    ) -> bool:
        """Completes an erasure in one transaction that locks these subjects; False when the judge would not, and nothing was changed."""

    async def again(self, remains: Sequence[Remains], judge: Callable[[Locked], Completion | None]) -> int:
        """How many subjects were found as they were before they had been erased, and were erased again at once; the missing ones are made."""

    async def sweep(self) -> bool:
        """Clears away what deleted rows left in the files of the database; False when nothing was erased since the last time."""

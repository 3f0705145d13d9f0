"""Bursts as they are kept: opt-outs that look like a machine's, the evidence, and whether the people were offered a way back.

Networks, mail hosts and user agents are kept as keyed hashes only; in words they stand in the sealed personal parts of the entries,
are read from there, and are gone with them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sayso.contracts.book import Noted
from sayso.contracts.feed import Fed
from sayso.contracts.letters import Cursor
from sayso.rules.bursts import Signal


@dataclass(frozen=True, slots=True)
class Reached:
    """Asks when the last message reached a person before a moment; `subs` are their contact's and addresses' pseudonyms."""

    subs: tuple[str, ...]
    before: int


@dataclass(frozen=True, slots=True)
class Marked:
    """Entries to be marked as one burst: an open one that they join, or a new one (`made`)."""

    burst: UUID
    made: bool
    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Offered:
    """The one time its people were asked: when, by whom (as the ledger names them), and the ledger's entry that keeps why."""

    at: int
    by: str
    entry: str


@dataclass(frozen=True, slots=True)
class Burst:
    """One burst in numbers. Times in microseconds; `soonest`, `median` and `latest` are times since delivery (None: all unknown).

    `asked` counts the people to whom a letter went, `settled` those the offer is over with, asked or not.
    """

    id: UUID
    found_at: int
    first_at: int
    last_at: int
    people: int
    opt_outs: int
    networks: int
    hosts: int
    agents: int
    scanners: int
    undelivered: int
    soonest: int | None
    median: int | None
    latest: int | None
    offered: Offered | None = None
    asked: int = 0
    settled: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """One marked opt-out: its entry with the personal part (None once erased), and the time since delivery.

    `person` and `address` are pseudonyms: whose it is, and the address that spoke ("" for none).
    """

    person: str
    address: str
    after: int | None
    noted: Noted
    scanner: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """A person (pseudonym) of an offered burst who was not asked yet, with all their opt-outs in it."""

    burst: UUID
    offered_at: int
    person: str
    members: tuple[Member, ...]


class Bursts(Protocol):
    """Everything here that waits raises book.Unavailable when the store cannot be reached."""

    async def cursor(self) -> Cursor:
        """How far watching has read."""

    def veiled(self, kind: str, value: str) -> bytes:
        """The keyed hash of a network, host or agent; b"" for ""."""

    async def reached(self, asked: Sequence[Reached]) -> list[int | None]:
        """When the last message before each moment reached these people, within a day; None when nothing is known of one."""

    async def statements(self, log: int, start: int, end: int) -> Sequence[Fed]:
        """What was chosen through links in the places from `start` up to `end` of a log, copies too; nothing else there is opened."""

    async def recent(self, since: int, until: int) -> list[Signal]:
        """Signals made from `since` to `until`."""

    async def undated(self, since: int, until: int) -> list[Signal]:
        """Signals of that time that nobody has looked at a second time, and whose delivery was unknown at the first."""

    async def keep(
        self, start: Cursor, end: Cursor, signals: Sequence[Signal], again: Sequence[Signal], marked: Sequence[Marked], now: int
    ) -> bool:
        """Moves the cursor, keeps new signals and what a second look found, and marks, in one transaction.

        False when another process was first, or a burst was offered meanwhile: then nothing was kept.
        """

    async def forget(self, before: int) -> None:
        """Forgets signals older than that which belong to no burst."""

    async def newest(self, before: UUID | None, limit: int) -> list[Burst]:
        """Bursts, newest first, beginning behind one."""

    async def burst(self, burst: UUID) -> Burst | None:
        """One burst."""

    async def untold(self, since: int) -> list[Burst]:
        """Bursts that nobody was told of yet, and that nobody joined since."""

    async def told(self, burst: UUID, entry: str) -> None:
        """Notes the ledger's entry that told of a burst."""

    async def members(self, burst: UUID, limit: int) -> list[Member]:
        """Its marked opt-outs, earliest first."""

    async def marks(self, entries: Sequence[str]) -> Mapping[str, UUID]:
        """The bursts of those of these entries that are marked."""

    async def offer(self, burst: UUID, offered: Offered) -> bool:
        """Closes a burst and plans its letters; False when that was done before."""

    async def to_ask(self, limit: int) -> Sequence[Waiting]:
        """People of offered bursts who were not asked yet."""

    async def settle(self, burst: UUID, person: str, *, asked: bool) -> None:
        """Notes that a person was asked, or need not be."""

    async def suspected(self) -> int:
        """How many opt-outs are marked."""

"""What the console's pages stand on: the hub's ports, and what only a demonstration has."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from sayso.contracts.book import Book
from sayso.contracts.bursts import Bursts
from sayso.contracts.connector import About
from sayso.contracts.desk import Desk
from sayso.contracts.ground import Ground
from sayso.contracts.ledger import LogReader
from sayso.contracts.letters import Letters
from sayso.contracts.spokes import Accuracy, Connection, Delivery, Told
from sayso.rules.notes import VerifierKey
from sayso.rules.tokens import Ring
from sayso.web.asking import Asking


class Systems(Protocol):
    """What pages ask about connections."""

    async def connections(self) -> list[Connection]:
        """All connections that are not gone."""

    async def accuracy(self) -> list[Accuracy]:
        """How far every connection is with everybody."""

    async def told(self, subs: Sequence[str]) -> list[Told]:
        """How far each connection is with some subjects."""

    async def deliveries(self, connection: UUID, *, before: str, limit: int) -> list[Delivery]:
        """A connection's newest attempts first."""


@dataclass(frozen=True, slots=True)
class Glimpse:
    """One thing a simulated vendor was told, in a sentence. `at` is in microseconds."""

    at: int
    vendor: str
    line: str
    request: str


@dataclass(frozen=True, slots=True)
class Day:
    """How many people said stop on one day (ISO date), and how many of them by the button of their mail program."""

    date: str
    count: int


@dataclass(frozen=True, slots=True)
class Guide:
    """What the tour needs: whom it is about, a token for its commands, and the hands of the simulated world."""

    contact_id: str
    email: str
    category: str
    token: str = field(repr=False)
    seen: Callable[[], Sequence[Glimpse]]
    unsubscribe: Callable[[], Awaitable[None]]
    """Makes the person of the tour click unsubscribe in a mail of the simulated SendGrid."""
    daily: Callable[[], Awaitable[Sequence[Day]]]
    others: tuple[tuple[str, str], ...] = ()
    """More people worth a look: what to search for, and what they show."""
    commands: tuple[tuple[str, str, str, dict[str, Any] | None], ...] = ()
    """API calls to try: title, method, path, body."""


@dataclass(frozen=True, slots=True)
class Console:
    """One console. `form_token` is what its own forms carry; `hosts` are the names it answers to."""

    book: Book
    desk: Desk
    asking: Asking
    systems: Systems
    bursts: Bursts
    letters: Letters
    ring: Ring = field(repr=False)
    log: LogReader
    log_key: VerifierKey
    ground: Callable[[], Awaitable[Ground]]
    abouts: Mapping[str, About]
    mail_folder: Path | None
    company: str
    base_url: str
    hosts: frozenset[str]
    form_token: str = field(repr=False)
    guide: Guide

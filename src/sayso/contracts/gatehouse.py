"""The gatehouse: where checks read and are logged. A port of its own, because it is the hottest path and must never give an old answer."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sayso.contracts.book import Key
from sayso.rules.answer import Logged
from sayso.rules.cadence import Spent
from sayso.rules.statements import Row
from sayso.rules.values import Value


class Wanted(Value, frozen=True):
    """The rows one question needs: whom it names, and other spellings of the address that may only deny.

    `back` is how far caps on it look back (microseconds; 0: none is on it), `reserve` whether an allowed message is promised at once.
    """

    contact: Key | None
    address: Key | None
    lookalikes: tuple[Key, ...] = ()
    back: int = 0
    reserve: bool = False


class Found(Value, frozen=True):
    """The rows as they stand: the contact's and the address's (None: never seen), look-alikes, and all rows linked to those two."""

    contact: Row | None
    address: Row | None
    lookalikes: tuple[Row, ...]
    linked: dict[str, Row]
    spent: tuple[Spent, ...] = ()
    """What was sent or promised to these people, as far back as was asked for."""


Judge = Callable[[Found, int], Logged]
"""Gives the verdict on one question from its rows and the database's clock."""


class Query(Value, frozen=True, gc=True):
    """One question: the rows it needs and its judge."""

    wanted: Wanted
    judge: Judge


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of verdicts that is logged but not sealed by the ledger: its id, number of verdicts and hash."""

    id: str
    count: int
    hash: bytes


class Gatehouse(Protocol):
    """Answers only after the verdicts are durable."""

    patience: float
    """Seconds that one who asks waits at most; then the store counts as down."""

    def ask(self, queries: Sequence[Query], *, waited: float = 0.0) -> Awaitable[list[tuple[UUID, Logged]]]:
        """The id and verdict of each question, in order, logged; whoever asks has `waited` so many seconds already.

        Raises Unavailable: then nothing may be allowed.
        """

    async def warm(self) -> None:
        """Gets ready, so that the first who asks waits no longer than others. Raises Unavailable."""

    async def logged(self, check: UUID) -> Logged | None:
        """A verdict that was given before, or None."""

    async def asked_lately(self) -> bool:
        """Whether anybody asked within the last second, in whatever process."""

    async def unsealed(self, limit: int) -> Sequence[Batch]:
        """Batches of verdicts that no ledger entry seals yet, oldest first."""

    async def sealed(self, batches: Sequence[Batch], entry: str) -> None:
        """Marks batches as sealed by a ledger entry."""

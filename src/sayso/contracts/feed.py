"""The feed: entries in the order of the ledger, with their personal parts; how far each webhook endpoint has been told of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Fed:
    """One entry of the feed: its place in the log, its leaf's fields, and its personal part (None once erased).

    `act` is the event's own name where the leaf only says `custom`; `sub` is the subject's pseudonym in hex, `about_kind` what the subject is (contact, email, …).
    """

    seq: int
    id: str
    sub: str
    about_kind: str
    act: str
    fields: Mapping[str, Any]
    detail: Mapping[str, Any] | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """How far one endpoint was told: the next place in the log, failed attempts in a row, and when to try next (microseconds)."""

    seq: int
    attempts: int
    due_at: int


class Feed(Protocol):
    """Everything here raises book.Unavailable when the store cannot be reached."""

    async def size(self) -> int:
        """How many entries have a place in the log."""

    async def read(self, start: int, limit: int) -> Sequence[Fed]:
        """The entries from a place on, at most `limit` places of them, in order; erased or lost ones leave gaps."""

    async def place(self, connection: UUID) -> Place:
        """How far an endpoint was told."""

    async def claim(self, connection: UUID, seq: int, now: int, until: int) -> bool:
        """Takes the turn of telling an endpoint until a time; False when another process has it, or it moved on."""

    async def advance(self, connection: UUID, seq: int, to: int) -> None:
        """Moves an endpoint on from one place to a later one, and ends the turn."""

    async def postpone(self, connection: UUID, seq: int, due_at: int) -> None:
        """Notes that an endpoint did not take the entry at its place, and when to try again."""

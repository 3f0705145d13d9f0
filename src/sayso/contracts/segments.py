"""Segments: entries of everybody, found by what they are and when; the port that lists and exports ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sayso.contracts.book import Noted


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries: events of a name, and choices that became `choice` ("" for none). None in a field means any.

    Times are when an entry was received, in microseconds: `begin` inclusive, `end` exclusive.
    """

    event: str | None
    choice: str
    begin: int
    end: int
    channel: str | None = None
    category: str | None = None
    source: str | None = None
    brand: str | None = None


class Segments(Protocol):
    """Raises book.Unavailable when the store cannot be reached."""

    async def find(self, wanted: Filter, after: tuple[int, str], limit: int) -> Sequence[Noted]:
        """The entries in order of (received, id), beginning behind `after` (at, id); one of several copies of a statement."""

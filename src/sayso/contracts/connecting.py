"""Setting up connections: the port that keeps them, plans work for them in bulk, and says whose turn a pull is."""

from collections.abc import Mapping
from typing import Literal, Protocol
from uuid import UUID

from sayso.contracts.spokes import Connection

ReadBack = Literal["confirmed", "differs"]
"""What a look at the other system found: it holds what it acknowledged, or something else."""


class Connecting(Protocol):
    """Everything here raises book.Unavailable when the store cannot be reached."""

    async def add(self, connection: Connection) -> None:
        """Keeps a new connection; its event-by-event place is the end of the log."""

    async def save(self, connection: Connection) -> None:
        """Keeps name, brand, grain, settings, description, state, cause and whether it was backfilled."""

    async def remove(self, connection: UUID) -> None:
        """Makes a connection gone: its settings with their secrets and its work are forgotten, its history stays."""

    async def backfill(self, connection: Connection) -> bool:
        """Plans work for everybody a connection must be told about. False when transactions that began before it still run: try again."""

    async def unplan(self, connection: UUID) -> None:
        """Forgets the work of a connection that wants no states."""

    async def replay(self, connection: UUID, since: int) -> int:
        """Plans again whatever changed or was told since a time; how many subjects that is."""

    async def begin_pull(self, connection: UUID, every: int) -> bool:
        """Takes the turn of pulling when the last pull is longer ago than `every` (microseconds)."""

    async def end_pull(self, connection: UUID, before: str | None, cursor: str | None, more: bool) -> None:
        """Moves a pull's cursor, unless somebody else did; with `more` the next turn is at once."""

    async def unread(self, connection: UUID, limit: int) -> Mapping[str, str]:
        """Subjects that a connection acknowledged and nobody has read back since, the newest first, with what it was told."""

    async def note_read_back(self, connection: UUID, found: Mapping[str, ReadBack]) -> None:
        """Keeps what was read back; who differs is due again at once."""

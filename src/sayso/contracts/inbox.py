"""The inbox: vendors' calls as they came, kept before anybody believes or understands them. Encrypted, readable for seven days."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

from sayso.contracts.connector import Call

InboxState = Literal["new", "done", "odd"]
"""`new`: kept, its facts are not recorded yet; `done`; `odd`: kept for a person to look at."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One call as it was kept: its id, the connection it came to, and the call itself."""

    id: UUID
    connection: UUID
    call: Call


class Inbox(Protocol):
    """Everything here raises book.Unavailable when the store cannot be reached."""

    async def keep(self, connection: UUID, call: Call) -> Kept:
        """The call, kept as `new`: from here on a crash loses nothing."""

    async def end(self, kept: Kept, state: InboxState, detail: str) -> None:
        """Says what became of a call; `detail` is for people and holds no personal data."""

    async def refuse(self, kept: Kept, reason: str, now: int) -> None:
        """Forgets the bytes of a call that did not prove itself; of those one trace an hour and connection stays."""

    async def left(self, before: int, limit: int) -> Sequence[Kept]:
        """Calls kept before a time (microseconds) whose facts were never recorded, oldest first."""

    async def count_odd(self, connection: UUID) -> int:
        """How many calls of one connection wait for a person to look at them."""

    async def odd(self, connection: UUID, limit: int) -> Sequence[Kept]:
        """Calls of one connection that nobody could read so far, oldest first."""

"""The spokes: configured connections and the work of telling each of them the current state of each subject.

One row of work per (connection, subject): a change adds one to what is wanted, an acknowledgement catches up with it. Times are
microseconds on the database's clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol
from uuid import UUID

from sayso.contracts.connector import Attempt, Outcome
from sayso.contracts.settings import Settings

ConnectionState = Literal["active", "paused", "disabled", "gone"]


class NoSuchConnection(LookupError):
    """No connection has this id."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One configured spoke. `cause` says why it is disabled; `cursor` is where its next pull starts."""

    id: UUID
    connector: str
    name: str
    brand: str
    grain: str
    settings: Settings = field(repr=False)
    description: str
    state: ConnectionState
    cause: str | None
    created_at: int
    backfilled: bool
    cursor: str | None = None
    pulled_at: int | None = None
    feed_seq: int = 0


@dataclass(frozen=True, slots=True)
class Claimed:
    """One row of work that this process may do now, until its lease ends. `told` is what was last acknowledged (JSON text)."""

    connection: UUID
    sub: str
    wanted: int
    lease: UUID
    delivery: UUID
    attempts: int
    unsure: bool
    told: str | None
    origin: str | None
    wanted_at: int


@dataclass(frozen=True, slots=True)
class Settled:
    """How one claimed row ends: acknowledged (with what was told), tried again at `due_at`, or parked until the next change."""

    claimed: Claimed
    outcome: Outcome
    told: str | None = None
    done: bool = False
    due_at: int | None = None
    parked: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """How far one connection is with one subject (propagation, wire contract section 6)."""

    connection: UUID
    sub: str
    wanted: int
    acknowledged: int
    wanted_at: int
    acknowledged_at: int | None
    attempts: int
    parked: bool
    read_back: str | None
    cause: str | None
    leased: bool = False


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One connection's pairs of (connection, subject): how many there are, are in sync, and the oldest that is not, in microseconds."""

    connection: UUID
    pairs: int
    in_sync: int
    oldest_lag: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to tell a connection something, as the log keeps it."""

    id: UUID
    connection: UUID
    sub: str | None
    at: int
    milliseconds: int
    status: int
    outcome: str
    delivery: UUID | None
    attempt: Mapping[str, object] | None


class Talk(NamedTuple):
    """What was said to a system at one go: the rows it was about, the answer to each, and every attempt it took."""

    claimed: Sequence[Claimed]
    outcomes: Sequence[Outcome]
    attempts: Sequence[Attempt]


class Spokes(Protocol):
    """Where connections and their work are kept."""

    async def connections(self) -> list[Connection]:
        """All connections that are not gone, oldest first."""

    async def connection(self, connection: UUID) -> Connection:
        """One connection. Raises NoSuchConnection."""

    async def claim(self, connection: UUID, *, limit: int, lease: int, early: bool = False) -> list[Claimed]:
        """Rows that are due, leased to the caller for `lease` microseconds; `early` takes rows that wait for a retry too."""

    async def settle(self, settled: Sequence[Settled]) -> None:
        """Ends leases. A row whose lease was lost meanwhile is left alone."""

    async def hasten(self, connection: UUID) -> None:
        """Makes everything that waits for a retry due now: the connection answers again."""

    async def disable(self, connection: UUID, cause: str) -> None:
        """Stops a connection that must not be asked any more, with the reason people are shown."""

    async def log_attempts(self, connection: UUID, talks: Sequence[Talk]) -> None:
        """Keeps what was sent and answered, redacted and encrypted, for seven days."""

    async def deliveries(self, connection: UUID, *, before: str, limit: int) -> list[Delivery]:
        """A connection's newest attempts first, beginning before the attempt `before` ("" for the newest)."""

    async def told(self, subs: Sequence[str]) -> list[Told]:
        """How far each connection is with some subjects."""

    async def accuracy(self) -> list[Accuracy]:
        """How far every connection is with everybody."""

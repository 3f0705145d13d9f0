"""The ledger's port: what sequencing, proving and verifying need from a store, and from the place that keeps anchors.

A *log* is one growing tree of entries. Its lock holder has a *turn*; everybody may read. An *anchor* remembers signed checkpoints
outside the store, so that an old or rewritten store is noticed. Times are int microseconds, hashes 32 bytes.

Logs are numbered. The newest one grows; the ones before it are closed: an operator accepted that the store was put back
(flows/accept_rollback.py). Chains run on from one log into the next.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from uuid import UUID

from sayso.rules.ids import SHARDS
from sayso.rules.tiles import TileKey

ALL_SHARDS = range(SHARDS)


def origin_of(name: str, log: int) -> str:
    """The origin of a log by its number: the instance's name for the first (0), `name/2`, `name/3`, … for those after it."""
    return f"{name}/{log + 1}" if log else name


class LedgerRolledBack(Exception):
    """The store's log is shorter than, or contradicts, a checkpoint that was signed: sign nothing, deny, let an operator decide."""


class LedgerDamaged(Exception):
    """The store's log contradicts itself (a lost leaf, a short tile): sign nothing, run `sayso verify`."""


class NotInLedger(LookupError):
    """No signed checkpoint covers this entry: it is unknown, or so new that it is not sequenced yet."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One committed entry that has no place in a log yet."""

    shard: int
    id: UUID
    leaf: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """A stored checkpoint: size, root, the whole signed note, and when it was signed."""

    size: int
    root: bytes
    note: str
    at: int


class Placed(NamedTuple):
    """One place of a log and the entry that has it; `leaf` None when the entry is gone."""

    seq: int
    entry: UUID
    leaf: bytes | None


class Places(NamedTuple):
    """Many places of a log as columns of the same length: what takes a part of the time of as many `Placed`."""

    seqs: Sequence[int]
    entries: Sequence[UUID]
    leaves: Sequence[bytes | None]


class Stored(NamedTuple):
    """One entry as stored: its leaf, the columns copied from it, its log and place there (None: unsequenced), whether it waits."""

    shard: int
    id: UUID
    leaf: bytes
    sub: bytes
    ver: int
    at: int
    kind: str
    act: str
    brand: str | None
    channel: str | None
    category: str | None
    src: str
    effect: str
    log: int | None
    seq: int | None
    waits: bool


class Kept(NamedTuple):
    """A subject's row as far as the ledger determines it: place in the chain and folded state."""

    version: int
    length: int
    head: bytes
    last_at: int
    state: bytes


class LogReader(Protocol):
    """Reading one log."""

    async def size(self) -> int:
        """How many entries the log has."""

    async def newest(self) -> Signed | None:
        """The newest stored checkpoint."""

    async def stopped(self) -> str | None:
        """Why this log may not be believed, as any process found; None when nothing is known against it."""

    async def tiles(self, keys: Collection[TileKey]) -> Mapping[TileKey, bytes]:
        """The tiles with these keys, as far as they exist."""

    async def place_of(self, entry: UUID) -> Placed | None:
        """The place of an entry; None before it is sequenced."""

    async def leaves(self, start: int, count: int) -> Sequence[bytes]:
        """The leaves from place `start` on, at most `count`, without gaps."""


class Turn(Protocol):
    """One transaction of the only process that may change the log just now."""

    async def size(self) -> int:
        """How many entries the log has."""

    async def newest(self) -> Signed | None:
        """The newest stored checkpoint."""

    async def tiles(self, keys: Collection[TileKey]) -> Mapping[TileKey, bytes]:
        """The tiles with these keys, as far as they exist."""

    async def waiting(self, limit: int) -> Sequence[Waiting]:
        """The unsequenced entries in (received_at, id) order, at most `limit`. Raises LedgerDamaged when one has lost its leaf."""

    async def append(self, size: int, entries: Sequence[Waiting], tiles: Mapping[TileKey, bytes]) -> None:
        """Gives the entries their places from `size` on and keeps the tiles that changed by it."""

    async def keep(self, checkpoint: Signed) -> None:
        """Keeps a signed checkpoint."""

    async def signed(self) -> Sequence[Signed]:
        """All stored checkpoints, largest first."""

    async def entry(self, entry: UUID) -> Waiting | None:
        """One committed entry that waits for its place, or None."""

    async def close(self, after: int, opening: Waiting, tiles: Mapping[TileKey, bytes], at: int) -> None:
        """Closes this log for good and opens number `after`, in which `opening` is the only entry, with these tiles."""


class Log(LogReader, Protocol):
    """One log, for reading and for turns."""

    @property
    def log(self) -> int:
        """Its number."""

    def turn(self) -> AbstractAsyncContextManager[Turn | None]:
        """A transaction that commits at its end; None when another process has the turn, or the log is closed."""

    async def stop(self, why: str) -> None:
        """Marks the log as one that may not be believed, for every process and until it is closed."""


class Audit(Protocol):
    """One consistent view of everything that `verify` reads, in batches."""

    @property
    def log(self) -> int:
        """The log it is about."""

    async def logs(self) -> Sequence[int]:
        """The numbers of all logs, oldest first; the last one grows."""

    async def counts(self) -> tuple[int, int]:
        """How many places the log has given out, and how many entries exist at all (for progress)."""

    def places(self) -> AsyncGenerator[Places, None]:
        """All places in order; every batch but the last has a multiple of 256 of them."""

    def entries(self, shards: range = ALL_SHARDS) -> AsyncIterator[Sequence[Stored]]:
        """All entries of these shards, sequenced or not, chain by chain, each in the order of its chain."""

    async def tiles(self, keys: Collection[TileKey]) -> Mapping[TileKey, bytes]:
        """The tiles with these keys, as far as they exist."""

    async def tile_keys_beyond(self, keys: Collection[TileKey]) -> Sequence[TileKey]:
        """Tiles that lie right of these last tiles of their levels, or on levels not named: none should exist."""

    async def checkpoints(self, after: int, upto: int) -> Sequence[Signed]:
        """Stored checkpoints of sizes after < size ≤ upto, smallest first."""

    async def subjects(self, subs: Collection[bytes]) -> Mapping[bytes, Kept]:
        """The subjects with these pseudonyms, as far as they exist."""

    async def unfounded(self) -> Sequence[bytes]:
        """Pseudonyms of subjects that have state but no entry (some of them, when many)."""

    async def misqueued(self) -> Sequence[UUID]:
        """Ids in the queue of unsequenced entries that have a place already, or no entry (some of them, when many)."""


class Details(Protocol):
    """Opens the personal parts of entries."""

    async def opened(self, entries: Sequence[Stored]) -> Mapping[UUID, tuple[bytes, bytes] | None]:
        """(salt, detail) of those of these entries whose data key still exists; None where the detail is lost all the same."""


class Anchor(Protocol):
    """Remembers signed checkpoints of one origin outside the store."""

    async def last(self) -> str | None:
        """The newest note that was kept."""

    async def kept(self) -> Sequence[str]:
        """Notes that were kept, oldest first, the newest included."""

    async def keep(self, note: str, at: int) -> None:
        """Keeps a note so that it survives a crash right after the return."""

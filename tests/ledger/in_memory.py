"""A ledger's rows in memory, read from a real one, to be tampered with thousands of times: what verify reads, as the store gives it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from ledger_writer import ORIGIN, PRIVATE, Ledger

from sayso.contracts.ledger import ALL_SHARDS, Kept, Places, Signed, Stored
from sayso.contracts.verified import Verified
from sayso.flows.verify import verify
from sayso.rules.merkle import leaf_hash, root_of
from sayso.rules.notes import Checkpoint, checkpoint_text, key_of, sign
from sayso.rules.replay import Link, replay, state_bytes
from sayso.rules.tiles import TileKey, extend

BATCH = 4_096


@dataclass(slots=True)
class Rows:
    """Everything of one ledger. A place of the log is its index in `order`, or None where the row is gone."""

    stored: dict[UUID, Stored]
    order: list[UUID | None]
    waits: set[UUID]
    tiles: dict[TileKey, bytes]
    signed: list[Signed]
    subjects: dict[bytes, Kept]
    anchors: list[str] = field(default_factory=list)

    def copy(self) -> "Rows":
        """Another ledger with the same rows."""
        return replace(
            self, stored=dict(self.stored), order=list(self.order), waits=set(self.waits), tiles=dict(self.tiles), signed=list(self.signed),
            subjects=dict(self.subjects), anchors=list(self.anchors),
        )  # fmt: skip

    def leaves(self) -> list[bytes]:
        """The leaves that stand in the log."""
        return [self.stored[entry].leaf for entry in self.order if entry in self.stored]

    def rehash(self) -> list[bytes]:
        """Makes all tiles fit the leaves; gives their hashes."""
        hashes = [leaf_hash(leaf) for leaf in self.leaves()]
        self.tiles = extend({}, 0, hashes)
        return hashes

    def sign(self, hashes: Sequence[bytes], sizes: Sequence[int], private: object = PRIVATE) -> None:
        """Keeps fresh checkpoints of these sizes instead of all there were."""
        roots = {size: root_of(hashes[:size]) for size in sizes}
        notes = {size: sign(checkpoint_text(Checkpoint(ORIGIN, size, roots[size])), ORIGIN, private) for size in sizes}  # type: ignore[arg-type] # either key
        self.signed = [Signed(size, roots[size], notes[size], 0) for size in sizes]

    def refold(self, sub: bytes) -> None:
        """Makes a subject's row fit its chain, as somebody would who knows how."""
        link = Link(sub.hex())
        for row in sorted((row for row in self.stored.values() if row.sub == sub), key=lambda row: row.ver):
            link = replay(link, row.leaf, None).link
        state = link.state
        self.subjects[sub] = Kept(state.version, state.length, link.head, state.last_at, state_bytes(state))


@dataclass(frozen=True, slots=True)
class Shown:
    """The rows as an audit and an anchor show them."""

    rows: Rows
    log: int = 0

    async def logs(self) -> Sequence[int]:
        return [0]

    async def counts(self) -> tuple[int, int]:
        return len(self.rows.order), len(self.rows.stored)

    async def places(self) -> AsyncGenerator[Places, None]:
        stored = self.rows.stored
        placed = [(seq, entry, stored[entry].leaf if entry in stored else None) for seq, entry in enumerate(self.rows.order) if entry]
        for start in range(0, len(placed), BATCH):
            yield Places(*zip(*placed[start : start + BATCH], strict=True))

    async def entries(self, shards: range = ALL_SHARDS) -> AsyncIterator[Sequence[Stored]]:
        seqs = {entry: seq for seq, entry in enumerate(self.rows.order) if entry}
        rows = [
            row if row.seq == seqs.get(row.id) and row.waits == (row.id in self.rows.waits)
            else row._replace(seq=seqs.get(row.id), log=0 if row.id in seqs else None, waits=row.id in self.rows.waits)
            for row in self.rows.stored.values() if row.shard in shards
        ]  # fmt: skip
        rows.sort(key=lambda row: (row.shard, row.sub, row.ver))
        for start in range(0, len(rows), BATCH):
            yield rows[start : start + BATCH]

    async def tiles(self, keys: Collection[TileKey]) -> Mapping[TileKey, bytes]:
        return {key: self.rows.tiles[key] for key in keys if key in self.rows.tiles}

    async def tile_keys_beyond(self, keys: Collection[TileKey]) -> Sequence[TileKey]:
        last = dict(keys)
        return [(level, n) for level, n in self.rows.tiles if n > last.get(level, -1)]

    async def checkpoints(self, after: int, upto: int) -> Sequence[Signed]:
        return sorted((row for row in self.rows.signed if after < row.size <= upto), key=lambda row: row.size)

    async def subjects(self, subs: Collection[bytes]) -> Mapping[bytes, Kept]:
        return {sub: self.rows.subjects[sub] for sub in subs if sub in self.rows.subjects}

    async def unfounded(self) -> Sequence[bytes]:
        founded = {row.sub for row in self.rows.stored.values()}
        return [sub for sub in self.rows.subjects if sub not in founded]

    async def misqueued(self) -> Sequence[UUID]:
        placed = set(self.rows.order)
        return [entry for entry in self.rows.waits if entry in placed or entry not in self.rows.stored]

    async def last(self) -> str | None:
        return self.rows.anchors[-1] if self.rows.anchors else None

    async def kept(self) -> Sequence[str]:
        return self.rows.anchors

    async def keep(self, note: str, at: int) -> None:
        raise AssertionError("verify keeps nothing")


async def taken_from(ledger: Ledger) -> Rows:
    """The rows of a real ledger, read as verify reads them."""
    async with ledger.log.audit() as audit:
        order = [entry async for batch in audit.places() for entry in batch.entries]
        stored = {row.id: row async for batch in audit.entries() for row in batch}
        subjects = dict(await audit.subjects({row.sub for row in stored.values()}))
        signed = list(await audit.checkpoints(-1, 1 << 62))
        keys = await ledger.pool.fetch("SELECT level, n FROM log_tile")
        tiles = dict(await audit.tiles([(row["level"], row["n"]) for row in keys]))
    waits = {row.id for row in stored.values() if row.waits}
    return Rows(stored, list(order), waits, tiles, signed, subjects, list(await ledger.anchor.kept()))


async def verified(rows: Rows, *, anchors: bool = True, tree_only: bool = False) -> Verified:
    """What verify finds in these rows; without `anchors` as if nobody had kept any."""
    shown = Shown(rows)
    anchor = shown if anchors else Shown(replace(rows, anchors=[]))
    await asyncio.sleep(0)
    return await verify(audit=shown, anchor=anchor, key=key_of(ORIGIN, PRIVATE), tree_only=tree_only)

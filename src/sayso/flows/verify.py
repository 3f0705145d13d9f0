"""Verifying: whether the whole ledger is what was signed, chain by chain, leaf by leaf, and state is what it says.

Reads everything twice in bounded memory: once in the order of the log for the tree, once chain by chain for the facts. Changes nothing.
One log at a time; flows/verify_logs.py takes them all.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby

from sayso.contracts.ledger import Anchor, Audit, Details, Places, Signed
from sayso.contracts.verified import Verified
from sayso.flows.verify_chains import verify_chains
from sayso.rules.merkle import EMPTY_ROOT, HASH_BYTES, Edge, edge_root
from sayso.rules.notes import Checkpoint, NoteMalformed, NoteRefused, VerifierKey, open_checkpoint
from sayso.rules.rollback import Rollback
from sayso.rules.tiles import WIDTH, TileKey, edge_keys, grow, rows_after, width_at

Progress = Callable[[int, int], None]
"""Told (steps done, steps in all); a step is one leaf read in one of the two passes."""
Chains = Callable[[int, int, Callable[[int], None]], Awaitable[Verified]]
"""Checks all chains of the ledger, given the log, its size, and whom to tell how many entries are done."""


async def verify(
    *, audit: Audit, anchor: Anchor, key: VerifierKey, details: Details | None = None, progress: Progress = lambda _done, _all: None,
    tree_only: bool = False, closed: Rollback | None = None, chains: Chains | None = None,
) -> Verified:  # fmt: skip
    """What was checked and everything that is wrong.

    Checks: places without gaps; tree, every tile, every stored checkpoint and every anchor against the leaves, so all are consistent with
    each other; leaves, their chains and copied columns; the unsequenced rest; that folding the leaves gives the stored
    state byte for byte; with `details`, the commitments whose data key still exists. Costs no memory that grows with the ledger.
    `tree_only` leaves out leaves' content, chains, state and details: all that needs replay. `closed` is what the leaf that closed this
    log says of it; what was signed beyond, and lost, is then no problem, and anything else than what the leaf names is one.
    `chains` checks the chains elsewhere, meanwhile; without it they are checked here, after the tree.
    """
    found = Verified()
    places, total = await audit.counts()
    total = 0 if tree_only else total
    told = _Told(progress, places + total)
    signer = _Signer(key, closed)
    anchors = _opened_anchors(found, await anchor.kept(), signer)
    elsewhere = asyncio.ensure_future(chains(audit.log, places, told.chains)) if chains and not tree_only else None
    try:
        await _check_tree(found, audit, anchors, signer, told.tree)
        if closed:
            _check_closed(found, closed, key)
        if not tree_only:
            told.tree(places)
            found.take(await (elsewhere or verify_chains(audit=audit, size=places, details=details, progress=told.chains)))
            await _check_rest(found, audit)
    finally:
        if elsewhere:
            elsewhere.cancel()
    progress(places + total, places + total)
    return found


async def _check_rest(found: Verified, audit: Audit) -> None:
    """What no entry is about."""
    for sub in await audit.unfounded():
        found.note(f"subject {sub.hex()} has state, but no entry is about it")
    for entry in await audit.misqueued():
        found.note("it waits for a place, but has one already or does not exist", entry=entry)


@dataclass(slots=True)
class _Told:
    """Adds up how far both passes are."""

    progress: Progress
    total: int
    places: int = 0
    entries: int = 0

    def tree(self, done: int) -> None:
        self.places = done
        self.progress(self.places + self.entries, self.total)

    def chains(self, done: int) -> None:
        self.entries = done
        self.progress(self.places + self.entries, self.total)


@dataclass(frozen=True, slots=True)
class _Signer:
    """Whose signatures count, and what its log lost by a rollback that an operator accepted."""

    key: VerifierKey
    closed: Rollback | None

    def lost(self, checkpoint: Checkpoint) -> bool:
        """Whether it is known, and accepted, that the store does not hold what this checkpoint covers."""
        return self.closed is not None and self.closed.agreed < checkpoint.size <= self.closed.size


@dataclass(slots=True)
class _Proven:
    """The greatest sizes that a true checkpoint covers: any one, and an anchor. Those in the store may have been signed anew."""

    anyhow: int = 0
    outside: int = 0


def _opened_anchors(found: Verified, notes: Sequence[str], signer: _Signer) -> list[Checkpoint]:
    opened = []
    for note in notes:
        try:
            opened.append(open_checkpoint(note.encode(), signer.key))
        except (NoteMalformed, NoteRefused) as error:
            found.note(f"an anchor does not verify: {error}")
    found.anchors = len(opened)
    return sorted((one for one in opened if not signer.lost(one)), key=lambda checkpoint: checkpoint.size)


async def _check_tree(found: Verified, audit: Audit, anchors: list[Checkpoint], signer: _Signer, progress: Callable[[int], None]) -> None:
    """The first pass: places, tiles, checkpoints and anchors against the leaves in the order of the log."""
    tree, rows = Edge(), dict[TileKey, bytes]()
    skipped, done, proven = 0, -1, _Proven()
    last = (Places((), (), ()), 0)
    async for batch in audit.places():
        skipped = _check_places(found, batch, tree.size, skipped)
        start, end = tree.size, tree.size + len(batch.seqs)
        claims = [(one.size, one.root, False) for one in _claims(found, await audit.checkpoints(done, end), signer)]
        claims += [(one.size, one.root, True) for one in anchors if done < one.size <= end]
        hashes, last = (
            [sha256(b"\0" + (leaf or b"")).digest() for leaf in batch.leaves],
            (batch, start),
        )  # leaf_hash, without a call for each
        tree, gained = _check_roots(found, (tree, hashes), claims, proven)
        changed = rows_after(rows, start, gained)
        await _check_tiles(found, audit, {at: row for at, row in changed.items() if width_at(*at, end) == WIDTH}, last)
        rows = {at: changed.get(at) or rows[at] for at in edge_keys(end)}
        done = end
        progress(end)
    await _check_tiles(found, audit, rows, last)
    await _check_end(found, audit, (tree, done), anchors, signer, proven)


def _check_places(found: Verified, batch: Places, start: int, skipped: int) -> int:
    """How many places are missing up to the end of this batch; each gap and each place without an entry is noted."""
    first = start + skipped
    if None not in batch.leaves and tuple(batch.seqs) == tuple(range(first, first + len(batch.seqs))):
        return skipped
    for place, (seq, entry, leaf) in enumerate(zip(*batch, strict=True), start):
        if seq != place + skipped:
            found.note(f"place {place + skipped} of the log is missing", place + skipped)
            skipped = seq - place
        if leaf is None:
            found.note("the entry at this place does not exist", seq, entry)
    return skipped


async def _check_end(
    found: Verified, audit: Audit, end: tuple[Edge, int], anchors: list[Checkpoint], signer: _Signer, proven: _Proven
) -> None:
    """What lies beyond the last leaf: nothing may."""
    tree, done = end
    found.size, found.root = tree.size, edge_root(tree)
    beyond = [(one, proven.anyhow) for one in _claims(found, await audit.checkpoints(done, (1 << 63) - 1), signer)]
    beyond += [(one, proven.outside) for one in anchors if one.size > done]
    for checkpoint, since in beyond:
        if checkpoint.size:
            what = f"{checkpoint.size} entries were signed, the log has {tree.size}: it was cut or rolled back"
            found.note(what, since, upto=tree.size + 1)
        elif checkpoint.root != EMPTY_ROOT:
            found.note("a checkpoint of an empty log has another root than an empty log")
    counts = enumerate(tree.size >> (8 * level) for level in range(8))
    last = [(level, (count - 1) // WIDTH) for level, count in counts if count]
    for level, n in await audit.tile_keys_beyond(last):
        found.note(f"tile {n} of level {level} lies beyond the log", tree.size)


def _check_closed(found: Verified, closed: Rollback, key: VerifierKey) -> None:
    """A closed log against the leaf that closed it."""
    if closed.origin != key.name:
        found.note(f"the leaf that closed this log names {closed.origin}")
    if (found.size, found.root) != (closed.kept, closed.kept_root):
        what = f"the closed log has {found.size} entries that are not the {closed.kept} that were there when it was closed"
        found.note(what, min(closed.agreed, found.size), upto=max(closed.kept, found.size, 1))
    else:
        found.signed = found.size


async def _check_tiles(found: Verified, audit: Audit, rows: dict[TileKey, bytes], leaves: tuple[Places, int]) -> None:
    """Stored tiles against recomputed ones; a wrong hash of level 0 names its entry."""
    batch, start = leaves
    stored = await audit.tiles(rows.keys())
    for (level, n), row in rows.items():
        kept = stored.get((level, n), b"")
        if kept == row:
            continue
        width = len(row) // HASH_BYTES
        wrong = next((i for i in range(width) if kept[HASH_BYTES * i :][:HASH_BYTES] != row[HASH_BYTES * i :][:HASH_BYTES]), width)
        # A hash too many on the lowest level is that of an entry that stood there once.
        seq = ((n * WIDTH + wrong) << (8 * level)) if wrong < width or level == 0 else None
        named = batch.entries[seq - start] if seq is not None and level == 0 and 0 <= seq - start < len(batch.seqs) else None
        upto = None if seq is None else seq + (1 << (8 * level))
        found.note(f"tile {n} of level {level} does not hold the hashes of the log's leaves", seq, named, upto)


def _claims(found: Verified, stored: Sequence[Signed], signer: _Signer) -> list[Checkpoint]:
    """The checkpoints in these rows that the log's key signed."""
    opened = []
    for row in stored:
        try:
            checkpoint = open_checkpoint(row.note.encode(), signer.key)
        except (NoteMalformed, NoteRefused) as error:
            found.note(f"the checkpoint of size {row.size} does not verify: {error}")
            continue
        if (checkpoint.size, checkpoint.root) != (row.size, row.root):
            found.note(f"the checkpoint of size {row.size} has other columns than it signed")
            continue
        opened.append(checkpoint)
    found.checkpoints += len(stored)
    return [one for one in opened if not signer.lost(one)]


def _check_roots(
    found: Verified, grown: tuple[Edge, list[bytes]], claims: list[tuple[int, bytes, bool]], proven: _Proven
) -> tuple[Edge, list[list[bytes]]]:
    """The tree after these leaves, and what its levels gained; on the way each claim (size, root, whether it is an anchor) is compared."""
    tree, hashes = grown
    start, gained = tree.size, list[list[bytes]]()
    for size, claimed in groupby([*sorted(claims), (start + len(hashes), b"", False)], key=lambda claim: claim[0]):
        tree, more = grow(tree, hashes[tree.size - start : size - start])
        for level, fresh in enumerate(more):
            if level == len(gained):
                gained.append([])
            gained[level] += fresh
        root, known = edge_root(tree), [claim for claim in claimed if claim[1]]
        for _, other, outside in known:
            if other != root:
                since = proven.outside if outside else proven.anyhow
                what = f"entries {since} to {size - 1} are not the ones that were signed at size {size}"
                found.note(what, since, upto=size)
        true = [outside for _, other, outside in known if other == root]
        if true:
            proven.anyhow = found.signed = size
        if any(true):
            proven.outside = size
    return tree, gained

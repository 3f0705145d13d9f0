"""Verifying: whether the whole ledger is what was signed, chain by chain, leaf by leaf, and state is what it says.

Reads everything twice in bounded memory: once in the order of the log for the tree, once chain by chain for the facts. Changes nothing.
One log at a time; flows/verify_logs.py takes them all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import groupby
from typing import Any
from uuid import UUID

from sayso.contracts.ledger import Anchor, Audit, Details, Kept, Placed, Signed, Stored
from sayso.rules.leaves import commitment
from sayso.rules.merkle import EMPTY_ROOT, HASH_BYTES, Edge, edge_root
from sayso.rules.notes import Checkpoint, NoteMalformed, NoteRefused, VerifierKey, open_checkpoint
from sayso.rules.replay import ERASED, Link, replay, state_bytes
from sayso.rules.rollback import Rollback
from sayso.rules.tiles import WIDTH, TileKey, edge_keys, grow, rows_after, width_at

PROBLEMS_NAMED = 100
ACT_LETTERS = 64
"""How much of a leaf's act its column holds."""

COPIED = ("id", "sub", "ver", "at", "kind", "act", "scope", "src", "effect", "shard", "shard")
"""Columns of an entry that repeat its leaf, in the order they are compared; the shard repeats two."""

Progress = Callable[[int, int], None]
"""Told (steps done, steps in all); a step is one leaf read in one of the two passes."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: what, and among which places of the log (seq ≤ place < upto; None: not in the log) it must be.

    `entry` is the one that shows it: the bad one itself, where the places are one.
    """

    what: str
    seq: int | None = None
    entry: UUID | None = None
    upto: int | None = None

    @property
    def depth(self) -> tuple[float, int]:
        """How early in the log it must be, and then how exactly that is known; smaller is earlier."""
        return (float("inf"), 0) if self.seq is None else (self.upto or self.seq + 1, -self.seq)


@dataclass(slots=True)
class Verified:
    """The result: counts of what was checked, how many problems there are, and at least the first hundred.

    `signed` is the greatest size that a true checkpoint covers: entries after it are only as safe as the store.
    """

    size: int = 0
    root: bytes = EMPTY_ROOT
    entries: int = 0
    unsequenced: int = 0
    chains: int = 0
    erased: int = 0
    checkpoints: int = 0
    anchors: int = 0
    signed: int = 0
    details: int = 0
    details_gone: int = 0
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.problem_count == 0

    @property
    def first_bad(self) -> Problem | None:
        """The problem that must be earliest in the log; one outside the log only when there is no other."""
        return min(self.problems, key=lambda problem: problem.depth, default=None)

    def note(self, what: str, seq: int | None = None, entry: UUID | None = None, upto: int | None = None) -> None:
        """Counts a problem, and names it unless there are too many already and it is not an earlier one."""
        self.problem_count += 1
        problem = Problem(what, seq, entry, upto)
        if len(self.problems) < PROBLEMS_NAMED or problem.depth < min(known.depth for known in self.problems):
            self.problems.append(problem)


async def verify(
    *, audit: Audit, anchor: Anchor, key: VerifierKey, details: Details | None = None, progress: Progress = lambda _done, _all: None,
    tree_only: bool = False, closed: Rollback | None = None,
) -> Verified:  # fmt: skip
    """What was checked and everything that is wrong.

    Checks: places without gaps; tree, every tile, every stored checkpoint and every anchor against the leaves, so all are consistent with
    each other; leaves, their chains and copied columns; the unsequenced rest; that folding the leaves gives the stored
    state byte for byte; with `details`, the commitments whose data key still exists. Costs no memory that grows with the ledger.
    `tree_only` leaves out leaves' content, chains, state and details: all that needs replay. `closed` is what the leaf that closed this
    log says of it; what was signed beyond, and lost, is then no problem, and anything else than what the leaf names is one.
    """
    found = Verified()
    places, total = await audit.counts()
    total = 0 if tree_only else total
    signer = _Signer(key, closed)
    anchors = _opened_anchors(found, await anchor.kept(), signer)
    await _check_tree(found, audit, anchors, signer, lambda done: progress(done, places + total))
    if closed:
        _check_closed(found, closed, key)
    if tree_only:
        progress(places, places)
        return found
    await _check_chains(found, audit, details, lambda done: progress(places + done, places + total))
    for sub in await audit.unfounded():
        found.note(f"subject {sub.hex()} has state, but no entry is about it")
    for entry in await audit.misqueued():
        found.note("it waits for a place, but has one already or does not exist", entry=entry)
    progress(places + total, places + total)
    return found


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
    last: tuple[Sequence[Placed], int] = ((), 0)
    async for batch in audit.places():
        skipped = _check_places(found, batch, tree.size, skipped)
        start, end = tree.size, tree.size + len(batch)
        claims = [(one.size, one.root, False) for one in _claims(found, await audit.checkpoints(done, end), signer)]
        claims += [(one.size, one.root, True) for one in anchors if done < one.size <= end]
        hashes, last = [sha256(b"\0" + (row.leaf or b"")).digest() for row in batch], (batch, start)  # leaf_hash, without a call for each
        tree, gained = _check_roots(found, (tree, hashes), claims, proven)
        changed = rows_after(rows, start, gained)
        await _check_tiles(found, audit, {at: row for at, row in changed.items() if width_at(*at, end) == WIDTH}, last)
        rows = {at: changed.get(at) or rows[at] for at in edge_keys(end)}
        done = end
        progress(end)
    await _check_tiles(found, audit, rows, last)
    await _check_end(found, audit, (tree, done), anchors, signer, proven)


def _check_places(found: Verified, batch: Sequence[Placed], start: int, skipped: int) -> int:
    """How many places are missing up to the end of this batch; each gap and each place without an entry is noted."""
    first = start + skipped
    if [row.seq for row in batch] == list(range(first, first + len(batch))) and all(row.leaf is not None for row in batch):
        return skipped
    for place, row in enumerate(batch, start):
        if row.seq != place + skipped:
            found.note(f"place {place + skipped} of the log is missing", place + skipped)
            skipped = row.seq - place
        if row.leaf is None:
            found.note("the entry at this place does not exist", row.seq, row.entry)
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


async def _check_tiles(found: Verified, audit: Audit, rows: dict[TileKey, bytes], leaves: tuple[Sequence[Placed], int]) -> None:
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
        named = batch[seq - start].entry if seq is not None and level == 0 and 0 <= seq - start < len(batch) else None
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


async def _check_chains(found: Verified, audit: Audit, details: Details | None, progress: Callable[[int], None]) -> None:
    """The second pass: every chain link by link, its columns, its fold against the subject, details against commitments."""
    link: Link | None = None
    async for batch in audit.entries():
        opened = await details.opened(batch) if details else None
        ended: list[Link] = []
        for row in batch:
            sub = row.sub.hex()
            if link is None or link.sub != sub:
                ended += [link] if link else []
                link = Link(sub)
            link = _check_entry(found, audit.log, link, row, opened)
        found.entries += len(batch)
        await _check_states(found, audit, ended)
        progress(found.entries)
    await _check_states(found, audit, [link] if link else [])


def _check_entry(found: Verified, log: int, link: Link, row: Stored, opened: Mapping[UUID, tuple[bytes, bytes] | None] | None) -> Link:
    seq = row.seq if row.log == log else None
    place = (row.log, row.seq) if row.log is not None and row.seq is not None else None
    replayed = replay(link, row.leaf, place)
    problems = list(replayed.problems)
    if replayed.fields is not None:
        problems += _mismatches(row, replayed.fields)
        if opened is not None and replayed.fields["d"]:
            problems += _check_detail(found, opened, row.id, replayed.fields["d"])
    if place is None:
        found.unsequenced += 1
        if not row.waits:
            problems.append("it has no place in a log and does not wait for one")
    for what in problems:
        found.note(what, seq, row.id)
    before = link.place[1] if link.place and link.place[0] == log else None
    if replayed.gap:
        _note_gap(found, replayed.gap, (before, seq), row.id)
    elif replayed.breaks:
        upto = found.size if seq is None else max(seq, before or 0) + 1
        found.note(
            "the leaf before it in its chain is not the one that its prev names", before if before is not None else seq, row.id, upto
        )
    return replayed.link


def _note_gap(found: Verified, what: str, between: tuple[int | None, int | None], entry: UUID) -> None:
    """An entry that does not follow the one before it in its chain: one is missing between the two, or one of them does not belong."""
    before, seq = between
    if seq is None:
        found.note(what, None, entry)
    elif before is None:
        found.note(what, 0, entry, seq + 1)
    else:
        found.note(what, min(before + 1, seq), entry, max(before, seq) + 1)


def _mismatches(row: Stored, fields: Mapping[str, Any]) -> list[str]:
    """Columns that differ from the leaf they were copied from."""
    scope = tuple(fields.get("scope", (None, None, None)))
    # Names of custom events stand in the column only: a leaf has no room for what anybody may write.
    act = row.act if fields["t"] == "event" and fields["act"] == "custom" else fields["act"][:ACT_LETTERS]
    columns = (str(row.id), row.sub.hex(), row.ver, row.at, row.kind, row.act, row.scope, row.src, row.effect, row.shard, row.shard)
    leaf = (
        fields["id"], fields["sub"], fields["ver"], fields["at"], fields["t"], act, scope, fields["src"], fields["effect"], row.sub[0],
        row.id.bytes[-1],
    )  # fmt: skip
    if columns == leaf:
        return []
    wrong = {name: None for name, column, field in zip(COPIED, columns, leaf, strict=True) if column != field}
    return [f"its column {name} differs from its leaf" for name in wrong]


def _check_detail(found: Verified, opened: Mapping[UUID, tuple[bytes, bytes] | None], entry: UUID, bound: str) -> list[str]:
    if entry not in opened:
        found.details_gone += 1
        return []
    found.details += 1
    detail = opened[entry]
    if detail is None:
        return ["its detail is lost, though the key it lies under exists"]
    return [] if commitment(*detail).hex() == bound else ["its detail is not the one its leaf commits to"]


async def _check_states(found: Verified, audit: Audit, links: list[Link]) -> None:
    """The fold of whole chains against the subjects' rows."""
    kept = await audit.subjects([bytes.fromhex(link.sub) for link in links])
    found.chains += len(links)
    for link in links:
        row = kept.get(bytes.fromhex(link.sub))
        if row is None and link.act == ERASED:
            found.erased += 1
        elif row is None:
            found.note(f"subject {link.sub} is gone, though no erasure ended its chain")
        elif wrong := _differences(row, link):
            found.note(f"subject {link.sub} differs from the fold of its entries: {', '.join(wrong)}")


def _differences(row: Kept, link: Link) -> list[str]:
    state = link.state
    pairs = (
        ("state", row.state if row.state != b"{}" else b"", state_bytes(state)), ("version", row.version, state.version),
        ("length", row.length, state.length), ("head", row.head, link.head), ("last_at", row.last_at, state.last_at),
    )  # fmt: skip
    return [name for name, column, folded in pairs if column != folded]

"""Sequencing: give new entries their places in the log, then sign a checkpoint that covers them.

Does not decide what is an entry, and signs nothing that contradicts an earlier signature.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sayso.contracts.ledger import Anchor, LedgerDamaged, LedgerRolledBack, Log, Signed, Turn
from sayso.flows.compare import opened, refuse_shorter
from sayso.rules.merkle import EMPTY_ROOT, HASH_BYTES, ProofRefused, check_consistency, leaf_hash
from sayso.rules.notes import Checkpoint, VerifierKey, checkpoint_text, key_of, sign
from sayso.rules.tiles import (
    TileKey,
    TileMissing,
    consistency_proof,
    consistency_spans,
    edge_keys,
    extend,
    root_at,
    root_spans,
    tiles_needed,
    width_at,
)

BATCH = 2_000
"""Entries a turn: few enough that checks in the same process do not wait long for it."""


@dataclass(frozen=True, slots=True)
class Sequenced:
    """What one call did: entries appended, the newest signed size it knows (None: another process has the turn), and if more wait."""

    appended: int
    signed: int | None
    more: bool


async def sequence(*, log: Log, anchor: Anchor, origin: str, private: Ed25519PrivateKey, now: int, batch: int = BATCH) -> Sequenced:
    """What was appended and signed. Call it about every 200 ms, and again at once while `more`.

    1. In one transaction: take waiting entries by (received_at, id), give them places, extend the tiles. 2. Only after that commit, in
    a second one: prove that the tree grew from the anchor and from the newest stored checkpoint, sign it, keep the note in the anchor,
    then in the store. A crash between any two steps leaves entries that wait or a tree that is signed by the next call.
    Raises LedgerRolledBack when the log is shorter than or contradicts something signed, or was found to be, LedgerDamaged when it contradicts itself.
    """
    if (known := await log.stopped()) is not None:
        raise LedgerRolledBack(known)
    key = key_of(origin, private)
    anchored = opened(await anchor.last(), key)
    async with log.turn() as turn:
        appended = await _append(turn, anchored, batch) if turn else 0
    async with log.turn() as turn:
        signed = await _sign(turn, anchored, anchor, (key, private), now) if turn else None
    return Sequenced(appended, signed, appended >= batch)


async def _append(turn: Turn, anchored: Checkpoint | None, batch: int) -> int:
    size = await turn.size()
    newest = await turn.newest()
    refuse_shorter(size, anchored.size if anchored else 0, newest.size if newest else 0)
    entries = await turn.waiting(batch)
    if not entries:
        return 0
    keys = edge_keys(size)
    edge = await turn.tiles(keys)
    for level, n in keys:
        if len(edge.get((level, n), b"")) != width_at(level, n, size) * HASH_BYTES:
            raise LedgerDamaged(f"tile {n} of level {level} does not fit a log of {size} entries")
    await turn.append(size, entries, extend(edge, size, [leaf_hash(entry.leaf) for entry in entries]))
    return len(entries)


async def _sign(turn: Turn, anchored: Checkpoint | None, anchor: Anchor, keys: tuple[VerifierKey, Ed25519PrivateKey], now: int) -> int:
    key, private = keys
    size = await turn.size()
    stored = await turn.newest()
    newest = opened(stored.note, key) if stored else None
    if stored and newest and (newest.size, newest.root) != (stored.size, stored.root):
        raise LedgerRolledBack(f"the stored checkpoint of size {stored.size} is not the one that was signed")
    known = [checkpoint for checkpoint in (anchored, newest) if checkpoint]
    refuse_shorter(size, *(checkpoint.size for checkpoint in known))
    if stored and newest == anchored and stored.size == size:
        return size
    root = await _root_after(turn, size, known)
    if stored and stored.size == size:
        await anchor.keep(stored.note, stored.at)
        return size
    note = sign(checkpoint_text(Checkpoint(key.name, size, root)), key.name, private)
    # The anchor first: what is published must be remembered outside, or an old database could be put back unnoticed.
    await anchor.keep(note, now)
    await turn.keep(Signed(size, root, note, now))
    return size


async def _root_after(turn: Turn, size: int, known: Sequence[Checkpoint]) -> bytes:
    """The root of the whole tree, shown to have grown from every known checkpoint. Raises LedgerRolledBack."""
    spans = root_spans(size)
    for checkpoint in known:
        spans += consistency_spans(checkpoint.size, size) if checkpoint.size else []
    tiles: Mapping[TileKey, bytes] = await turn.tiles(tiles_needed(spans))

    def tile(level: int, n: int) -> bytes:
        return tiles.get((level, n), b"")

    try:
        root = root_at(size, tile)
        for checkpoint in known:
            if checkpoint.size:
                check_consistency(checkpoint.size, checkpoint.root, size, root, consistency_proof(checkpoint.size, size, tile))
            elif checkpoint.root != EMPTY_ROOT:
                raise LedgerRolledBack("a checkpoint of an empty log has another root than an empty log")
    except TileMissing as error:
        raise LedgerDamaged(str(error)) from error
    except ProofRefused as error:
        raise LedgerRolledBack(f"the log of {size} entries does not continue what was signed before: {error}") from error
    return root

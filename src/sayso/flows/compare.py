"""Comparing: whether the log continues what its anchor remembers. Changes nothing and signs nothing."""

from collections.abc import Mapping

from sayso.contracts.ledger import Anchor, LedgerDamaged, LedgerRolledBack, LogReader
from sayso.rules.notes import Checkpoint, NoteMalformed, NoteRefused, VerifierKey, open_checkpoint
from sayso.rules.tiles import TileKey, TileMissing, root_at, root_spans, tiles_needed


async def compare(*, log: LogReader, anchor: Anchor, key: VerifierKey) -> None:
    """Nothing, if the stored log holds what the newest anchor remembers. A log without an anchor is believed: it is new here.

    Raises LedgerRolledBack when it is shorter, other, or was found so before; LedgerDamaged when it contradicts itself.
    """
    if (known := await log.stopped()) is not None:
        raise LedgerRolledBack(known)
    # The anchor first: the log may grow meanwhile, and a log that grows keeps what the anchor remembers.
    anchored = opened(await anchor.last(), key)
    if anchored is None:
        return
    refuse_shorter(await log.size(), anchored.size)
    tiles: Mapping[TileKey, bytes] = await log.tiles(tiles_needed(root_spans(anchored.size)))
    try:
        root = root_at(anchored.size, lambda level, n: tiles.get((level, n), b""))
    except TileMissing as error:
        raise LedgerDamaged(str(error)) from error
    if root != anchored.root:
        raise LedgerRolledBack(f"the first {anchored.size:,} entries of the log are not the ones that were signed")


def opened(note: str | None, key: VerifierKey) -> Checkpoint | None:
    """The checkpoint in a kept note. Raises LedgerRolledBack for one that this log's key did not sign."""
    if note is None:
        return None
    try:
        return open_checkpoint(note.encode(), key)
    except (NoteMalformed, NoteRefused) as error:
        raise LedgerRolledBack(f"a kept checkpoint of {key.name} does not verify: {error}") from error


def refuse_shorter(size: int, *signed: int) -> None:
    """Nothing, if a log of this size is as long as everything that was signed. Raises LedgerRolledBack."""
    longest = max(signed, default=0)
    if size < longest:
        raise LedgerRolledBack(f"the log has {size:,} entries, but {longest:,} were signed")

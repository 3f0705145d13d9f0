"""Proving: the offline proof that one entry is in the signed log."""

from uuid import UUID

from sayso.contracts.ledger import LedgerDamaged, LogReader, NotInLedger
from sayso.rules.merkle import ProofRefused, check_inclusion, leaf_hash
from sayso.rules.proofs import Proof, proof_text
from sayso.rules.tiles import TileMissing, inclusion_proof, inclusion_spans, tiles_needed


async def prove(entry: UUID, *, log: LogReader) -> bytes:
    """The `.tlog-proof` of an entry against the newest checkpoint.

    Raises NotInLedger for an unknown entry and until a checkpoint covers it; LedgerDamaged rather than handing out a proof that
    does not hold.
    """
    placed = await log.place_of(entry)
    signed = await log.newest()
    if placed is None or signed is None or placed.seq >= signed.size:
        raise NotInLedger("no signed checkpoint covers an entry of this id")
    if placed.leaf is None:
        raise LedgerDamaged(f"entry {placed.seq} has a place in the log but no leaf")
    tiles = await log.tiles(tiles_needed(inclusion_spans(placed.seq, signed.size)))
    try:
        hashes = inclusion_proof(placed.seq, signed.size, lambda level, n: tiles.get((level, n), b""))
        check_inclusion(leaf_hash(placed.leaf), placed.seq, signed.size, hashes, signed.root)
    except (TileMissing, ProofRefused) as error:
        raise LedgerDamaged(f"entry {placed.seq} cannot be proven: {error}") from error
    return proof_text(Proof(placed.seq, tuple(hashes), signed.note)).encode()

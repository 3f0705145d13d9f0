"""Offline proofs (`.tlog-proof`): that one entry is in a signed log, in one small text.

Lines: `c2sp.org/tlog-proof@v1`, optional `extra <base64>`, `index <n>`, one base64 hash a line from leaf to root, an empty line,
the signed checkpoint verbatim. Source: C2SP tlog-proof.
"""

import base64
import re
from dataclasses import dataclass

from sayso.rules.merkle import HASH_BYTES, check_inclusion, leaf_hash
from sayso.rules.notes import Checkpoint, NoteMalformed, VerifierKey, from_base64, open_checkpoint

HEADER = "c2sp.org/tlog-proof@v1"
_HASHES_MAX = 64
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,19})", re.ASCII)


class ProofMalformed(ValueError):
    """The bytes are no `.tlog-proof`."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One inclusion proof: leaf index, hashes leaf to root, the signed checkpoint as text, extra bytes if any."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None


def proof_text(proof: Proof) -> str:
    """The `.tlog-proof` of an inclusion proof."""
    lines = [HEADER]
    if proof.extra is not None:
        lines.append(f"extra {base64.b64encode(proof.extra).decode()}")
    lines.append(f"index {proof.index}")
    lines += [base64.b64encode(value).decode() for value in proof.hashes]
    return "\n".join([*lines, "", proof.checkpoint])


def parse_proof(data: bytes) -> Proof:
    """The inclusion proof in these bytes, unverified. Raises ProofMalformed."""
    try:
        head, gap, checkpoint = data.decode("utf-8").partition("\n\n")
        lines = head.split("\n")
        if not gap or lines.pop(0) != HEADER:
            raise ProofMalformed(f"a proof starts with {HEADER} and has an empty line before its checkpoint")
        extra = from_base64(lines.pop(0).removeprefix("extra ")) if lines and lines[0].startswith("extra ") else None
        index = _INDEX.fullmatch(lines.pop(0)) if lines else None
        hashes = tuple(from_base64(line) for line in lines)
    except (UnicodeDecodeError, NoteMalformed) as error:
        raise ProofMalformed(f"no proof: {error}") from error
    if index is None:
        raise ProofMalformed("a proof names the index of its entry")
    if len(hashes) > _HASHES_MAX or any(len(value) != HASH_BYTES for value in hashes):
        raise ProofMalformed(f"a proof has at most {_HASHES_MAX} hashes of {HASH_BYTES} bytes")
    return Proof(int(index[1]), hashes, checkpoint, extra)


def verify_proof(data: bytes, entry: bytes, key: VerifierKey) -> Checkpoint:
    """The checkpoint, if these bytes prove that the entry is in the log that this key signs.

    Raises ProofMalformed, NoteMalformed, NoteRefused (wrong signature or log) or ProofRefused (the entry is not there).
    """
    proof = parse_proof(data)
    found = open_checkpoint(proof.checkpoint.encode(), key)
    check_inclusion(leaf_hash(entry), proof.index, found.size, proof.hashes, found.root)
    return found

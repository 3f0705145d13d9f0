"""The RFC 6962 Merkle tree: hashes, roots, proof checks and the compact right edge of a growing tree.

Hashes are 32 bytes of SHA-256. Proofs are sequences of hashes, leaf to root. The checks follow RFC 9162 sections 2.1.3.2 and
2.1.4.2 and refuse two things more: a hash that is not 32 bytes long, and a consistency proof from size 0, which says nothing.
Does not build proofs: that takes stored tiles, see tiles.py.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
_LEAF = b"\x00"
_NODE = b"\x01"


class ProofRefused(ValueError):
    """A proof does not show what it claims; the text says which check failed."""


@dataclass(frozen=True, slots=True)
class Edge:
    """The right edge of a tree: its size and the roots of its perfect subtrees, widest (leftmost) first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry as a leaf: SHA-256(0x00 ∥ entry)."""
    return hashlib.sha256(_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256(0x01 ∥ left ∥ right)."""
    return hashlib.sha256(_NODE + left + right).digest()


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """The root of the tree over these leaf hashes."""
    return edge_root(append(Edge(), leaf_hashes))


def append(edge: Edge, leaf_hashes: Iterable[bytes]) -> Edge:
    """The right edge after these leaf hashes were added, in order."""
    peaks = list(edge.peaks)
    size = edge.size
    for peak in leaf_hashes:
        carry = size
        while carry & 1:
            peak = node_hash(peaks.pop(), peak)
            carry >>= 1
        peaks.append(peak)
        size += 1
    return Edge(size, tuple(peaks))


def edge_root(edge: Edge) -> bytes:
    """The root of the tree with this right edge."""
    if not edge.peaks:
        return EMPTY_ROOT
    *rest, root = edge.peaks
    for peak in reversed(rest):
        root = node_hash(peak, root)
    return root


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Nothing, if the proof shows that the leaf hash is at this index of the tree of this size and root.

    Raises ProofRefused otherwise. Source: RFC 9162 section 2.1.3.2.
    """
    _whole_hashes(leaf, root, *proof)
    if not 0 <= index < size:
        raise ProofRefused(f"index {index} is not in a tree of {size} leaves")
    place, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            raise ProofRefused("the proof is longer than its tree is high")
        if place & 1 or place == last:
            found = node_hash(step, found)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            found = node_hash(found, step)
        place >>= 1
        last >>= 1
    if last:
        raise ProofRefused("the proof is shorter than its tree is high")
    if found != root:
        raise ProofRefused("the proof leads to another root")


def check_consistency(size1: int, root1: bytes, size2: int, root2: bytes, proof: Sequence[bytes]) -> None:
    """Nothing, if the proof shows that the tree of size1 and root1 is a prefix of the tree of size2 and root2.

    Raises ProofRefused otherwise. Source: RFC 9162 section 2.1.4.2.
    """
    _whole_hashes(root1, root2, *proof)
    if not 0 < size1 <= size2:
        raise ProofRefused(f"a proof from size {size1} to size {size2} has no meaning")
    if size1 == size2:
        if proof or root1 != root2:
            raise ProofRefused("trees of one size need one root and no proof")
        return
    if not proof:
        raise ProofRefused("the proof is empty")
    steps = [root1, *proof] if size1 & (size1 - 1) == 0 else list(proof)
    place, last = size1 - 1, size2 - 1
    while place & 1:
        place >>= 1
        last >>= 1
    _climb(steps, place, last, (root1, root2))


def _climb(steps: Sequence[bytes], place: int, last: int, roots: tuple[bytes, bytes]) -> None:
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise ProofRefused("the proof is longer than its tree is high")
        if place & 1 or place == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            new = node_hash(new, step)
        place >>= 1
        last >>= 1
    if last:
        raise ProofRefused("the proof is shorter than its tree is high")
    if (old, new) != roots:
        raise ProofRefused("the proof leads to other roots")


def _whole_hashes(*hashes: bytes) -> None:
    for value in hashes:
        if len(value) != HASH_BYTES:
            raise ProofRefused(f"a hash has {len(value)} bytes instead of {HASH_BYTES}")

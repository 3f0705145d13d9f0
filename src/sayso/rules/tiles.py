"""A Merkle tree kept as C2SP tlog-tiles: growing it, reading roots and proofs from it, its paths and entry bundles.

Tile n of level l holds up to 256 hashes of 32 bytes; hash i is the root over the 256^l entries from (n·256+i)·256^l on. A
partial tile is a prefix of every later version of itself, so a store keeps one growing row per tile and cuts it to the asked
width. Reading takes two steps, so that there is no I/O here: name the spans of a proof, fetch `tiles_needed(spans)`, hash them.
Source: C2SP tlog-tiles; RFC 6962 section 2.1.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256

from sayso.rules.merkle import EMPTY_ROOT, HASH_BYTES, Edge, node_hash, root_of

WIDTH = 256
_BITS = 8

TileKey = tuple[int, int]
"""(level, n) of one tile."""
Span = tuple[int, int]
"""Entries start ≤ i < end, with start a multiple of the next power of two ≥ end - start: what one proof hash covers."""
ReadTile = Callable[[int, int], bytes]


class TileMissing(LookupError):
    """A tile that the tree of the asked size must have is absent or too short."""


def width_at(level: int, n: int, size: int) -> int:
    """How many hashes (0 to 256) tile n of this level holds in a tree of this size."""
    return min(WIDTH, max(0, (size >> (_BITS * level)) - n * WIDTH))


def edge_keys(size: int) -> list[TileKey]:
    """The partial tiles of a tree of this size, lowest level first: what `extend` has to be given."""
    found = []
    level = 0
    while count := size >> (_BITS * level):
        if count % WIDTH:
            found.append((level, count // WIDTH))
        level += 1
    return found


def extend(edge: Mapping[TileKey, bytes], size: int, leaf_hashes: Sequence[bytes]) -> dict[TileKey, bytes]:
    """The tiles that change when these leaf hashes are added to a tree of this size, each with all its hashes.

    `edge` holds at least the partial tiles of that size (`edge_keys`); longer rows are cut, shorter ones raise TileMissing.
    """
    changed: dict[TileKey, bytes] = {}
    level, fresh = 0, list(leaf_hashes)
    while fresh:
        count = size >> (_BITS * level)
        n, width = divmod(count, WIDTH)
        row = _cut(edge.get((level, n), b"") if width else b"", width, (level, n))
        upward = []
        place = 0
        while place < len(fresh):
            taken = fresh[place : place + WIDTH - width]
            place += len(taken)
            row += b"".join(taken)
            changed[level, n] = row
            if len(row) == WIDTH * HASH_BYTES:
                upward.append(root_of(_hashes(row)))
                n, width, row = n + 1, 0, b""
        level, fresh = level + 1, upward
    return changed


def grow(edge: Edge, leaf_hashes: Iterable[bytes]) -> tuple[Edge, list[list[bytes]]]:
    """The right edge after these leaf hashes, and the hashes that each level of tiles gained by them, the leaf hashes first.

    What `append` and `extend` give, with every node hashed once: for whoever recomputes a whole tree.
    """
    peaks, fresh, row, height = list(edge.peaks), list[bytes](), list(leaf_hashes), 0
    size, gained = edge.size + len(row), [row]
    while row:
        if (edge.size >> height) & 1:
            row = [peaks.pop(), *row]  # what stood alone on this level finds its neighbour
        if len(row) & 1:
            fresh.append(row[-1])
        pairs = iter(row)
        # node_hash, without the cost of a call for each node of the tree
        row = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
        height += 1
        if row and height % _BITS == 0:
            gained.append(row)
    return Edge(size, (*peaks, *reversed(fresh))), gained


def rows_after(partial: Mapping[TileKey, bytes], size: int, gained: Sequence[Sequence[bytes]]) -> dict[TileKey, bytes]:
    """The tiles that a tree of this size changed when its levels gained these hashes, each with all its hashes.

    `partial` holds the partial tiles of that size (`edge_keys`).
    """
    changed: dict[TileKey, bytes] = {}
    for level, hashes in enumerate(gained):
        count = size >> (_BITS * level)
        n, width = divmod(count, WIDTH)
        row = (partial.get((level, n), b"") if width else b"") + b"".join(hashes)
        for start in range(0, len(row), WIDTH * HASH_BYTES):
            changed[level, n] = row[start : start + WIDTH * HASH_BYTES]
            n += 1
    return changed


def root_spans(size: int) -> list[Span]:
    """The spans whose hash is the root of a tree of this size (none for the empty tree)."""
    return [(0, size)] if size else []


def inclusion_spans(index: int, size: int) -> list[Span]:
    """The spans whose hashes prove the entry at this index in a tree of this size, leaf to root."""
    if not 0 <= index < size:
        raise ValueError(f"index {index} is not in a tree of {size} leaves")
    found: list[Span] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def consistency_spans(size1: int, size2: int) -> list[Span]:
    """The spans whose hashes prove that the tree of size1 is a prefix of the tree of size2. Source: RFC 6962 section 2.1.2."""
    if not 0 < size1 <= size2:
        raise ValueError(f"a proof from size {size1} to size {size2} has no meaning")
    found: list[Span] = []
    start, end, whole = 0, size2, True
    while end != size1:
        middle = start + _split(end - start)
        if size1 <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start, whole = middle, False
    if not whole:
        found.append((start, end))
    return found[::-1]


def tiles_needed(spans: Iterable[Span]) -> set[TileKey]:
    """The tiles that must be read to hash these spans."""
    return {(level, n) for span in spans for level, n, _, _ in _nodes(span)}


def span_hash(span: Span, tile: ReadTile) -> bytes:
    """The root over the entries of one span, from tiles. Raises TileMissing when a tile is shorter than that takes."""
    parts = []
    for level, n, first, last in _nodes(span):
        row = _cut(tile(level, n), last, (level, n))
        parts.append(root_of(_hashes(row[first * HASH_BYTES :])))
    *rest, found = parts
    for part in reversed(rest):
        found = node_hash(part, found)
    return found


def root_at(size: int, tile: ReadTile) -> bytes:
    """The root of the tree of this size, from tiles."""
    return span_hash((0, size), tile) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, tile: ReadTile) -> list[bytes]:
    """The hashes that prove the entry at this index in the tree of this size, leaf to root, from tiles."""
    return [span_hash(span, tile) for span in inclusion_spans(index, size)]


def consistency_proof(size1: int, size2: int, tile: ReadTile) -> list[bytes]:
    """The hashes that prove that the tree of size1 is a prefix of the tree of size2, from tiles."""
    return [span_hash(span, tile) for span in consistency_spans(size1, size2)]


def _split(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)


def _nodes(span: Span) -> list[tuple[int, int, int, int]]:
    """The stored hashes under one span: (level, n, first, last) for each perfect subtree, widest first."""
    start, end = span
    found = []
    while start < end:
        height = (end - start).bit_length() - 1
        level, inside = divmod(height, _BITS)
        n, first = divmod(start >> (_BITS * level), WIDTH)
        found.append((level, n, first, first + (1 << inside)))
        start += 1 << height
    return found


def _hashes(row: bytes) -> list[bytes]:
    return [row[place : place + HASH_BYTES] for place in range(0, len(row), HASH_BYTES)]


def _cut(row: bytes, width: int, key: TileKey) -> bytes:
    if len(row) < width * HASH_BYTES:
        raise TileMissing(f"tile {key[1]} of level {key[0]} has {len(row)} bytes, {width * HASH_BYTES} are needed")
    return row[: width * HASH_BYTES]

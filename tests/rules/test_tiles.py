"""Tiles hold the tree: grown in any batches they give the same roots, and every proof read from them checks."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tlog_scales.reader import TilesReader

from sayso.rules.merkle import ProofRefused, check_consistency, check_inclusion, leaf_hash, root_of
from sayso.rules.tilepaths import BundleRefused, PathRefused, TilePath, bundle, parse_path, path_text, paths_at, unbundle
from sayso.rules.tiles import (
    TileKey,
    TileMissing,
    consistency_proof,
    consistency_spans,
    edge_keys,
    extend,
    inclusion_proof,
    inclusion_spans,
    root_at,
    root_spans,
    tiles_needed,
    width_at,
)

pytestmark = pytest.mark.feature("S9")

SIZES = st.one_of(st.integers(1, 40), st.sampled_from([255, 256, 257, 511, 512, 513, 767]), st.integers(1, 1200))
ENTRIES = [f"entry {i}".encode() for i in range(66_000)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def grown(*bounds: int) -> dict[TileKey, bytes]:
    """The tiles after growing to each of these sizes in turn, keeping only what a store keeps: one row per tile."""
    rows: dict[TileKey, bytes] = {}
    size = 0
    for end in bounds:
        edge = {key: rows[key] for key in edge_keys(size)}
        rows |= extend(edge, size, LEAVES[size:end])
        size = end
    return rows


def reader(rows: dict[TileKey, bytes]) -> Callable[[int, int], bytes]:
    return lambda level, n: rows[level, n]


class Served:
    """The log as a tile server would show it to somebody else's reader."""

    def __init__(self, rows: dict[TileKey, bytes], size: int) -> None:
        self.rows, self.size = rows, size

    def get(self, *parts: str) -> bytes | None:
        path = parse_path("/".join(parts))
        if path.level is None:
            return bundle(ENTRIES[path.n * 256 : path.n * 256 + path.width])
        return self.rows[path.level, path.n][: path.width * 32]


@given(size=SIZES, cuts=st.lists(st.integers(1, 1200), max_size=4))
def test_batches_leave_the_same_tiles_and_the_root_of_the_definition(size: int, cuts: list[int]) -> None:
    rows = grown(*sorted({size, *(cut for cut in cuts if cut < size)}))
    assert rows == grown(size)
    assert root_at(size, reader(rows)) == root_of(LEAVES[:size])
    assert all(len(row) == 32 * width_at(level, n, size) for (level, n), row in rows.items())


def test_leaf_by_leaf_leaves_the_same_tiles_across_a_tile_border() -> None:
    assert grown(*range(1, 521)) == grown(520)


def test_a_third_level_appears_at_65_536_leaves() -> None:
    rows = grown(65_000, 65_536, 65_999)
    assert rows[2, 0] == root_of(LEAVES[:65_536])
    assert root_at(65_999, reader(rows)) == root_of(LEAVES[:65_999])
    for index in (0, 65_535, 65_536, 65_998):
        proof = inclusion_proof(index, 65_999, reader(rows))
        check_inclusion(LEAVES[index], index, 65_999, proof, root_of(LEAVES[:65_999]))


@given(data=st.data(), size=SIZES)
def test_every_inclusion_proof_holds_and_no_flipped_bit_does(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    later = data.draw(st.integers(size, 1200))
    rows = grown(later)
    proof, root = inclusion_proof(index, size, reader(rows)), root_of(LEAVES[:size])
    check_inclusion(LEAVES[index], index, size, proof, root)
    hashes = [LEAVES[index], root, *proof]
    chosen, bit = data.draw(st.integers(0, len(hashes) - 1)), data.draw(st.integers(0, 255))
    hashes[chosen] = flipped(hashes[chosen], bit)
    with pytest.raises(ProofRefused):
        check_inclusion(hashes[0], index, size, hashes[2:], hashes[1])
    with pytest.raises(ProofRefused):
        check_inclusion(LEAVES[index], index, size, [*proof, root], root)
    if proof:
        with pytest.raises(ProofRefused):
            check_inclusion(LEAVES[index], index, size, proof[:-1], root)


@given(data=st.data(), size2=SIZES)
def test_every_consistency_proof_holds_and_no_flipped_bit_does(data: st.DataObject, size2: int) -> None:
    size1 = data.draw(st.integers(1, size2))
    rows = grown(size2)
    roots = [root_of(LEAVES[:size1]), root_of(LEAVES[:size2])]
    proof = consistency_proof(size1, size2, reader(rows))
    check_consistency(size1, roots[0], size2, roots[1], proof)
    hashes = [*roots, *proof]
    chosen, bit = data.draw(st.integers(0, len(hashes) - 1)), data.draw(st.integers(0, 255))
    hashes[chosen] = flipped(hashes[chosen], bit)
    with pytest.raises(ProofRefused):
        check_consistency(size1, hashes[0], size2, hashes[1], hashes[2:])
    with pytest.raises(ProofRefused):
        check_consistency(size1, roots[0], size2, roots[1], [*proof, roots[0]])


@given(data=st.data(), size=SIZES)
def test_the_tiles_that_a_proof_names_are_the_tiles_it_reads(data: st.DataObject, size: int) -> None:
    rows = grown(size)
    index = data.draw(st.integers(0, size - 1))
    read: set[TileKey] = set()

    def watched(level: int, n: int) -> bytes:
        read.add((level, n))
        return rows[level, n]

    inclusion_proof(index, size, watched)
    assert read == tiles_needed(inclusion_spans(index, size))
    read.clear()
    consistency_proof(index + 1, size, watched)
    assert read == tiles_needed(consistency_spans(index + 1, size))
    read.clear()
    root_at(size, watched)
    assert read == tiles_needed(root_spans(size))


@given(data=st.data(), size=SIZES)
def test_somebody_elses_reader_finds_the_same_root_entries_and_proofs(data: st.DataObject, size: int) -> None:
    rows = grown(size)
    index, size1 = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    theirs = TilesReader(Served(rows, size))
    theirs.set_size(size)
    assert theirs.calculate_root_hash() == root_at(size, reader(rows))
    assert theirs.get_entry(index) == ENTRIES[index]
    ours = inclusion_proof(index, size, reader(rows))
    assert theirs.get_inclusion_proof(index, size).node_hashes == ours
    theirs.get_inclusion_proof(index, size).check(LEAVES[index], root_at(size, reader(rows)))
    assert theirs.get_consistency_proof(size1, size).node_hashes == consistency_proof(size1, size, reader(rows))


def test_a_lost_or_short_tile_is_missed_by_name() -> None:
    rows = grown(300)
    with pytest.raises(TileMissing, match="tile 1 of level 0"):
        extend({}, 300, [LEAVES[300]])
    rows[0, 1] = rows[0, 1][:-32]
    with pytest.raises(TileMissing, match="tile 1 of level 0"):
        root_at(300, reader(rows))


def test_proofs_outside_the_tree_are_refused() -> None:
    for index, size in ((-1, 3), (3, 3), (0, 0)):
        with pytest.raises(ValueError, match="not in a tree"):
            inclusion_spans(index, size)
    for size1, size2 in ((0, 3), (4, 3), (-1, 2)):
        with pytest.raises(ValueError, match="no meaning"):
            consistency_spans(size1, size2)
    assert root_spans(0) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (TilePath(0, 0), "tile/0/000"),
        (TilePath(0, 1_234_067), "tile/0/x001/x234/067"),
        (TilePath(None, 1_000, 7), "tile/entries/x001/000.p/7"),
        (TilePath(63, 999, 255), "tile/63/999.p/255"),
    ],
)
def test_paths_are_written_as_the_standard_does(path: TilePath, text: str) -> None:
    assert path_text(path) == text
    assert parse_path(text) == path


@given(level=st.one_of(st.none(), st.integers(0, 63)), n=st.integers(0, 10**17), width=st.integers(1, 256))
def test_every_path_is_read_back(level: int | None, n: int, width: int) -> None:
    assert parse_path(path_text(TilePath(level, n, width))) == TilePath(level, n, width)


@pytest.mark.parametrize(
    "text",
    [
        "", "tile", "tile/0", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/00/000", "tile/64/000", "tile/-1/000", "tile/0/x000/000",
        "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/007", "tile/0/000.p/", "tile/0/000.p", "tile/0/001/000", "tile/0/x001",
        "tile/0/000\n", "/tile/0/000", "tile/0/000/", "tile/entries/x1/000", "tile/0/../000", "tile/0/" + "x001/" * 9 + "000",
        "tile/0/٠٠٠",
    ],
)  # fmt: skip
def test_everything_else_is_no_path(text: str) -> None:
    with pytest.raises(PathRefused):
        parse_path(text)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 65_536, 65_537])
def test_the_served_files_are_exactly_those_that_exist(size: int) -> None:
    found = list(paths_at(size))
    assert len(found) == len(set(found))
    assert sum(path.width for path in found if path.level == 0) == size
    assert sum(path.width for path in found if path.level is None) == size
    assert sum(path.width for path in found if path.level == 1) == size // 256
    assert sum(path.width for path in found if path.level == 2) == size // 65_536


@given(st.lists(st.binary(max_size=400), max_size=20))
def test_bundles_carry_entries_unchanged(entries: list[bytes]) -> None:
    assert unbundle(bundle(entries)) == entries


def test_bundles_have_limits_and_ends() -> None:
    assert unbundle(bundle([b"x" * 65_535])) == [b"x" * 65_535]
    with pytest.raises(BundleRefused, match="65535"):
        bundle([b"x" * 65_536])
    for cut in (b"\x00", b"\x00\x02x", bundle([b"abc"]) + b"\x00"):
        with pytest.raises(BundleRefused, match="inside an entry"):
            unbundle(cut)


def flipped(data: bytes, bit: int) -> bytes:
    return bytes(byte ^ (1 << bit % 8) if place == bit // 8 else byte for place, byte in enumerate(data))

"""The tree is RFC 6962's, however it is grown, and its checks accept what is so and nothing else."""

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.rules.merkle import (
    EMPTY_ROOT,
    Edge,
    ProofRefused,
    append,
    check_consistency,
    check_inclusion,
    edge_root,
    leaf_hash,
    node_hash,
    root_of,
)


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(naive_root(leaves[:split]), naive_root(leaves[split:]))


def leaves_of(count: int) -> list[bytes]:
    return [leaf_hash(str(i).encode()) for i in range(count)]


def test_a_leaf_never_hashes_like_a_node() -> None:
    left, right = leaves_of(2)
    assert leaf_hash(left + right) != node_hash(left, right)


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert root_of([]) == EMPTY_ROOT == edge_root(Edge()) == hashlib.sha256(b"").digest()


@given(count=st.integers(0, 700), cuts=st.lists(st.integers(0, 700), max_size=5))
def test_batches_grow_the_same_tree_as_single_leaves_and_as_the_definition(count: int, cuts: list[int]) -> None:
    leaves = leaves_of(count)
    batched = single = Edge()
    bounds = sorted({0, count, *(cut for cut in cuts if cut < count)})
    for start, end in itertools.pairwise(bounds):
        batched = append(batched, leaves[start:end])
    for leaf in leaves:
        single = append(single, [leaf])
    assert batched == single
    assert batched.size == count
    assert edge_root(batched) == naive_root(leaves) == root_of(leaves)


def test_a_single_leaf_is_its_own_root() -> None:
    leaf = leaf_hash(b"one")
    check_inclusion(leaf, 0, 1, [], leaf)
    with pytest.raises(ProofRefused, match="another root"):
        check_inclusion(leaf, 0, 1, [], leaf_hash(b"two"))


@pytest.mark.parametrize("index", [-1, 2, 3])
def test_no_proof_holds_outside_the_tree(index: int) -> None:
    left, right = leaves_of(2)
    with pytest.raises(ProofRefused, match="not in a tree"):
        check_inclusion(left, index, 2, [right], node_hash(left, right))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_hashes_of_other_lengths_are_refused_wherever_they_stand(length: int) -> None:
    left, right = leaves_of(2)
    root, wrong = node_hash(left, right), b"x" * length
    for bad in ((wrong, [right], root), (left, [wrong], root), (left, [right], wrong)):
        with pytest.raises(ProofRefused, match="instead of 32"):
            check_inclusion(bad[0], 0, 2, bad[1], bad[2])
    for worse in ((wrong, root, [right]), (left, wrong, [right]), (left, root, [wrong])):
        with pytest.raises(ProofRefused, match="instead of 32"):
            check_consistency(1, worse[0], 2, worse[1], worse[2])


def test_a_proof_from_nothing_is_refused_as_meaningless() -> None:
    root = leaf_hash(b"one")
    for size2, root2 in ((0, EMPTY_ROOT), (1, root)):
        with pytest.raises(ProofRefused, match="no meaning"):
            check_consistency(0, EMPTY_ROOT, size2, root2, [])


def test_one_tree_is_consistent_with_itself_and_takes_no_proof() -> None:
    root = root_of(leaves_of(5))
    check_consistency(5, root, 5, root, [])
    with pytest.raises(ProofRefused, match="one size"):
        check_consistency(5, root, 5, root, [root])
    with pytest.raises(ProofRefused, match="one size"):
        check_consistency(5, root, 5, root_of(leaves_of(4)), [])


def test_a_tree_never_shrinks() -> None:
    with pytest.raises(ProofRefused, match="no meaning"):
        check_consistency(5, root_of(leaves_of(5)), 4, root_of(leaves_of(4)), [])
    with pytest.raises(ProofRefused, match="empty"):
        check_consistency(4, root_of(leaves_of(4)), 5, root_of(leaves_of(5)), [])

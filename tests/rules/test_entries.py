"""Entries: what is kept of a fact goes into its leaf and comes back out of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import ADA, EMAIL, LOUD, MAIL, PROMO, World, choice, entry, folded, person, shop

from sayso.rules import leaves
from sayso.rules.entries import BLOCKS, KINDS, Entry, entry_of, leaf_fields
from sayso.rules.statements import Block, Choose, Happen, Locate, Suspend, Tie
from sayso.rules.words import Scope


def through_a_leaf(one: Entry, ver: int = 1, prev: str = "") -> Entry:
    return entry_of(leaves.parse(leaves.build(leaf_fields(one, ver=ver, prev=prev, commitment="ab" * 32))))


def everything_said() -> World:
    world = World(lookalikes=())
    world.say(shop(), Tie(MAIL, primary=True), contact=ADA)
    world.say(shop(), Choose(EMAIL, out=True), Suspend("outlet", 5), Locate("DE"), contact=ADA, address=MAIL)
    world.say(shop(), Choose(EMAIL, out=True), contact=ADA)
    world.say(person(), Choose(Scope("*", "*", "*"), out=False), contact=ADA, given=4)
    world.say(shop(), Choose(PROMO, out=False), contact=ADA, given=world.now * 2)
    for name in BLOCKS:
        world.say(shop(), Block(name, on=True), Block(name, on=False), address=MAIL)
    world.say(shop(), Happen("mail.delivered"), Happen("bought a tent ⛺"), contact=ADA)
    world.say(shop(**LOUD), Choose(PROMO, out=False), contact=ADA, refused="transactional")
    return world


@pytest.mark.feature("F3")
def test_whatever_is_decided_survives_its_leaf() -> None:
    world = everything_said()
    assert {one.kind for one in world.entries} == {"choice", "block", "pause", "link", "place", "event"} < set(KINDS)
    assert {one.effect for one in world.entries} >= {"applied", "unchanged", "quarantined", "refused", "stored"}
    for one in world.entries:
        assert through_a_leaf(one) == one
        assert through_a_leaf(one, ver=2, prev="cd" * 32) == one


@pytest.mark.feature("F3")
def test_folding_the_leaves_alone_gives_the_rows() -> None:
    world = everything_said()
    for sub, row in world.rows.items():
        assert folded(through_a_leaf(one) for one in world.entries if one.sub == sub) == row.state


@given(st.sampled_from(KINDS), st.booleans(), st.integers(0, 9), st.sampled_from(["", "explicit"]))
def test_equal_facts_give_equal_bytes(kind: str, flag: bool, number: int, word: str) -> None:
    facts: dict[str, Any] = {
        "own": flag, "strong": not flag, "primary": flag, "until": number, "method": word, "old": word, "new": word, "rule": word,
        "other": word, "other_kind": word, "scope": PROMO if flag else None, "about": ADA if flag else "", "x": (("a", number),) if flag else (),
    }  # fmt: skip
    one, again = (entry(number, kind, **facts) for _ in range(2))
    bytes_of = [leaves.build(leaf_fields(e, ver=1, prev="", commitment="")) for e in (one, again)]
    assert bytes_of[0] == bytes_of[1]
    assert through_a_leaf(one) == one


def test_a_leaf_leaves_out_what_is_absent() -> None:
    bare = leaf_fields(entry(1, "event"), ver=1, prev="", commitment="")
    assert set(bare) == {"v", "id", "t", "at", "ts", "sub", "ver", "prev", "act", "src", "by", "via", "effect", "d"}
    full = leaf_fields(choice(1, PROMO, out=True, own=True, rule="r", about=ADA), ver=1, prev="", commitment="")
    assert set(full) - set(bare) == {"scope", "own", "strong", "rule", "about", "x"}


@pytest.mark.parametrize("name", ["id", "sub", "t", "at", "ts", "act", "src", "by", "via", "effect"])
def test_a_leaf_without_a_needed_field_is_no_entry(name: str) -> None:
    fields = leaf_fields(entry(1), ver=1, prev="", commitment="")
    del fields[name]
    with pytest.raises(KeyError):
        entry_of(fields)

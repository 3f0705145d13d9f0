"""Who wins: a truth table of brands, channels, categories and carve-outs, and two judges to agree with."""

import runpy
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from oracle import Link, Spoken, as_model_events, stopped
from strategies import (
    ADA,
    EMAIL,
    EVENTS,
    EVERYTHING,
    MAIL,
    MESSAGES,
    OUTLET_EMAIL,
    OUTLET_PROMO,
    PROMO,
    QUINN,
    SMS,
    choice,
    entries_of,
    folded,
    links,
    rows_of,
    talks,
)  # fmt: skip

from sayso.rules import conflict
from sayso.rules.state import EMPTY, State
from sayso.rules.words import Scope
from shared_files import shared

WINDOW = 10
Talk = tuple[Spoken, ...]


def is_stopped(rows: dict[str, State], linked: set[Link], contact: str, message: Scope) -> bool:
    """The real rules on rows: any contact of the address being denied denies."""
    about = [contact] if contact else sorted(one for one, at in linked if at == MAIL) or [""]
    pairs = [(one, [rows.get(one, EMPTY), rows.get(MAIL, EMPTY)]) for one in about]
    return any(conflict.standing(conflict.merged(both, one), message, WINDOW) for one, both in pairs)


@pytest.fixture(scope="module")
def model() -> dict[str, Any]:
    """The executable model of the design, where it is present beside the project."""
    return runpy.run_path(str(shared("rules-model.py")))


@pytest.mark.feature("F1", "F2")
@settings(max_examples=150)
@given(talks(), links)
def test_the_rules_agree_with_a_second_writing_of_them(said: Talk, linked: set[Link]) -> None:
    rows = rows_of(entries_of(said))
    for message in MESSAGES:
        for contact in (ADA, QUINN, ""):
            assert is_stopped(rows, linked, contact, message) == stopped(said, linked, contact, MAIL, message, WINDOW)


@pytest.mark.feature("F1", "F2")
def test_the_rules_and_the_second_writing_agree_with_the_shared_model(model: dict[str, Any]) -> None:
    assert model["WINDOW"] == WINDOW
    compared = 0

    @settings(max_examples=150)
    @given(talks(), links)
    def agree(said: Talk, linked: set[Link]) -> None:
        nonlocal compared
        state = model["build"](as_model_events(said, linked))
        rows = rows_of(entries_of(said))
        for message in MESSAGES:
            for contact in (ADA, QUINN, ""):
                wanted = model["check"](state, contact or None, MAIL, (message.brand, message.channel, message.category))
                assert is_stopped(rows, linked, contact, message) == wanted
                assert stopped(said, linked, contact, MAIL, message, WINDOW) == wanted
                compared += 1

    agree()
    assert compared >= 2_250


# One row a case: what was said as (scope, in or out, second, voice), and the messages it stops, of those below.
HERE = {
    "outlet promo": OUTLET_PROMO, "main promo": Scope("main", "email", "promotional"), "main events": Scope("main", "email", "events"),
    "outlet events": Scope("outlet", "email", "events"), "sms": Scope("main", "sms", "promotional"),
}  # fmt: skip
MAILS = {"outlet promo", "main promo", "main events", "outlet events"}
Word = tuple[Scope, str, int, str]
TABLE: dict[str, tuple[list[Word], set[str]]] = {
    "nothing said": ([], set()),
    "everything out": ([(EVERYTHING, "out", 0, "shop")], {*HERE}),
    "one channel out": ([(EMAIL, "out", 0, "shop")], MAILS),
    "another channel out": ([(SMS, "out", 0, "shop")], {"sms"}),
    "one category out": ([(PROMO, "out", 0, "shop")], {"outlet promo", "main promo"}),
    "one brand's category out": ([(OUTLET_PROMO, "out", 0, "shop")], {"outlet promo"}),
    "one brand's channel out": ([(OUTLET_EMAIL, "out", 0, "shop")], {"outlet promo", "outlet events"}),
    "one brand out": ([(Scope("outlet", "*", "*"), "out", 0, "shop")], {"outlet promo", "outlet events"}),
    "a category on every channel out": ([(Scope("*", "*", "promotional"), "out", 0, "shop")], {"outlet promo", "main promo", "sms"}),
    "a brand's category on every channel out": ([(Scope("outlet", "*", "promotional"), "out", 0, "shop")], {"outlet promo"}),
    "everything out, e-mail in": ([(EVERYTHING, "out", 0, "shop"), (EMAIL, "in", 1, "shop")], {"sms"}),
    "everything out, one brand's e-mail in": ([(EVERYTHING, "out", 0, "shop"), (OUTLET_EMAIL, "in", 1, "shop")], {"main promo", "main events", "sms"}),
    "everything out, a brand in": ([(EVERYTHING, "out", 0, "shop"), (Scope("outlet", "*", "*"), "in", 1, "shop")], {"main promo", "main events", "sms"}),
    "e-mail out, everything in": ([(EMAIL, "out", 0, "shop"), (EVERYTHING, "in", 1, "shop")], MAILS),
    "brand out, all brands in": ([(OUTLET_EMAIL, "out", 0, "shop"), (EMAIL, "in", 1, "shop")], {"outlet promo", "outlet events"}),
    "category out, channel in": ([(PROMO, "out", 0, "ada"), (EMAIL, "in", 1, "ada")], {"outlet promo", "main promo"}),
    "channel out, category in by a relay": ([(EMAIL, "out", 0, "shop"), (PROMO, "in", 30, "shop")], MAILS),
    "channel out, category in by the person": ([(EMAIL, "out", 0, "shop"), (PROMO, "in", 30, "ada")], {"main events", "outlet events"}),
    "channel out, a brand's category in by the person": ([(EMAIL, "out", 0, "ada"), (OUTLET_PROMO, "in", 1, "ada")], MAILS - {"outlet promo"}),
    "category out, a brand's in by a relay": ([(PROMO, "out", 0, "shop"), (OUTLET_PROMO, "in", 30, "shop")], {"outlet promo", "main promo"}),
    "category out, a brand's in by the person": ([(PROMO, "out", 0, "shop"), (OUTLET_PROMO, "in", 30, "ada")], {"main promo"}),
    "category out and in by one relay": ([(PROMO, "out", 0, "shop"), (PROMO, "in", 1, "shop")], set()),
    "another relay within the window": ([(PROMO, "out", 0, "shop"), (PROMO, "in", 9, "tool")], {"outlet promo", "main promo"}),
    "another relay at the window's end": ([(PROMO, "out", 0, "shop"), (PROMO, "in", 10, "tool")], {"outlet promo", "main promo"}),
    "another relay after the window": ([(PROMO, "out", 0, "shop"), (PROMO, "in", 11, "tool")], set()),
    "the person within the window": ([(PROMO, "out", 0, "shop"), (PROMO, "in", 1, "ada")], set()),
    "the person at the same instant": ([(PROMO, "out", 5, "shop"), (PROMO, "in", 5, "ada")], {"outlet promo", "main promo"}),
    "one actor at the same instant": ([(PROMO, "out", 5, "shop"), (PROMO, "in", 5, "shop")], {"outlet promo", "main promo"}),
    "an older opt-in": ([(PROMO, "in", 0, "ada"), (PROMO, "out", 1, "shop")], {"outlet promo", "main promo"}),
    "off, on, off by the person": ([(PROMO, "out", 1, "ada"), (PROMO, "in", 2, "ada"), (PROMO, "out", 3, "ada")], {"outlet promo", "main promo"}),
    "on, off, on by the person": ([(PROMO, "in", 1, "ada"), (PROMO, "out", 2, "ada"), (PROMO, "in", 3, "ada")], set()),
    "two out, one answered": ([(EMAIL, "out", 0, "shop"), (PROMO, "out", 0, "shop"), (EMAIL, "in", 20, "shop")], {"outlet promo", "main promo"}),
    "both answered by the person's carve-out": ([(EMAIL, "out", 0, "shop"), (PROMO, "out", 0, "shop"), (PROMO, "in", 1, "ada")], {"main events", "outlet events"}),
    "an opt-in elsewhere": ([(PROMO, "out", 0, "shop"), (EVENTS, "in", 20, "ada")], {"outlet promo", "main promo"}),
    "an opt-in on another channel": ([(EMAIL, "out", 0, "shop"), (SMS, "in", 20, "ada")], MAILS),
    "a weak opt-in much later": ([(PROMO, "out", 0, "shop"), (PROMO, "weak", 999, "shop")], {"outlet promo", "main promo"}),
}  # fmt: skip


@pytest.mark.feature("A17", "A18", "A21", "F1", "F2", "F4")
@pytest.mark.parametrize("said", TABLE, ids=lambda name: name.replace(" ", "-"))
def test_every_row_of_the_truth_table(said: str) -> None:
    words, stops = TABLE[said]
    made = [
        choice(n, scope, out=way == "out", ts=second, by=who, own=who == "ada", strong=way != "weak")
        for n, (scope, way, second, who) in enumerate(words)
    ]
    for order in permutations(made):
        stamps = conflict.merged([folded(order)], "")
        assert {name for name, message in HERE.items() if conflict.standing(stamps, message, WINDOW)} == stops


def test_opt_outs_that_stand_are_told_oldest_first_with_their_entries() -> None:
    made = [choice(2, PROMO, out=True), choice(1, EMAIL, out=True), choice(3, EVERYTHING, out=True, by="y"), choice(4, EVENTS, out=True)]
    left = conflict.standing(conflict.merged([folded(made)], ""), OUTLET_PROMO, WINDOW)
    assert [out.at.scope for out in left] == [EMAIL, PROMO, EVERYTHING]
    assert [out.stamp.entry for out in left] == [one.id for one in sorted(made[:3], key=lambda one: one.ts)]


def test_an_opt_in_about_another_contact_never_counts() -> None:
    row = folded([choice(1, PROMO, out=True), choice(50, PROMO, out=False, own=True, by="p", about=QUINN)])
    assert conflict.standing(conflict.merged([row], ADA), PROMO, WINDOW)
    assert conflict.standing(conflict.merged([row], ""), PROMO, WINDOW)
    assert not conflict.standing(conflict.merged([row], QUINN), PROMO, WINDOW)


def test_an_opt_out_about_another_contact_counts_for_everybody_at_the_address() -> None:
    row = folded([choice(1, PROMO, out=True, about=QUINN)])
    assert all(conflict.standing(conflict.merged([row], who), PROMO, WINDOW) for who in (ADA, QUINN, ""))


def test_look_alikes_may_deny_and_never_allow() -> None:
    out, back = choice(1, PROMO, out=True), choice(50, PROMO, out=False, own=True, by="p")
    assert conflict.standing(conflict.merged([EMPTY], "", [folded([out])]), PROMO, WINDOW)
    assert conflict.standing(conflict.merged([folded([out])], "", [folded([back])]), PROMO, WINDOW)
    assert not conflict.standing(conflict.merged([folded([back])], "", [folded([out])]), PROMO, WINDOW)


@pytest.mark.parametrize("source", ["ads", "social"])
def test_an_opt_in_that_was_spread_lifts_only_what_was_spread(source: str) -> None:
    there = Scope("*", source, "*")
    spread_in = choice(9, there, out=False, ts=99, own=True, by="shop" + conflict.SPREAD)
    for actor, answered in (("shop" + conflict.SPREAD, True), ("y" + conflict.SPREAD, True), ("shop", False), ("y", False)):
        stamps = conflict.merged([folded([choice(1, there, out=True, by=actor), spread_in])], "")
        assert (not conflict.standing(stamps, there, WINDOW)) is answered
    direct = choice(9, there, out=False, ts=99, by="shop")
    stamps = conflict.merged([folded([choice(1, there, out=True, by="y" + conflict.SPREAD), direct])], "")
    assert not conflict.standing(stamps, there, WINDOW)


def test_brands_to_judge_are_all_brands_and_each_that_spoke() -> None:
    row = folded([choice(1, OUTLET_PROMO, out=True), choice(2, Scope("alpha", "sms", "*"), out=False), choice(3, EMAIL, out=True)])
    assert conflict.brands_to_judge(conflict.merged([row], "")) == ["*", "alpha", "outlet"]
    assert conflict.brands_to_judge({}) == ["*"]


def consent_of(*rows: State, contact: str = "", message: Scope = PROMO) -> str | None:
    stamps, weak = conflict.merged(rows, contact), conflict.weak_of(rows, contact)
    found = conflict.consent(stamps, weak, message, WINDOW)
    return found and found[1].entry


@pytest.mark.feature("A2", "I2")
def test_consent_is_an_opt_in_to_the_messages_own_category() -> None:
    assert consent_of(EMPTY) is None
    assert consent_of(folded([choice(1, PROMO, out=False)]))
    assert consent_of(folded([choice(1, PROMO, out=False)]), message=OUTLET_PROMO)
    assert consent_of(folded([choice(1, Scope("*", "*", "promotional"), out=False)]))
    assert consent_of(folded([choice(1, OUTLET_PROMO, out=False)])) is None
    for broad in (EMAIL, EVERYTHING, EVENTS):
        assert consent_of(folded([choice(1, broad, out=False)])) is None, "lifting something broader is no consent"
    assert consent_of(folded([choice(1, PROMO, out=True)])) is None


def test_a_weak_opt_in_fills_only_what_no_strong_word_was_said_about() -> None:
    weak = choice(5, PROMO, out=False, strong=False, method="implicit", by="y")
    assert consent_of(folded([weak])) == weak.id
    assert consent_of(folded([weak, choice(1, EMAIL, out=False)])) == weak.id
    assert consent_of(folded([weak, choice(1, PROMO, out=True)])) is None
    strong = choice(1, PROMO, out=False)
    assert consent_of(folded([weak, strong])) == strong.id
    other = choice(6, PROMO, out=False, strong=False, about=QUINN)
    assert consent_of(folded([other]), contact=ADA) is None
    assert consent_of(folded([other]), contact=QUINN) == other.id


def test_of_several_consents_the_explicit_then_the_latest_is_named() -> None:
    brand = Scope("outlet", "email", "promotional")
    explicit = choice(1, PROMO, out=False)
    implicit = choice(9, brand, out=False, strong=False, method="implicit")
    later = choice(10, brand, out=False, by="y")
    assert consent_of(folded([explicit, implicit]), message=brand) == explicit.id
    assert consent_of(folded([explicit, later]), message=brand) == later.id


def test_rows_are_read_together_and_the_greatest_stamp_of_each_place_counts() -> None:
    contact, address = folded([choice(5, PROMO, out=False)]), folded([choice(1, PROMO, out=True, sub=MAIL)])
    for rows in ([contact, address], [address, contact]):
        assert not conflict.standing(conflict.merged(rows, ""), PROMO, WINDOW)
    weak = [folded([choice(n, PROMO, out=False, strong=False)]) for n in (1, 2)]
    assert [stamp.ts for stamp in conflict.weak_of(weak, "").values()] == [2]
    assert [stamp.ts for stamp in conflict.weak_of(weak[::-1], "").values()] == [2]

"""What a save comes to: an ordinary link only restricts, and a box that stays ticked says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.rules.center import PAUSE, Place, applied, is_on, named, planned, stop
from sayso.rules.gate import Reason
from sayso.rules.statements import Choose, Happen, Restore, Suspend, Told
from sayso.rules.words import ANY, Scope

KEYS = ("product_updates", "educational", "promotional", "events")
on = st.fixed_dictionaries({key: st.booleans() for key in KEYS})
asked = st.dictionaries(st.sampled_from((*KEYS, "order_confirmations")), st.booleans())
pauses = st.none() | st.integers(0, 10)


@pytest.mark.feature("N3", "S8")
@given(asked, pauses, on, pauses)
def test_an_ordinary_link_only_restricts(choices: dict[str, bool], until: int | None, now: dict[str, bool], paused: int | None) -> None:
    plan = planned(choices, until, now, Place("outlet", "email", fresh=False, paused_until=paused or None))
    for word in plan.words:
        if isinstance(word, Choose):
            assert word.out and word.scope == Scope("outlet", "email", word.field)
        else:
            assert isinstance(word, Suspend) and (word.until or 0) >= (paused or 0)
    assert set(plan.to_confirm) == {key for key, keep in choices.items() if keep and now.get(key) is False}


@given(asked, pauses, on, st.booleans())
def test_every_box_left_unticked_is_a_stop_and_a_ticked_one_that_was_on_is_silence(
    choices: dict[str, bool], until: int | None, now: dict[str, bool], fresh: bool
) -> None:
    plan = planned(choices, until, now, Place(ANY, "email", fresh))
    said = {word.field: word.out for word in plan.words if isinstance(word, Choose)}
    assert {key for key, out in said.items() if out} == {key for key, keep in choices.items() if not keep and key in now}
    assert {key for key, out in said.items() if not out} == (
        {k for k, keep in choices.items() if keep and now.get(k) is False} if fresh else set()
    )
    assert ("order_confirmations" in plan.refused) == ("order_confirmations" in choices)


def test_a_stop_is_one_word_for_the_whole_channel() -> None:
    place = Place("outlet", "email", fresh=False)
    assert stop(place, company=False).words == (Choose(Scope("outlet", "email", ANY), out=True, field=ANY),)
    assert stop(place, company=True).words == (Choose(Scope(ANY, "email", ANY), out=True, field=ANY),)


@pytest.mark.feature("N4")
def test_a_pause_is_ended_by_a_fresh_link_only() -> None:
    assert planned({}, 0, {}, Place(ANY, "email", fresh=False, paused_until=9)).refused == (PAUSE,)
    assert planned({}, 0, {}, Place(ANY, "email", fresh=True, paused_until=9)).words == (Suspend(ANY, None),)
    assert planned({}, 0, {}, Place(ANY, "email", fresh=True)).words == ()
    assert planned({}, 9, {}, Place(ANY, "email", fresh=False)).words == (Suspend(ANY, 9),)


def test_words_are_called_by_what_they_are_about() -> None:
    scope = Scope(ANY, "email", "events")
    words = (Choose(scope, out=True), Restore(scope, "e"), Suspend(ANY, 1), Happen("x"))
    assert [named(word) for word in words] == ["events", "events", PAUSE, ""]
    told = (Told(words[0], "applied", "", "opted_out", ()), Told(words[2], "unchanged", "", "", ()))
    assert applied(told) == told[:1]


def test_facts_do_not_make_a_choice() -> None:
    assert is_on((Reason("complaint"), Reason("paused")))
    assert not is_on((Reason("no_consent"),))
    assert not is_on((Reason("unknown_state"),)), "doubt denies"

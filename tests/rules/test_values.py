"""Values do not change; another one is made of them."""

import gc

import pytest

from sayso.rules.entries import Entry
from sayso.rules.state import State
from sayso.rules.values import altered


def test_a_value_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        State().version = 1  # type: ignore[misc]  # which is the point


def test_another_value_leaves_the_first_as_it_was() -> None:
    before = State(version=1, delivered=7)
    after = altered(before, version=2)
    assert (before.version, after.version, after.delivered) == (1, 2, 7)
    assert altered(after, version=1) == before


def test_a_field_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError):
        altered(State(), verison=2)


def test_equal_values_are_one_in_a_set() -> None:
    def entry(act: str) -> Entry:
        return Entry("1", "ab", "event", 1, 1, act, "api", "c:shop", "api")

    assert len({entry("open"), entry("open"), entry("click")}) == 2


def test_nobody_looks_for_circles_through_a_value() -> None:
    assert not gc.is_tracked(State())

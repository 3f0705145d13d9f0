"""The story is made up, always the same, and has in it what the tour speaks of."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.demo.story import ADA, CAST, DAYS, SPIKE_DAYS_AGO, ZOE, contacts, story
from sayso.rules.statements import Choose
from sayso.rules.subjects import parse_address
from sayso.rules.times import DAY


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(0, 2**32))
def test_the_same_seed_tells_the_same_story(count: int, seed: int) -> None:
    assert contacts(count, seed) == contacts(count, seed)
    assert story(count, seed) == story(count, seed)


def test_other_seeds_tell_other_stories() -> None:
    assert contacts(50, 1) != contacts(50, 2)


def test_a_smaller_story_is_about_the_first_people_of_the_larger_one() -> None:
    assert contacts(5_000)[:300] == contacts(300)


def test_everybody_is_made_up_and_nobody_stands_twice() -> None:
    people = contacts(5_000)
    assert len({one.id for one in people}) == len({one.email for one in people}) == 5_000
    assert all(one.email.rpartition("@")[2] in {"example.com", "example.org", "example.net"} for one in people)
    numbers = [parse_address("sms", one.phone, default_region=None).value for one in people if one.phone]
    assert numbers
    assert all(number[5:10] == "55501" and len(number) == 12 for number in numbers)


def test_nobody_speaks_before_they_joined_or_ahead_of_today() -> None:
    seen: dict[str, int] = {}
    for n, wave in enumerate(story(2_000)):
        for told in wave:
            assert 0 < told.ago <= DAYS * DAY
            assert told.ago < seen.get(told.who.id, DAYS * DAY + 1)
            assert told.joins == (n == 0)
            seen[told.who.id] = told.ago


def test_one_day_has_far_more_opt_outs_than_the_others() -> None:
    stops = Counter(
        told.ago // DAY for wave in story(5_000) for told in wave if any(isinstance(word, Choose) and word.out for word in told.words)
    )
    most, count = stops.most_common(1)[0]
    assert abs(most - SPIKE_DAYS_AGO) <= 1
    assert count > 5 * sorted(stops.values())[len(stops) // 2]


@pytest.mark.parametrize("one", [ADA, ZOE])
def test_the_cast_is_always_there(one: object) -> None:
    assert one in contacts(10)
    assert contacts(len(CAST)) == CAST

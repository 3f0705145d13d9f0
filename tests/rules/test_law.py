"""Which regime judges: the strictest of the places named, then the default, then the strictest of all."""

from itertools import permutations

import pytest

from sayso.rules.law import AUSTRALIA, BRAZIL, CANADA, INDIA, STRICTEST, UK, US, regime_for

EEA = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE IS LI NO"
PLACES = {"US": US, "CA": CANADA, "GB": UK, "AU": AUSTRALIA, "BR": BRAZIL, "IN": INDIA, **dict.fromkeys(EEA.split(), STRICTEST)}


@pytest.mark.feature("A9", "A25")
@pytest.mark.parametrize("country", PLACES)
def test_each_place_has_its_regime(country: str) -> None:
    assert regime_for((country,), "email", None) is PLACES[country]
    assert regime_for((), "email", country) is PLACES[country]


@pytest.mark.parametrize("place", ["ZZ", "CH", "us", "USA", "", "\0"])
def test_an_unknown_place_is_judged_by_the_strictest(place: str) -> None:
    assert regime_for((place,), "email", "US") is STRICTEST
    assert regime_for((), "email", place) is STRICTEST


def test_nowhere_is_judged_by_the_default_and_without_one_by_the_strictest() -> None:
    assert regime_for((), "email", None) is STRICTEST
    assert regime_for((), "email", "US") is US
    assert regime_for(("DE",), "email", "US") is STRICTEST


def test_of_differing_places_the_stricter_judges_in_any_order() -> None:
    for count in (2, 3):
        for named in permutations(PLACES | {"ZZ": STRICTEST}, count):
            if set(named) & set(EEA.split()[3:]):
                continue  # three members of the Union show what thirty would
            ranks = [PLACES.get(one, STRICTEST).rank for one in named]
            assert regime_for(named, "email", None).rank == max(ranks)


def test_only_e_mail_to_the_united_states_needs_no_consent() -> None:
    everywhere = {regime_for((place,), channel, None) for place in (*PLACES, "ZZ") for channel in ("email", "sms", "voice", "push")}
    assert {one.id: set(one.open_channels) for one in everywhere if one.open_channels} == {"us_can_spam": {"email"}}
    for channel in ("sms", "voice"):
        assert regime_for(("US",), channel, None).id == "us_tcpa"
    assert all(one.rank <= STRICTEST.rank and one.title for one in everywhere)

"""How much may be sent to one person: caps over all senders, whatever they agreed to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import DAY, EMAIL, NOON, OUTLET_PROMO, PROMO

from sayso.rules import law
from sayso.rules.cadence import Spent, caps_on, limited, reached
from sayso.rules.caps import Cap, InvalidCap, read_cap, shown
from sayso.rules.catalogue import DEFAULT
from sayso.rules.gate import Ask, Reason, Verdict
from sayso.rules.words import Scope

pytestmark = pytest.mark.feature("I8")
REFUSABLE = [category.key for category in DEFAULT.refusable]
ALLOWED = Verdict(True, (Reason("opted_in"),), law.STRICTEST.id, 1)
TWO_A_WEEK = Cap(PROMO, 2, 7 * DAY)


def test_the_last_message_that_fits_is_let_through_and_the_next_waits_for_the_oldest_to_leave_the_period() -> None:
    first, second = Spent(NOON - 3 * DAY, PROMO), Spent(NOON - DAY, PROMO)
    assert reached([TWO_A_WEEK], [first], NOON) is None
    full = reached([TWO_A_WEEK], [second, first], NOON)
    assert full is not None and (full.code, full.until) == ("frequency_cap", first.at + 7 * DAY)
    assert reached([TWO_A_WEEK], [first, second], first.at + 7 * DAY) is None


@given(st.lists(st.integers(0, 20 * DAY), max_size=12), st.integers(1, 4), st.integers(1, 10))
def test_no_period_ever_holds_more_than_the_cap(ages: list[int], messages: int, days: int) -> None:
    cap = Cap(EMAIL, messages, days * DAY)
    sent: list[Spent] = []
    for at in sorted(NOON + age for age in ages):
        if reached([cap], sent, at) is None:
            sent.append(Spent(at, PROMO))
    for one in sent:
        assert sum(one.at <= other.at < one.at + cap.period for other in sent) <= messages


def test_messages_count_for_every_cap_they_lie_inside_and_without_a_brand_for_every_brand() -> None:
    outlet = Cap(OUTLET_PROMO, 1, DAY)
    assert reached([outlet], [Spent(NOON, PROMO)], NOON)
    assert reached([Cap(EMAIL, 1, DAY)], [Spent(NOON, OUTLET_PROMO)], NOON)
    assert not reached([outlet], [Spent(NOON, Scope("main", "email", "promotional"))], NOON)
    assert not reached([outlet], [Spent(NOON, Scope("outlet", "sms", "promotional"))], NOON)


def test_what_nobody_can_refuse_is_never_held_back() -> None:
    assert caps_on([Cap(EMAIL, 1, DAY)], Ask("email", DEFAULT.get("account_security"))) == ()
    assert caps_on([Cap(EMAIL, 1, DAY)], Ask("email", DEFAULT.get("promotional"))) == (Cap(EMAIL, 1, DAY),)
    assert caps_on([Cap(OUTLET_PROMO, 1, DAY)], Ask("email", DEFAULT.get("promotional"))) != ()
    assert caps_on([Cap(OUTLET_PROMO, 1, DAY)], Ask("email", DEFAULT.get("promotional"), "main")) == ()


def test_a_full_cap_denies_even_who_agreed_and_stands_beside_the_other_reasons() -> None:
    full = Reason("frequency_cap", PROMO, until=NOON)
    held = limited(ALLOWED, full)
    assert (held.allowed, held.reasons, held.retry_at) == (False, (full,), NOON)
    out = Verdict(False, (Reason("category_opted_out"),), law.STRICTEST.id, 1)
    assert limited(out, full).reasons == (*out.reasons, full) and limited(out, full).retry_at is None
    paused = Verdict(False, (Reason("paused"),), law.STRICTEST.id, 1, retry_at=NOON + DAY)
    assert limited(paused, full).retry_at == NOON + DAY
    assert limited(ALLOWED, None) is ALLOWED


def test_caps_are_written_and_read_alike() -> None:
    caps = (TWO_A_WEEK, Cap(Scope("outlet", "*", "*"), 5, 30 * DAY))
    assert tuple(read_cap(row, REFUSABLE) for row in shown(caps)) == caps


@pytest.mark.parametrize(
    ("row", "pointer"),
    [
        (3, ""), ({"messages": 0, "per": "7d"}, "/messages"), ({"messages": True, "per": "7d"}, "/messages"), ({"messages": 1}, "/per"),
        ({"messages": 1, "per": "a week"}, "/per"), ({"messages": 1, "per": "1s"}, "/per"), ({"messages": 1, "per": "400d"}, "/per"),
        ({"messages": 1, "per": "7d", "category": "account_security"}, "/category"), ({"messages": 1, "per": "7d", "channel": "fax"}, "/channel"),
        ({"messages": 1, "per": "7d", "business_unit": ""}, "/business_unit"), ({"messages": 1, "per": "7d", "cap": 1}, "/cap"),
    ],
)  # fmt: skip
def test_a_cap_that_cannot_be_meant_is_refused_with_its_place(row: object, pointer: str) -> None:
    with pytest.raises(InvalidCap) as refused:
        read_cap(row, REFUSABLE)
    assert refused.value.pointer == pointer and refused.value.detail

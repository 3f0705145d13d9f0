"""A delivery waits longer each time, keeps to what the receiver asks, and is never given up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.rules.backoff import DAILY, LONGEST_RETRY_AFTER, SCHEDULE, is_drift, next_due, retry_after
from sayso.rules.times import DAY, HOUR, MINUTE, SECOND, parse_time

NOW = parse_time("2026-11-22T10:00:00Z")


def test_the_schedule_is_the_one_of_standard_webhooks() -> None:
    waits = [next_due(attempts, NOW, 0.0, None) - NOW for attempts in range(11)]
    assert waits == [
        0, 5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR, DAY,
    ]  # fmt: skip
    assert 75 * HOUR < sum(SCHEDULE) < 76 * HOUR


def test_after_the_schedule_it_is_drift_and_tried_daily_for_ever() -> None:
    assert [is_drift(attempts) for attempts in (0, 9, 10, 1_000_000)] == [False, False, True, True]
    assert next_due(1_000_000, NOW, 0.0, None) == NOW + DAILY


@given(st.integers(0, 10_000), st.floats(0, 1), st.none() | st.integers(0, 10 * DAY))
def test_chance_only_lengthens_and_by_a_fifth_at_most(attempts: int, chance: float, asked: int | None) -> None:
    least = next_due(attempts, NOW, 0.0, asked) - NOW
    wait = next_due(attempts, NOW, chance, asked) - NOW
    assert least <= wait <= least + least // 5 + 1
    assert wait >= min(asked or 0, LONGEST_RETRY_AFTER)
    assert wait <= DAY + DAY // 5


@pytest.mark.parametrize(("attempts", "chance"), [(-1, 0.5), (0, -0.1), (0, 1.1), (0, float("nan"))])
def test_nonsense_is_refused(attempts: int, chance: float) -> None:
    with pytest.raises(ValueError, match="chance lies between"):
        next_due(attempts, NOW, chance, None)


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("120", 120 * SECOND),
        (" 0 ", 0),
        ("999999999999999999", DAY),
        ("Sun, 22 Nov 2026 10:02:00 GMT", 120 * SECOND),
        ("Sunday, 22-Nov-26 10:02:00 GMT", 120 * SECOND),
        ("Sun Nov 22 10:02:00 2026", 120 * SECOND),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0),
        ("Fri, 31 Dec 9998 23:59:59 GMT", DAY),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 30, None),
        ("Sun, 99 Nov 2026 10:02:00 GMT", None),
        ("x" * 10_000, None),
    ],
)
def test_retry_after_is_read_in_every_form(header: str | None, wait: int | None) -> None:
    assert retry_after(header, NOW) == wait


@given(st.text(max_size=80) | st.from_regex(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{2,5} \d\d:\d\d:\d\d [-+GMT0-9]{1,6}"))
def test_no_header_breaks_the_reader(header: str) -> None:
    wait = retry_after(header, NOW)
    assert wait is None or 0 <= wait <= DAY

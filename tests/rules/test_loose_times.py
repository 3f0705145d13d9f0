"""Times in lists: what is left open is read as the latest moment it can mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.rules.loose_times import latest_time
from sayso.rules.times import LATEST, format_time


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
        ("2026-11-22T11:00:00.5+01:00", "2026-11-22T10:00:00.500000Z"),
        ("2026-11-22 10:00:00 UTC", "2026-11-22T10:00:00.999999Z"),
        ("2026-11-22 10:00:00+0200", "2026-11-22T08:00:00.999999Z"),
        ("2026-11-22 10:00:00.25 -05:00", "2026-11-22T15:00:00.250000Z"),
        ("2026-11-22 10:00:00", "2026-11-22T22:00:00.999999Z"),
        ("2026-11-22 10:00", "2026-11-22T22:00:59.999999Z"),
        ("2026-11-22", "2026-11-23T11:59:59.999999Z"),
        ("2026/1/2", "2026-01-03T11:59:59.999999Z"),
        ("22.11.2026", "2026-11-23T11:59:59.999999Z"),
        ("22/11/2026", "2026-11-23T11:59:59.999999Z"),
        ("11/22/2026", "2026-11-23T11:59:59.999999Z"),
        ("03/04/2026", "2026-04-04T11:59:59.999999Z"),
        ("12/31/2025 11:59 PM", "2026-01-01T11:59:59.999999Z"),
        ("12/31/2025 12:30 am GMT", "2025-12-31T00:30:59.999999Z"),
        ("1795341600", "2026-11-22T10:00:00Z"),
        ("1795341600.5", "2026-11-22T10:00:00.500000Z"),
        ("1795341600000", "2026-11-22T10:00:00Z"),
    ],
)
def test_a_time_is_the_latest_it_can_mean(text: str, means: str) -> None:
    found = latest_time(text)
    assert found is not None and format_time(found) == means


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-13-01", "31.02.2026", "2026-11-22 25:00", "13:00", "2026-11-22 13:00 PM", "22-11/2026", "12345", "٢٠٢٦-١١-٢٢", "9999-12-31",
     "1970-01-01 00:00+14:00"],
)  # fmt: skip
def test_what_is_no_time_is_none(text: str) -> None:
    assert latest_time(text) is None


@given(st.text(max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    found = latest_time(text)
    assert found is None or 0 <= found <= LATEST

"""Times read from anywhere, written one way, exact to the microsecond."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.rules.times import DAY, HOUR, LATEST, MINUTE, SECOND, format_duration, format_time, from_seconds, parse_duration, parse_time

TEN = 1_795_341_600 * SECOND


@pytest.mark.parametrize(
    ("text", "ts"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-22T10:00:00Z", TEN),
        ("2026-11-22t10:00:00z", TEN),
        ("2026-11-22 10:00:00Z", TEN),
        ("2026-11-22T10:00:00.123456Z", TEN + 123_456),
        ("2026-11-22T10:00:00.5Z", TEN + 500_000),
        ("2026-11-22T10:00:00.123456999Z", TEN + 123_456),
        ("2026-11-22T11:00:00+01:00", TEN),
        ("2026-11-22T04:30:00-05:30", TEN),
        ("2026-11-22T10:00:00-00:00", TEN),
        ("2024-02-29T00:00:00Z", 1_709_164_800 * SECOND),
        ("2016-12-31T23:59:60Z", 1_483_228_799 * SECOND + 999_999),
        ("9999-12-31T23:59:59.999999Z", LATEST),
    ],
)
def test_rfc_3339_is_read(text: str, ts: int) -> None:
    assert parse_time(text) == ts


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "2026-11-22", "2026-11-22T10:00:00", "2026-11-22T10:00Z", "20261122T100000Z", "2026-11-22T10:00:00+0100",
        "2026-02-30T10:00:00Z", "2026-13-01T10:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T10:60:00Z", "2026-11-22T10:00:61Z",
        "2026-11-22T10:00:00+24:00", "2026-11-22T10:00:00+01:60", "0000-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "2026-11-22T10:00:00.Z", "2026-11-22T10:00:00Z\n",
        "٢٠٢٦-11-22T10:00:00Z", "2026-11-22T10:00:00." + "1" * 31 + "Z",
    ],
)  # fmt: skip
def test_anything_else_is_refused_and_tells_the_form(text: str) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        parse_time(text)


@given(st.integers(0, LATEST))
def test_what_is_written_is_read_back(ts: int) -> None:
    assert parse_time(format_time(ts)) == ts


@given(st.datetimes(datetime(1971, 1, 1), datetime(9998, 1, 1), timezones=st.timezones()))
def test_every_offset_means_the_same_instant(moment: datetime) -> None:
    offset = moment.utcoffset()
    assert offset is not None
    if offset.seconds % 60 == 0:
        assert format_time(parse_time(moment.isoformat())) == moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        parse_time(text)
    except ValueError as error:
        assert "RFC 3339" in str(error)


def test_the_fraction_is_written_only_where_there_is_one() -> None:
    assert format_time(TEN) == "2026-11-22T10:00:00Z"
    assert format_time(TEN + 1) == "2026-11-22T10:00:00.000001Z"
    with pytest.raises(ValueError, match="years 1970 to 9999"):
        format_time(-1)


def test_vendor_seconds() -> None:
    assert from_seconds(1_795_341_600) == TEN
    assert from_seconds(1_795_341_600.25) == TEN + 250_000
    for nonsense in (-1, 1_795_341_600_000_000, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"seconds|years"):
            from_seconds(nonsense)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("10s", 10 * SECOND),
        ("5m", 5 * MINUTE),
        ("2h", 2 * HOUR),
        ("30d", 30 * DAY),
        ("500ms", SECOND // 2),
        (" 0s ", 0),
        ("90 m", 90 * MINUTE),
    ],
)
def test_durations(text: str, duration: int) -> None:
    assert parse_duration(text) == duration
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize("text", ["", "10", "s", "-1s", "1.5h", "10 s ago", "1w", "1h30m", "9999999999s"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="like 10s"):
        parse_duration(text)

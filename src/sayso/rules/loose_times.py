"""Times as lists and spreadsheets write them. What is left open is read as the latest moment it can mean.

An opt-out may be read too late, never too early: too early, and an opt-in that came before it would seem to answer it.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sayso.rules.times import DAY, HOUR, LATEST, SECOND, from_seconds, parse_time

BEHIND: Final = 12 * HOUR
"""The place on earth where a day ends last is twelve hours behind UTC."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCK = r"(?:[T ,]+(\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?\s*([AaPp][Mm])?)?\s*(Z|z|UTC|GMT|[+-]\d\d:?\d\d)?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})([-/.])(\d{{1,2}})\2(\d{{1,2}}){_CLOCK}", re.ASCII)
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{4}}){_CLOCK}", re.ASCII)


def latest_time(text: str) -> int | None:
    """The latest microsecond since the epoch that the text can mean; None when it is no time.

    Knows RFC 3339, year-month-day, day.month.year, day/month/year and month/day/year (both tried, the later one counts), with or
    without a clock and a zone, and the seconds or milliseconds since 1970 that programs write.
    """
    text = text.strip()
    try:
        return parse_time(text)
    except ValueError:
        pass
    if re.fullmatch(r"\d{9,10}(\.\d{1,9})?|\d{12,13}", text, re.ASCII):
        number = float(text)
        return _within(from_seconds(number / 1_000 if number >= 10**11 else number))
    if found := _YEAR_FIRST.fullmatch(text):
        return _latest([(found[1], found[3], found[4])], found)
    if found := _YEAR_LAST.fullmatch(text):
        day_first = (found[4], found[3], found[1])
        return _latest([day_first] if found[2] == "." else [day_first, (found[4], found[1], found[3])], found)
    return None


def _latest(days: list[tuple[str, str, str]], found: re.Match[str]) -> int | None:
    moments = [_moment(day, found) for day in days]
    return max((at for at in moments if at is not None), default=None)


def _moment(day: tuple[str, str, str], found: re.Match[str]) -> int | None:
    hour, minute, second, fraction, half, zone = found.groups()[-6:]
    try:
        midnight = (datetime.combine(date(*map(int, day)), datetime.min.time(), UTC) - _EPOCH) // timedelta(microseconds=1)
        clock = DAY - 1 if hour is None else _clock(int(hour), int(minute), second, fraction, half)
    except ValueError:
        return None
    return _within(midnight + clock + _behind(zone))


def _clock(hour: int, minute: int, second: str | None, fraction: str | None, half: str | None) -> int:
    """Microseconds since midnight; a part that is not written counts as its last moment."""
    if half is not None:
        if not 1 <= hour <= 12:
            raise ValueError("no such hour")
        hour = hour % 12 + (12 if half.lower() == "pm" else 0)
    if hour > 23 or minute > 59 or int(second or 0) > 60:
        raise ValueError("no such time of day")
    seconds = (hour * 60 + minute) * 60 + (59 if second is None else min(int(second), 59))
    return seconds * SECOND + (SECOND - 1 if fraction is None else int(fraction.ljust(6, "0")[:6]))


def _behind(zone: str | None) -> int:
    if zone is None:
        return BEHIND
    if zone[0] not in "+-":
        return 0
    offset = int(zone[1:3]) * HOUR + int(zone[-2:]) * (HOUR // 60)
    return offset if zone[0] == "-" else -offset


def _within(ts: int) -> int | None:
    return ts if 0 <= ts <= LATEST else None

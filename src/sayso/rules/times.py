"""Times and durations at the doors: RFC 3339 text and plain words on the outside, int microseconds since the epoch inside."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
LATEST = (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC) - _EPOCH) // _MICROSECOND

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,30}))?(?:([Zz])|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_DURATION = re.compile(r"(\d{1,9})\s*(ms|s|m|h|d)", re.ASCII)
_UNITS = {"ms": 1_000, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_EXAMPLE = "write it as RFC 3339 with a zone, like 2026-11-22T10:00:00Z or 2026-11-22T11:00:00.5+01:00"


def parse_time(text: str) -> int:
    """Microseconds since the epoch of an RFC 3339 time.

    Any offset; digits behind the microsecond are cut off; the leap second :60 counts as the last microsecond of its minute.
    Raises ValueError, telling how to write it, for anything else: no zone, no such day, before 1970 or after 9999.
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError(f"not a time: {_EXAMPLE}")
    year, month, day, hour, minute, second = (int(part) for part in found.group(1, 2, 3, 4, 5, 6))
    micros = int((found[7] or "").ljust(6, "0")[:6])
    if second == 60:
        second, micros = 59, 999_999
    try:
        local = datetime(year, month, day, hour, minute, second, micros, tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"no such day or time ({error}): {_EXAMPLE}") from None
    return _in_range((local - _EPOCH) // _MICROSECOND - _offset(found[9], found[10], found[11]))


def _offset(sign: str | None, hours: str | None, minutes: str | None) -> int:
    if sign is None or hours is None or minutes is None:
        return 0
    if int(hours) > 23 or int(minutes) > 59:
        raise ValueError(f"no such zone {sign}{hours}:{minutes}: {_EXAMPLE}")
    offset = int(hours) * HOUR + int(minutes) * MINUTE
    return -offset if sign == "-" else offset


@lru_cache(maxsize=1_024)  # the answers of a batch were given at one time
def format_time(ts: int) -> str:
    """RFC 3339 UTC text of a time in microseconds: ``2026-11-22T10:00:00Z``, with six digits where there is a fraction."""
    second, fraction = divmod(_in_range(ts), SECOND)
    return f"{_second(second)}.{fraction:06d}Z" if fraction else f"{_second(second)}Z"


@lru_cache(maxsize=4_096)
def _second(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).isoformat().removesuffix("+00:00")


def from_seconds(seconds: float) -> int:
    """Microseconds since the epoch of a vendor's epoch seconds; raises ValueError outside 1970…9999 or for nan.

    A number too large to be seconds is not guessed to be milliseconds: the translator that reads it knows its unit.
    """
    if not 0 <= seconds <= LATEST // SECOND:
        raise ValueError("not a time in seconds since 1970")
    return _in_range(round(seconds * SECOND))


def parse_duration(text: str) -> int:
    """Microseconds of a duration such as ``500ms``, ``10s``, ``5m``, ``2h``, ``30d``; raises ValueError telling the form."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a duration: write a whole number and a unit, like 10s, 5m, 2h or 30d")
    return int(found[1]) * _UNITS[found[2]]


def format_duration(duration: int) -> str:
    """The shortest text that ``parse_duration`` reads back, in the largest unit that divides it (milliseconds at least)."""
    for unit in ("d", "h", "m", "s"):
        if duration % _UNITS[unit] == 0 and duration:
            return f"{duration // _UNITS[unit]}{unit}"
    return f"{duration // 1_000}ms" if duration else "0s"


def _in_range(ts: int) -> int:
    if not 0 <= ts <= LATEST:
        raise ValueError(f"the time lies outside the years 1970 to 9999: {_EXAMPLE}")
    return ts

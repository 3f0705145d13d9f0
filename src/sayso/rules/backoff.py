"""When to try again: the Standard Webhooks schedule, what a receiver asks for, and after that once a day for ever.

All times and spans are int microseconds; chance is a number from 0 to 1 handed in. An opt-out is never dropped: an exhausted schedule
makes the delivery *drift* (listed, with its age), and it is tried daily until it is acknowledged or its connection is removed.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from sayso.rules.times import DAY, HOUR, MINUTE, SECOND

SCHEDULE = (0, 5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
"""Wait before attempt 1, 2, 3 … (Standard Webhooks 1.0.0): 75.6 hours in all."""

DAILY = DAY
SPREAD = 0.2
"""How far chance lengthens a wait: up to a fifth. It never shortens one, so a receiver's Retry-After is kept."""

LONGEST_RETRY_AFTER = DAY
"""A receiver may ask for at most a day of silence: longer would let it postpone an opt-out at will."""

_SECONDS = re.compile(r"\d{1,18}", re.ASCII)


def is_drift(attempts: int) -> bool:
    """Whether so many failed attempts have used up the schedule; such a delivery is listed as drift and tried daily."""
    return attempts >= len(SCHEDULE)


def next_due(attempts: int, now: int, chance: float, retry_after: int | None) -> int:
    """When to make the next attempt after ``attempts`` (≥ 0) failed ones. There always is a next one.

    ``chance`` in 0…1 spreads the receivers of one outage; ``retry_after`` is a span from ``retry_after()`` or None.
    Raises ValueError for a negative count or a chance outside 0…1.
    """
    if attempts < 0 or not 0 <= chance <= 1:
        raise ValueError("attempts are counted from 0 and chance lies between 0 and 1")
    wait = DAILY if is_drift(attempts) else SCHEDULE[attempts]
    if retry_after is not None:
        wait = max(wait, min(retry_after, LONGEST_RETRY_AFTER))
    return now + wait + int(wait * SPREAD * chance)


def retry_after(header: str | None, now: int) -> int | None:
    """The wait a ``Retry-After`` header asks for, 0 to one day; None where it is absent or means nothing.

    Reads whole seconds and the HTTP dates of RFC 9110 (a date in the past is 0). Longer waits are cut to a day.
    """
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        return min(int(text) * SECOND, LONGEST_RETRY_AFTER)
    if not text or len(text) > 64:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError):
        return None
    # RFC 9110 dates are always GMT, also the asctime form, which does not say so.
    at = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * SECOND if _sane(moment) else now
    return min(max(at - now, 0), LONGEST_RETRY_AFTER)


def _sane(moment: datetime) -> bool:
    # Beyond these years the conversion to a timestamp overflows with some offsets.
    return 1970 < moment.year < 9999

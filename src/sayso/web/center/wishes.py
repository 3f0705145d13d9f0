"""What a form of the preference page asks for. Every box that was shown and is not ticked asks for nothing more of that kind."""

from datetime import UTC, date, datetime, time
from typing import Final

from sayso.contracts.center import Wish
from sayso.rules.times import DAY
from sayso.web.center.forms import Form

PAUSES: Final = {"30": 30, "60": 60, "90": 90}
LONGEST_PAUSE: Final = 730
"""Days: who wants to hear nothing for longer than two years is better served by stopping."""


class BadWish(ValueError):
    """Something on the form cannot be done: pairs of the field and the key of the text that tells why. Nothing was changed."""

    def __init__(self, *errors: tuple[str, str]) -> None:
        super().__init__(str(errors))
        self.errors = errors


def wish_of(form: Form, now: int) -> Wish:
    """The wish of a whole form. A stop says all there is to say. Raises BadWish."""
    if stop := form.one("stop"):
        return Wish(stop="brand" if stop == "brand" else "company")
    keep = frozenset(form.all("keep"))
    return Wish({key: key in keep for key in form.all("shown")}, pause_until=pause_of(form, now))


def pause_of(form: Form, now: int) -> int | None:
    """When the pause that was chosen ends (microseconds; 0: end it now; None: nothing was chosen). Raises BadWish."""
    asked = form.one("pause")
    if asked in PAUSES:
        return now + PAUSES[asked] * DAY
    if asked == "end":
        return 0
    if asked == "date":
        return _day(form.one("pause_date"), now)
    if asked:
        raise BadWish(("pause", "error_pause"))
    return None


def _day(text: str, now: int) -> int:
    """The end of a day that was typed: the pause lasts through it."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadWish(("pause_date", "error_pause_date")) from None
    end = int(datetime.combine(day, time.max, UTC).timestamp()) * 1_000_000
    if end <= now:
        raise BadWish(("pause_date", "error_pause_past"))
    if end > now + LONGEST_PAUSE * DAY:
        raise BadWish(("pause_date", "error_pause_far"))
    return end

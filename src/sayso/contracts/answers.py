"""What an HTTP answer means for a change, in the same words for every connector."""

import json
from collections.abc import Iterable

from sayso.contracts.connector import Outcome, OutcomeKind, Response

_LATER = frozenset({408, 425, 429})
_WORST_FIRST: tuple[OutcomeKind, ...] = (
    "broken_auth",
    "unknown",
    "later",
    "refused",
    "needs_confirmation",
    "cannot_express",
    "applied",
    "already_so",
)


def judged(response: Response) -> Outcome | None:
    """The outcome an unsuccessful answer stands for; None when the vendor said 2xx and the body decides.

    No complete answer → unknown; nothing sent → later; 408, 425, 429 and 5xx → later with the vendor's Retry-After; 401 and 403 →
    broken auth; 3xx and other 4xx → refused (not permanent: the operator can mend it). Never raises.
    """
    if response.ok:
        return None
    if response.failure == "no_answer":
        return Outcome("unknown", response.detail or "the attempt ended without an answer")
    if response.failure == "forbidden":
        return Outcome("refused", response.detail or "the destination is not allowed")
    if response.status == 0:
        return Outcome("later", response.detail or "nothing could be sent")
    if response.status in _LATER or response.status >= 500:
        return Outcome("later", f"answered {response.status}", retry_after=response.header("retry-after"))
    if response.status in (401, 403):
        return Outcome("broken_auth", f"answered {response.status}: the credentials in the settings do not work")
    if 300 <= response.status < 400:
        return Outcome("refused", f"answered {response.status}: redirects are never followed")
    return Outcome("refused", f"answered {response.status}{_excerpt(response)}")


def _excerpt(response: Response) -> str:
    """The beginning of the body as one printable line, for the operator; empty when there is nothing to read."""
    text = response.body[:400].decode("utf-8", "replace")
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:200]
    return f": {line}" if line else ""


def combined(outcomes: Iterable[Outcome]) -> Outcome:
    """The one outcome of a change that took several requests: the worst of them, with every different reason; none = already so."""
    found = sorted(outcomes, key=lambda outcome: _WORST_FIRST.index(outcome.kind))
    if not found:
        return Outcome("already_so")
    worst = found[0]
    reasons = dict.fromkeys(outcome.reason for outcome in found if outcome.reason)
    waits = [outcome.retry_after for outcome in found if outcome.kind == worst.kind and outcome.retry_after]
    return Outcome(worst.kind, "; ".join(reasons), worst.permanent, waits[0] if waits else None)


def parsed(body: bytes) -> object:
    """The JSON value of a body; None for anything that is not JSON (and for `null`). Never raises."""
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value


def table(value: object) -> dict[str, object]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> list[dict[str, object]]:
    """The objects in a JSON array; anything else in it is left out; empty for what is not an array."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text(value: object) -> str:
    """The value if it is a text (made storable), whole numbers as digits, else empty."""
    if isinstance(value, bool):
        return ""
    return storable(value) if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def storable(words: str) -> str:
    """The text without what no database takes: NUL and half surrogates become replacement characters."""
    return words.replace("\0", "\ufffd").encode("utf-8", "replace").decode()

"""What an HTTP answer means for a change, in the same words for every connector."""

from sayso.contracts.connector import Outcome, Response

_LATER = frozenset({408, 425, 429})


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

"""What a bounce says about the address (RFC 3463 status codes; where they are silent, the words of the server)."""

import re
from typing import Literal

Bounce = Literal["hard", "soft", "not_theirs", "unclear"]

_CODE = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_HARD = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.1", "4.4"})
_NOT_THEIRS = frozenset({"2.3", "3.4"})
_FULL = re.compile(r"mailbox (is )?full|over ?quota|quota exceeded|insufficient storage|out of storage", re.IGNORECASE)
_NOBODY = re.compile(
    r"(unknown|no such|invalid|nonexistent|non-existent) (user|recipient|mailbox|account|address)|"
    r"(user|recipient|mailbox|account|address)( \S+)? (unknown|not found|disabled|unavailable|does not exist|doesn't have)|"
    r"does(n't| not) (exist|have an?)|no mailbox here|host (unknown|not found)",
    re.IGNORECASE,
)


def classify(status: str, words: str) -> Bounce:
    """What to make of a status (`5.1.1`, `550` or empty) and the server's words.

    `hard`: no such mailbox. `soft`: full or temporary. `not_theirs`: the sender's or the message's fault, never a reason to
    suppress. `unclear`: neither says; the caller decides by what the vendor called it.
    """
    found = _CODE.search(status) or _CODE.search(words)
    if found is not None and found[0] != "5.0.0":
        detail = f"{int(found[2])}.{int(found[3])}"
        if detail in _NOT_THEIRS or found[2] == "7":
            return "not_theirs"
        if found[1] == "4" or detail == "2.2":
            return "soft"
        if found[1] == "5" and detail in _HARD:
            return "hard"
    if _FULL.search(words):
        return "soft"
    if status.strip().startswith("4"):
        return "soft"
    return "hard" if _NOBODY.search(words) else "unclear"

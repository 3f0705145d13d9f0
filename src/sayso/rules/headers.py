"""Headers by which a mail can be unsubscribed from: how they are written (RFC 2369, RFC 8058) and how others' are read.

A mailbox takes opt-outs by mail under ``local+KEY@domain``, where KEY is 24 letters and digits that survive folding of case; where the
local part would grow beyond 64 characters (RFC 5321) the key stands in the subject instead.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import idna

LIST_UNSUBSCRIBE: Final = "List-Unsubscribe"
LIST_UNSUBSCRIBE_POST: Final = "List-Unsubscribe-Post"
ONE_CLICK: Final = "List-Unsubscribe=One-Click"
KEY_LENGTH: Final = 24
LOCAL_LENGTH: Final = 64
LONGEST_URL: Final = 900
"""A header line has at most 998 characters (RFC 5322), and a URL in it must not be folded: verifiers of DKIM and readers disagree then."""

_KEY: Final = re.compile(rf"[a-z2-7]{{{KEY_LENGTH}}}")


def unsubscribe_headers(url: str, mailto_url: str | None) -> Mapping[str, str]:
    """The two headers of RFC 8058; the https half first, because readers take the first one they support.

    Raises ValueError for a URL that would break out of its brackets or its line.
    """
    places = [url] if mailto_url is None else [url, mailto_url]
    if any(re.search(r"[<>\s\x00-\x1f\x7f]", place) for place in places):
        raise ValueError("a URL in a header holds no space, brackets or control characters")
    return {LIST_UNSUBSCRIBE: ", ".join(f"<{place}>" for place in places), LIST_UNSUBSCRIBE_POST: ONE_CLICK}


def mailto(mailbox: str, key: str) -> str:
    """The mailto URL by which one person stops one scope."""
    local, _, named = mailbox.rpartition("@")
    domain = named if named.isascii() else idna.encode(named, uts46=True).decode("ascii")
    if len(local) + 1 + len(key) <= LOCAL_LENGTH:
        return f"mailto:{_local(local)}+{key}@{domain}?subject=unsubscribe"
    return f"mailto:{_local(local)}@{domain}?subject=unsubscribe%20{key}"


def mail_key_in(text: str) -> str | None:
    """The key in a recipient's address or in a subject as `mailto` writes them, in lower case; None where there is none."""
    folded = text.strip().lower()
    found = folded.rpartition("@")[0].rpartition("+")[2] if "@" in folded else ""
    words = [found, *folded.split()]
    return next((word for word in words if _KEY.fullmatch(word)), None)


def listed_uris(value: str) -> tuple[str, ...]:
    """The URIs of a List-* header in their order (RFC 2369 section 2): each in angle brackets, white space inside them ignored.

    Comments in parentheses may stand anywhere outside the brackets; whatever else stands there is ignored too.
    """
    found: list[str] = []
    depth, at = 0, 0
    while at < len(value):
        letter = value[at]
        if letter == "\\" and depth:
            at += 1
        elif letter == "(":
            depth += 1
        elif letter == ")":
            depth = max(depth - 1, 0)
        elif letter == "<" and not depth:
            end = value.find(">", at)
            if end < 0:
                break
            found.append(re.sub(r"\s+", "", value[at + 1 : end]))
            at = end
        at += 1
    return tuple(uri for uri in found if uri)


def _local(local: str) -> str:
    return quote(local, safe="+.!#$*/=_-")

"""Mail that came in, read as far as it matters: the keys and tokens it names, and whether a machine wrote it.

Never raises for what is in a mail: what cannot be read names nothing and is kept as odd. Only the first mebibyte is looked at; the key
stands in the recipient's address or the subject. Automatic replies: RFC 3834, and what older programs send instead.
"""

import email.policy
import re
from collections.abc import Sequence
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from typing import Final

from sayso.contracts.mailer import Arrived, Automatic
from sayso.rules.headers import mail_key_in

LOOKED_AT: Final = 1 << 20
TEXTS: Final = 8
"""So many parts of a mail are searched for a token."""
_TOKEN: Final = re.compile(r"(?<![\w.])1\.[a-z0-9]{1,16}\.[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{22}(?![\w-])", re.ASCII)
_RECIPIENTS: Final = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc", "Resent-To", "Apparently-To")
_ADDRESS: Final = re.compile(r"[^\s<>,;:\"]+@[^\s<>,;:\"]+")
_BULK: Final = frozenset({"bulk", "junk", "list", "auto_reply"})
_POLICY: Final = email.policy.compat32
"""The newer policies raise for headers that are merely strange."""


def read(raw: bytes, *, recipients: Sequence[str] = (), sender: str | None = None) -> Arrived:
    """What a mail says. `recipients` and `sender` are of the envelope; a sender of None is not known, "" is the empty return path."""
    message = BytesHeaderParser(policy=_POLICY).parsebytes(raw[:LOOKED_AT])
    named = [*recipients, *(place for name in _RECIPIENTS for line in _all(message, name) for place in _ADDRESS.findall(line))]
    subject = _text(message, "Subject")
    keys = dict.fromkeys(key for text in (*named, subject) if (key := mail_key_in(text)))
    tokens = dict.fromkeys(_TOKEN.findall(subject)) | dict.fromkeys(
        token for text in _bodies(raw[:LOOKED_AT]) for token in _TOKEN.findall(text)
    )
    return Arrived(tuple(keys), tuple(tokens), _automatic(message, sender), raw)


def _automatic(message: Message, sender: str | None) -> Automatic:
    """Why a machine must have written this; "" for a person's mail."""
    submitted = _text(message, "Auto-Submitted").partition(";")[0].strip().lower()
    if submitted and submitted != "no":
        return "auto_submitted"
    path = sender if sender is not None else next(iter(_all(message, "Return-Path")), None)
    if path is not None and path.strip() in ("", "<>"):
        return "empty_return_path"
    if _text(message, "Precedence").strip().lower() in _BULK:
        return "precedence"
    if _text(message, "X-Auto-Response-Suppress").strip().lower() not in ("", "none"):
        return "auto_response_suppress"
    return "list" if _all(message, "List-Id") else ""


def _all(message: Message, name: str) -> list[str]:
    """Every value of a header, on one line each."""
    return [" ".join(str(value).split()) for value in message.get_all(name, [])]


def _text(message: Message, name: str) -> str:
    """A header as people read it."""
    raw = " ".join(_all(message, name))
    try:
        return str(make_header(decode_header(raw)))
    except (ValueError, LookupError):
        return raw


def _bodies(raw: bytes) -> Sequence[str]:
    """The texts of a mail, plain and HTML, with soft line breaks mended; none of one that is nested beyond reading."""
    try:
        message = BytesParser(policy=_POLICY).parsebytes(raw)
        texts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    except RecursionError:
        return ()
    found = [part.get_payload(decode=True) for part in texts[:TEXTS]]
    return [content.decode("utf-8", "replace") for content in found if isinstance(content, bytes)]

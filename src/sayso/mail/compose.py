"""Compose: a draft as a mail that people of its language read with pleasure: plain text and HTML, no tracking, nothing loaded from anywhere.

It tells machines that a machine wrote it (RFC 3834: ``Auto-Submitted``, no return path), where to unsubscribe (RFC 8058), and it is the
same mail on every attempt (the letter's id is its Message-ID). The DKIM signature is the mail server's.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from sayso.contracts.letters import Changed
from sayso.contracts.mailer import Draft, Mail
from sayso.mail.texts import Texts, texts_of
from sayso.rules.catalogue import DEFAULT
from sayso.rules.references import reference
from sayso.rules.subjects import parse_address
from sayso.rules.times import SECOND
from sayso.rules.words import ANY, Scope

_LONGEST: Final = 998
"""Characters that a line may have at most (RFC 5322, 2.1.1)."""
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that a letter tells: what it is and how it stands, and below it when and how it was said, and where it is found again."""

    text: str
    below: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """A letter in words, for both of its forms."""

    language: str
    direction: str
    subject: str
    heading: str
    intro: str
    lines: tuple[Line, ...]
    before_button: str
    button: str
    button_line: str
    until: str
    footer: str
    preferences: str
    preferences_line: str
    privacy: str
    privacy_line: str
    draft: Draft = field(repr=False)


def compose(draft: Draft) -> Mail:
    """The mail that says a draft. Raises ValueError for text that no header may hold (line breaks, control characters)."""
    words = _words(draft)
    to, mailbox = wire_address(draft.to), parseaddr(draft.sender.mailbox)
    sender = wire_address(mailbox[1])
    headers = (
        ("From", _mailbox(mailbox[0], sender)),
        ("To", to),
        ("Subject", words.subject),
        ("Date", format_datetime(datetime.fromtimestamp(draft.now // SECOND, UTC))),
        ("Message-ID", f"<{draft.id}@{sender.rpartition('@')[2]}>"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        *draft.headers,
    )
    plain_ascii = to.isascii() and sender.isascii()
    message = EmailMessage(policy=_Unfolded(linesep="\r\n", utf8=not plain_ascii))
    for name, value in headers:
        if _CONTROLS.search(value):
            raise ValueError(f"the header {name} must not hold line breaks or control characters")
        message[name] = value
    message.set_content(_templates().get_template("letter.txt").render(words=words), cte="quoted-printable")
    message.make_alternative(boundary=f"=_{draft.id.hex}")
    message["Content-Language"] = words.language  # not before: making it an alternative would take it along into the first part
    message.add_alternative(_templates().get_template("letter.html").render(words=words), subtype="html", cte="quoted-printable")
    return Mail(draft.id, to, message.as_bytes())


class _Unfolded(EmailPolicy):
    """Leaves headers of plain ASCII on one line: folding would put encoded words into the URLs of List-Unsubscribe."""

    def fold_binary(self, name: str, value: str) -> bytes:
        """The header as it goes over the wire."""
        line = f"{name}: {value}"
        if value.isascii() and len(line) <= _LONGEST and not _CONTROLS.search(value):
            return f"{line}\r\n".encode("ascii")
        return super().fold_binary(name, value)


def wire_address(given: str) -> str:
    """An address as it goes over the wire: the local part as it was written, the domain in A-labels. Raises ValueError."""
    value = parse_address("email", given, default_region=None).value
    return f"{given.strip().rpartition('@')[0]}@{value.rpartition('@')[2]}"


def _mailbox(name: str, address: str) -> str:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{address}>' if name else address


def _words(draft: Draft) -> Words:
    texts = texts_of(draft.language)
    company = draft.sender.company
    lines = [*(_changed(one, draft, texts) for one in draft.changes), *(Line(_what(scope, draft, texts)) for scope in draft.scopes)]
    button = texts.t(f"{draft.kind}.button") if draft.act_url else ""
    preferences, privacy = texts.t("preferences"), texts.t("privacy")
    return Words(
        language=texts.code,
        direction=texts.direction,
        subject=texts.t(f"{draft.kind}.subject", company=company),
        heading=texts.t(f"{draft.kind}.heading"),
        intro=texts.t(f"{draft.kind}.intro", company=company),
        lines=tuple(lines),
        before_button=texts.t(f"{draft.kind}.before_button") if button else "",
        button=button,
        button_line=texts.t("plain_button", button=button, url=draft.act_url),
        until=texts.t("until", moment=texts.moment(draft.until)) if draft.until else "",
        footer=texts.t(f"{draft.kind}.footer"),
        preferences=preferences,
        preferences_line=texts.t("plain_button", button=preferences, url=draft.preferences_url),
        privacy=privacy,
        privacy_line=texts.t("plain_button", button=privacy, url=draft.sender.privacy_url),
        draft=draft,
    )


def _changed(change: Changed, draft: Draft, texts: Texts) -> Line:
    if change.kind == "pause":
        head = texts.t("paused", date=texts.date(change.until)) if change.until else texts.t("resumed")
    else:
        state = {"opted_in": "on", "opted_out": "off"}.get(change.new, "reset")
        head = texts.t("line", what=_what(change.scope, draft, texts), state=texts.t(state))
    how = texts.t(f"how.{change.src}") if texts.has(f"how.{change.src}") else ""
    said = texts.t("said", moment=texts.moment(change.at), how=how) if how else texts.moment(change.at)
    return Line(head, f"{said}.", texts.t("reference", reference=reference(change.entry)))


def _what(scope: Scope, draft: Draft, texts: Texts) -> str:
    """What a scope is called: its category's title, or everything of a channel, or everything."""
    company = draft.sender.company
    channel = texts.t(f"channels.{scope.channel}") if texts.has(f"channels.{scope.channel}") else scope.channel
    if scope.category == ANY:
        return texts.t("everywhere", company=company) if scope.channel == ANY else texts.t("everything", company=company, channel=channel)
    title = _title(scope.category, draft, texts)
    return title if scope.channel in (ANY, "email") else texts.t("on_channel", title=title, channel=channel)


def _title(key: str, draft: Draft, texts: Texts) -> str:
    """A category's title: translated where it is the built-in one, else as the company's catalogue has it."""
    own, built_in = draft.catalogue.get(key), DEFAULT.get(key)
    if texts.has(f"categories.{key}") and own is not None and built_in is not None and own.title == built_in.title:
        return texts.t(f"categories.{key}")
    return own.title if own is not None else key


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("sayso.mail", "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )

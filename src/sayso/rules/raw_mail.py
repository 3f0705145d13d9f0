"""Raw mail: a message as it goes over the wire, read into what a linter looks at. Nothing is fetched and nothing run.

Broken mail must be readable too, that is what a linter is for: unknown charsets and bad encodings give replacement characters.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.policy import compat32
from html.parser import HTMLParser
from typing import Final, Literal

LONGEST_BODY: Final = 2_000_000
"""Characters of a part that are read; nobody reads mail that is longer, and mail programs cut it far earlier."""
_VOID: Final = frozenset("area base br col embed hr img input link meta source track wbr".split())
_UNSEEN: Final = frozenset({"script", "style", "head", "title", "template", "noscript"})
_HIDING: Final = re.compile(r"display:none|visibility:hidden|font-size:0(?![.\d])|max-height:0(?![.\d])|opacity:0(?![.\d])|mso-hide:all")
_URL: Final = re.compile(r"(?:https?://|mailto:)[^\s<>\"']+", re.IGNORECASE)


class NoMail(ValueError):
    """These bytes are no message: they have no header."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: its name, how it stands, what was found, and how to mend it ("" where nothing is to mend)."""

    name: str
    level: Literal["ok", "warn", "fail"]
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A link in a body: where it leads, the words it is shown with (in plain text the whole line), and whether people cannot see it."""

    url: str
    words: str
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """One way the message reads: the words people see, and the links."""

    words: str
    anchors: tuple[Anchor, ...]


@dataclass(frozen=True, slots=True)
class RawMail:
    """A message: headers by name in lower case, each with its values unfolded and in order; its plain and its HTML body."""

    headers: Mapping[str, tuple[str, ...]]
    plain: Body | None
    html: Body | None

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a header, in order."""
        return self.headers.get(name.lower(), ())

    @property
    def bodies(self) -> tuple[Body, ...]:
        """The bodies there are."""
        return tuple(body for body in (self.plain, self.html) if body is not None)


def read_mail(raw: bytes) -> RawMail:
    """The message in these bytes. Raises NoMail when there is no header at all."""
    message = message_from_bytes(raw.removeprefix(b"\xef\xbb\xbf"), policy=compat32)
    headers: dict[str, list[str]] = {}
    for name, value in message.items():
        headers.setdefault(name.lower(), []).append(re.sub(r"\r?\n[ \t]*|\r", " ", str(value)).strip())
    if not headers:
        raise NoMail("no header: give the raw message, as a mail program saves it or a server receives it")
    plain = html = None
    for part in message.walk():
        kind = part.get_content_type()
        if part.is_multipart() or part.get_content_disposition() == "attachment":
            continue
        if kind == "text/plain" and plain is None:
            plain = _plain(_text(part))
        elif kind == "text/html" and html is None:
            html = _html(_text(part))
    return RawMail({name: tuple(values) for name, values in headers.items()}, plain, html)


def decoded(value: str) -> str:
    """A header's text with its encoded words read (RFC 2047); as it stands where they cannot be."""
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError):
        return value


def _text(part: "Message[str, str]") -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        text = content.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        text = content.decode("utf-8", "replace")
    return text[:LONGEST_BODY]


def _plain(text: str) -> Body:
    lines = text.splitlines()
    anchors = []
    for n, line in enumerate(lines):
        # What a link is for often stands in the line above it.
        said = f"{lines[n - 1] if n else ''} {line}"
        anchors += [Anchor(found.group().rstrip(".,;:)]"), said.strip()) for found in _URL.finditer(line)]
    return Body(text, tuple(anchors))


def _html(text: str) -> Body:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return Body(
        " ".join(reader.words), tuple(Anchor(url, " ".join(" ".join(words).split()), unseen) for url, words, unseen in reader.anchors)
    )


class _Reader(HTMLParser):
    """Collects what is seen and where links lead; knows nothing of style sheets, only of styles written at an element."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.anchors: list[tuple[str, list[str], bool]] = []
        self.open: list[tuple[str, bool]] = []
        self.within: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        hidden = tag in _UNSEEN or "hidden" in given or bool(_HIDING.search(re.sub(r"\s+", "", given.get("style", "").lower())))
        if tag in ("a", "area") and given.get("href"):
            self.within = [given.get("aria-label", ""), given.get("title", "")]
            self.anchors.append((given["href"].strip(), self.within, hidden or self.unseen))
        elif tag == "img" and self.within is not None:
            self.within.append(given.get("alt", ""))
        if tag not in _VOID and len(self.open) < 1_000:
            self.open.append((tag, hidden))

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self.within = None
        for n in range(len(self.open) - 1, max(len(self.open) - 50, -1), -1):
            if self.open[n][0] == tag:
                del self.open[n:]
                return

    def handle_data(self, data: str) -> None:
        if self.within is not None:
            self.within.append(data)
        if not self.unseen and data.strip():
            self.words.append(" ".join(data.split()))

    @property
    def unseen(self) -> bool:
        """Whether something around the place being read hides it."""
        return any(hidden for _, hidden in self.open)

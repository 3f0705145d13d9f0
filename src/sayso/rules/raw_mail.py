"""Raw mail: a message as it goes over the wire, read into what a linter looks at. Nothing is fetched and nothing run.

Broken mail must be readable too, that is what a linter is for: unknown charsets and bad encodings give replacement characters.
"""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.policy import compat32
from html import unescape
from typing import Final, Literal

LONGEST_BODY: Final = 1_000_000
"""Characters of a part that are read; nobody reads mail that is longer, and mail programs cut it far earlier."""
MOST_ANCHORS: Final = 5_000
DEEPEST: Final = 1_000
_END: Final = re.compile(r"</(?P<name>[A-Za-z][^\s/>]*+)")
_TAG: Final = re.compile(r"""<(?P<name>[A-Za-z][^\s/>]*+)(?P<rest>(?:[^>"']|"[^"]*+"|'[^']*+')*+)>""")
_ATTRIBUTE: Final = re.compile(r"""(?P<name>[^\s=/"'>]++)(?:\s*+=\s*+(?P<value>"[^"]*+"|'[^']*+'|[^\s"'>]++))?""")
_RAW: Final = frozenset({"script", "style", "title", "textarea", "noscript"})
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
    try:
        return _read(message_from_bytes(raw.removeprefix(b"\xef\xbb\xbf"), policy=compat32))
    except RecursionError:
        raise NoMail("its parts are nested too deeply to be read") from None


def _read(message: "Message[str, str]") -> RawMail:
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
    assert isinstance(content, bytes)  # only several parts together have none
    try:
        text = content.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        text = content.decode("utf-8", "replace")
    return text[:LONGEST_BODY]


def _plain(text: str) -> Body:
    # What a link is for stands before it, often in the line above.
    found = itertools.islice(_URL.finditer(text), MOST_ANCHORS)
    anchors = (Anchor(one.group().rstrip(".,;:)]"), text[max(one.start() - 160, 0) : one.end() + 40]) for one in found)
    return Body(text, tuple(anchors))


def _html(text: str) -> Body:
    """What an HTML body shows, read in one pass: a start tag that never ends is the end of the body, as it is for people."""
    page = _Page()
    at = 0
    while 0 <= at < len(text):
        start = text.find("<", at)
        page.say(text[at : start if start >= 0 else len(text)])
        if start < 0:
            break
        follows = text[start + 1 : start + 2]
        if text.startswith("<!--", start):
            at = _behind(text, "-->", start + 4)
        elif follows in ("/", "!", "?"):
            if ended := _END.match(text, start):
                page.leave(ended["name"].lower())
            at = _behind(text, ">", start)
        elif not follows.isalpha():
            page.say("<")
            at = start + 1
        elif tag := _TAG.match(text, start):
            page.meet(tag)
            at = _end_of(text, tag["name"], tag.end()) if tag["name"].lower() in _RAW else tag.end()
        else:
            break
    return page.body()


def _behind(text: str, mark: str, at: int) -> int:
    """The place behind the next mark; -1 where there is none."""
    end = text.find(mark, at)
    return end + len(mark) if end >= 0 else -1


def _end_of(text: str, name: str, at: int) -> int:
    """Where the end tag of a script or style begins; -1 where it has none."""
    found = re.compile(f"</{re.escape(name)}", re.IGNORECASE).search(text, at)
    return found.start() if found else -1


def _plainly(text: str) -> str:
    """The text with its character references read."""
    try:
        return unescape(text)
    except ValueError:  # a number of more digits than anybody writes
        return text


class _Page:
    """Collects what is seen and where links lead; knows nothing of style sheets, only of styles written at an element."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.anchors: list[tuple[str, list[str], bool]] = []
        self.open: list[tuple[str, bool]] = []
        self.hidden = 0
        self.within: list[str] | None = None

    def say(self, text: str) -> None:
        """Takes text between tags."""
        if not text.strip():
            return
        words = " ".join(_plainly(text).split())
        if self.within is not None:
            self.within.append(words)
        if not self.hidden:
            self.words.append(words)

    def meet(self, tag: "re.Match[str]") -> None:
        """Takes a start tag."""
        name = tag["name"].lower()
        given = {one["name"].lower(): _plainly((one["value"] or "").strip("\"'")) for one in _ATTRIBUTE.finditer(tag["rest"])}
        unseen = name in _UNSEEN or "hidden" in given or bool(_HIDING.search(re.sub(r"\s+", "", given.get("style", "").lower())))
        if name in ("a", "area") and given.get("href") and len(self.anchors) < MOST_ANCHORS:
            self.within = [given.get("aria-label", ""), given.get("title", "")]
            self.anchors.append((given["href"].strip(), self.within, unseen or self.hidden > 0))
        elif name == "img" and self.within is not None:
            self.within.append(given.get("alt", ""))
        if name not in _VOID and len(self.open) < DEEPEST:
            self.open.append((name, unseen))
            self.hidden += unseen

    def leave(self, name: str) -> None:
        """Takes an end tag."""
        if name == "a":
            self.within = None
        for n in range(len(self.open) - 1, max(len(self.open) - 50, -1), -1):
            if self.open[n][0] == name:
                self.hidden -= sum(unseen for _, unseen in self.open[n:])
                del self.open[n:]
                return

    def body(self) -> Body:
        """What was collected."""
        anchors = (Anchor(url, " ".join(" ".join(words).split()), unseen) for url, words, unseen in self.anchors)
        return Body(" ".join(self.words), tuple(anchors))

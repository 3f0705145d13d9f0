"""Forms that people and mail systems send: read in both encodings within limits, and the hidden field that binds ours to their link."""

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from sayso.rules.tokens import BadToken, Ring, pack, read, sign, unpack

LONGEST: Final = 65_536
FIELDS: Final = 500
_TEXT: Final = 2_000
URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"


class BadForm(ValueError):
    """A body that is no form of ours. `kind` names the text that tells why: broken, too_large, stale_form."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, in order; of a field that stands several times `one` gives the last."""

    fields: tuple[tuple[str, str], ...] = ()

    def one(self, name: str) -> str:
        """A field's value without white space around it, "" where it is missing."""
        return next((value.strip() for held, value in reversed(self.fields) if held == name), "")

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a field."""
        return tuple(value for held, value in self.fields if held == name)

    @property
    def given(self) -> Mapping[str, str]:
        """What was typed, for showing it again."""
        return {name: self.one(name) for name, _ in self.fields if name != "form"}


async def read_form(request: Request) -> Form:
    """The form of a request, urlencoded or multipart, at most 64 KiB. Raises BadForm."""
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > LONGEST:
        raise BadForm("too_large")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LONGEST:
            raise BadForm("too_large")
    kind = request.headers.get("content-type", URLENCODED).partition(";")[0].strip().lower()
    try:
        if kind == URLENCODED:
            pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS)
        elif kind == MULTIPART:
            pairs = await _multipart(request, bytes(body))
        else:
            raise BadForm("broken")
    except (ValueError, MultiPartException, KeyError) as wrong:
        raise wrong if isinstance(wrong, BadForm) else BadForm("broken") from wrong
    return Form(tuple((name, _sound(value)) for name, value in pairs))


async def _multipart(request: Request, body: bytes) -> list[tuple[str, str]]:
    async def once() -> AsyncIterator[bytes]:
        yield body
        yield b""

    parser = MultiPartParser(request.headers, once(), max_files=0, max_fields=FIELDS, max_part_size=LONGEST)  # type: ignore[arg-type]  # any iterator will do
    found = await parser.parse()
    return [(name, value) for name, value in found.multi_items() if isinstance(value, str)]


def _sound(text: str) -> str:
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise BadForm("broken")
    return text[:_TEXT]


@dataclass(frozen=True, slots=True)
class Bound:
    """What a form of ours was drawn with: the version of the texts it showed, and the entries a reason may be given for."""

    wording: str
    entries: tuple[str, ...] = ()


def form_token(ring: Ring, link: str, bound: Bound) -> str:
    """The hidden field of a form behind a link. It never ends: a page that was open for long must still stop mail."""
    return sign(ring, "form", pack(_digest(link), bound.wording, ",".join(bound.entries)), expires_at=None)


def bound_by(ring: Ring, link: str, text: str, now: int) -> Bound:
    """What the hidden field says. Raises BadForm when it is missing, of another link, or not ours."""
    try:
        digest, wording, entries = unpack(read(ring, text, kinds=["form"], now=now).payload, 3)
    except BadToken as bad:
        raise BadForm("stale_form") from bad
    if not hmac.compare_digest(digest, _digest(link)):
        raise BadForm("stale_form")
    return Bound(wording.decode(), tuple(entry for entry in entries.decode().split(",") if entry))


def _digest(link: str) -> bytes:
    return hashlib.sha256(link.encode("utf-8", "surrogatepass")).digest()[:16]

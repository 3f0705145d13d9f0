"""Path segments that hold anything: contact ids and addresses with slashes, spaces or letters of any script.

Servers decode the path before it is routed, which makes `a%2Fb` two segments. Here each segment is decoded by itself, and a slash
inside one travels as a character that no text can hold, until the convertor `id` gives it back.
"""

from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import Scope

_SLASH: Final = "\udc2f"


class BadPath(ValueError):
    """A path that is not percent-encoded UTF-8, or holds a NUL."""


class SegmentConvertor(Convertor[str]):
    """One path segment as it was meant."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        """The text of the segment."""
        return value.replace(_SLASH, "/")

    def to_string(self, value: str) -> str:
        """The segment for a text."""
        return value.replace("/", _SLASH)


register_url_convertor("id", SegmentConvertor())


def decoded(scope: Scope) -> str:
    """The path to route by, from the raw one. Raises BadPath."""
    raw: bytes = (scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass")).partition(b"?")[0]
    if b"%" not in raw:
        text = _text(raw)
    else:
        text = "/".join(_text(unquote_to_bytes(segment)).replace("/", _SLASH) for segment in raw.split(b"/"))
    return text


def _text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadPath("the path is not percent-encoded UTF-8") from None
    if "\0" in text:
        raise BadPath("the path holds a NUL character")
    return text

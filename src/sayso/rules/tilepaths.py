"""The addresses under which a tiled log is served, and the bundles that carry its entries.

`tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]`, N in groups of three digits, all but the last with an `x` before them
(1234067 is `x001/x234/067`). A bundle is each entry behind its length as big-endian uint16. Source: C2SP tlog-tiles.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sayso.rules.tiles import WIDTH, width_at

ENTRY_BYTES_MAX = 65_535
_LEVEL_MAX = 63
_GROUP = 1000
_PATH = re.compile(r"tile/(?P<level>0|[1-9][0-9]?|entries)/(?P<n>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?", re.ASCII)
_DIGITS_MAX = 18


class PathRefused(ValueError):
    """No tile has this path."""


class BundleRefused(ValueError):
    """Entries that cannot be bundled, or bytes that are no bundle."""


@dataclass(frozen=True, slots=True)
class TilePath:
    """One served file: hash tile n of a level, or (level None) the bundle of the same entries; width 1 to 256 hashes."""

    level: int | None
    n: int
    width: int = WIDTH


def path_text(path: TilePath) -> str:
    """The relative address of one tile or bundle, as `tile/0/x001/067.p/12`."""
    groups = [f"{path.n % _GROUP:03d}"]
    rest = path.n // _GROUP
    while rest:
        groups.append(f"x{rest % _GROUP:03d}")
        rest //= _GROUP
    kind = "entries" if path.level is None else str(path.level)
    partial = f".p/{path.width}" if path.width < WIDTH else ""
    return f"tile/{kind}/{'/'.join(reversed(groups))}{partial}"


def parse_path(text: str) -> TilePath:
    """The tile or bundle at this relative address; every tile has exactly one. Raises PathRefused."""
    match = _PATH.fullmatch(text)
    if match is None:
        raise PathRefused("no tile has this path")
    digits = match["n"].replace("x", "").replace("/", "")
    if len(digits) > _DIGITS_MAX:
        raise PathRefused("no log has that many tiles")
    level = None if match["level"] == "entries" else int(match["level"])
    found = TilePath(level, int(digits), int(match["width"] or WIDTH))
    if (level or 0) > _LEVEL_MAX or path_text(found) != text:
        raise PathRefused("no tile has this path")
    return found


def paths_at(size: int) -> Iterator[TilePath]:
    """Every tile and bundle of a tree of this size, level by level, bundles first."""
    for level in (None, *range((max(size, 1).bit_length() + 7) // 8)):
        n = 0
        while width := width_at(level or 0, n, size):
            yield TilePath(level, n, width)
            n += 1


def bundle(entries: Iterable[bytes]) -> bytes:
    """The bundle of these entries. Raises BundleRefused for an entry above 65,535 bytes."""
    parts = []
    for entry in entries:
        if len(entry) > ENTRY_BYTES_MAX:
            raise BundleRefused(f"an entry has {len(entry)} bytes, {ENTRY_BYTES_MAX} is the most a bundle can carry")
        parts.append(len(entry).to_bytes(2, "big"))
        parts.append(entry)
    return b"".join(parts)


def unbundle(data: bytes) -> list[bytes]:
    """The entries of a bundle, in order. Raises BundleRefused when the bytes do not end with an entry."""
    found = []
    place = 0
    while place < len(data):
        start = place + 2
        end = start + int.from_bytes(data[place:start], "big")
        if end > len(data) or start > len(data):
            raise BundleRefused("a bundle ends inside an entry")
        found.append(data[start:end])
        place = end
    return found

"""What strangers put where something else was meant: odd texts, odd JSON, and good documents with an odd part."""

import copy
import json
from typing import Any

from hypothesis import strategies as st

TEXTS = (
    "", " ", "\0", "\ud800", "\udfff\ud800", "\udc2f", "\ufeff", "\u202e", "\u2028", "\x7f", "\x85", "a\r\nX: y", "%00", "%2e%2e%2f", "../../etc/passwd",
    "'; DROP TABLE subject; --", "{{7*7}}", "${7*7}", "<script>", "=1+1", "@SUM(A1)", "NaN", "Infinity", "1e999", "null", "true", "-0", "0x7f.1",
    "9" * 400, "x" * 5000, "💥" * 70, "e\u0301" * 40, "\u0130", "ﬃ", "ß" * 65, "𝕏@𝕏.𝕏", "@", "a@b", "a@" + "b." * 130 + "c", '"a b"@c.de', "a@[::1]",
    "+", "+0", "+1" + "2" * 30, "٠١٢", "1970-01-01T00:00:00Z", "9999-12-31T23:59:60Z", "2026-02-30T00:00:00Z", "0000-00-00T00:00:00Z",
    "2026-11-22T10:00:00+99:99", "10000-01-01T00:00:00Z", "http://[", "https://a:99999/", "https://\u2100.example", "https://a@b", "//", "*", "ALL", "MAIL",
)  # fmt: skip
texts = st.sampled_from(TEXTS) | st.text(st.characters(), max_size=24)
numbers = st.sampled_from([0, -1, 1 << 31, 1 << 63, -(1 << 63) - 1, 10**300, 0.5, -0.0, 1e308, 5e-324]) | st.integers() | st.floats()
leaves = st.none() | st.booleans() | numbers | texts
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=8)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every part of a JSON value."""
    found = [path]
    if isinstance(value, dict):
        for name, item in value.items():
            found += places(item, (*path, name))
    elif isinstance(value, list):
        for n, item in enumerate(value):
            found += places(item, (*path, n))
    return found


@st.composite
def spoilt(draw: st.DrawFn, *good: Any) -> Any:
    """A good document of which one to three parts are something else, are gone, or are there twice in another way."""
    found = copy.deepcopy(draw(st.sampled_from(good)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(found)))
        if not path:
            found = draw(values) if draw(st.integers(0, 9)) == 0 else found
            continue
        holder = found
        for part in path[:-1]:
            holder = holder[part]
        match draw(st.sampled_from(["other", "other", "other", "gone", "more"])):
            case "other":
                holder[path[-1]] = draw(values)
            case "gone":
                del holder[path[-1]]
            case "more" if isinstance(holder, dict):
                holder[draw(texts)] = draw(values)
            case "more":
                holder += [copy.deepcopy(holder[path[-1]])] * draw(st.integers(1, 5))
    return found


def written(value: Any) -> bytes:
    """The JSON of it as a careless program would write it: lone surrogates, NaN and all."""
    return json.dumps(value, ensure_ascii=True).encode()


cut = st.tuples(st.floats(0, 1), st.binary(max_size=3), st.integers(0, 3))
"""Where bytes are broken, what is put there, and how many are taken out."""


def broken(raw: bytes, how: tuple[float, bytes, int]) -> bytes:
    """The bytes with some replaced."""
    at = int(how[0] * len(raw))
    return raw[:at] + how[1] + raw[at + how[2] :]

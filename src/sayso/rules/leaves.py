"""Ledger leaves: the canonical JSON bytes of one entry, and the commitment to the personal part that is kept apart from it.

A leaf is UTF-8 JSON with sorted keys, no spaces, integers only, at most 65,535 bytes. Its fields are a closed list of which none
carries personal data: people are pseudonyms, details are only committed to, so that erasing them breaks no proof.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NoReturn

LEAF_BYTES_MAX: Final = 65_535
SALT_BYTES: Final = 32
_COMMITMENT_LABEL: Final = b"sayso/detail/1\0"
_INT_END: Final = 1 << 63
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_PSEUDONYM: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_HASH_OR_NONE: Final = re.compile(r"(?:[0-9a-f]{64})?", re.ASCII)
_WORD: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)


class LeafRefused(ValueError):
    """Fields or bytes that are no leaf; the text names the field, never its value."""


def build(fields: Mapping[str, Any]) -> bytes:
    """The bytes of the leaf with these fields. Raises LeafRefused for unknown, missing or badly shaped ones, and above the limit."""
    try:
        leaf = _at_once(fields) or _closely(fields)
    except UnicodeEncodeError as error:
        raise LeafRefused("a leaf is UTF-8, this text cannot be encoded") from error
    if len(leaf) > LEAF_BYTES_MAX:
        raise LeafRefused(f"a leaf has at most {LEAF_BYTES_MAX} bytes, this one has {len(leaf)}")
    return leaf


def _at_once(fields: Mapping[str, Any]) -> bytes | None:
    """The bytes of a leaf that one pattern shows to be well shaped; None for all others, they are looked at closely."""
    try:
        text = _WRITER.encode(fields)
    except (TypeError, ValueError):
        return None
    fits = _FORM.fullmatch(text) is not None and (fields["ver"] == 1) == (fields["prev"] == "")
    return text.encode() if fits else None


def _closely(fields: Mapping[str, Any]) -> bytes:
    _check(fields)
    return _canonical(fields)


def parse(leaf: bytes) -> dict[str, Any]:
    """The fields of a leaf. Raises LeafRefused for everything that `build` would not have written byte for byte."""
    if len(leaf) > LEAF_BYTES_MAX:
        raise LeafRefused(f"a leaf has at most {LEAF_BYTES_MAX} bytes")
    try:
        text = leaf.decode("utf-8")
        if (fields := _quickly(text)) is not None:
            return fields
        fields = _READER.decode(text)
    except LeafRefused:
        raise
    except (ValueError, RecursionError) as error:
        raise LeafRefused("a leaf is UTF-8 JSON") from error
    if not isinstance(fields, dict):
        raise LeafRefused("a leaf is a JSON object")
    if build(fields) != leaf:
        raise LeafRefused("a leaf has one canonical form, this is another")
    return fields


def _quickly(text: str) -> dict[str, Any] | None:
    """The fields of a leaf that one pattern shows to be as `build` writes them; None for all others, they are looked at closely.

    An audit reads millions of leaves: one match gives their fields too, in a small part of the time that checking and writing them again takes.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    about, act, at, by, d, effect, one, own, prev, rule, scope, src, strong, sub, kind, ts, ver, via, x = match.groups()
    extra = _extra(x) if x else {}
    if extra is None or (ver == "1") != (prev == ""):
        return None
    if "\\" in text:
        found: dict[str, Any] = json.loads(text)
        return found
    fields: dict[str, Any] = {
        "act": act, "at": int(at), "by": by, "d": d, "effect": effect, "id": one, "prev": prev, "src": src, "sub": sub, "t": kind,
        "ts": int(ts), "v": 1, "ver": int(ver), "via": via,
    }  # fmt: skip
    if scope:
        fields["scope"] = scope[1:-1].split('","')
    if strong or own or about or rule:
        seldom = {"strong": strong and 1, "own": own and 1, "about": about, "rule": rule}
        fields.update({name: value for name, value in seldom.items() if value})
    if extra:
        fields["x"] = dict(extra)
    return fields


@lru_cache(maxsize=4_096)
def _extra(x: str) -> dict[str, str | int] | None:
    """What stands in `x`, to be copied; None where its names are not in order, or have escapes beside them. Few differ much."""
    pairs = _PAIRS.findall(x)
    found = {name: int(number) if number else words for name, words, number in pairs}
    return found if all(first[0] < second[0] for first, second in pairwise(pairs)) else None


def commitment(salt: bytes, detail: bytes) -> bytes:
    r"""The 32 bytes that bind a leaf to its detail: SHA-256("sayso/detail/1\0" ∥ salt ∥ detail), with 32 random bytes of salt."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"the salt of a commitment has {SALT_BYTES} bytes")
    return hashlib.sha256(_COMMITMENT_LABEL + salt + detail).digest()


def _canonical(fields: Mapping[str, Any]) -> bytes:
    return _WRITER.encode(dict(fields)).encode()


def _no_float(_: str) -> NoReturn:
    raise LeafRefused("numbers in a leaf are whole")


_TEXT: Final = r'(?:[^"\\\x00-\x1f]++|\\["\\bfnrt]|\\u00(?:0[0-7be-f]|1[0-9a-f]))*+'
_NAME: Final = rf'(?!"){_TEXT}'
_COUNT: Final = r"(?:0|[1-9][0-9]{0,17})"
_HEX16, _HEX32 = "[0-9a-f]{32}", "(?:[0-9a-f]{64})?"
_NUMBER: Final = rf"-[1-9][0-9]{{0,17}}|{_COUNT}"
_PAIR: Final = rf'"[a-z][a-z0-9_]*":(?:"{_TEXT}"|{_NUMBER})'
_FORM: Final = re.compile(
    rf'{{(?:"about":"({_HEX16})",)?"act":"({_TEXT})","at":({_COUNT}),"by":"({_TEXT})","d":"({_HEX32})","effect":"({_NAME})",'
    rf'"id":"({_UUID.pattern})",(?:"own":(1),)?"prev":"({_HEX32})",(?:"rule":"({_NAME})",)?'
    rf'(?:"scope":\[("{_NAME}","{_NAME}","{_NAME}")\],)?"src":"({_TEXT})",(?:"strong":(1),)?"sub":"({_HEX16})",'
    rf'"t":"([a-z][a-z0-9_]*)","ts":({_COUNT}),"v":1,"ver":((?!0){_COUNT}),"via":"({_TEXT})"(?:,"x":{{({_PAIR}(?:,{_PAIR})*)}})?}}',
    re.ASCII,
)
"""Leaves as `build` writes them. Refuses a few that it would write too (numbers above 10^18): those are looked at closely."""
_PAIRS: Final = re.compile(rf'"([a-z][a-z0-9_]*)":(?:"({_TEXT})"|({_NUMBER}))', re.ASCII)
_WRITER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_READER: Final = json.JSONDecoder(parse_float=_no_float, parse_constant=_no_float)


def _is_int(value: object) -> bool:
    return type(value) is int and 0 <= value < _INT_END


def _is_text(value: object) -> bool:
    return type(value) is str


def _is_name(value: object) -> bool:
    return type(value) is str and value != ""


def _like(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: type(value) is str and pattern.fullmatch(value) is not None


def _is_scope(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 3 and all(map(_is_name, value))


def _is_extra(value: object) -> bool:
    if not isinstance(value, dict) or not value:
        return False
    named = all(type(name) is str and _WORD.fullmatch(name) for name in value)
    return named and all(_is_text(item) or (type(item) is int and abs(item) < _INT_END) for item in value.values())


_REQUIRED: Final[Mapping[str, Callable[[object], bool]]] = {
    "v": lambda value: type(value) is int and value == 1,
    "id": _like(_UUID),
    "t": _like(_WORD),
    "at": _is_int,
    "ts": _is_int,
    "sub": _like(_PSEUDONYM),
    "ver": lambda value: _is_int(value) and value != 0,
    "prev": _like(_HASH_OR_NONE),
    "act": _is_text,
    "src": _is_text,
    "by": _is_text,
    "via": _is_text,
    "effect": _is_name,
    "d": _like(_HASH_OR_NONE),
}
_OPTIONAL: Final[Mapping[str, Callable[[object], bool]]] = {
    "scope": _is_scope,
    "own": lambda value: type(value) is int and value == 1,
    "strong": lambda value: type(value) is int and value == 1,
    "rule": _is_name,
    "about": _like(_PSEUDONYM),
    "x": _is_extra,
}
_FIELDS: Final = {**_REQUIRED, **_OPTIONAL}


def _check(fields: Mapping[str, Any]) -> None:
    missing = _REQUIRED.keys() - fields.keys()
    if missing:
        raise LeafRefused(f"a leaf needs {', '.join(sorted(missing))}")
    for name, value in fields.items():
        is_fit = _FIELDS.get(name)
        if is_fit is None:
            raise LeafRefused(f"a leaf has no field {str(name)[:32]!r}")
        if not is_fit(value):
            raise LeafRefused(f"the leaf field {name} has a value that does not fit it")
    if (fields["ver"] == 1) != (fields["prev"] == ""):
        raise LeafRefused("the first leaf of a chain has no prev, every later one has")

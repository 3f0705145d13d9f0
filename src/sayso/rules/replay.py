"""Replay: one subject's chain of leaves, checked link by link and folded into the state it must have given.

Takes leaves in the order of the chain. Knows nothing of the tree; says what is wrong in words, without personal data.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple

import msgspec

from sayso.rules.entries import KINDS, Entry, entry_of
from sayso.rules.leaves import LEAF_BYTES_MAX, LeafRefused, parse
from sayso.rules.state import EMPTY, State, fold, to_bytes
from sayso.rules.values import Value
from sayso.rules.words import Scope

ERASED = "erased"
"""The act that ends a chain for good: after it, and only then, a chain may have no subject any more."""
ACT_LETTERS: Final = 64
"""How much of a leaf's act its column holds."""

Place = tuple[int, int]
"""Where an entry stands: (log, seq)."""
Columns = tuple[int, int, str, str, str | None, str | None, str | None, str, str]
"""What is copied from a leaf: ver, at, kind, the first letters of act, scope (brand, channel, category; all None without), src, effect."""


class Link(Value, frozen=True):
    """Where a chain stands after some leaves: its pseudonym, folded state, newest leaf hash and act, and place in its log."""

    sub: str
    state: State = EMPTY
    head: bytes = b""
    act: str = ""
    place: Place | None = None


class Replayed(Value, frozen=True):
    """A chain after one more leaf: the fields (None when unreadable), the new link, and what is wrong with the leaf.

    `breaks`: its prev is not the hash of the leaf before it, so one of the two was changed. `gap`: it does not stand right after that
    leaf in its chain, so what is wrong may stand between the two.
    """

    fields: Mapping[str, Any] | None
    link: Link
    problems: tuple[str, ...]
    breaks: bool = False
    gap: str = ""


def replay(link: Link, leaf: bytes, place: Place | None) -> Replayed:
    """The chain after one more leaf. `place` is (log, seq), None for an entry that is not sequenced yet.

    A leaf that cannot be read or folded leaves the state as it was, but its hash becomes the head: the next leaf shows whether it
    was changed later.
    """
    head = sha256(b"\0" + leaf).digest()  # leaf_hash, without a call for each
    try:
        fields = parse(leaf)
        entry = entry_of(fields)
        state = fold(link.state, entry)
    except (LeafRefused, KeyError, ValueError) as error:
        return Replayed(None, Link(link.sub, link.state, head, link.act, place), (f"no leaf: {error}",))
    problems = []
    if entry.sub != link.sub:
        problems.append("the leaf is of another subject")
    ver, length = fields["ver"], link.state.length
    gap = f"place {ver} of its chain follows place {length}" if ver != length + 1 else ""
    if entry.at <= link.state.last_at:
        problems.append("it is not later than the leaf before it in its chain")
    if link.act == ERASED:
        problems.append("its chain had ended with an erasure")
    problems += _misplaced(link.place, place)
    after = Link(link.sub, state, head, entry.act, place)
    return Replayed(fields, after, tuple(problems), fields["prev"] != link.head.hex(), gap)


def follow(link: Link, leaf: bytes, place: Place | None, one: str, columns: Columns) -> tuple[Link, str] | None:
    """The chain after a leaf that is all it should be, and the commitment in it (hex); None for every other leaf. `one` is the entry's id.

    An audit reads millions of sound leaves: this tells them from all others in a fraction of the time in which `replay` and a
    look at each column say what is wrong. What it lets through, `replay` finds nothing wrong with.
    """
    ver, at, kind, act, brand, channel, category, src, effect = columns
    state, before, prev = link.state, link.place, link.head.hex()
    try:
        read = _READER.decode(leaf)
        shown = read.act[:ACT_LETTERS] == act or (read.act == "custom" and kind == "event")
        same = shown and (brand, channel, category) == (read.scope or _NO_SCOPE)
        # What columns and chain say is put in, and all of it written again: the same bytes come out of nothing but the leaf it should be.
        read.id, read.sub, read.ver, read.at, read.t, read.src, read.effect, read.prev = one, link.sub, ver, at, kind, src, effect, prev
        if not same or _WRITER.encode(read) != leaf or len(leaf) > LEAF_BYTES_MAX:
            return None
        if ver != state.length + 1 or at <= state.last_at or link.act == ERASED or (ver == 1) != (prev == "") or not _shaped(read):
            return None
        if before is not None and place is not None and place[0] == before[0] and place[1] <= before[1]:
            return None
        x = _extra(bytes(read.x)) if read.x is not _NO_EXTRA else _NOTHING
        if x is None:
            return None
        entry = Entry(
            one, link.sub, kind, at, read.ts, read.act, src, read.by, read.via, effect, _scope(read.scope) if read.scope else None,
            read.own == 1, read.strong == 1, x.method, read.rule, read.about, x.old, x.new, x.until, x.since, x.other, x.other_kind,
            x.primary, x.rest,
        )  # fmt: skip
        return Link(link.sub, fold(state, entry), sha256(b"\0" + leaf).digest(), read.act, place), read.d
    except (msgspec.MsgspecError, ValueError, KeyError, OverflowError, RecursionError):
        return None


def state_bytes(state: State) -> bytes:
    """The bytes a store keeps for this state: none where nothing was folded in."""
    found = to_bytes(state)
    return b"" if found == b"{}" else found


def _misplaced(before: Place | None, place: Place | None) -> list[str]:
    if before is None or place is None:
        return []
    if place[0] == before[0] and place[1] <= before[1]:
        return [f"it stands at {place[1]} of the log, before the leaf it follows at {before[1]}"]
    return []


_NO_EXTRA: Final = msgspec.Raw()
_INT_END: Final = 1 << 63
_PSEUDONYM: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_HASH_OR_NONE: Final = re.compile(r"(?:[0-9a-f]{64})?", re.ASCII)


class _Read(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False):
    """A leaf's fields in the order of their names: written again they give the same bytes, or it is not as `build` wrote it."""

    about: str = ""
    act: str
    at: int
    by: str
    d: str
    effect: str
    id: str
    own: Literal[0, 1] = 0
    prev: str
    rule: str = ""
    scope: tuple[str, str, str] | None = None
    src: str
    strong: Literal[0, 1] = 0
    sub: str
    t: str
    ts: int
    v: Literal[1]
    ver: int
    via: str
    x: msgspec.Raw = _NO_EXTRA


_READER: Final = msgspec.json.Decoder(_Read)
_WRITER: Final = msgspec.json.Encoder()
_scope: Final = lru_cache(maxsize=4_096)(Scope._make)


def _shaped(read: _Read) -> bool:
    """Whether every field has the shape that `build` wants, as far as its type does not say so."""
    return (
        read.t in KINDS and 0 <= read.ts < _INT_END and read.effect != "" and len(read.sub) == 32 and read.id[-2:] == read.sub[:2]
        and _HASH_OR_NONE.fullmatch(read.d) is not None and (not read.about or _PSEUDONYM.fullmatch(read.about) is not None)
        and (read.scope is None or "" not in read.scope)
    )  # fmt: skip


_NO_SCOPE: Final = (None, None, None)


class _Extra(NamedTuple):
    """What an entry takes from the field x of its leaf."""

    method: str = ""
    old: str = ""
    new: str = ""
    until: int = 0
    since: int = 0
    other: str = ""
    other_kind: str = ""
    primary: bool = False
    rest: tuple[tuple[str, str | int], ...] = ()


_NOTHING: Final = _Extra()


class _Usual(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """What nearly every x holds, in the order of the names; written again it gives the same bytes, or it is looked at closely."""

    method: str = ""
    new: str = ""
    old: str = ""
    other: str = ""
    other_kind: str = ""
    primary: Literal[0, 1] = 0
    since: int = 0
    until: int = 0


_USUAL_READER: Final = msgspec.json.Decoder(_Usual)


@lru_cache(maxsize=4_096)
def _extra(raw: bytes) -> _Extra | None:
    """The values of x; None where it is not as `build` writes it. Few differ much, but each link names somebody else."""
    try:
        read = _USUAL_READER.decode(raw)
    except msgspec.ValidationError:
        return _unusual(raw)
    if _WRITER.encode(read) != raw or raw == b"{}" or max(abs(read.since), abs(read.until)) >= _INT_END:
        return _unusual(raw)
    return _Extra(read.method, read.old, read.new, read.until, read.since, read.other, read.other_kind, read.primary == 1)


def _unusual(raw: bytes) -> _Extra | None:
    x = _EXTRA_READER.decode(raw)
    names = list(x)
    shaped = (
        names == sorted(names) and all(map(_WORD.fullmatch, names)) and all(type(v) is str or abs(int(v)) < _INT_END for v in x.values())
    )
    if not x or not shaped or _WRITER.encode(x) != raw:
        return None
    found = entry_of({**_BARE, "x": x})
    return _Extra(found.method, found.old, found.new, found.until, found.since, found.other, found.other_kind, found.primary, found.x)


_EXTRA_READER: Final = msgspec.json.Decoder(dict[str, str | int])
_WORD: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_BARE: Final = {**dict.fromkeys(("id", "sub", "t", "act", "src", "by", "via", "effect"), ""), "at": 0, "ts": 0}

"""State: the fold of a subject's entries. Everything in it is a maximum or a set, so no order of entries can change it."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from sayso.rules.entries import Entry
from sayso.rules.values import Value, altered
from sayso.rules.words import Scope

_K = TypeVar("_K")
_V = TypeVar("_V", bound=tuple[Any, ...])

SOFT_KEPT: Final = 5
"""How many of the newest soft bounces are kept: as many as make a streak (standards 2.2)."""
KEPT: Final = "kept"
"""The actor of opt-outs that outlived an erasure: nobody in particular any more."""
ERASURES: Final = ("erasing", "erased")
"""Blocks of an accepted and of a completed erasure."""


_NONE: Final[Mapping[Any, Any]] = {}
"""What a register holds before anybody spoke; shared, and never written to."""


class At(NamedTuple):
    """Where a stamp stands: the scope, who said it, and the contact it was about ("" when none was named)."""

    scope: Scope
    actor: str
    about: str


class Stamp(NamedTuple):
    """One actor's latest word for a scope; greater (ts, out, entry) is later."""

    ts: int
    out: bool
    entry: str
    own: bool
    method: str
    src: str
    since: int = 0
    """When a word that was restored had been said first (0: it was not restored). It is weighed as of then."""

    @property
    def said_at(self) -> int:
        """The time that it is weighed by against the words of others."""
        return self.since or self.ts


class Mark(NamedTuple):
    """The latest word on one block: set or lifted."""

    ts: int
    on: bool
    entry: str


class Pause(NamedTuple):
    """The latest pause of one brand; `until` 0 means ended."""

    ts: int
    until: int
    entry: str


class Link(NamedTuple):
    """A tie to another subject: its kind, and when it was last made the primary one (0: never)."""

    kind: str
    primary: int
    entry: str


class Place(NamedTuple):
    """The latest country that was stated (ISO 3166 alpha-2)."""

    ts: int
    country: str
    entry: str


class State(Value, frozen=True):
    """Registers, blocks, pauses and links of one subject, with its place in the chain."""

    strong: Mapping[At, Stamp] = _NONE
    weak: Mapping[At, Stamp] = _NONE
    left: frozenset[Scope] = frozenset()
    """Scopes that an opt-out was ever said for: tells who came back from who never left."""
    blocks: Mapping[str, Mark] = _NONE
    soft: tuple[tuple[int, str], ...] = ()
    delivered: int = 0
    pauses: Mapping[str, Pause] = _NONE
    links: Mapping[str, Link] = _NONE
    place: Place | None = None
    version: int = 0
    length: int = 0
    last_at: int = 0


EMPTY: Final = State()


def is_tombstone(state: State) -> bool:
    """Whether nothing is held of a subject but what an erasure left: to everybody who asks for data they are unknown."""
    mark = state.blocks.get("erased")
    return state.length == 1 and mark is not None and mark.on


def fold(state: State, entry: Entry) -> State:
    """The state after one more entry of the same subject. `version` moves only when what decides has moved."""
    counts = entry.effect in ("applied", "unchanged", "superseded", "stored")
    if counts and entry.kind == "choice":
        return _with_choice(state, entry)
    if counts and entry.kind == "link":
        return _with_link(state, entry)
    after = _applied(state, entry) if counts else state
    moved = after is not state and _decisive(after) != _decisive(state)
    return altered(after, version=state.version + moved, length=state.length + 1, last_at=max(state.last_at, entry.at))


def _decisive(state: State) -> tuple[object, ...]:
    bounced = state.blocks.get("hard_bounce")
    return (
        state.strong, state.weak, state.blocks, state.pauses, state.links, state.place,
        bool(bounced and bounced.on and bounced.ts >= state.delivered), [soft for soft in state.soft if soft[0] >= state.delivered],
    )  # fmt: skip


def _applied(state: State, entry: Entry) -> State:
    match entry.kind:
        case "block" if entry.act == "soft_bounce" and entry.new == "set":
            kept = sorted({*state.soft, (entry.ts, entry.id)}, reverse=True)[:SOFT_KEPT]
            return altered(state, soft=tuple(sorted(kept)))
        case "block":
            mark = Mark(entry.ts, entry.new == "set", entry.id)
            return altered(state, blocks=_greatest(state.blocks, entry.act, mark))
        case "pause":
            brand = entry.scope.brand if entry.scope else "*"
            return altered(state, pauses=_greatest(state.pauses, brand, Pause(entry.ts, entry.until, entry.id)))
        case "place":
            place = Place(entry.ts, entry.new, entry.id)
            return altered(state, place=max(state.place, place) if state.place else place)
        case "kept":
            return _with_kept(state, entry)
        case "event" if entry.act == "mail.delivered":
            return altered(state, delivered=max(state.delivered, entry.ts))
        case _:
            return state


def _with_choice(state: State, entry: Entry) -> State:
    """The state after a choice, made at once: choices are what there is most of."""
    if entry.scope is None:
        raise ValueError(f"entry {entry.id} is a choice without a scope")
    at = At(entry.scope, entry.by, entry.about)
    stamp = Stamp(entry.ts, entry.new == "opted_out", entry.id, entry.own, entry.method, entry.src, entry.since)
    strong, weak, left = state.strong, state.weak, state.left
    if entry.strong:
        strong = _greatest(strong, at, stamp)
        left = left | {entry.scope} if stamp.out and entry.scope not in left else left
    else:
        weak = _greatest(weak, at, stamp)
    moved = strong is not state.strong or weak is not state.weak
    return altered(
        state, strong=strong, weak=weak, left=left, version=state.version + moved, length=state.length + 1,
        last_at=max(state.last_at, entry.at),
    )  # fmt: skip


def _with_link(state: State, entry: Entry) -> State:
    """The state after a link, made at once: nearly everybody has one."""
    link = Link(entry.other_kind, entry.ts if entry.primary else 0, entry.id)
    known = state.links.get(entry.other)
    moved = known is None or (known.primary, known.entry) < (link.primary, link.entry)
    links = {**state.links, entry.other: link} if moved else state.links
    return altered(state, links=links, version=state.version + moved, length=state.length + 1, last_at=max(state.last_at, entry.at))


def _with_kept(state: State, entry: Entry) -> State:
    """What an erasure left: opt-outs and blocks by nobody in particular, all of them said at that moment; see rules/erasure.py."""
    x = dict(entry.x)
    try:
        outs = [Scope(*scope) for scope in json.loads(str(x["out"]))]
        links = {str(sub): Link(str(kind), int(primary), entry.id) for sub, kind, primary in json.loads(str(x.get("links", "[]")))}
        pauses = {str(brand): Pause(entry.ts, int(until), entry.id) for brand, until in json.loads(str(x.get("pauses", "[]")))}
    except (TypeError, KeyError) as damaged:
        raise ValueError(f"entry {entry.id} does not say what was kept") from damaged
    stamp = Stamp(entry.ts, True, entry.id, False, "explicit", entry.src)
    strong, blocks = state.strong, state.blocks
    for scope in outs:
        strong = _greatest(strong, At(scope, KEPT, ""), stamp)
    for name in str(x["blocks"]).split(","):
        blocks = _greatest(blocks, name, Mark(entry.ts, True, entry.id))
    streak = [(entry.ts + n, entry.id) for n in range(int(x.get("soft", 0)))]
    return altered(
        state,
        strong=strong, left=state.left | frozenset(outs), blocks=blocks, soft=(*state.soft, *streak),
        links={**state.links, **links}, pauses={**state.pauses, **pauses},
    )  # fmt: skip


def _greatest(held: Mapping[_K, _V], key: _K, value: _V) -> Mapping[_K, _V]:
    known = held.get(key)
    return held if known is not None and known[:3] >= value[:3] else {**held, key: value}


class _Row(NamedTuple):
    """One stamp as it is written: where it stands, then the stamp. A word that was never restored leaves `since` out."""

    brand: str
    channel: str
    category: str
    actor: str
    about: str
    ts: int
    out: int
    entry: str
    own: int
    method: str
    src: str
    since: int = 0


class _Written(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A state as JSON holds it, in the order of the names. An unknown name is from a newer version and may be a stop: it is refused."""

    b: dict[str, tuple[int, int, str]] = {}
    c: Place | None = None
    d: int = 0
    k: dict[str, Link] = {}
    l: list[Scope] = []  # noqa: E741 - released rows name it so
    p: dict[str, Pause] = {}
    r: list[_Row] = []
    s: list[tuple[int, str]] = []
    w: list[_Row] = []


_WRITER: Final = msgspec.json.Encoder(order="sorted")
_READER: Final = msgspec.json.Decoder(_Written)


def to_bytes(state: State) -> bytes:
    """Canonical JSON of everything but the place in the chain; equal states give equal bytes."""
    written = _Written(
        b={name: (mark.ts, int(mark.on), mark.entry) for name, mark in state.blocks.items()},
        c=state.place,
        d=state.delivered,
        k=dict(state.links),
        l=sorted(state.left),
        p=dict(state.pauses),
        r=_rows(state.strong),
        s=list(state.soft),
        w=_rows(state.weak),
    )
    return _WRITER.encode(written)


def _rows(register: Mapping[At, Stamp]) -> list[Any]:
    return sorted(
        [
            (*at.scope, at.actor, at.about, s.ts, int(s.out), s.entry, int(s.own), s.method, s.src, *((s.since,) if s.since else ()))
            for at, s in register.items()
        ]
    )


def from_bytes(raw: bytes, *, version: int = 0, length: int = 0, last_at: int = 0) -> State:
    """The state that `to_bytes` wrote. Raises ValueError on anything else: a state that cannot be read must never allow."""
    if not raw:
        return State(version=version, length=length, last_at=last_at)
    try:
        read = _READER.decode(raw)
    except (msgspec.DecodeError, RecursionError) as damaged:
        raise ValueError(f"state cannot be read: {damaged}") from damaged
    # Most rows have few of the parts, and a check reads two rows or more.
    return State(
        _register(read.r) if read.r else _NONE,
        _register(read.w) if read.w else _NONE,
        frozenset(read.l) if read.l else _NOTHING,
        {name: Mark(ts, bool(on), entry) for name, (ts, on, entry) in read.b.items()} if read.b else _NONE,
        tuple(read.s),
        read.d,
        read.p,
        read.k,
        read.c,
        version,
        length,
        last_at,
    )


_NOTHING: Final[frozenset[Scope]] = frozenset()


def _register(rows: list[_Row]) -> dict[At, Stamp]:
    return {
        At(Scope(brand, channel, category), actor, about): Stamp(ts, bool(out), entry, bool(own), method, src, since)
        for brand, channel, category, actor, about, ts, out, entry, own, method, src, since in rows
    }

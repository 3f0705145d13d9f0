"""Show: the preferences document of a contact or an address, as it stands now."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sayso.contracts.book import Book, Key, Page, Shown, readings_of, version_of
from sayso.contracts.ground import Ground
from sayso.flows.portray import latest_of
from sayso.rules import view
from sayso.rules.document import Who, document
from sayso.rules.state import State
from sayso.rules.statements import Row
from sayso.rules.subjects import ADDRESS_KIND, CONTACT
from sayso.rules.values import Value
from sayso.rules.view import Reading
from sayso.rules.words import ANY, Scope


class Seen(Value, frozen=True):
    """A subject as it is shown: its row, how it is read, and the document."""

    row: Row
    readings: tuple[Reading, ...]
    document: dict[str, Any]

    @property
    def version(self) -> int:
        """The version of the state shown."""
        return int(self.document["version"])


async def show(key: Key, *, brand: str | None, book: Book, ground: Ground) -> Seen | None:
    """The document of a subject for one brand (None: the whole company); None when nothing was ever recorded about it."""
    page = await book.read([key])
    row = page.known(key)
    if row is None:
        return None
    return seen(row, page, await book.shown([row.sub, *row.state.links]), brand=brand, ground=ground, now=ground.clock())


def seen(row: Row, page: Page, shown: Shown, *, brand: str | None, ground: Ground, now: int) -> Seen:
    """The document of a row that was read or written with its page."""
    linked = page.linked(row) if row.state.links else ()
    readings = readings_of(row, linked)
    people, addresses = _sides(row, linked)
    latest = latest_of([shown.latest[one.sub] for one in (row, *linked) if one.sub in shown.latest])
    body = document(
        Who(_name(people, shown), _name([one for one in addresses if one.kind == "email"], shown), _country([*people, *addresses])),
        readings, ground.catalogue, brand=brand, version=version_of(row, linked), latest=latest, now=now, window=ground.window,
    )  # fmt: skip
    return Seen(row, readings, body)


def _sides(row: Row, linked: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The contacts and the addresses that a document names, the first of each being the one it shows."""
    if row.kind == CONTACT:
        return [row], [other for other in linked if other.kind != CONTACT]
    return [other for other in linked if other.kind == CONTACT], [row]


def _name(rows: Iterable[Row], shown: Shown) -> str | None:
    for one in rows:
        if (name := shown.names.get(one.sub)) is not None:
            return name
    return None


def _country(rows: Iterable[Row]) -> str | None:
    """The country stated for the contact; where none was, the one stated last for an address."""
    found = [one for one in rows if one.state.place]
    if not found:
        return None
    for group in ([one for one in found if one.kind == CONTACT], found):
        places = [one.state.place for one in group if one.state.place]
        if places:
            return max(places).country
    return None


STOPS_ALL: Final = {"blacklist": "blacklisted", "erasing": "unknown_state", "erased": "unknown_state"}
"""Blocks that stop everything on every channel, and the codes that checks give for them."""


class Blocker(Value, frozen=True):
    """Something that still denies: whose row it stands in, its code and scope, since when, by which entry."""

    subject: str
    code: str
    scope: Scope
    since: int
    entry: str


def blockers(row: Row, linked: Sequence[Row], scope: Scope, *, now: int, window: int) -> list[Blocker]:
    """Whatever denies messages of a scope: opt-outs that stand, blocks, pauses; each once, oldest first."""
    rows = (row, *linked)
    where = {stamp.entry: _side(one) for one in rows for stamp in one.state.strong.values()}
    found: dict[str, Blocker] = {}
    for _, out in view.standing_at(readings_of(row, linked), scope, window):
        code = "global_opt_out" if out.at.scope.category == ANY else "category_opted_out"
        held = Blocker(where.get(out.stamp.entry, CONTACT), code, out.at.scope, out.stamp.ts, out.stamp.entry)
        found.setdefault(held.entry, held)
    for one in rows:
        for held in (*_blocks(one, scope), *_pauses(one, scope, now)):
            found.setdefault(held.entry, held)
    return sorted(found.values(), key=lambda held: (held.since, held.entry))


def _side(row: Row) -> str:
    return CONTACT if row.kind == CONTACT else "address"


def _blocks(row: Row, scope: Scope) -> Iterable[Blocker]:
    """The blacklist, and the deliverability blocks of addresses that the scope's channel uses."""
    reaches = scope.channel == ANY or ADDRESS_KIND.get(scope.channel) == row.kind
    channel = next((name for name, kind in ADDRESS_KIND.items() if kind == row.kind), ANY)
    for name in view.blocks_of(row.state):
        if name in STOPS_ALL:
            mark = row.state.blocks[name]
            yield Blocker(_side(row), STOPS_ALL[name], Scope(ANY, ANY, ANY), mark.ts, mark.entry)
        elif reaches:
            ts, entry = _since(row.state, name)
            yield Blocker(_side(row), name, Scope(ANY, channel, ANY), ts, entry)


def _since(state: State, name: str) -> tuple[int, str]:
    mark = state.blocks.get(name)
    if mark is not None and mark.on:
        return mark.ts, mark.entry
    return state.soft[-1] if state.soft else (0, "")


def _pauses(row: Row, scope: Scope, now: int) -> Iterable[Blocker]:
    for brand, pause in row.state.pauses.items():
        if pause.until > now and brand in (ANY, scope.brand):
            yield Blocker(_side(row), "paused", Scope(brand, ANY, ANY), pause.ts, pause.entry)

"""Erase: accepts that somebody is to be forgotten. Everything about them is denied at once; forgetting follows when every system knows."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sayso.contracts.book import Act, Book, Judged, Key, Page, Scene, readings_of
from sayso.contracts.ground import Ground
from sayso.contracts.privacy import Erasure, Erasures
from sayso.flows.note_config import note_config
from sayso.flows.open_link import key_named
from sayso.rules.decide import decide
from sayso.rules.entries import Entry
from sayso.rules.erasure import ALL, is_erasing, members
from sayso.rules.state import is_tombstone
from sayso.rules.statements import Block, Choose, Row, Ruling, Statement, Voice
from sayso.rules.subjects import CONTACT, Address, aliases
from sayso.rules.values import altered
from sayso.rules.view import Reading

TRIES = 5


class _Moved(Exception):
    """Somebody was tied to the person between reading and writing: read again."""


@dataclass(frozen=True, slots=True)
class Marked:
    """The people an erasure is about, each denied; the entries that did it, and the version of whom it was asked for."""

    people: tuple[Row, ...]
    entries: tuple[str, ...]
    version: int


async def erase(
    key: Key, *, voice: Voice, personal: Mapping[str, Any], erasures: Erasures, book: Book, ground: Ground
) -> tuple[Erasure, int] | None:
    """The accepted erasure of somebody and the version of their state then; None when nothing is held about them.

    `personal` (reason, IP, user agent) is destroyed with the rest. Asking again while it is open gives the same erasure. Raises
    Unavailable: then nothing was promised, and asking again goes on where it broke off.
    """
    row = (await book.read([key])).known(key)
    if row is None:
        return None
    erasure = await erasures.open(row.sub, ground.clock())
    if erasure is None:
        return None
    marked = await mark(row.sub, voice=voice, personal=personal, book=book, ground=ground)
    if marked.entries:
        erasure = await erasures.note(erasure, marked.entries)
        await note_config("erasure_accepted", {"erasure": str(erasure.id)}, voice.via, book=book, ground=ground)
    return erasure, marked.version


async def mark(start: str, *, voice: Voice, personal: Mapping[str, Any], book: Book, ground: Ground) -> Marked:
    """Denies everything to everybody whom an erasure of `start` is about; whoever is denied already is left alone. Raises Unavailable."""
    for _ in range(TRIES):
        rows = await book.read_subs([start])
        if start not in rows:
            return Marked((), (), 0)
        people = members(rows[start], rows)
        fresh = [row for row in people if not is_erasing(row.state) and not is_tombstone(row.state)]
        names = await book.names([row.sub for row in fresh])
        named = {row.sub: named for row in fresh if (named := key_named(row.kind, names.get(row.sub, ""), ground.default_country))}
        if not named:
            return Marked(people, (), rows[start].state.version)
        act = _act(start, named, frozenset(row.sub for row in fresh), voice, personal, ground.window)
        try:
            written = await book.write(act)
        except _Moved:
            continue
        assert written.ruling is not None  # it carries no key and no event id, so it is always written
        after = tuple(written.page.rows.get(row.sub, row) for row in people)
        return Marked(after, tuple(entry.id for entry in written.ruling.entries), written.page.rows[start].state.version)
    return Marked((), (), 0)


def lookalikes_of(keys: Iterable[Key]) -> tuple[Key, ...]:
    """Other spellings of these addresses: denied as with every opt-out."""
    named = list(keys)
    found: dict[Key, None] = {}
    for key in named:
        if key.kind != CONTACT:
            others = aliases(Address(key.kind, key.value, key.given))[1:]
            found.update(dict.fromkeys(Key(other.kind, other.value, other.given) for other in others))
    known = {(key.kind, key.value) for key in named}
    return tuple(key for key in found if (key.kind, key.value) not in known)


def _act(start: str, named: Mapping[str, Key], read: frozenset[str], voice: Voice, personal: Mapping[str, Any], window: int) -> Act:
    lookalikes = lookalikes_of(named.values())

    def judge(scene: Scene) -> Judged:
        if start in scene.page.rows:
            people = members(scene.page.rows[start], scene.page.rows)
            if any(row.sub not in read and not is_erasing(row.state) and not is_tombstone(row.state) for row in people):
                raise _Moved
        return Judged(_denied(scene, named, lookalikes, voice, window))

    detail = json.dumps({name: value for name, value in personal.items() if value is not None}, sort_keys=True, ensure_ascii=False)
    return Act((*named.values(), *lookalikes), judge, detail)


def _denied(scene: Scene, named: Mapping[str, Key], lookalikes: Sequence[Key], voice: Voice, window: int) -> Ruling:
    """One statement for each contact and address: stop everything, and the block that nothing lifts. Addresses repeat a contact's."""
    subs = [scene.page.keys[key] for key in named.values()]
    rows = {sub: scene.page.rows[sub] for sub in scene.page.keys.values()}
    words = (Choose(ALL, out=True), Block("erasing", on=True))
    entries: list[Entry] = []
    first: dict[str, str] = {}
    for sub in sorted(subs, key=lambda one: (rows[one].kind != CONTACT, one)):
        is_contact = rows[sub].kind == CONTACT
        others = [scene.page.keys[key] for key in lookalikes_of([named[sub]]) if key in lookalikes]
        said = Statement(voice, words, contact=sub if is_contact else "", address="" if is_contact else sub, lookalikes=tuple(others))
        ruling = decide(said, rows, readings=partial(_read, scene.page, sub), now=scene.now, new_id=scene.new_id, window=window)
        rows = dict(ruling.rows)
        for entry in ruling.entries:
            twin = entry.id if is_contact else first.get(entry.act, entry.id)
            first.setdefault(entry.act, twin)
            is_copy = twin != entry.id and "twin" not in dict(entry.x)
            entries.append(altered(entry, x=(*entry.x, ("twin", twin))) if is_copy else entry)
    return Ruling(tuple(entries), {sub: rows[sub] for sub in {entry.sub for entry in entries}}, ())


def _read(page: Page, sub: str, rows: Mapping[str, Row]) -> tuple[Reading, ...]:
    after = Page(page.keys, {**page.rows, **rows})
    return readings_of(after.rows[sub], after.linked(after.rows[sub]))

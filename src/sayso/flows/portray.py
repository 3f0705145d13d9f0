"""Portray: subjects as other systems are told about them, names opened, every restriction of the people involved united."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sayso.contracts.book import Book, Noted, Page, Shown, readings_of, version_of
from sayso.contracts.connector import TargetAddress
from sayso.contracts.ground import Ground
from sayso.contracts.portrait import Portrait
from sayso.rules import view
from sayso.rules.document import Latest, Who, document
from sayso.rules.statements import Row
from sayso.rules.view import Reading

KEPT_SECONDS: Final = 5.0
"""How long a portrait is kept: until every system was told, and hardly longer, for it holds names."""
KEPT: Final = 4_096

Mark = tuple[str | None, int, tuple[tuple[str, int], ...]]
"""What a portrait was drawn from: the brand, the catalogue's version, and each chain involved with its length."""


class Recent:
    """Portraits of the last seconds, so that what several systems are told at the same time is opened and drawn once.

    One is good for exactly the chains it was drawn from, and none is kept of whoever pauses: pauses end without an entry.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._kept: dict[Mark, tuple[float, Portrait]] = {}

    def find(self, mark: Mark) -> Portrait | None:
        """The portrait drawn from just this."""
        kept = self._kept.get(mark)
        return kept[1] if kept and self._monotonic() - kept[0] < KEPT_SECONDS else None

    def keep(self, mark: Mark, portrait: Portrait) -> None:
        """Keeps one, and forgets those whose time is over."""
        now = self._monotonic()
        while self._kept and (len(self._kept) >= KEPT or now - next(iter(self._kept.values()))[0] >= KEPT_SECONDS):
            del self._kept[next(iter(self._kept))]
        if not any(state.pauses for reading in portrait.readings for state in reading.rows):
            self._kept[mark] = (now, portrait)


async def portray(
    subs: Sequence[str], brand: str | None, *, book: Book, ground: Ground, recent: Recent | None = None
) -> Mapping[str, Portrait]:
    """Portraits by pseudonym for one brand (None: the whole company). Erased subjects, whose name nobody can open, are missing.

    Rows are always read; with `recent`, names and details only of those who are not in it as they stand now.
    """
    page = Page({}, await book.read_subs(subs))
    recent = recent or Recent()
    marks = {sub: _mark(page.rows[sub], page, brand, ground) for sub in subs if sub in page.rows}
    found = {sub: portrait for sub, mark in marks.items() if (portrait := recent.find(mark))}
    shown = await book.shown(sorted({involved for sub in marks.keys() - found.keys() for involved, _ in marks[sub][2]}))
    for sub in [sub for sub in marks if sub not in found and sub in shown.names]:
        found[sub] = _portrait(page.rows[sub], page, shown, brand, ground)
        recent.keep(marks[sub], found[sub])
    return found


def _mark(row: Row, page: Page, brand: str | None, ground: Ground) -> Mark:
    near = page.linked(row)
    far = [other for one in near if one.kind == "contact" for other in page.linked(one)]
    return brand, ground.catalogue.version, tuple([(one.sub, one.state.length) for one in (row, *near, *far)])


def _portrait(row: Row, page: Page, shown: Shown, brand: str | None, ground: Ground) -> Portrait:
    linked = page.linked(row)
    contacts = [row] if row.kind == "contact" else [other for other in linked if other.kind == "contact"]
    readings = united(row, page)
    addresses = [other for other in linked if other.kind != "contact"] if row.kind == "contact" else [row]
    named = [(one.kind, shown.names[one.sub]) for one in addresses if one.sub in shown.names]
    contact_id = next((shown.names[one.sub] for one in contacts if one.sub in shown.names), None)
    place = next((one.state.place.country for one in (*contacts, row) if one.state.place), None)
    version = version_of(row, linked)
    involved = {one.sub for one in (row, *contacts, *addresses)}
    body = document(
        Who(contact_id, next((name for kind, name in named if kind == "email"), None), place), readings, ground.catalogue, brand=brand,
        version=version, latest=latest_of([shown.latest[sub] for sub in involved if sub in shown.latest]), now=ground.clock(),
        window=ground.window,
    )  # fmt: skip
    targets = tuple(TargetAddress(kind, name) for kind, name in named)
    blocks = tuple(sorted({block for one in addresses for block in view.blocks_of(one.state)}))
    return Portrait(row.sub, contact_id, targets, readings, body, version, blocks)


def united(row: Row, page: Page) -> tuple[Reading, ...]:
    """Everything that is read together about a subject: a contact with each address; an address by way of each of its contacts."""
    linked = page.linked(row)
    owners = [other for other in linked if other.kind == "contact"] if row.kind != "contact" else []
    if not owners:
        return readings_of(row, linked)
    return tuple(reading for owner in owners for reading in readings_of(owner, page.linked(owner)))


def latest_of(noted: Sequence[Noted]) -> Latest | None:
    """The newest of several applied entries, as the governance fields show it."""
    if not noted:
        return None
    newest = noted[0] if len(noted) == 1 else max(noted, key=lambda one: (one.fields["at"], one.id))
    detail = newest.detail or {}
    method = str(newest.fields.get("x", {}).get("method", ""))
    return Latest(newest.fields["at"], newest.fields["src"], method, detail.get("reason"), detail.get("ip"))

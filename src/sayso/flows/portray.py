"""Portray: subjects as other systems are told about them, names opened, every restriction of the people involved united."""

from collections.abc import Mapping, Sequence

from sayso.contracts.book import Book, Noted, Page, Shown, readings_of, version_of
from sayso.contracts.connector import TargetAddress
from sayso.contracts.ground import Ground
from sayso.contracts.portrait import Portrait
from sayso.rules import view
from sayso.rules.document import Latest, Who, document
from sayso.rules.statements import Row
from sayso.rules.view import Reading


async def portray(subs: Sequence[str], brand: str | None, *, book: Book, ground: Ground) -> Mapping[str, Portrait]:
    """Portraits by pseudonym for one brand (None: the whole company). Erased subjects, whose name nobody can open, are missing."""
    page = Page({}, await book.read_subs(subs))
    shown = await book.shown(sorted(page.rows))
    return {sub: _portrait(page.rows[sub], page, shown, brand, ground) for sub in subs if sub in page.rows and sub in shown.names}


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

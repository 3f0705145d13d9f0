"""Segment: who said a thing in a time frame, with names, reasons and how they stand now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sayso.contracts.book import Book, Noted, Page, readings_of
from sayso.contracts.ground import Ground
from sayso.contracts.segments import Filter, Segments
from sayso.flows.tell_events import event_of
from sayso.rules import view
from sayso.rules.statements import Row
from sayso.rules.subjects import CONTACT
from sayso.rules.words import Scope


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a segment: the items, and where the next page begins (None at the end)."""

    items: tuple[Mapping[str, Any], ...]
    next: tuple[int, str] | None


async def segment(wanted: Filter, *, after: tuple[int, str], limit: int, segments: Segments, book: Book, ground: Ground) -> Found:
    """One page of the people behind matching entries, oldest first. Erased people have no names any more."""
    noted = list(await segments.find(wanted, after, limit + 1))
    more = len(noted) > limit
    noted = noted[:limit]
    rows = await book.read_subs(sorted({one.sub for one in noted}))
    page = Page({}, rows)
    names = await book.names(sorted(rows))
    items = tuple(_item(one, rows.get(one.sub), page, names, ground) for one in noted)
    return Found(items, (int(noted[-1].fields["at"]), noted[-1].id) if more else None)


def _item(noted: Noted, row: Row | None, page: Page, names: Mapping[str, str], ground: Ground) -> Mapping[str, Any]:
    linked = page.linked(row) if row else ()
    event = event_of(noted)
    told = event["properties"]
    return {
        "time": event["timestamp"],
        "event": event["event"],
        "contact_id": _named(row, linked, names, contact=True),
        "address": _named(row, linked, names, contact=False),
        "channel": noted.fields["scope"][1] if noted.fields.get("scope") else (noted.detail or {}).get("channel"),
        "category": noted.fields["scope"][2] if noted.fields.get("scope") else None,
        "business_unit": noted.fields["scope"][0] if noted.fields.get("scope") else None,
        "source": noted.fields["src"],
        "reason": (noted.detail or {}).get("reason"),
        "properties": told,
        "still_opted_out": _still(noted, row, linked, ground),
        "entry": noted.id,
    }


def _named(row: Row | None, linked: Sequence[Row], names: Mapping[str, str], *, contact: bool) -> str | None:
    rows = (row, *linked) if row else ()
    return next((names[one.sub] for one in rows if (one.kind == CONTACT) is contact and one.sub in names), None)


def _still(noted: Noted, row: Row | None, linked: Sequence[Row], ground: Ground) -> bool | None:
    if row is None or not noted.fields.get("scope"):
        return None
    return bool(view.standing_at(readings_of(row, linked), Scope(*noted.fields["scope"]), ground.window))

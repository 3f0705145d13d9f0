"""One person: profile, history, events (wire contract section 3)."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from sayso.contracts.book import Page, readings_of, version_of
from sayso.flows.tell_events import tell_events
from sayso.flows.tell_history import tell_history
from sayso.rules import view
from sayso.rules.document import traits
from sayso.rules.statements import Row
from sayso.rules.subjects import ADDRESS_KIND, CONTACT
from sayso.web.api.bursts import with_marks
from sayso.web.api.preferences import READERS, Reader
from sayso.web.auth import Caller, require
from sayso.web.describe import door, page_of
from sayso.web.errors import Problem
from sayso.web.hub import hub_of
from sayso.web.reading import After, Limit, address_key, contact_key, listed, strict_query
from sayso.web.render import etag, json_answer

router = APIRouter(tags=["contacts"], dependencies=[Depends(strict_query)])
AUDITORS: Final = (*READERS, "audit:read")
Auditor = Annotated[Caller, require(*AUDITORS)]
_TEXT: Final = {"type": ["string", "null"]}

PROFILE: Final[dict[str, Any]] = {
    "contact_id": "c-1001",
    "addresses": [{"channel": "email", "channels": ["email"], "address": "ada@example.com", "primary": True, "blocks": []}],
    "brands": ["outlet"],
    "country": "US",
    "blocks": [],
    "blacklisted": False,
    "traits": {"optOut": {"email": "true"}},
    "version": 8,
}
_HISTORY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": dict.fromkeys(("entry", "contact_id", "email", "address", "time", "received_at", "kind", "what", "source", "actor", "old_value", "new_value", "effect", "rule", "method", "reason", "ip", "user_agent", "suspected"), _TEXT) | {"scope": {"type": ["object", "null"]}, "ledger_index": {"type": ["integer", "null"]}},
}  # fmt: skip
_HISTORY_GIVES: Final = {
    "items": [
        {
            "entry": "019c0a5e-7b3a-7c21-9d55-0f3b6f1c2a41", "contact_id": "c-1001", "email": "ada@example.com", "address": None,
            "time": "2026-11-22T10:00:00Z", "received_at": "2026-11-22T10:00:00Z", "kind": "choice", "what": "choice", "source": "api",
            "actor": "Shop", "scope": {"brand": "*", "channel": "email", "category": "promotional"}, "old_value": "not_set",
            "new_value": "opted_out", "effect": "applied", "rule": None, "method": "explicit", "reason": "too many", "ip": "203.0.113.7",
            "user_agent": "Mozilla/5.0", "properties": None, "proof": None, "metadata": None, "ledger_index": 41,
            "suspected": None,
        }
    ],
    "next": None,
}  # fmt: skip
_EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": dict.fromkeys(("entry", "event", "channel.type", "timestamp", "source"), _TEXT) | {"properties": {"type": "object"}},
}
_EVENTS_GIVES: Final = {
    "items": [
        {"entry": "019c0a5e-7b3a-7c21-9d55-0f3b6f1c2a41", "event": "Opt Out", "channel.type": "MAIL", "timestamp": "2026-11-22T10:00:00Z",
         "source": "api", "properties": {"category": "promotional"}}
    ],
    "next": None,
}  # fmt: skip
_GONE: Final = "Nothing was ever recorded about this one."
_READ: Final[dict[str, Any]] = {"scopes": AUDITORS, "problems": ("not_found",)}


@router.get(
    "/api/v2/contacts/{contact_id:id}/history",
    **door("A contact's history", answer=page_of(_HISTORY), gives=_HISTORY_GIVES, **_READ),
)
async def contact_history(request: Request, contact_id: str, after: After, limit: Limit, _: Auditor) -> Response:
    """Every entry about the contact and its addresses, oldest first: who, when, through what, old and new value, and the deciding rule."""
    hub = hub_of(request)
    found = await tell_history(contact_key(contact_id), after=after, limit=limit, book=hub.book, desk=hub.desk)
    return _page(await with_marks(request, found))


@router.get("/api/v2/contacts/{contact_id:id}/events", **door("A contact's events", answer=page_of(_EVENT), gives=_EVENTS_GIVES, **_READ))
async def contact_events(request: Request, contact_id: str, after: After, limit: Limit, _: Auditor) -> Response:
    """Everything that happened, custom events too, and `Opt Out` or `Opt In` for every change of status by whichever door."""
    found = await tell_events(contact_key(contact_id), after=after, limit=limit, book=hub_of(request).book)
    return _page(found)


@router.get(
    "/api/v2/addresses/{channel:id}/{address:id}/history",
    **door("An address's history", answer=page_of(_HISTORY), gives=_HISTORY_GIVES, **_READ),
)
async def address_history(request: Request, channel: str, address: str, after: After, limit: Limit, _: Auditor) -> Response:
    """The same for leads and any address."""
    hub = hub_of(request)
    key = address_key(channel, address, hub.current.held.default_country)[1]
    found = await tell_history(key, after=after, limit=limit, book=hub.book, desk=hub.desk)
    return _page(await with_marks(request, found))


@router.get(
    "/api/v2/addresses/{channel:id}/{address:id}/events",
    **door("An address's events", answer=page_of(_EVENT), gives=_EVENTS_GIVES, **_READ),
)
async def address_events(request: Request, channel: str, address: str, after: After, limit: Limit, _: Auditor) -> Response:
    """The same for leads and any address."""
    hub = hub_of(request)
    key = address_key(channel, address, hub.current.held.default_country)[1]
    return _page(await tell_events(key, after=after, limit=limit, book=hub.book))


def _page(found: tuple[list[dict[str, Any]], str | None] | None) -> Response:
    if found is None:
        raise Problem("not_found", _GONE)
    return json_answer(listed(*found))


@router.get("/api/v2/contacts/{contact_id:id}", **door("A contact's profile", scopes=READERS, gives=PROFILE, problems=("not_found",)))
async def profile(request: Request, contact_id: str, _: Reader) -> Response:
    """Addresses, brands, country, blocks, and `traits.optOut`: "true" is out now, "false" came back, absent never left."""
    hub = hub_of(request)
    key = contact_key(contact_id)
    page = await hub.book.read([key])
    row = page.known(key)
    if row is None:
        raise Problem("not_found", _GONE)
    linked = page.linked(row)
    readings = readings_of(row, linked)
    names = await hub.book.names([one.sub for one in (row, *linked)])
    window = hub.current.held.window
    version = version_of(row, linked)
    body = {
        "contact_id": names.get(row.sub, key.value),
        "addresses": _addresses(row, page, names),
        "brands": list(view.brands_of(readings)),
        "country": row.state.place.country if row.state.place else None,
        "blocks": sorted({block for one in (row, *linked) for block in view.blocks_of(one.state)}),
        "blacklisted": view.is_blacklisted(readings),
        "traits": {"optOut": traits(readings, window)},
        "version": version,
    }
    return json_answer(body, headers=etag(version))


def _addresses(row: Row, page: Page, names: Any) -> list[dict[str, Any]]:
    """Each address with the channels that use it; the newest primary of its kind is the one messages go to."""
    first: dict[str, str] = {}
    for other in page.linked(row):
        first.setdefault(other.kind, other.sub)
    shown = []
    for other in page.linked(row):
        if other.kind == CONTACT or other.sub not in names:
            continue
        channels = [name for name, kind in ADDRESS_KIND.items() if kind == other.kind]
        shown.append(
            {
                "channel": channels[0], "channels": channels, "address": names[other.sub], "primary": first[other.kind] == other.sub,
                "blocks": list(view.blocks_of(other.state)),
            }
        )  # fmt: skip
    return shown

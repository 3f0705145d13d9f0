"""Preferences of contacts and addresses (wire contract section 3)."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from sayso.contracts.book import Key
from sayso.flows.show import show
from sayso.web.api.saying import answer_write
from sayso.web.api.wanted import PREFIX, PreferencesIn
from sayso.web.auth import Caller, require
from sayso.web.describe import door, inlined
from sayso.web.errors import Problem
from sayso.web.hub import Hub, hub_of
from sayso.web.reading import BrandQuery, address_key, contact_key, strict_query
from sayso.web.render import etag, json_answer

router = APIRouter(tags=["preferences"], dependencies=[Depends(strict_query)])
READERS: Final = ("email_preferences:read", "email_preferences")
WRITERS: Final = ("email_preferences",)
Reader = Annotated[Caller, require(*READERS)]
Writer = Annotated[Caller, require(*WRITERS)]

CHOICE: Final = {"type": "string", "enum": ["opted_in", "opted_out", "not_set"]}
_TIME: Final = {"type": ["string", "null"], "format": "date-time"}
_TEXT: Final = {"type": ["string", "null"]}
_FLAGS: Final = {"type": "object", "additionalProperties": {"type": "object"}}
DOCUMENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["contact_id", "email", "email_opt_out_global", "version", "catalogue_version", "channels", "brands", "always_sent"],
    "properties": {
        "contact_id": _TEXT, "email": _TEXT, "email_opt_out_global": {"type": "boolean"}, "email_pref_last_updated": _TIME,
        "email_pref_update_source": _TEXT, "email_pref_update_reason": _TEXT, "email_pref_consent_ip": _TEXT,
        "email_pref_consent_method": {"enum": ["explicit", "implicit", "grandfathered", None]}, "paused_until": _TIME,
        "blacklisted": {"type": "boolean"}, "country": _TEXT, "always_sent": {"type": "array", "items": {"type": "string"}},
        "channels": _FLAGS, "brands": _FLAGS, "version": {"type": "integer"}, "catalogue_version": {"type": "integer"},
    },
    "patternProperties": {f"^{PREFIX}[a-z][a-z0-9_]*$": {}},
}  # fmt: skip
SCOPE: Final = {"type": "object", "properties": {name: {"type": "string"} for name in ("brand", "channel", "category")}}
BLOCKER: Final = {
    "type": "object",
    "properties": {
        "subject": {"type": "string", "enum": ["contact", "address"]}, "scope": SCOPE, "since": _TIME, "entry": {"type": "string"},
        "code": {"type": "string"},
    },
}  # fmt: skip
RESULT: Final = {
    "type": "object",
    "properties": {
        "field": {"type": "string"}, "asked": {}, "became": {}, "rule": _TEXT, "entry": _TEXT,
        "effect": {"type": "string", "enum": ["applied", "unchanged", "superseded", "quarantined"]},
    },
}  # fmt: skip
WRITTEN: Final[dict[str, Any]] = {
    **DOCUMENT,
    "properties": {
        **DOCUMENT["properties"], "result": {"type": "array", "items": RESULT}, "still_blocked_by": {"type": "array", "items": BLOCKER},
        "receipt": {"type": "object", "properties": {"entries": {"type": "array", "items": {"type": "string"}},
                                                     "version": {"type": "integer"}, "token": {"type": "string"}}},
    },
}  # fmt: skip
EXAMPLE: Final[dict[str, Any]] = {
    "contact_id": "c-1001", "email": "ada@example.com", "email_opt_out_global": False, "email_pref_product_updates": "opted_in",
    "email_pref_educational": "not_set", "email_pref_promotional": "opted_out", "email_pref_events": "not_set",
    "email_pref_last_updated": "2026-11-22T10:00:00.123456Z", "email_pref_update_source": "email_link",
    "email_pref_update_reason": "too many", "email_pref_consent_ip": "203.0.113.7", "email_pref_consent_method": "explicit",
    "paused_until": None, "blacklisted": False, "country": "US",
    "always_sent": ["order_confirmations", "account_security", "service_alerts", "legal_notices"],
    "channels": {"email": {"opt_out": False}, "sms": {"opt_out": False}}, "brands": {}, "version": 7, "catalogue_version": 3,
}  # fmt: skip
EXAMPLE_SENT: Final = {"email_pref_promotional": "opted_out", "email_pref_update_source": "preference_center", "email": "ada@example.com"}
_ENTRY: Final = "019c0a5e-7b3a-7c21-9d55-0f3b6f1c2a41"
EXAMPLE_WRITTEN: Final = {
    **EXAMPLE,
    "result": [{"field": "email_pref_promotional", "asked": "opted_out", "became": "opted_out", "effect": "applied", "rule": None,
                "entry": _ENTRY}],
    "still_blocked_by": [], "receipt": {"entries": [_ENTRY], "version": 8, "token": "2.k1.AAAA.BBBB"},
}  # fmt: skip


def body_schema() -> dict[str, Any]:
    """The schema of a preferences body: the fixed fields, and one for each category of the catalogue."""
    schema = inlined(PreferencesIn.model_json_schema())
    categories = {f"{PREFIX}{key}": CHOICE for key in ("product_updates", "educational", "promotional", "events")}
    return {**schema, "properties": {**schema["properties"], **categories}, "additionalProperties": CHOICE}


_READ: Final[dict[str, Any]] = {"scopes": READERS, "answer": DOCUMENT, "gives": EXAMPLE, "problems": ("not_found",)}
_WRITE: Final[dict[str, Any]] = {
    "scopes": WRITERS, "body": body_schema(), "sent": EXAMPLE_SENT, "answer": WRITTEN, "gives": EXAMPLE_WRITTEN,
    "problems": ("conflict_version", "change_refused", "idempotency_mismatch"),
}  # fmt: skip
CONTACT_PATH: Final = "/api/v2/contacts/{contact_id:id}/email_preferences"
ADDRESS_PATH: Final = "/api/v2/addresses/{channel:id}/{address:id}/preferences"


@router.get(CONTACT_PATH, **door("Read a contact's preferences", **_READ))
async def read_contact(request: Request, contact_id: str, brand: BrandQuery, _: Reader) -> Response:
    """Everything a contact chose, for one brand or for the whole company with a part a brand; `ETag` is the version."""
    return await _read(hub_of(request), contact_key(contact_id), brand, {})


@router.put(CONTACT_PATH, **door("Set a contact's preferences (same as POST)", **_WRITE))
@router.post(CONTACT_PATH, **door("Set a contact's preferences", **_WRITE))
async def write_contact(request: Request, contact_id: str, caller: Writer) -> Response:
    """Records any subset of choices with its evidence; creates the contact. `Idempotency-Key` and `If-Match` are honoured."""
    return await answer_write(request, contact_key(contact_id), hub_of(request), caller)


@router.get(ADDRESS_PATH, **door("Read the preferences of an address", **_READ))
async def read_address(request: Request, channel: str, address: str, brand: BrandQuery, _: Reader) -> Response:
    """The same for leads and any address; `contact_id` is null while it belongs to nobody."""
    hub = hub_of(request)
    named, key = address_key(channel, address, hub.current.held.default_country)
    return await _read(hub, key, brand, {"address": key.given, "channel": named})


@router.put(ADDRESS_PATH, **door("Set the preferences of an address (same as POST)", **_WRITE))
@router.post(ADDRESS_PATH, **door("Set the preferences of an address", **_WRITE))
async def write_address(request: Request, channel: str, address: str, caller: Writer) -> Response:
    """Records what was said through an address; creates it. An address belongs to all brands."""
    hub = hub_of(request)
    named, key = address_key(channel, address, hub.current.held.default_country)
    return await answer_write(request, key, hub, caller, {"address": key.given, "channel": named})


async def _read(hub: Hub, key: Key, brand: str | None, extra: dict[str, Any]) -> Response:
    found = await show(key, brand=brand, book=hub.book, ground=await hub.current.ground())
    if found is None:
        raise Problem("not_found", "Nothing was ever recorded about this one.")
    return json_answer({**extra, **found.document}, headers=etag(found.version))

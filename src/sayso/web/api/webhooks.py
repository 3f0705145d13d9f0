"""Webhook endpoints: connections with a door of their own (wire contract section 6, Standard Webhooks 1.0.0)."""

import uuid
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, Field, JsonValue

from sayso.contracts.spokes import Connection
from sayso.flows import connect
from sayso.flows.connect import EVENT_TYPES, NAME_LENGTH, WEBHOOK, Order, SetupRefused
from sayso.rules.times import format_time, parse_time
from sayso.web.api.connections import DELIVERY, deliveries_of, new_id, refused
from sayso.web.api.wanted import Brand
from sayso.web.auth import Caller, require
from sayso.web.describe import door, page_of
from sayso.web.hub import hub_of
from sayso.web.reading import After, Limit, Strict, fitted, listed, read_object, strict_query
from sayso.web.spokes import SpokeParts, found, spoke_parts

router = APIRouter(prefix="/api/v2/webhooks", tags=["webhooks"], dependencies=[Depends(strict_query)])
Admin = Annotated[Caller, require("admin")]
_SCOPES: Final = ("admin",)
_EXAMPLE: Final[dict[str, Any]] = {
    "id": "019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e02", "url": "https://shop.example/sayso", "events": ["preferences.changed"], "names": [],
    "description": "Shop", "business_unit": "*", "state": "active", "cause": None, "created_at": "2026-11-22T10:00:00Z",
}  # fmt: skip
_SECRET: Final = {**_EXAMPLE, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object", "required": ["id", "url", "events", "state"],
    "properties": {
        "id": {"type": "string"}, "url": {"type": "string"}, "events": {"type": "array", "items": {"type": "string", "enum": [*EVENT_TYPES]}},
        "names": {"type": "array", "items": {"type": "string"}}, "description": {"type": "string"}, "business_unit": {"type": "string"},
        "state": {"type": "string", "enum": ["active", "paused", "disabled"]}, "cause": {"type": ["string", "null"]},
        "created_at": {"type": "string"}, "secret": {"type": "string", "description": "Shown when it is made, and never again."},
    },
}  # fmt: skip


def _time(raw: str) -> str:
    parse_time(raw)
    return raw


class WebhookIn(Strict):
    """A new endpoint."""

    url: str = Field(max_length=2_000)
    events: list[str] | None = Field(None, max_length=20, description="Event types; all when left out.")
    names: list[str] | None = Field(None, max_length=100, description="Of event.received: only events of these names.")
    description: str | None = Field(None, max_length=500)
    business_unit: Brand | None = None


class WebhookPatch(Strict):
    """What changes."""

    url: str | None = Field(None, max_length=2_000)
    events: list[str] | None = Field(None, max_length=20)
    names: list[str] | None = Field(None, max_length=100)
    description: str | None = Field(None, max_length=500)
    business_unit: Brand | None = None


class ReplayIn(Strict):
    """Since when."""

    since: Annotated[str, AfterValidator(_time), Field(json_schema_extra={"format": "date-time"})]


def _shown(one: Connection) -> dict[str, Any]:
    return {
        "id": str(one.id), "url": one.settings.values.get("url"), "events": list(one.settings.texts("events") or EVENT_TYPES),
        "names": list(one.settings.texts("names")), "description": one.description, "business_unit": one.brand, "state": one.state,
        "cause": one.cause, "created_at": format_time(one.created_at),
    }  # fmt: skip


def _name(url: str) -> str:
    """What a new endpoint is called: the host of its URL. One that is no URL is refused later, with a pointer."""
    try:
        return (urlsplit(url).hostname or WEBHOOK)[:NAME_LENGTH]
    except ValueError:
        return WEBHOOK


def _order(body: WebhookIn | WebhookPatch, given: frozenset[str]) -> Order:
    settings: dict[str, JsonValue] = {name: getattr(body, name) for name in ("url", "events", "names") if name in given}
    return Order(_name(body.url) if isinstance(body, WebhookIn) else None, settings, body.business_unit, body.description)


async def _webhook(request: Request, webhook_id: str) -> tuple[SpokeParts, Connection]:
    parts = spoke_parts(request)
    return parts, await found(parts, webhook_id, connector=WEBHOOK)


def _pointed(error: SetupRefused) -> SetupRefused:
    """The same with pointers into this door's body, which has no `settings`."""
    return SetupRefused([(detail, pointer.replace("#/settings/", "#/")) for detail, pointer in error.errors])


@router.get("", **door("List webhooks", scopes=_SCOPES, answer=page_of(_SCHEMA), gives={"items": [_EXAMPLE], "next": None}))
async def list_webhooks(request: Request, _: Admin) -> Response:
    """Every endpoint that was not removed, oldest first, without secrets."""
    all_of_them = await spoke_parts(request).setup.spokes.connections()
    return JSONResponse(listed([_shown(one) for one in all_of_them if one.connector == WEBHOOK], None))


@router.post("", **door("Add a webhook", scopes=_SCOPES, body=WebhookIn, answer=_SCHEMA, gives=_SECRET, status=201,
             sent={"url": "https://shop.example/sayso", "events": ["preferences.changed"], "description": "Shop"}))  # fmt: skip
async def add_webhook(request: Request, caller: Admin) -> Response:
    """The endpoint is told the state of everybody who ever said something, then of everybody who changes. The secret is shown once."""
    parts, ground = spoke_parts(request), await hub_of(request).current.ground()
    raw = await read_object(request)
    body = fitted(WebhookIn, raw)
    try:
        order = _order(body, frozenset(name for name, value in raw.items() if value is not None))
        made = await connect.add(WEBHOOK, order, caller.via, setup=parts.setup, ground=ground, state_id=new_id(request))
    except SetupRefused as error:
        raise refused(_pointed(error)) from error
    answer = {**_shown(made), "secret": made.settings.texts("secrets")[0]}
    return JSONResponse(answer, 201, {"Location": f"/api/v2/webhooks/{made.id}"})


@router.get("/{webhook_id}", **door("Show a webhook", scopes=_SCOPES, answer=_SCHEMA, gives=_EXAMPLE, problems=("not_found",)))
async def show_webhook(request: Request, webhook_id: str, _: Admin) -> Response:
    """One endpoint, without its secret."""
    return JSONResponse(_shown((await _webhook(request, webhook_id))[1]))


@router.patch("/{webhook_id}", **door("Change a webhook", scopes=_SCOPES, body=WebhookPatch, sent={"events": ["preferences.changed"]},
              answer=_SCHEMA, gives=_EXAMPLE, problems=("not_found",)))  # fmt: skip
async def change_webhook(request: Request, webhook_id: str, caller: Admin) -> Response:
    """What is left out stays; `events` or `names` given as null ask for all."""
    parts, connection = await _webhook(request, webhook_id)
    raw = await read_object(request)
    body = fitted(WebhookPatch, raw)
    given = frozenset(name for name, value in raw.items() if value is not None or name in ("events", "names"))
    try:
        ground = await hub_of(request).current.ground()
        changed = await connect.change(connection, _order(body, given), caller.via, setup=parts.setup, ground=ground)
    except SetupRefused as error:
        raise refused(_pointed(error)) from error
    return JSONResponse(_shown(changed))


@router.delete("/{webhook_id}", **door("Remove a webhook", scopes=_SCOPES, status=204, problems=("not_found",)))
async def remove_webhook(request: Request, webhook_id: str, caller: Admin) -> Response:
    """It is not told anything any more."""
    parts, connection = await _webhook(request, webhook_id)
    await connect.remove(connection, caller.via, setup=parts.setup, ground=await hub_of(request).current.ground())
    return Response(status_code=204)


@router.post("/{webhook_id}/rotate", **door("Rotate the secret", scopes=_SCOPES, answer=_SCHEMA, gives=_SECRET, problems=("not_found",)))
async def rotate_webhook(request: Request, webhook_id: str, caller: Admin) -> Response:
    """The new secret. For 24 hours deliveries carry a signature by the old one too, so that nothing is lost on the way."""
    parts, connection = await _webhook(request, webhook_id)
    secret = await connect.rotate(connection, caller.via, setup=parts.setup, ground=await hub_of(request).current.ground())
    return JSONResponse({**_shown(connection), "secret": secret})


@router.post("/{webhook_id}/test", **door("Send a test", scopes=_SCOPES, problems=("not_found",),
             gives={"delivered": True, "status": 204, "milliseconds": 37, "outcome": "applied", "detail": "answered 204"}))  # fmt: skip
async def ping_webhook(request: Request, webhook_id: str, _: Admin) -> Response:
    """Sends a signed `test.ping` now, once, and says how the endpoint answered."""
    parts, connection = await _webhook(request, webhook_id)
    ground = await hub_of(request).current.ground()
    tried = await connect.try_out(connection, str(uuid.uuid4()), setup=parts.setup, ground=ground)
    return JSONResponse({
        "delivered": tried.outcome.acknowledged, "status": tried.status or None, "milliseconds": tried.milliseconds,
        "outcome": tried.outcome.kind, "detail": tried.outcome.reason,
    })  # fmt: skip


@router.get("/{webhook_id}/deliveries", **door("List deliveries", scopes=_SCOPES, answer=page_of(DELIVERY), problems=("not_found",)))
async def list_webhook_deliveries(request: Request, webhook_id: str, limit: Limit, after: After, _: Admin) -> Response:
    """Attempts of the last seven days, newest first, with what was sent and answered; secrets are removed."""
    parts, connection = await _webhook(request, webhook_id)
    return await deliveries_of(parts, connection.id, limit, after)


@router.post("/{webhook_id}/replay", **door("Replay", scopes=_SCOPES, body=ReplayIn, sent={"since": "2026-11-22T10:00:00Z"},
             gives={"queued": 12}, problems=("not_found",)))  # fmt: skip
async def replay_webhook(request: Request, webhook_id: str, _: Admin) -> Response:
    """Tells the current state of everybody who changed since a time again."""
    parts, connection = await _webhook(request, webhook_id)
    body = fitted(ReplayIn, await read_object(request))
    return JSONResponse({"queued": await parts.setup.connecting.replay(connection.id, parse_time(body.since))})

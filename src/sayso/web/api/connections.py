"""Connections: the systems that are told and asked (wire contract section 6). Secrets go in and never come out."""

import os
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field, JsonValue

from sayso.flows import connect
from sayso.flows.connect import WEBHOOK, Order, SetupRefused
from sayso.flows.pull import pull, read_back
from sayso.flows.receive import hear_again
from sayso.rules.ids import RANDOM_BYTES, uuid7
from sayso.web.api.wanted import Brand
from sayso.web.auth import Caller, require
from sayso.web.describe import door, page_of
from sayso.web.errors import Problem, invalid
from sayso.web.hub import hub_of
from sayso.web.reading import After, Limit, Strict, fitted, listed, read_object, strict_query
from sayso.web.spokes import SpokeParts, connector_of, found, shown, shown_delivery, spoke_parts

router = APIRouter(prefix="/api/v2/connections", tags=["connections"], dependencies=[Depends(strict_query)])
Admin = Annotated[Caller, require("admin")]
_SCOPES: Final = ("admin",)
_EXAMPLE: Final[dict[str, Any]] = {
    "id": "019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e01", "connector": "mailchimp", "name": "Mailchimp EU", "business_unit": "*", "description": "",
    "state": "active", "cause": None, "settings": {"list_id": "a6b5da1054"}, "secrets_set": ["api_key", "webhook_secret"],
    "hook_url": "https://sayso.example/hooks/019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e01", "backfilled": True, "pulled_at": None,
    "created_at": "2026-11-22T10:00:00Z",
}  # fmt: skip
_SENT: Final = {"connector": "mailchimp", "name": "Mailchimp EU", "settings": {"api_key": "0123-us21", "list_id": "a6b5da1054"}}
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object", "required": ["id", "connector", "name", "state", "hook_url"],
    "properties": {
        "id": {"type": "string"}, "connector": {"type": "string"}, "name": {"type": "string"}, "business_unit": {"type": "string"},
        "description": {"type": "string"}, "state": {"type": "string", "enum": ["active", "paused", "disabled"]},
        "cause": {"type": ["string", "null"]}, "settings": {"type": "object"},
        "secrets_set": {"type": "array", "items": {"type": "string"}}, "hook_url": {"type": ["string", "null"]},
        "backfilled": {"type": "boolean"}, "pulled_at": {"type": ["string", "null"]}, "created_at": {"type": "string"},
        "odd_calls": {"type": "integer", "description": "Calls kept for a person to look at; on one connection only."},
        "secret": {"type": "string", "description": "The signing secret of a new webhook; shown this once."},
    },
}  # fmt: skip
DELIVERY: Final[dict[str, Any]] = {
    "type": "object", "required": ["id", "time", "status", "milliseconds", "outcome", "attempt"],
    "properties": {
        "id": {"type": "string"}, "webhook_id": {"type": ["string", "null"]}, "time": {"type": "string"},
        "status": {"type": ["integer", "null"]}, "milliseconds": {"type": "integer"}, "outcome": {"type": "string"},
        "attempt": {"type": ["object", "null"], "description": "Request and answer, secrets removed, bodies cut."},
    },
}  # fmt: skip
_HEALTH: Final[dict[str, Any]] = {"type": "object", "properties": {"ok": {"type": "boolean"}, "detail": {"type": "string"}}}


class ConnectionIn(Strict):
    """A new connection."""

    connector: str
    name: str | None = None
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    business_unit: Brand | None = None
    description: str | None = Field(None, max_length=500)


class ConnectionPatch(Strict):
    """What changes; a setting given as null is taken away, one that is left out stays as it is, secrets too."""

    name: str | None = None
    settings: dict[str, JsonValue] | None = None
    business_unit: Brand | None = None
    description: str | None = Field(None, max_length=500)


def new_id(request: Request) -> UUID:
    """The id of a new connection; what vendors call is made of it, so it is not to be guessed."""
    ground = hub_of(request).current.held
    return uuid7(ground.clock(), os.urandom(RANDOM_BYTES), os.urandom(1)[0])


def order_of(body: ConnectionIn | ConnectionPatch) -> Order:
    """The body as the flow takes it."""
    return Order(body.name, body.settings, body.business_unit, body.description)


def refused(error: SetupRefused) -> Problem:
    """The problem for settings that cannot be used."""
    return invalid(*error.errors)


@router.get("", **door("List connections", scopes=_SCOPES, answer=page_of(_SCHEMA), gives={"items": [_EXAMPLE], "next": None}))
async def list_connections(request: Request, _: Admin) -> Response:
    """Every connection that was not removed, oldest first, webhooks too."""
    parts = spoke_parts(request)
    all_of_them = await parts.setup.spokes.connections()
    return JSONResponse(listed([shown(one, parts, hub_of(request).public_url) for one in all_of_them], None))


@router.post("", **door("Connect a system", scopes=_SCOPES, body=ConnectionIn, sent=_SENT, answer=_SCHEMA, gives=_EXAMPLE, status=201))
async def add_connection(request: Request, caller: Admin) -> Response:
    """The system is told everybody who ever said something, and from then on every change. `hook_url` is where it may call."""
    parts, ground = spoke_parts(request), await hub_of(request).current.ground()
    body = fitted(ConnectionIn, await read_object(request))
    try:
        made = await connect.add(body.connector, order_of(body), caller.via, setup=parts.setup, ground=ground, state_id=new_id(request))
    except SetupRefused as error:
        raise refused(error) from error
    answer = shown(made, parts, hub_of(request).public_url)
    if made.connector == WEBHOOK and not body.settings.get("secrets"):
        answer["secret"] = made.settings.texts("secrets")[0]
    return JSONResponse(answer, 201, {"Location": f"/api/v2/connections/{made.id}"})


@router.get("/{connection_id}", **door("Show a connection", scopes=_SCOPES, answer=_SCHEMA, gives=_EXAMPLE, problems=("not_found",)))
async def show_connection(request: Request, connection_id: str, _: Admin) -> Response:
    """One connection, without its secrets. `odd_calls` are those of its calls that nobody could read fully: `run` reads them again."""
    parts = spoke_parts(request)
    connection = await found(parts, connection_id)
    answer = shown(connection, parts, hub_of(request).public_url)
    return JSONResponse({**answer, "odd_calls": await parts.ears.inbox.count_odd(connection.id)})


@router.patch(
    "/{connection_id}",
    **door("Change a connection", scopes=_SCOPES, body=ConnectionPatch, sent={"settings": {"category": "promotional"}}, answer=_SCHEMA,
           gives=_EXAMPLE, problems=("not_found",)),
)  # fmt: skip
async def change_connection(request: Request, connection_id: str, caller: Admin) -> Response:
    """Settings that are left out stay. A connection that leads elsewhere afterwards is told everything again."""
    parts, ground = spoke_parts(request), await hub_of(request).current.ground()
    connection = await found(parts, connection_id)
    connector_of(parts, connection)
    body = fitted(ConnectionPatch, await read_object(request))
    try:
        changed = await connect.change(connection, order_of(body), caller.via, setup=parts.setup, ground=ground)
    except SetupRefused as error:
        raise refused(error) from error
    return JSONResponse(shown(changed, parts, hub_of(request).public_url))


@router.delete("/{connection_id}", **door("Remove a connection", scopes=_SCOPES, status=204, problems=("not_found",)))
async def remove_connection(request: Request, connection_id: str, caller: Admin) -> Response:
    """Nothing is told or heard any more; secrets are forgotten, acknowledgements stay in the ledger."""
    parts, ground = spoke_parts(request), await hub_of(request).current.ground()
    await connect.remove(await found(parts, connection_id), caller.via, setup=parts.setup, ground=ground)
    return Response(status_code=204)


@router.post("/{connection_id}/check", **door("Check the settings", scopes=_SCOPES, answer=_HEALTH,
             gives={"ok": True, "detail": "Connected to the audience Newsletter."}, problems=("not_found",)))  # fmt: skip
async def check_connection(request: Request, connection_id: str, _: Admin) -> Response:
    """Asks the other system whether the settings work; changes nothing."""
    parts, ground = spoke_parts(request), await hub_of(request).current.ground()
    health = await connect.examine(await found(parts, connection_id), setup=parts.setup, ground=ground)
    return JSONResponse({"ok": health.ok, "detail": health.detail})


@router.post("/{connection_id}/run", **door("Pull and read back now", scopes=_SCOPES, problems=("not_found",),
             gives={"recorded": 3, "known": 12, "more": False, "problem": None, "confirmed": 20, "differs": 0, "understood": 0}))  # fmt: skip
async def run_connection(request: Request, connection_id: str, _: Admin) -> Response:
    """Asks what changed there, compares a sample of what it acknowledged with what it holds, and reads odd calls again."""
    parts, ground = spoke_parts(request), await hub_of(request).current.ground()
    connection = await found(parts, connection_id)
    connector = connector_of(parts, connection)
    ears, setup = parts.ears, parts.setup
    pulled = await pull(connection, connector, connecting=setup.connecting, ears=ears, drive=setup.drive, ground=ground, now=True)
    words = await read_back(connection, connector, connecting=setup.connecting, ears=ears, drive=setup.drive, ground=ground)
    understood = await hear_again(connection, connectors=setup.connectors, ears=ears, ground=ground)
    return JSONResponse({
        "recorded": pulled.recorded if pulled else 0, "known": pulled.known if pulled else 0, "more": bool(pulled and pulled.more),
        "problem": (pulled.problem or None) if pulled else None, "confirmed": sum(word == "confirmed" for word in words.values()),
        "differs": sum(word == "differs" for word in words.values()), "understood": understood,
    })  # fmt: skip


@router.post("/{connection_id}/pause", **door("Pause a connection", scopes=_SCOPES, answer=_SCHEMA, gives={**_EXAMPLE, "state": "paused"},
             problems=("not_found",)))  # fmt: skip
async def pause_connection(request: Request, connection_id: str, caller: Admin) -> Response:
    """Nothing is told until it is resumed; changes are remembered, and what the system calls us about is still heard."""
    return await _moved(request, connection_id, caller, connect.pause)


@router.post("/{connection_id}/resume", **door("Resume a connection", scopes=_SCOPES, answer=_SCHEMA, gives=_EXAMPLE,
             problems=("not_found",)))  # fmt: skip
async def resume_connection(request: Request, connection_id: str, caller: Admin) -> Response:
    """Tells the current state of everybody who changed meanwhile."""
    return await _moved(request, connection_id, caller, connect.resume)


async def _moved(request: Request, connection_id: str, caller: Caller, verb: Any) -> Response:
    parts, ground = spoke_parts(request), await hub_of(request).current.ground()
    moved = await verb(await found(parts, connection_id), caller.via, setup=parts.setup, ground=ground)
    return JSONResponse(shown(moved, parts, hub_of(request).public_url))


@router.get("/{connection_id}/deliveries", **door("List attempts to tell", scopes=_SCOPES, answer=page_of(DELIVERY),
            problems=("not_found",)))  # fmt: skip
async def list_deliveries(request: Request, connection_id: str, limit: Limit, after: After, _: Admin) -> Response:
    """Attempts of the last seven days, newest first, with what was sent and answered; secrets are removed."""
    parts = spoke_parts(request)
    return await deliveries_of(parts, (await found(parts, connection_id)).id, limit, after)


async def deliveries_of(parts: SpokeParts, connection: UUID, limit: int, after: str) -> Response:
    """A page of attempts."""
    page = await parts.setup.spokes.deliveries(connection, before=after, limit=limit + 1)
    more = str(page[limit - 1].id) if len(page) > limit else None
    return JSONResponse(listed([shown_delivery(one) for one in page[:limit]], more))

"""How far a change has come, and how much of everything is in sync (wire contract section 6)."""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

import sayso.web.paths  # noqa: F401  registers the convertor `id`
from sayso.contracts.spokes import Connection, Told
from sayso.rules.backoff import is_drift
from sayso.rules.times import format_time
from sayso.web.auth import Caller, require
from sayso.web.describe import door, page_of
from sayso.web.errors import Problem
from sayso.web.hub import hub_of
from sayso.web.reading import contact_key, listed, strict_query
from sayso.web.spokes import spoke_parts

router = APIRouter(prefix="/api/v2", tags=["sync"], dependencies=[Depends(strict_query)])
_READ: Final = ("email_preferences", "email_preferences:read", "audit:read", "admin")
_PAIR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["connection", "connector", "wanted", "acknowledged", "acknowledged_at", "milliseconds", "read_back", "state"],
    "properties": {
        "connection": {"type": "string"}, "connector": {"type": "string"}, "name": {"type": "string"}, "address": {"type": ["string", "null"]},
        "wanted": {"type": "integer"}, "acknowledged": {"type": "integer"}, "acknowledged_at": {"type": ["string", "null"]},
        "milliseconds": {"type": ["integer", "null"]}, "read_back": {"type": ["string", "null"], "enum": ["confirmed", "differs", None]},
        "state": {"type": "string", "enum": ["in_sync", "pending", "retrying", "drift", "cannot_be_told"]}, "cause": {"type": ["string", "null"]},
    },
}  # fmt: skip
_EXAMPLE: Final = {
    "connection": "019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e01", "connector": "mailchimp", "name": "Mailchimp EU", "address": "ada@example.com",
    "wanted": 3, "acknowledged": 3, "acknowledged_at": "2026-11-22T10:00:00.412Z", "milliseconds": 291, "read_back": "confirmed",
    "state": "in_sync", "cause": None,
}  # fmt: skip
_ACCURACY: Final = {
    "pairs": 1200, "in_sync": 1200, "accuracy": 1.0, "oldest_lag_ms": 0,
    "by_connection": [{"connection": "019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e01", "connector": "mailchimp", "name": "Mailchimp EU",
                       "state": "active", "pairs": 1200, "in_sync": 1200, "accuracy": 1.0, "oldest_lag_ms": 0}],
}  # fmt: skip


@router.get("/contacts/{contact_id:id}/propagation", **door("Who was told about a contact", scopes=_READ, answer=page_of(_PAIR),
            gives={"items": [_EXAMPLE], "next": None}, problems=("not_found",)))  # fmt: skip
async def show_propagation(request: Request, contact_id: str, _: Annotated[Caller, require(*_READ)]) -> Response:
    """Per connection, how often the contact (or one of its addresses) changed, how much of that was acknowledged, and when."""
    parts, book = spoke_parts(request), hub_of(request).book
    page = await book.read([key := contact_key(contact_id)])
    row = page.known(key)
    if row is None:
        raise Problem("not_found", "Nothing was ever recorded about this contact.")
    names = await book.names([one.sub for one in page.linked(row)])
    connections = {one.id: one for one in await parts.setup.spokes.connections()}
    told = await parts.setup.spokes.told([row.sub, *row.state.links])
    return JSONResponse(listed([_pair(one, connections, names) for one in told if one.connection in connections], None))


@router.get("/sync/accuracy", **door("How much is in sync", scopes=("reports:read", "admin"), gives=_ACCURACY))
async def show_accuracy(request: Request, _: Annotated[Caller, require("reports:read", "admin")]) -> Response:
    """Pairs of connection and subject; a pair is in sync when the connection acknowledged the current state. No pairs: 1.0."""
    spokes = spoke_parts(request).setup.spokes
    found = {one.connection: one for one in await spokes.accuracy()}
    rows = []
    for one in await spokes.connections():
        held = found.get(one.id)
        pairs, in_sync, lag = (held.pairs, held.in_sync, held.oldest_lag) if held else (0, 0, 0)
        rows.append(
            {"connection": str(one.id), "connector": one.connector, "name": one.name, "state": one.state, **_share(pairs, in_sync, lag)}
        )
    pairs, in_sync = sum(row["pairs"] for row in rows), sum(row["in_sync"] for row in rows)
    total = _share(pairs, in_sync, 0)
    return JSONResponse({**total, "oldest_lag_ms": max((row["oldest_lag_ms"] for row in rows), default=0), "by_connection": rows})


def _share(pairs: int, in_sync: int, lag: int) -> dict[str, Any]:
    return {"pairs": pairs, "in_sync": in_sync, "accuracy": in_sync / pairs if pairs else 1.0, "oldest_lag_ms": max(0, lag) // 1000}


def _pair(told: Told, connections: Mapping[UUID, Connection], names: Mapping[str, str]) -> dict[str, Any]:
    connection = connections[told.connection]
    done = told.acknowledged >= told.wanted
    waited = told.acknowledged_at - told.wanted_at if done and told.acknowledged_at is not None else None
    return {
        "connection": str(connection.id), "connector": connection.connector, "name": connection.name, "address": names.get(told.sub),
        "wanted": told.wanted, "acknowledged": told.acknowledged,
        "acknowledged_at": format_time(told.acknowledged_at) if told.acknowledged_at else None,
        "milliseconds": max(0, waited) // 1000 if waited is not None else None, "read_back": told.read_back, "state": _state(told, done),
        "cause": told.cause,
    }  # fmt: skip


def _state(told: Told, done: bool) -> str:
    """`drift` once the schedule of retries is used up; `cannot_be_told` where no attempt helps before the next change."""
    if done:
        return "in_sync"
    if told.parked:
        return "cannot_be_told"
    if is_drift(told.attempts):
        return "drift"
    return "retrying" if told.attempts else "pending"

"""The blacklist: company policy that stops everything, transactional mail too (wire contract section 4)."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from sayso.contracts.book import Key, readings_of
from sayso.flows.record import Said, record
from sayso.rules import view
from sayso.rules.statements import Block
from sayso.rules.subjects import CONTACT
from sayso.rules.times import format_time
from sayso.web.auth import Caller, require
from sayso.web.describe import door
from sayso.web.errors import Problem
from sayso.web.hub import Hub, hub_of
from sayso.web.reading import Strict, address_key, contact_key, fitted, read_object, strict_query
from sayso.web.render import json_answer
from sayso.web.voices import voice_of

router = APIRouter(tags=["blacklist"], dependencies=[Depends(strict_query)])
_READERS: Final = ("email_preferences:read", "email_preferences", "admin")
_WRITERS: Final = ("email_preferences", "admin")
Reader = Annotated[Caller, require(*_READERS)]
Writer = Annotated[Caller, require(*_WRITERS)]


class BlacklistIn(Strict):
    """On the list or off it, and why."""

    blacklisted: bool
    reason: str | None = Field(None, max_length=2000)


_ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["blacklisted", "reason"],
    "properties": {
        "id": {"type": "string"},
        "blacklisted": {"type": "boolean"},
        "reason": {"type": ["string", "null"]},
        "since": {"type": ["string", "null"], "format": "date-time"},
    },
}
_GIVES: Final = {"id": "c-1001", "blacklisted": True, "reason": "court order", "since": "2026-11-22T10:00:00Z"}
_READ: Final[dict[str, Any]] = {"scopes": _READERS, "answer": _ANSWER, "gives": _GIVES, "problems": ("not_found",)}
_WRITE: Final[dict[str, Any]] = {
    "scopes": _WRITERS, "body": BlacklistIn, "sent": {"blacklisted": True, "reason": "court order"}, "answer": _ANSWER, "gives": _GIVES,
}  # fmt: skip
_END: Final[dict[str, Any]] = {"scopes": _WRITERS, "status": 204, "problems": ("not_found",)}
USER: Final = "/users/{external_id:id}/blacklist"
ADDRESS: Final = "/api/v2/addresses/{channel:id}/{address:id}/blacklist"


@router.get(USER, **door("Is a user blacklisted?", **_READ))
async def read_user(request: Request, external_id: str, _: Reader) -> Response:
    """Whether the user, or an address of theirs, is on the blacklist."""
    return await _read(hub_of(request), contact_key(external_id, "path/external_id"))


@router.put(USER, **door("Blacklist a user", **_WRITE))
async def write_user(request: Request, external_id: str, caller: Writer) -> Response:
    """Puts a user on the blacklist or takes them off; creates the user."""
    return await _write(request, contact_key(external_id, "path/external_id"), caller)


@router.delete(USER, **door("Take a user off the blacklist", **_END))
async def end_user(request: Request, external_id: str, caller: Writer) -> Response:
    """Takes a user off the blacklist; fine if they were not on it."""
    return await _end(hub_of(request), contact_key(external_id, "path/external_id"), caller)


@router.get(ADDRESS, **door("Is an address blacklisted?", **_READ))
async def read_address(request: Request, channel: str, address: str, _: Reader) -> Response:
    """Whether the address, or a contact it belongs to, is on the blacklist."""
    hub = hub_of(request)
    return await _read(hub, address_key(channel, address, hub.current.held.default_country)[1])


@router.put(ADDRESS, **door("Blacklist an address", **_WRITE))
async def write_address(request: Request, channel: str, address: str, caller: Writer) -> Response:
    """Puts an address on the blacklist or takes it off; creates it."""
    return await _write(request, address_key(channel, address, hub_of(request).current.held.default_country)[1], caller)


@router.delete(ADDRESS, **door("Take an address off the blacklist", **_END))
async def end_address(request: Request, channel: str, address: str, caller: Writer) -> Response:
    """Takes an address off the blacklist; fine if it was not on it."""
    hub = hub_of(request)
    return await _end(hub, address_key(channel, address, hub.current.held.default_country)[1], caller)


async def _shown(hub: Hub, key: Key) -> dict[str, Any] | None:
    page = await hub.book.read([key])
    row = page.known(key)
    if row is None:
        return None
    linked = page.linked(row)
    on = view.is_blacklisted(readings_of(row, linked))
    body: dict[str, Any] = {"id": key.given, "blacklisted": on, "reason": None, "since": None}
    for one in (row, *linked):
        mark = one.state.blocks.get("blacklist")
        if mark is not None and mark.on:
            noted = await hub.book.entries([one.sub], kinds=("block",), after="", limit=500, newest_first=True)
            detail = next((entry.detail for entry in noted if entry.id == mark.entry), None)
            return {**body, "reason": (detail or {}).get("reason"), "since": format_time(mark.ts)}
    return body


async def _read(hub: Hub, key: Key) -> Response:
    body = await _shown(hub, key)
    if body is None:
        raise Problem("not_found", "Nothing was ever recorded about this one.")
    return json_answer(body)


async def _write(request: Request, key: Key, caller: Caller) -> Response:
    hub = hub_of(request)
    given = fitted(BlacklistIn, await read_object(request))
    await _record(hub, key, caller, on=given.blacklisted, reason=given.reason)
    return json_answer(await _shown(hub, key))


async def _end(hub: Hub, key: Key, caller: Caller) -> Response:
    if (await hub.book.read([key])).row(key) is None:
        raise Problem("not_found", "Nothing was ever recorded about this one.")
    await _record(hub, key, caller, on=False, reason=None)
    return Response(status_code=204)


async def _record(hub: Hub, key: Key, caller: Caller, *, on: bool, reason: str | None) -> None:
    contact = key.kind == CONTACT
    voice = voice_of(caller, "manual", reason=reason)
    said = Said(
        voice, (Block("blacklist", on),), contact=key if contact else None, address=None if contact else key, personal={"reason": reason}
    )
    await record(said, book=hub.book, ground=await hub.current.ground())

"""The opt-out status of a user per channel (wire contract section 4): the same registers as everywhere, in other systems' words."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from sayso.contracts.book import Key, Page, readings_of
from sayso.contracts.ground import Ground
from sayso.flows.record import Said, record
from sayso.flows.show import blockers
from sayso.rules import conflict, view
from sayso.rules.happenings import wire_channel
from sayso.rules.statements import Choose, Row
from sayso.rules.subjects import CONTACT
from sayso.rules.times import format_time
from sayso.rules.view import Reading
from sayso.rules.words import ANY, Scope, UnknownChannel, channel_named
from sayso.web.api.preferences import BLOCKER, READERS, WRITERS, Reader, Writer
from sayso.web.api.wanted import Brand
from sayso.web.auth import Caller
from sayso.web.describe import door
from sayso.web.errors import Problem, invalid
from sayso.web.hub import Hub, hub_of
from sayso.web.reading import BrandQuery, Strict, address_key, contact_key, fitted, one_brand, read_object, strict_query
from sayso.web.render import blockers_shown, json_answer
from sayso.web.voices import voice_of

router = APIRouter(tags=["opt-out status"], dependencies=[Depends(strict_query)])


class StatusIn(Strict):
    """Out, or in again; with a reason and a brand if there are any."""

    optOut: bool  # noqa: N815  the wire's spelling
    reason: str | None = Field(None, max_length=2000)
    business_unit: Brand | None = None
    unit: Brand | None = Field(None, alias="businessUnit")


def channel_query(
    channelType: Annotated[str, Query(description="A channel in either vocabulary, any case; ALL for all.", examples=["MAIL"])],  # noqa: N803
) -> str:
    """Our name of the channel asked about."""
    try:
        return channel_named(channelType)
    except UnknownChannel as error:
        raise invalid((str(error), "query/channelType")) from None


ChannelQuery = Annotated[str, Depends(channel_query)]
_ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["id", "channelType", "optOut", "since"],
    "properties": {
        "id": {"type": "string"},
        "channelType": {"type": "string"},
        "optOut": {"type": "boolean"},
        "since": {"type": ["string", "null"], "format": "date-time"},
        "still_blocked_by": {"type": "array", "items": BLOCKER},
    },
}
_GIVES: Final = {"id": "c-1001", "channelType": "MAIL", "optOut": True, "since": "2026-11-22T10:00:00Z"}
_READ: Final[dict[str, Any]] = {"scopes": READERS, "answer": _ANSWER, "gives": _GIVES, "problems": ("not_found",)}
_WRITE: Final[dict[str, Any]] = {"scopes": WRITERS, "body": StatusIn, "sent": {"optOut": True}, "answer": _ANSWER, "gives": _GIVES}
USER: Final = "/users/{external_id:id}/optout-status"
ADDRESS: Final = "/api/v2/addresses/{channel:id}/{address:id}/optout-status"


@router.get(USER, **door("Read a user's opt-out status", **_READ))
async def read_status(request: Request, external_id: str, channel: ChannelQuery, brand: BrandQuery, _: Reader) -> Response:
    """Whether a channel is opted out, by whatever register; then `still_blocked_by` names each."""
    return await _read(hub_of(request), contact_key(external_id, "path/external_id"), channel, brand)


@router.post(USER, **door("Set a user's opt-out status", **_WRITE))
@router.put(USER, **door("Set a user's opt-out status (same as POST)", **_WRITE))
async def write_status(request: Request, external_id: str, channel: ChannelQuery, brand: BrandQuery, caller: Writer) -> Response:
    """Opts a user out of a channel, or in again; creates the user."""
    return await _write(request, contact_key(external_id, "path/external_id"), channel, brand, caller)


@router.get(ADDRESS, **door("Read the opt-out status of an address", **_READ))
async def read_address_status(
    request: Request, channel: str, address: str, asked: ChannelQuery, brand: BrandQuery, _: Reader
) -> Response:  # fmt: skip
    """The same for leads and any address."""
    hub = hub_of(request)
    return await _read(hub, address_key(channel, address, hub.current.held.default_country)[1], asked, brand)


@router.post(ADDRESS, **door("Set the opt-out status of an address", **_WRITE))
@router.put(ADDRESS, **door("Set the opt-out status of an address (same as POST)", **_WRITE))
async def write_address_status(
    request: Request, channel: str, address: str, asked: ChannelQuery, brand: BrandQuery, caller: Writer
) -> Response:  # fmt: skip
    """Opts an address out of a channel, or in again; creates it."""
    hub = hub_of(request)
    return await _write(request, address_key(channel, address, hub.current.held.default_country)[1], asked, brand, caller)


async def _read(hub: Hub, key: Key, channel: str, brand: str | None) -> Response:
    page = await hub.book.read([key])
    row = page.known(key)
    if row is None:
        raise Problem("not_found", "Nothing was ever recorded about this one.")
    ground = await hub.current.ground()
    return json_answer(status_of(key, row, page, channel, brand or ANY, ground, ground.clock()))


async def _write(request: Request, key: Key, channel: str, brand: str | None, caller: Caller) -> Response:
    hub = hub_of(request)
    given = fitted(StatusIn, await read_object(request))
    named = one_brand(given.business_unit, given.unit, "#")
    if named is not None and brand is not None and named != brand:
        raise invalid(("the body and the query name different brands", "#/business_unit"))
    scope = Scope(named or brand or ANY, channel, ANY)
    ground = await hub.current.ground()
    contact = key.kind == CONTACT
    said = Said(
        voice_of(caller, "api", reason=given.reason, outright=not given.optOut), (Choose(scope, out=given.optOut),),
        contact=key if contact else None, address=None if contact else key, personal={"reason": given.reason},
    )  # fmt: skip
    done = await record(said, book=hub.book, ground=ground)
    assert done.about is not None
    assert done.ruling is not None  # a write without an idempotency key is never a repeat
    told = done.ruling.told[-1]
    body = status_of(key, done.about, done.page, channel, scope.brand, ground, done.now)
    return json_answer({**body, "effect": told.effect, "rule": told.rule or None, "entries": [entry.id for entry in done.ruling.entries]})


def status_of(key: Key, row: Row, page: Page, channel: str, brand: str, ground: Ground, now: int) -> dict[str, Any]:
    """The status of one channel: out if anything denies the whole of it by choice; `since` when that, or the way back, was said."""
    linked = page.linked(row)
    readings = readings_of(row, linked)
    scope = Scope(brand, channel, ANY)
    standing = view.standing_at(readings, scope, ground.window)
    body: dict[str, Any] = {"id": key.given or key.value, "channelType": wire_channel(channel), "optOut": bool(standing)}
    if standing:
        body["since"] = format_time(min(out.stamp.ts for _, out in standing))
        choices = ("global_opt_out", "category_opted_out")
        held = [one for one in blockers(row, linked, scope, now=now, window=ground.window) if one.code in choices]
        return {**body, "still_blocked_by": blockers_shown(held)}
    back = _back(readings, scope)
    return {**body, "since": format_time(back) if back else None}


def _back(readings: tuple[Reading, ...], scope: Scope) -> int | None:
    """When somebody who had left this channel came back; None when nobody left."""
    if not any(said.covers(scope) for reading in readings for row in reading.rows for said in row.left):
        return None
    ins = [
        stamp.ts
        for reading in readings
        for at, stamp in conflict.merged(reading.rows, reading.contact).items()
        if not stamp.out and at.scope.covers(scope)
    ]
    return max(ins, default=None)

"""People's rights by API: forget somebody, hand out everything held about somebody (wire contract section 8)."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from sayso.contracts.book import Key
from sayso.flows.erase import erase
from sayso.flows.export_person import export_person
from sayso.rules.statements import Voice
from sayso.web.auth import Caller, require
from sayso.web.describe import door, inlined
from sayso.web.errors import Problem
from sayso.web.hub import hub_of
from sayso.web.privacy import erasure_shown, privacy_parts, systems_of
from sayso.web.reading import Strict, address_key, contact_key, fitted, object_of, strict_query
from sayso.web.render import json_answer, receipt_token

router = APIRouter(prefix="/api/v2", tags=["privacy"], dependencies=[Depends(strict_query)])
Officer = Annotated[Caller, require("privacy")]
_SCOPES: Final = ("privacy",)
_UNKNOWN: Final = "Nothing is held about this one."
_SYSTEM: Final = {
    "connection": "019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e01", "connector": "mailchimp", "name": "Mailchimp EU", "state": "acknowledged",
    "acknowledged_at": "2026-11-22T10:00:00.412Z",
}  # fmt: skip
_EXAMPLE: Final[dict[str, Any]] = {
    "id": "019c0a5e-7b3a-7c21-9d55-0f3b6f1c2a41", "state": "accepted", "accepted_at": "2026-11-22T10:00:00Z", "completed_at": None,
    "completed_at_the_latest": "2026-12-22T10:00:00Z", "systems": [_SYSTEM],
}  # fmt: skip
_ACCEPTED: Final = {**_EXAMPLE, "receipt": {"entries": ["019c0a5e-7b3a-7c21-9d55-0f3b6f1c2a42"], "version": 9, "token": "…"}}
_TIME: Final = {"type": ["string", "null"], "format": "date-time"}
_ERASURE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["id", "state", "accepted_at", "completed_at", "systems"],
    "properties": {
        "id": {"type": "string"},
        "state": {"type": "string", "enum": ["accepted", "completed"]},
        "accepted_at": {"type": "string", "format": "date-time"},
        "completed_at": _TIME,
        "completed_at_the_latest": {"type": "string", "format": "date-time"},
        "systems": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "connection": {"type": "string"},
                    "connector": {"type": "string"},
                    "name": {"type": "string"},
                    "state": {"type": "string", "enum": ["acknowledged", "waiting", "cannot_be_told"]},
                    "acknowledged_at": _TIME,
                },
            },
        },
        "receipt": {"type": "object"},
    },
}


class ErasureIn(Strict):
    """Why somebody is forgotten; kept until they are, and destroyed with the rest."""

    reason: str | None = Field(None, max_length=2000)


def _erasing(summary: str) -> dict[str, Any]:
    said = door(summary, scopes=_SCOPES, answer=_ERASURE, gives=_ACCEPTED, status=202, problems=("not_found", "invalid_json", "too_large"))
    schema = inlined(ErasureIn.model_json_schema())
    content = {"application/json": {"schema": schema, "example": {"reason": "asked for by telephone"}}}
    said["openapi_extra"]["requestBody"] = {"required": False, "content": content}
    return said


def _exporting(summary: str) -> dict[str, Any]:
    said = door(summary, scopes=_SCOPES, problems=("not_found",))
    said["responses"][200]["content"] = {"application/zip": {"schema": {"type": "string", "format": "binary"}}}
    return said


@router.delete("/contacts/{contact_id:id}", **_erasing("Forget a contact"))
async def forget_contact(request: Request, contact_id: str, caller: Officer) -> Response:
    """Denies everything to the contact and its addresses at once; forgets them when every system knows, or after 30 days.

    Asking again while it is open gives the same erasure. Once it is completed the contact is unknown (404), and checks still deny.
    """
    return await _forget(request, contact_key(contact_id), caller)


@router.delete("/addresses/{channel:id}/{address:id}", **_erasing("Forget an address"))
async def forget_address(request: Request, channel: str, address: str, caller: Officer) -> Response:
    """The same for leads and any address, with the contacts whose mail goes to it."""
    region = hub_of(request).current.held.default_country
    return await _forget(request, address_key(channel, address, region)[1], caller)


@router.get(
    "/erasures/{erasure_id}",
    **door("How far an erasure is", scopes=_SCOPES, answer=_ERASURE, gives=_EXAMPLE, problems=("not_found",)),
)
async def show_erasure(request: Request, erasure_id: str, _: Officer) -> Response:
    """`accepted` until every connected system knows; then `completed`, with what each of them knew. Nothing in it leads to the person."""
    parts = privacy_parts(request)
    try:
        found = await parts.erasures.erasure(UUID(erasure_id))
    except ValueError:
        found = None
    if found is None:
        raise Problem("not_found", "There is no erasure of this id.")
    return json_answer(erasure_shown(found, await systems_of(found, parts, hub_of(request).book)))


@router.post("/contacts/{contact_id:id}/export", **_exporting("Export everything held about a contact"))
async def export_contact(request: Request, contact_id: str, caller: Officer) -> Response:
    """One ZIP: profile, preferences, history, consents, events, messages and the systems that were told, with a README in plain words."""
    return await _export(request, contact_key(contact_id), caller)


@router.post("/addresses/{channel:id}/{address:id}/export", **_exporting("Export everything held about an address"))
async def export_address(request: Request, channel: str, address: str, caller: Officer) -> Response:
    """The same for leads and any address, with the contacts whose mail goes to it."""
    region = hub_of(request).current.held.default_country
    return await _export(request, address_key(channel, address, region)[1], caller)


async def _forget(request: Request, key: Key, caller: Caller) -> Response:
    hub, parts = hub_of(request), privacy_parts(request)
    raw = await request.body()
    given = fitted(ErasureIn, object_of(raw)) if raw else ErasureIn(reason=None)
    ground = await hub.current.ground()
    done = await erase(
        key, voice=_voice(caller), personal={"reason": given.reason}, erasures=parts.erasures, book=hub.book, ground=ground
    )  # fmt: skip
    if done is None:
        raise Problem("not_found", _UNKNOWN)
    erasure, version = done
    receipt = {"entries": list(erasure.entries), "version": version, "token": receipt_token(hub.ring, erasure.entries, version)}
    shown = erasure_shown(erasure, await systems_of(erasure, parts, hub.book))
    return json_answer({**shown, "receipt": receipt}, 202, {"Location": f"/api/v2/erasures/{erasure.id}"})


async def _export(request: Request, key: Key, caller: Caller) -> Response:
    hub = hub_of(request)
    ground = await hub.current.ground()
    archive = await export_person(key, voice=_voice(caller), archive=privacy_parts(request).archive, ground=ground)
    if archive is None:
        raise Problem("not_found", _UNKNOWN)
    headers = {"Content-Disposition": 'attachment; filename="export.zip"', "Cache-Control": "no-store"}
    return StreamingResponse(archive, headers=headers, media_type="application/zip")


def _voice(caller: Caller) -> Voice:
    """A program passes on what somebody asked for: it is not the person's own voice, and stops all the same."""
    return Voice("api", own=False, actor=f"{caller.via}:api", via=caller.via)

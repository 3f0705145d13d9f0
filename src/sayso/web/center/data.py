"""What is held about a person, in their own hands: take it with them, or have it forgotten. Only behind a link mailed within the hour."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sayso.contracts.book import Key
from sayso.contracts.center import Presented
from sayso.flows.choose import NobodyHere
from sayso.flows.erase import erase
from sayso.flows.export_person import export_person
from sayso.rules.references import reference
from sayso.web.center.doors import Visit, visit
from sayso.web.center.forms import BadForm, Form, bound_by, read_form
from sayso.web.privacy import privacy_parts

_FILE: Final = {
    "Content-Disposition": 'attachment; filename="my-data.zip"', "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer", "Content-Security-Policy": "default-src 'none'; sandbox",
}  # fmt: skip


async def data_door(request: Request) -> Response:
    """Two forms, and what they do. Behind an ordinary link the page only says how to come by a fresh one."""
    form = await read_form(request) if request.method == "POST" else None
    seen = await visit(request, form)
    presented = await seen.presented()
    if presented.gone:
        return seen.draw("gone", presented)
    if form is None:
        return seen.draw("forget", presented)
    if not seen.opened.fresh:
        return seen.draw("forget", presented, status=403)
    try:
        bound_by(seen.parts.ring, seen.token, form.one("form"), seen.ground.clock())
    except BadForm:
        return seen.draw("forget", presented, status=400, errors=(("form", "error_stale"),), given=form.given)
    return await _acted(seen, form, presented)


async def _acted(seen: Visit, form: Form, presented: Presented) -> Response:
    if form.one("action") == "download":
        return await _download(seen)
    if form.one("sure") != "yes":
        return seen.draw("forget", presented, status=400, errors=(("sure", "error_sure"),), given=form.given)
    key = _whose(seen)
    manner, rights = seen.manner(), privacy_parts(seen.request)
    accepted = await erase(
        key, voice=manner.voice(), personal=manner.personal or {}, erasures=rights.erasures, book=seen.parts.book, ground=seen.ground
    )
    if accepted is None:
        raise NobodyHere
    erasure, _ = accepted
    shown = reference(erasure.entries[0]) if erasure.entries else ""
    return seen.draw("forget", presented, accepted_at=erasure.accepted_at, reference=shown)


async def _download(seen: Visit) -> Response:
    """Everything held, as a file that is written while it is sent."""
    archive = privacy_parts(seen.request).archive
    body = await export_person(_whose(seen), voice=seen.manner().voice(), archive=archive, ground=seen.ground)
    if body is None:
        raise NobodyHere
    return StreamingResponse(body, 200, _FILE, media_type="application/zip")


def _whose(seen: Visit) -> Key:
    key = seen.opened.contact or seen.opened.address
    if key is None:
        raise NobodyHere
    return key

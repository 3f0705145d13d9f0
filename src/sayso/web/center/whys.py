"""Why am I receiving this: the message, the record that allowed it, and the two buttons that matter; and "not relevant to me"."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sayso.flows.give_reason import NOT_RELEVANT, give_reason
from sayso.flows.tell_why import tell_why
from sayso.web.center.doors import visit
from sayso.web.center.forms import BadForm, bound_by, read_form


async def why_door(request: Request) -> Response:
    """The page, and the feedback it takes."""
    form = await read_form(request) if request.method == "POST" else None
    seen = await visit(request, form)
    presented = await seen.presented()
    if presented.gone:
        return seen.draw("gone", presented)
    why = await tell_why(seen.opened, seen.catalogue, sent=seen.parts.sources.sent, book=seen.parts.book)
    category = next((one for one in presented.categories if one.key == why.category), None)
    values: dict[str, Any] = {"why": why, "category": category}
    if form is None:
        return seen.draw("why", presented, **values)
    try:
        bound = bound_by(seen.parts.ring, seen.token, form.one("form"), seen.ground.clock())
    except BadForm:
        return seen.draw("why", presented, status=400, errors=(("form", "error_stale"),), **values)
    link = seen.opened.link
    about = {"campaign": why.campaign or None, "message": link.message or None, "category": why.category or None}
    await give_reason(seen.opened, NOT_RELEVANT, about, seen.manner(wording=bound.wording), book=seen.parts.book, ground=seen.ground)
    return seen.draw("why", presented, thanked=True, **values)

"""Undo: GET shows one button, POST takes the act back. The link in the page or the mail is all it needs, for half an hour."""

from starlette.requests import Request
from starlette.responses import Response

from sayso.flows.choose import Manner
from sayso.flows.undo import undo
from sayso.rules.tokens import BadToken, read, read_undo
from sayso.rules.words import ANY
from sayso.web.center.doors import apart, personal, spoken
from sayso.web.center.draw import page
from sayso.web.center.forms import Bound, bound_by, form_token, read_form
from sayso.web.center.parts import center_parts


async def undo_door(request: Request) -> Response:
    """One button, and what it did. An undo that is over says so; anything else unknown is a page that is not there."""
    parts = center_parts(request)
    text = request.path_params["token"]
    form = await read_form(request) if request.method == "POST" else None
    pages, catalogue = await parts.showing.shown_to(None)
    texts = spoken(request, pages, ANY, form)
    values = {**apart(parts, pages, catalogue, ANY), "form": form_token(parts.ring, text, Bound("")), "undo_url": f"/undo/{text}"}
    ground = await parts.ground()
    try:
        right = read_undo(read(parts.ring, text, kinds=["undo"], now=ground.clock()))
    except BadToken as bad:
        if bad.reason != "expired":
            raise
        return page("undo", None, {**values, "expired": True}, texts, status=410)
    if form is None:
        return page("undo", None, values, texts)
    bound_by(parts.ring, text, form.one("form"), ground.clock())
    manner = Manner(personal={**personal(request), "language": texts.language})
    undone = await undo(right, manner, book=parts.book, ground=ground)
    return page("undone", None, {**values, "undone": undone}, texts)

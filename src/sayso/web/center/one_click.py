"""One click (RFC 8058): POST /u/{token} stops what the token names, at once; GET shows a page with one button and changes nothing."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from sayso.contracts.book import Unavailable
from sayso.flows.choose import Manner
from sayso.flows.open_link import open_link
from sayso.flows.unsubscribe import unsubscribe
from sayso.rules.tokens import BadToken
from sayso.web.center.doors import RETRY, personal, visit
from sayso.web.center.draw import tiny
from sayso.web.center.forms import BadForm, read_form
from sayso.web.center.parts import center_parts

FIELD: Final = "List-Unsubscribe"
VALUE: Final = "One-Click"


async def unsubscribe_door(request: Request) -> Response:
    """The page for people, the act for mail systems."""
    return await _act(request) if request.method == "POST" else await _show(request)


async def _show(request: Request) -> Response:
    seen = await visit(request)
    presented = await seen.presented()
    if presented.gone:
        return seen.draw("gone", presented)
    category = next((one for one in presented.categories if one.key == seen.opened.link.scope.category), None)
    return seen.draw("one_button", presented, category=category)


async def _act(request: Request) -> Response:
    """200 with a line once it is kept; the same for somebody erased, and however often it is sent. Nothing downstream is waited for."""
    parts = center_parts(request)
    try:
        form = await read_form(request)
        if form.all(FIELD) != (VALUE,):
            return tiny("Send List-Unsubscribe=One-Click to unsubscribe (RFC 8058). Nothing was changed.", 400)
        ground = await parts.ground()
        opened = await open_link(request.path_params["token"], book=parts.book, ring=parts.ring, ground=ground)
        await unsubscribe(opened, Manner("one_click", personal(request)), book=parts.book, ground=ground)
    except BadForm as bad:
        return tiny("This is not a form. Nothing was changed.", 413 if bad.kind == "too_large" else 400)
    except BadToken:
        return tiny("This link is not one of ours. Nothing was changed.", 404)
    except Unavailable:
        return tiny("Try again soon: nothing was changed yet.", 503, RETRY)
    return tiny("Unsubscribed.")

"""The page of suspected unsubscribes: the evidence of each burst, and the one offer to its people."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sayso.flows.offer_undo import AlreadyOffered, NoSuchBurst, offer_undo
from sayso.flows.tell_bursts import tell_bursts
from sayso.web.console.guard import own_form
from sayso.web.console.pages import page
from sayso.web.console.parts import Console

NEWEST = 50


async def show(request: Request) -> Response:
    """GET /bursts: all of them, newest first."""
    return await _shown(request)


async def offer(request: Request) -> Response:
    """POST /bursts: asks the people of one, then shows them all again."""
    console: Console = request.app.state.console
    form = await own_form(request, console.form_token, console.hosts)
    reason = form.get("reason", "")
    if not reason:
        return await _shown(request, problem="Say why these people are asked: the reason goes into the ledger.", status=422)
    try:
        burst = UUID(form.get("burst", ""))
        await offer_undo(burst, reason, "c:console", bursts=console.bursts, book=console.book, ground=await console.ground())
    except (ValueError, NoSuchBurst):
        return await _shown(request, problem="There is no such burst.", status=404)
    except AlreadyOffered:
        return await _shown(request, problem="They were asked before; nobody is asked twice.", status=409)
    return RedirectResponse("/bursts", 303)


async def _shown(request: Request, *, problem: str = "", status: int = 200) -> Response:
    console: Console = request.app.state.console
    stories = await tell_bursts(None, NEWEST, bursts=console.bursts, book=console.book)
    return page(request, "bursts.html", {"q": "", "stories": stories, "problem": problem}, status=status)

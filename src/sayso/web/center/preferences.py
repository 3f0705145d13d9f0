"""The preference page: shows how a person stands, and saves what they ask for. What is shown afterwards is read again."""

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sayso.contracts.center import REASON_LENGTH, REASONS, Wish
from sayso.flows.choose import choose
from sayso.flows.give_reason import REASON, give_reason
from sayso.flows.mail_link import mail_link
from sayso.flows.open_link import open_link
from sayso.rules.words import ANY
from sayso.web.center.asking import asker, network_of
from sayso.web.center.doors import Visit, visit
from sayso.web.center.forms import BadForm, Bound, Form, bound_by, form_token, read_form
from sayso.web.center.wishes import BadWish, wish_of


async def page_door(request: Request) -> Response:
    """The whole page."""
    return await _answer(request, embedded=False)


async def embedded_door(request: Request) -> Response:
    """The same form without anything around it, for pages of configured origins to frame."""
    return await _answer(request, embedded=True)


async def _answer(request: Request, *, embedded: bool) -> Response:
    form = await read_form(request) if request.method == "POST" else None
    seen = await visit(request, form, embedded=embedded)
    if seen.opened.gone:
        return seen.draw("gone", await seen.presented())
    if form is None:
        return seen.draw("preferences", await seen.presented())
    try:
        bound = bound_by(seen.parts.ring, seen.token, form.one("form"), seen.ground.clock())
        if form.one("action") == "fresh":
            return await _mailed(seen)
        if form.one("action") == "reason":
            return await _reasoned(seen, form, bound)
        return await _saved(seen, _wish(seen, form), bound)
    except BadForm:
        return seen.draw("preferences", await seen.presented(), status=400, errors=(("form", "error_stale"),), **_typed(form))
    except BadWish as bad:
        return seen.draw("preferences", await seen.presented(), status=400, errors=bad.errors, **_typed(form))


def _typed(form: Form) -> dict[str, Any]:
    """What the form held, for drawing it again as it was."""
    return {"given": form.given, "kept": frozenset(form.all("keep"))}


def _wish(seen: Visit, form: Form) -> Wish:
    """What a form asks for; the one button of a link's page stops the category that the link is about, or the brand."""
    if form.one("action") != "category" or form.one("stop"):
        return wish_of(form, seen.ground.clock())
    key = seen.opened.link.scope.category
    category = seen.catalogue.get(key)
    return Wish(stop="brand") if key == ANY or category is None or not category.refusable else Wish({key: False})


async def _saved(seen: Visit, wish: Wish, bound: Bound) -> Response:
    parts, manner = seen.parts, seen.manner(wording=bound.wording)
    ask = asker(parts, manner, seen.texts.language, seen.ground)
    chosen = await choose(seen.opened, wish, seen.catalogue, manner, book=parts.book, ring=parts.ring, ground=seen.ground, ask=ask)
    after = await again(seen)
    undo_url = f"/undo/{chosen.undo}" if chosen.undo else ""
    # Inside a frame the undo opens a page of its own: only the form may be framed.
    undo_form = form_token(parts.ring, chosen.undo, Bound(bound.wording)) if chosen.undo and not seen.embedded else ""
    return after.draw(
        "saved", await after.presented(), chosen=chosen, undo_url=undo_url, undo_form=undo_form, reason_for=chosen.entries, reasons=REASONS
    )


async def _reasoned(seen: Visit, form: Form, bound: Bound) -> Response:
    """Keeps a reason, or thanks for none: nobody has to give one."""
    reason, words = form.one("reason"), form.one("words")[:REASON_LENGTH]
    if reason not in REASONS:
        reason = "other" if words else ""
    if reason:
        properties = {"reason": reason, "words": words or None, "entries": list(bound.entries)}
        manner = seen.manner(wording=bound.wording, reason=reason)
        await give_reason(seen.opened, REASON, properties, manner, book=seen.parts.book, ground=seen.ground)
    return seen.draw("saved", await seen.presented(), thanked=bool(reason))


async def _mailed(seen: Visit) -> Response:
    """Mails a fresh link to the address that this one reaches."""
    parts = seen.parts
    language, network = seen.texts.language, network_of(seen.request)
    await mail_link(seen.opened, language=language, network=network, letters=parts.sources.letters, book=parts.book, ground=seen.ground)
    return seen.draw("link_sent", await seen.presented())


async def again(seen: Visit) -> Visit:
    """The same visit, with the person as they stand now."""
    opened = await open_link(seen.token, book=seen.parts.book, ring=seen.parts.ring, ground=seen.ground)
    return replace(seen, opened=opened)

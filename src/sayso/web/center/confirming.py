"""Confirming a double opt-in: GET shows one button, POST is the click that makes the consent."""

from starlette.requests import Request
from starlette.responses import Response

from sayso.flows.confirm_double import confirm_double, open_double
from sayso.web.center.doors import apart, personal, spoken
from sayso.web.center.draw import page
from sayso.web.center.forms import Bound, bound_by, form_token, read_form
from sayso.web.center.parts import center_parts


async def confirm_door(request: Request) -> Response:
    """The button, and what came of it. A sign-up that is over says so and offers nothing."""
    parts = center_parts(request)
    text = request.path_params["token"]
    form = await read_form(request) if request.method == "POST" else None
    ground = await parts.ground()
    letters = parts.sources.letters
    pending = await open_double(text, letters=letters, ring=parts.ring, ground=ground)
    pages, catalogue = await parts.showing.shown_to(None)
    brand = pending.scopes[0].brand
    texts = spoken(request, pages, brand, form)
    if form is not None:
        bound = bound_by(parts.ring, text, form.one("form"), ground.clock())
        kept = {**personal(request), "language": texts.language, "wording": bound.wording}
        pending = await confirm_double(text, personal=kept, letters=letters, book=parts.book, ring=parts.ring, ground=ground)
    expired = pending.confirmed_at is None and ground.clock() >= pending.expires_at
    values = {
        **apart(parts, pages, catalogue, brand),
        "form": form_token(parts.ring, text, Bound(f"pages {pages.version}, catalogue {catalogue.version}, {texts.language}")),
        "asked": tuple(scope.category for scope in pending.scopes), "expired": expired,
    }  # fmt: skip
    values["links"] = {**values["links"], "confirm": f"/confirm/{text}"}
    return page("confirmed" if pending.confirmed_at is not None else "confirm", None, values, texts)

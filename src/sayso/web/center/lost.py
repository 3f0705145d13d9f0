"""Lost the mail: a form that mails a fresh link, with the same answer for everybody; and the logos that pages show."""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from sayso.flows.mail_link import mail_link
from sayso.rules.subjects import InvalidAddress
from sayso.rules.words import ANY
from sayso.web.center.asking import network_of
from sayso.web.center.doors import apart, spoken
from sayso.web.center.draw import page
from sayso.web.center.forms import read_form
from sayso.web.center.languages import LANGUAGES
from sayso.web.center.parts import center_parts
from sayso.web.reading import BRAND_LENGTH

_PICTURE: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}
"""A picture may style itself and nothing else, also when it is opened alone."""


async def link_door(request: Request) -> Response:
    """One field. Whoever sends it hears the same, whether or not anybody is known under the address."""
    parts = center_parts(request)
    form = await read_form(request) if request.method == "POST" else None
    brand = request.query_params.get("brand", "") or ANY
    brand = brand if len(brand) <= BRAND_LENGTH and brand.isprintable() else ANY
    pages, catalogue = await parts.showing.shown_to(None)
    texts = spoken(request, pages, brand, form)
    values = apart(parts, pages, catalogue, brand)
    if brand != ANY:
        values["languages"] = [(code, f"?{urlencode({'brand': brand, 'lang': code})}") for code in LANGUAGES]
    if form is None:
        return page("link", None, values, texts)
    given = {"email": form.one("email")[:320]}
    try:
        ground = await parts.ground()
        await mail_link(
            given["email"], brand=brand, language=texts.language, network=network_of(request), letters=parts.sources.letters, book=parts.book,
            ground=ground,
        )  # fmt: skip
    except InvalidAddress:
        return page("link", None, {**values, "errors": (("email", "error_email"),), "given": given}, texts, status=400)
    return page("link_sent", None, values, texts)


async def logo_door(request: Request) -> Response:
    """A logo by the hash of its bytes."""
    logo = await center_parts(request).showing.logo(request.path_params["name"])
    return Response(logo.data if logo else b"", 200 if logo else 404, _PICTURE if logo else {}, media_type=logo.kind if logo else None)

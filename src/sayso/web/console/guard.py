"""Who may use the console: this machine's own browser, on pages that came from here. There is nobody to sign in as in a demonstration.

The process listens on the loopback only. The Host header must be one of its names, so that a foreign name that resolves to the
loopback reads nothing (DNS rebinding); a form must carry this process's token and come from our own pages, so that other sites
can send nothing (cross-site requests).
"""

import hmac
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LONGEST_FORM: Final = 16_384
FIELDS: Final = 20


class Refused(Exception):
    """A form that did not come from our own pages, or is not one."""


class Guard:
    """ASGI middleware: answers only to its own names, and puts the protecting headers on every page."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or refuses it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/static/"):
                    headers["Cache-Control"] = "no-cache"
            await send(message)

        if Headers(scope=scope).get("host", "").lower() not in self.hosts:
            refusal = PlainTextResponse("This console answers only under its own address; see where it was started.\n", 421)
            await refusal(scope, receive, protected)
            return
        await self.app(scope, receive, protected)


async def own_form(request: Request, token: str, hosts: frozenset[str]) -> dict[str, str]:
    """The fields of a form of ours, each a line of printable text. Raises Refused for a form from elsewhere, or one that is none."""
    origin = request.headers.get("origin")
    if origin is not None and origin.lower().partition("://")[2] not in hosts:
        raise Refused("The form came from another site.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_FORM:
            raise Refused("The form is too long.")
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS))
    except ValueError:
        raise Refused("The form cannot be read.") from None
    if not hmac.compare_digest(fields.get("form_token", "").encode(), token.encode()):
        raise Refused("The page is from before the last start of the demo. Go back, reload it, and try again.")
    return {name: line_of(value) for name, value in fields.items()}


def line_of(text: str, longest: int = 500) -> str:
    """A text as one trimmed line of printable characters."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:longest]

"""The console as an app of its own, and the door that stands before the hub and leads to it."""

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from sayso.contracts.book import Unavailable
from sayso.web.console import checks, inbox, people, proofs, start, suspected
from sayso.web.console.guard import Guard, Refused
from sayso.web.console.pages import page
from sayso.web.console.parts import Console

STATIC: Final = Path(__file__).parent.parent / "static"
PLACES: Final = frozenset({"", "people", "check", "proof", "live", "tour", "inbox", "bursts", "static", "favicon.ico"})
"""The first parts of paths that are the console's."""


def console_app(console: Console, clock: Callable[[], int]) -> Starlette:
    """The pages of one console; `clock` gives microseconds."""
    app = Starlette(
        routes=[
            Route("/", start.show),
            Route("/tour/unsubscribe", start.unsubscribe, methods=["POST"]),
            Route("/live/{part}", start.live),
            Route("/people", people.show),
            Route("/people", people.act, methods=["POST"]),
            Route("/check", checks.show),
            Route("/check", checks.ask, methods=["POST"]),
            Route("/inbox/{name}", inbox.show),
            Route("/bursts", suspected.show),
            Route("/bursts", suspected.offer, methods=["POST"]),
            Route("/proof/{entry}.tlog-proof", proofs.download),
            Route("/proof/{entry}", proofs.show),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guard, hosts=console.hosts)],
        exception_handlers={HTTPException: _missing, Refused: _refused, Unavailable: _unavailable, Exception: _broken},
    )
    app.state.console, app.state.clock = console, clock
    return app


async def _missing(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return _trouble(request, status, HTTPStatus(status).phrase, "There is no such page here.")


async def _refused(request: Request, error: Exception) -> Response:
    return _trouble(request, 403, "Not accepted", str(error))


async def _unavailable(request: Request, _: Exception) -> Response:
    return _trouble(request, 503, "The store does not answer", "Nothing was changed. The page works again as soon as the database does.")


async def _broken(request: Request, _: Exception) -> Response:
    return _trouble(request, 500, "Something is broken here", "The failure was logged. Nothing else is known about it.")


def _trouble(request: Request, status: int, title: str, text: str) -> Response:
    return page(request, "trouble.html", {"q": "", "title": title, "text": text}, status=status)


class Front:
    """Leads each request to the console or to the hub behind it, by its path."""

    def __init__(self, console: ASGIApp, hub: ASGIApp) -> None:
        self._console, self._hub = console, hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        is_page = scope["type"] == "http" and scope["path"].lstrip("/").partition("/")[0] in PLACES
        await (self._console if is_page else self._hub)(scope, receive, send)

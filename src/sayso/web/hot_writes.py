"""The hot lane of writes: plain preference writes as a plain ASGI route. Same parsing, same answers and same errors as the documented door.

Whatever is not entirely plain (a parameter, an escaped path, a token that may not do this, a rate to keep) is passed on to the app
behind, which answers alike and takes longer.
"""

import re
from typing import Final

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from sayso.contracts.book import Unavailable
from sayso.web.api.preferences import WRITERS
from sayso.web.api.saying import answer_write
from sayso.web.auth import Caller, bearer
from sayso.web.envelope import Envelope
from sayso.web.errors import Problem
from sayso.web.hub import Hub
from sayso.web.reading import contact_key

_PATH: Final = re.compile(r"/api/v2/contacts/([A-Za-z0-9._~-]+)/email_preferences", re.ASCII)
_CALLER: Final = "sayso.caller"


class HotWrites:
    """Answers plain writes of contacts' preferences itself and passes everything else on to the app behind it."""

    def __init__(self, app: ASGIApp, hub: Hub) -> None:
        self._app, self._hub = app, hub
        self._door = Envelope(self._write, base=lambda: hub.public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        plain = scope["type"] == "http" and scope["method"] in ("POST", "PUT") and self._is_plain(scope)
        caller = await self._caller(scope) if plain else None
        if caller is None:
            await self._app(scope, receive, send)
        else:
            await self._door({**scope, _CALLER: caller}, receive, send)

    def _is_plain(self, scope: Scope) -> bool:
        if self._hub.rate is not None or scope["query_string"] or not _PATH.fullmatch(scope["path"]):
            return False
        return bool(scope.get("raw_path", b"").partition(b"?")[0] == scope["path"].encode())

    async def _caller(self, scope: Scope) -> Caller | None:
        """Who writes, if they may; whoever may not is refused by the app behind."""
        tokens = [value for name, value in scope["headers"] if name == b"authorization"]
        try:
            token = bearer(tokens[0].decode("latin-1")) if len(tokens) == 1 else None
            caller = self._hub.callers.fresh(token) or await self._hub.callers.lookup(token) if token else None
        except (Problem, Unavailable):
            return None
        return caller if caller is not None and set(WRITERS) & set(caller.scopes) else None

    async def _write(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _PATH.fullmatch(scope["path"])
        assert found is not None  # it was why the request came here
        response = await answer_write(Request(scope, receive), contact_key(found[1]), self._hub, scope[_CALLER])
        await response(scope, receive, send)

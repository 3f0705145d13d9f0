"""The shop: a receiver of webhooks as a customer would write one. It believes nothing that is not signed."""

import base64
import hmac
import time
from dataclasses import dataclass, field

from aiohttp import web

TOLERANCE_SECONDS = 300


@dataclass(slots=True)
class Shop:
    """Knows the latest state of each contact by the webhook deliveries that proved themselves (Standard Webhooks 1.0.0)."""

    secret: str = field(repr=False)
    refused: int = 0

    def app(self) -> web.Application:
        """The HTTP application with its one address."""
        app = web.Application()
        app.router.add_post("/hooks/sayso", self._receive)
        return app

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        if not self.signed(request, await request.read()):
            self.refused += 1
            return web.json_response({"error": "the signature does not fit"}, status=401)
        return web.Response(status=204)

    def signed(self, request: web.Request, body: bytes) -> bool:
        """Whether one of the signatures is ours over exactly these bytes, made within five minutes of now."""
        delivery, moment = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        if not (moment.isascii() and moment.isdigit() and abs(time.time() - int(moment)) <= TOLERANCE_SECONDS):
            return False
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        made = base64.b64encode(hmac.digest(key, f"{delivery}.{moment}.".encode() + body, "sha256")).decode()
        given = request.headers.get("webhook-signature", "").split(" ")
        return any(hmac.compare_digest(f"v1,{made}".encode(), one.encode()) for one in given)

"""A small SendGrid: suppression lists and groups that keep their rows, and an event webhook that signs.

It does not send mail, check scopes of keys, subusers, rate limits or regions, and does not emit events by itself. It does check
sign-in, the shape of bodies and whether a group exists.
"""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sayso.testing.fake_server import FakeServer

Row = dict[str, object]


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"errors": [{"field": None, "message": message}]}, status=status)


@dataclass(slots=True)
class FakeSendGrid:
    """The account. `clock` gives microseconds; `groups` maps a group id to its addresses and times (seconds)."""

    clock: Callable[[], int]
    api_key: str = "SG.demo-key-0123456789"
    server: FakeServer = field(default_factory=FakeServer)
    groups: dict[int, dict[str, int]] = field(default_factory=lambda: {101: {}, 102: {}})
    everywhere: dict[str, int] = field(default_factory=dict)
    lists: dict[str, list[Row]] = field(default_factory=lambda: {"bounces": [], "blocks": [], "invalid_emails": [], "spam_reports": []})
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()), repr=False)

    @property
    def public_key(self) -> str:
        """The verification key as SendGrid shows it: base64 of DER."""
        public = self.key.public_key()
        der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()

    def signed(self, events: object, seconds: int | None = None) -> tuple[tuple[tuple[str, str], ...], bytes]:
        """Headers and body of one webhook call about these events, signed at `seconds` (default: now)."""
        body = (json.dumps(events) + "\r\n").encode()
        return self.signed_bytes(body, self.clock() // 1_000_000 if seconds is None else seconds), body

    def signed_bytes(self, body: bytes, seconds: int) -> tuple[tuple[str, str], ...]:
        """The headers of a call with exactly this body."""
        made = self.key.sign(f"{seconds}".encode() + body, ec.ECDSA(hashes.SHA256()))
        return (
            ("Content-Type", "application/json"),
            ("X-Twilio-Email-Event-Webhook-Signature", base64.b64encode(made).decode()),
            ("X-Twilio-Email-Event-Webhook-Timestamp", f"{seconds}"),
        )

    def app(self) -> web.Application:
        """The HTTP application."""
        app = web.Application(client_max_size=16 * 1_048_576)
        app.router.add_route("*", "/{path:.*}", self._serve)
        return app

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        friendly = web.json_response({"recipient_emails": []}, status=201)
        return await self.server.answer(request, body, self._route, friendly)

    async def _route(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self.api_key}":
            return _error(401, "The provided authorization grant is invalid, expired, or revoked")
        parts = [unquote(part) for part in request.raw_path.partition("?")[0].split("/") if part]
        if parts[:3] == ["v3", "asm", "groups"]:
            return self._groups(request.method, parts[3:], body)
        if parts[:4] == ["v3", "asm", "suppressions", "global"]:
            return self._global(request.method, parts[4:], body)
        if parts[:3] == ["v3", "asm", "suppressions"] and request.method == "GET":
            return self._suppressions(parts[3:])
        if parts[:2] == ["v3", "suppression"] and request.method == "GET" and len(parts) == 3:
            return self._list(request, parts[2])
        return _error(404, "not found")

    def _groups(self, method: str, parts: Sequence[str], body: bytes) -> web.Response:
        if not parts and method == "GET":
            return web.json_response([self._group(number) for number in self.groups])
        number = int(parts[0]) if parts and parts[0].isdigit() else -1
        if number not in self.groups or len(parts) < 2 or parts[1] != "suppressions":
            return _error(404, "group not found")
        return self._keep(self.groups[number], method, parts[2:], body)

    def _global(self, method: str, parts: Sequence[str], body: bytes) -> web.Response:
        if method == "GET" and parts:
            found = parts[0].lower() in self.everywhere
            return web.json_response({"recipient_email": parts[0]} if found else {})
        return self._keep(self.everywhere, method, parts, body)

    def _keep(self, held: dict[str, int], method: str, parts: Sequence[str], body: bytes) -> web.Response:
        if method == "DELETE" and parts:
            return web.Response(status=204 if held.pop(parts[0].lower(), None) is not None else 404)
        if method == "GET":
            return web.json_response(sorted(held))
        addresses = json.loads(body).get("recipient_emails") if method == "POST" else None
        if not isinstance(addresses, list) or not addresses:
            return _error(400, "recipient_emails is required")
        if not all(isinstance(one, str) and one.count("@") == 1 for one in addresses):
            return _error(400, "recipient_emails holds an invalid address")
        for one in addresses:
            held.setdefault(one.lower(), self.clock() // 1_000_000)
        return web.json_response({"recipient_emails": addresses}, status=201)

    def _group(self, number: int) -> Row:
        return {"id": number, "name": f"Group {number}", "description": "", "is_default": False, "unsubscribes": len(self.groups[number])}

    def _suppressions(self, parts: Sequence[str]) -> web.Response:
        if parts:
            found = [{**self._group(number), "suppressed": parts[0].lower() in held} for number, held in self.groups.items()]
            return web.json_response({"suppressions": found})
        rows = [
            {"email": address, "group_id": number, "group_name": f"Group {number}", "created_at": at}
            for number, held in self.groups.items()
            for address, at in held.items()
        ]
        return web.json_response(rows)

    def _list(self, request: web.Request, name: str) -> web.Response:
        rows: list[Row] = self.lists.get(name, [])
        if name == "unsubscribes":
            rows = [{"email": address, "created": at} for address, at in self.everywhere.items()]
        since, offset = int(request.query.get("start_time", "0")), int(request.query.get("offset", "0"))
        limit = min(500, int(request.query.get("limit", "500")))
        found = [row for row in rows if int(str(row["created"])) >= since]
        return web.json_response(found[offset : offset + limit])

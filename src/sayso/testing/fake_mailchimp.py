"""A small Mailchimp: one audience that keeps its members, written by hand from the vendor's API description.

It does not check merge fields, rate limits, the 1,000-character rules, OAuth or webhooks registration, knows no tags, interests or
archives by itself, and answers fewer fields than Mailchimp. It does check sign-in, audience, required fields and status words.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from aiohttp import web

from sayso.rules.times import format_time, parse_time
from sayso.testing.fake_server import FakeServer

STATUSES = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional")


def _hash(address: str) -> str:
    return hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest()


def _problem(status: int, title: str, detail: str) -> web.Response:
    return web.json_response({"type": "about:blank", "title": title, "status": status, "detail": detail}, status=status)


@dataclass(slots=True)
class FakeMailchimp:
    """The audience. `clock` gives microseconds; `compliance` and `forgotten` hold lower-case addresses the vendor will not subscribe."""

    clock: Callable[[], int]
    list_id: str = "a6b5da1054"
    api_key: str = "0123456789abcdef0123456789abcdef-us21"
    server: FakeServer = field(default_factory=FakeServer)
    members: dict[str, dict[str, str]] = field(default_factory=dict)
    compliance: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)

    def add(self, address: str, status: str = "subscribed", reason: str = "") -> None:
        """Puts a member into the audience, or changes one, as Mailchimp's own users do."""
        now = format_time(self.clock())
        member = self.members.setdefault(_hash(address), {"id": _hash(address), "email_address": address, "timestamp_opt": now})
        member.update(status=status, last_changed=now, unsubscribe_reason=reason)

    def leave(self, address: str) -> None:
        """The person unsubscribes with Mailchimp's own link: from then on only they can come back."""
        self.add(address, "unsubscribed", "No longer interested")
        self.compliance.add(address.lower())

    def status(self, address: str) -> str | None:
        """The member's status, or None when the audience does not know them."""
        member = self.members.get(_hash(address))
        return member["status"] if member else None

    def app(self) -> web.Application:
        """The HTTP application, under `/3.0` and without it."""
        app = web.Application(client_max_size=16 * 1_048_576)
        app.router.add_route("*", "/{path:.*}", self._serve)
        return app

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        friendly = web.json_response({"status": "unsubscribed", "new_members": [], "updated_members": [], "errors": []})
        return await self.server.answer(request, body, self._route, friendly)

    async def _route(self, request: web.Request, body: bytes) -> web.StreamResponse:
        token = base64.b64decode(request.headers.get("Authorization", "").partition(" ")[2] or b"").decode("utf-8", "replace")
        if token.partition(":")[2] != self.api_key:
            return _problem(401, "API Key Invalid", "Your API key may be invalid")
        parts = [part for part in request.path.split("/") if part and part != "3.0"]
        if parts == ["ping"]:
            return web.json_response({"health_status": "Everything's Chimpy!"})
        if parts[:2] != ["lists", self.list_id]:
            return _problem(404, "Resource Not Found", "The requested resource could not be found.")
        if len(parts) == 2:
            return web.json_response({"id": self.list_id, "name": "Northwind news"}) if request.method == "GET" else self._batch(body)
        if len(parts) == 3 and parts[2] == "members" and request.method == "GET":
            return self._page(request)
        if len(parts) == 4 and parts[2] == "members":
            return self._member(request.method, parts[3], body)
        return _problem(404, "Resource Not Found", "The requested resource could not be found.")

    def _member(self, method: str, key: str, body: bytes) -> web.Response:
        if method == "GET":
            member = self.members.get(key)
            return web.json_response(member) if member else _problem(404, "Resource Not Found", "No such member.")
        fields = json.loads(body)
        if method == "PATCH":
            found = self.members.get(key)
            if found is None:
                return _problem(404, "Resource Not Found", "No such member.")
            address, status = found["email_address"], fields.get("status", found["status"])
        elif method == "PUT" and fields.get("email_address") and fields.get("status_if_new") in STATUSES:
            address, status = fields["email_address"], fields.get("status", fields["status_if_new"])
        else:
            return _problem(400, "Invalid Resource", "The resource submitted could not be validated.")
        refused = self._set(address, status)
        return _problem(400, *refused) if refused else web.json_response(self.members[_hash(address)])

    def _set(self, address: str, status: str) -> tuple[str, str] | None:
        """Sets a status as the API may; otherwise the title and detail of the refusal."""
        if status not in STATUSES or "@" not in address:
            return "Invalid Resource", "Please provide a valid email address."
        if address.lower() in self.forgotten:
            return "Forgotten Email Not Subscribed", f"{address} was permanently deleted and cannot be re-imported."
        if status == "subscribed" and address.lower() in self.compliance:
            return "Member In Compliance State", f"{address} is in a compliance state due to unsubscribe and cannot be subscribed."
        before = self.members.get(_hash(address), {}).get("status")
        if before != status:
            self.add(address, status, "N/A (Unsubscribed by admin)" if status == "unsubscribed" else "")
        return None

    def _batch(self, body: bytes) -> web.Response:
        fields = json.loads(body)
        members = fields.get("members")
        if not isinstance(members, list) or len(members) > 500:
            return _problem(400, "Invalid Resource", "members: 1 to 500")
        answer: dict[str, list[object]] = {"new_members": [], "updated_members": [], "errors": []}
        for one in members:
            address = one.get("email_address", "")
            known = _hash(address) in self.members
            refused = self._set(address, one.get("status", ""))
            if refused:
                answer["errors"].append({"email_address": address, "error": ": ".join(refused), "error_code": "ERROR_GENERIC"})
            else:
                answer["updated_members" if known else "new_members"].append(self.members[_hash(address)])
        return web.json_response({**answer, "error_count": len(answer["errors"])})

    def _page(self, request: web.Request) -> web.Response:
        since = request.query.get("since_last_changed")
        after = parse_time(since) if since else -1
        found = [one for one in self.members.values() if parse_time(one["last_changed"]) > after]
        found.sort(key=lambda one: parse_time(one["last_changed"]), reverse=request.query.get("sort_dir") == "DESC")
        offset, count = int(request.query.get("offset", "0")), min(1_000, int(request.query.get("count", "10")))
        return web.json_response({"members": found[offset : offset + count], "list_id": self.list_id, "total_items": len(found)})


def form(fields: dict[str, str]) -> bytes:
    """The body of one of Mailchimp's form webhooks."""
    return urlencode(fields).encode()


def signature(secret: str, body: bytes, seconds: int) -> str:
    """The value of X-Mailchimp-Signature."""
    return f"t={seconds},v1={hmac.new(secret.encode(), f'{seconds}.'.encode() + body, hashlib.sha256).hexdigest()}"

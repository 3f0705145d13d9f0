"""What the webhook connector promises, beyond the contract: readable by any Standard Webhooks library, small, never unsigned."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import time_machine
from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from sayso.connectors import webhook
from sayso.contracts.connector import BadSettings, BadSignature, Call, Settings
from sayso.testing.connector_suite import NOW, Case, World, change, contract_of, push
from sayso.testing.fake_server import FakeServer, serving

NEW = "whsec_" + base64.b64encode(b"new" * 10).decode()
OLD = "whsec_" + base64.b64encode(b"old" * 10).decode()


@dataclass(slots=True)
class Receiver:
    """Ada's shop system: keeps the latest state it was told, by delivery id."""

    server: FakeServer = field(default_factory=FakeServer)
    told: dict[str, Any] = field(default_factory=dict)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/in", self._receive)
        return app

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        return await self.server.answer(request, await request.read(), self._keep, web.Response())

    async def _keep(self, request: web.Request, body: bytes) -> web.Response:
        self.told[request.headers["webhook-id"]] = json.loads(body)
        return web.Response(status=204)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    receiver = Receiver()
    async with serving(receiver.app(), receiver.server) as base:
        yield World(Settings({"url": f"{base}/in", "secrets": [NEW, OLD]}), receiver.server, lambda: receiver.told)


CASE = Case(webhook, world, Path(__file__).parent / "fixtures")
_Contract = contract_of(CASE)


class TestWebhookContract(_Contract):  # type: ignore[misc,valid-type]  # a class made at run time
    """The contract, but an endpoint has no body worth reading: any 2xx is a yes."""

    @pytest.mark.parametrize("trouble", ["reset", "reset_after"])
    async def test_every_trouble_heals_into_the_wanted_state(self, trouble: Any) -> None:
        await super().test_every_trouble_heals_into_the_wanted_state(trouble)


@pytest.mark.feature("D3", "D12")
@pytest.mark.parametrize("secret", [NEW, OLD])
async def test_deliveries_verify_with_the_public_library_under_either_secret(secret: str) -> None:
    async with world() as here:
        assert [outcome.kind for outcome in await push(CASE, here, change())] == ["applied"]
        (seen,) = here.server.seen
        headers = {name.lower(): value for name, value in seen.headers}
        with time_machine.travel(NOW / 1_000_000, tick=False):
            document = Webhook(secret).verify(seen.body, headers)
            with pytest.raises(WebhookVerificationError):
                Webhook(secret).verify(seen.body + b" ", headers)
        assert headers["webhook-id"] == "msg_k_7" and headers["webhook-timestamp"] == str(NOW // 1_000_000)
        assert document["type"] == "preferences.changed" and document["timestamp"] == "2026-11-22T10:01:39Z"
        assert set(document["data"]) == {"contact_id", "address", "version", "preferences", "changed", "origin", "checkpoint"}
        assert document["data"]["address"] == "ada@example.com" and document["data"]["preferences"]["email_opt_out_global"] is True


async def test_the_id_stays_over_retries_and_the_time_is_the_attempt() -> None:
    async with world() as here:
        here.server.plan("status", status=503)
        assert (await push(CASE, here, change()))[0].kind == "later"
        await push(CASE, here, change())
        assert len({seen.header("webhook-id") for seen in here.server.seen}) == 1
        later = next(webhook.push(here.settings, [change()], NOW + 90_000_000))
        assert dict(later.headers)["webhook-timestamp"] == str(NOW // 1_000_000 + 90)  # type: ignore[union-attr]  # never a Wait


async def test_gone_is_for_good_and_redirects_are_not_followed() -> None:
    async with world() as here:
        here.server.plan("status", status=410)
        here.server.plan("status", status=307)
        gone, moved = await push(CASE, here, change(key="1"), change(key="2"))
        assert (gone.kind, gone.permanent) == ("refused", True)
        assert (moved.kind, moved.permanent) == ("refused", False)
        assert len(here.server.seen) == 2


@pytest.mark.parametrize("filler", ["preferences", "changed", "both"])
def test_a_large_state_is_cut_by_name_and_still_told(filler: str) -> None:
    large = json.dumps({"note": "é" * 30_000})
    given = change(document=large if filler != "changed" else "{}", changed=large if filler != "preferences" else "{}")
    body = webhook.body_of(given)
    data = json.loads(body)["data"]
    assert len(body) <= webhook.MAX_BODY
    assert data["contact_id"] == "c-1001" and data["version"] == 7
    assert "preferences" in data["truncated"] and (filler == "preferences") == ("changed" not in data["truncated"])


def test_other_events_carry_their_own_data() -> None:
    data = {"name": "Cart Abandoned", "email": "ada@example.com"}
    body = json.loads(webhook.body_of(change(event_type="event.received", document=json.dumps(data))))
    assert body == {"type": "event.received", "timestamp": "2026-11-22T10:01:39Z", "data": data}


@pytest.mark.parametrize(
    "secrets", [[], ["whsec_"], ["whsec_kurz"], ["whsec_!!!"], [OLD, "whsec_" + base64.b64encode(b"x" * 65).decode()], 7]
)
def test_nothing_is_sent_with_a_bad_secret(secrets: Any) -> None:
    with pytest.raises(BadSettings, match="secrets"):
        next(webhook.push(Settings({"url": "https://example.com/in", "secrets": secrets}), [change()], NOW))


@pytest.mark.parametrize("delivery", ["", "a.b"])
def test_a_delivery_id_that_could_be_read_two_ways_is_a_bug(delivery: str) -> None:
    with pytest.raises(ValueError, match="full stop"):
        next(webhook.push(Settings({"url": "https://example.com/in", "secrets": [NEW]}), [replace(change(), delivery_id=delivery)], NOW))


def test_an_endpoint_is_never_heard() -> None:
    with pytest.raises(BadSignature):
        webhook.hear(Settings({}), Call("POST", (), (), b"{}", NOW))

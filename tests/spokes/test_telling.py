"""The hub tells webhook endpoints: current states, signed, retried, in order where order is promised, never to forbidden places."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from sayso.contracts.book import Key
from sayso.flows.connect import retire
from sayso.opening import microseconds
from sayso.spoke_wiring import setup_of
from sayso.testing.fake_server import Trouble
from town import ADA, Receiver, Town, eventually, town_over

DAY = 86_400_000_000
STATES = ["preferences.changed"]
pytestmark = pytest.mark.feature("D3", "D9")


async def promo(town: Town, choice: str, contact: str = "c-1") -> Any:
    return await town.say(contact, {"email": ADA, "email_pref_promotional": choice, "email_pref_update_source": "preference_center"})


def chosen(shop: Receiver) -> list[str]:
    return [one["data"]["preferences"]["email_pref_promotional"] for one in shop.of("preferences.changed")]


@pytest.mark.feature("D5", "D8")
async def test_after_an_outage_the_current_state_is_told(town: Town, shop: Receiver) -> None:
    await town.webhook(shop, events=STATES)
    shop.server.plan("status", 1_000, status=503)
    await promo(town, "opted_out")
    await eventually(lambda: town.has(shop.server.seen))
    await promo(town, "opted_in")
    await promo(town, "opted_out")
    assert shop.got == []
    shop.server.heal()
    await eventually(lambda: town.has(shop.got), 60)
    await town.settled()
    assert chosen(shop)[-1] == "opted_out"
    versions = [one["data"]["version"] for one in shop.got]
    assert versions == sorted(versions)
    assert shop.got[0]["data"]["changed"]["email_pref_promotional"] == {"old": None, "new": "opted_out"}


@pytest.mark.parametrize("trouble", ["reset", "reset_after", "status"])
async def test_a_retried_state_keeps_its_id(town: Town, shop: Receiver, trouble: Trouble) -> None:
    hook = await town.webhook(shop, events=STATES)
    await eventually(lambda: town.backfilled(hook))
    shop.server.plan(trouble, 2, status=500)
    await promo(town, "opted_out")
    await eventually(lambda: town.has(shop.got))
    await town.settled()
    assert len({seen.header("webhook-id") for seen in shop.server.seen}) == 1
    assert set(chosen(shop)) == {"opted_out"}


async def test_a_receiver_decides_when_it_is_asked_again(town: Town, shop: Receiver) -> None:
    await town.webhook(shop, events=STATES)
    shop.server.plan("status", 1, status=429, retry_after="2")
    await promo(town, "opted_out")
    await eventually(lambda: town.has(shop.got))
    moments = [int(seen.header("webhook-timestamp")) for seen in shop.server.seen]
    assert len(moments) == 2 and moments[1] - moments[0] >= 1
    shown = await eventually(lambda: told_of(town, "c-1"))
    assert shown["state"] == "in_sync" and shown["acknowledged"] == shown["wanted"]


async def told_of(town: Town, contact: str) -> Any:
    [found] = (await town.ok("GET", f"/api/v2/contacts/{contact}/propagation", scopes="email_preferences"))["items"]
    return found if found["acknowledged_at"] else None


async def test_rotation_loses_nothing(town: Town, shop: Receiver) -> None:
    hook = await town.webhook(shop, events=STATES)
    await promo(town, "opted_out")
    await eventually(lambda: town.has(shop.got))
    fresh = (await town.ok("POST", f"/api/v2/webhooks/{hook['id']}/rotate"))["secret"]
    await promo(town, "opted_in")
    await eventually(lambda: town.has(signed(shop, hook["secret"]) and signed(shop, fresh)))
    connection = await town.parts.spokes.connection(UUID(hook["id"]))
    ground = await town.parts.current.ground()
    tomorrow = replace(ground, clock=lambda: microseconds() + DAY + 1)
    await retire(connection, connecting=setup_of(town.parts).connecting, ground=ground)
    assert len((await town.parts.spokes.connection(connection.id)).settings.texts("secrets")) == 2
    await retire(connection, connecting=setup_of(town.parts).connecting, ground=tomorrow)

    async def only_the_new_one_signs() -> bool:
        # What was under way when the old secret ended may still carry it, so each look makes one more change.
        await promo(town, "opted_out" if len(shop.got) % 2 else "opted_in")
        return signed(shop, fresh) and not signed(shop, hook["secret"])

    assert await eventually(only_the_new_one_signs)


def signed(shop: Receiver, secret: str) -> bool:
    """Whether the newest delivery is signed with this secret."""
    last = shop.server.seen[-1]
    try:
        return bool(Webhook(secret).verify(last.body, dict(last.headers)))
    except WebhookVerificationError:
        return False


async def test_an_endpoint_that_is_gone_is_left_alone_until_it_is_resumed(town: Town, shop: Receiver) -> None:
    hook = await town.webhook(shop, events=STATES)
    shop.server.plan("status", 1, status=410)
    await promo(town, "opted_out")

    async def disabled() -> Any:
        shown = await town.ok("GET", f"/api/v2/webhooks/{hook['id']}")
        return shown if shown["state"] == "disabled" else None

    assert "410" in (await eventually(disabled))["cause"]
    await promo(town, "opted_in")
    asked = len(shop.server.seen)
    assert shop.got == []
    await town.ok("POST", f"/api/v2/connections/{hook['id']}/resume")
    await eventually(lambda: town.has(chosen(shop)))
    assert chosen(shop)[-1] == "opted_in" and len(shop.server.seen) > asked


async def test_a_test_and_the_list_of_deliveries(town: Town, shop: Receiver) -> None:
    hook = await town.webhook(shop, events=STATES)
    tried = await town.ok("POST", f"/api/v2/webhooks/{hook['id']}/test")
    assert tried["delivered"] and tried["status"] == 204 and tried["milliseconds"] >= 0
    assert shop.verified(hook["secret"])[0]["type"] == "test.ping"
    shop.server.plan("status", 1, status=500)
    failed = await town.ok("POST", f"/api/v2/webhooks/{hook['id']}/test")
    assert (failed["delivered"], failed["status"]) == (False, 500)
    await promo(town, "opted_out")
    await eventually(lambda: town.has(shop.of("preferences.changed")))

    async def three() -> Any:
        page = await town.ok("GET", f"/api/v2/webhooks/{hook['id']}/deliveries")
        return page["items"] if len(page["items"]) == 3 else None

    listed = await eventually(three)
    assert [one["status"] for one in listed] == [204, 500, 204]
    assert listed[0]["webhook_id"] == shop.server.seen[-1].header("webhook-id") and listed[0]["outcome"] == "applied"
    assert hook["secret"] not in json.dumps(listed)
    first = await town.ok("GET", f"/api/v2/webhooks/{hook['id']}/deliveries?limit=2")
    rest = await town.ok("GET", f"/api/v2/webhooks/{hook['id']}/deliveries?limit=2&after={first['next']}")
    assert [one["id"] for one in (*first["items"], *rest["items"])] == [one["id"] for one in listed] and rest["next"] is None


async def test_replay_tells_again_what_changed_since(town: Town, shop: Receiver) -> None:
    hook = await town.webhook(shop, events=STATES)
    await promo(town, "opted_out")
    await eventually(lambda: town.has(shop.got))
    await town.settled()
    assert await town.ok("POST", f"/api/v2/webhooks/{hook['id']}/replay", {"since": "2999-01-01T00:00:00Z"}) == {"queued": 0}
    before = len(shop.got)
    assert await town.ok("POST", f"/api/v2/webhooks/{hook['id']}/replay", {"since": "2020-01-01T00:00:00Z"}) == {"queued": 1}
    await eventually(lambda: town.has(len(shop.got) > before))
    assert len(set(shop.ids)) > 1, "another delivery, not a retry"
    for bad in ({}, {"since": "yesterday"}, {"since": "2020-01-01T00:00:00Z", "until": 1}):
        assert (await town.call("POST", f"/api/v2/webhooks/{hook['id']}/replay", bad))[0] == 422


@pytest.mark.feature("C8", "C12", "D4")
async def test_events_are_told_one_by_one_in_order(town: Town, shop: Receiver) -> None:
    await town.say("c-1", {"email": ADA})
    hook = await town.webhook(shop, events=["event.received", "address.blocked"])
    shop.server.plan("status", 1, status=503, retry_after="1")
    for choice in ("opted_out", "opted_in", "opted_out"):
        await promo(town, choice)
    sendgrid, source = await town.sendgrid()
    bounced = {"email": ADA, "event": "bounce", "type": "bounce", "status": "5.1.1", "sg_event_id": "b-1", "timestamp": 1_795_000_000}
    assert (await town.hook(source, *sendgrid.signed([bounced])))[0] == 200
    await eventually(lambda: town.has(shop.of("address.blocked")))
    told = [one["data"] for one in shop.of("event.received")]
    assert [one["event"] for one in told][:3] == ["Opt Out", "Opt In", "Opt Out"]
    assert told[0]["channel.type"] == "MAIL" and told[0]["properties"]["category"] == "promotional" and told[0]["contact_id"] == "c-1"
    assert "mail.bounce" in [one["event"] for one in told]
    assert shop.of("address.blocked")[0]["data"]["block"] == "hard_bounce"
    assert shop.of("preferences.changed") == [], "it asked for events only"
    assert shop.verified(hook["secret"])
    assert [one["data"]["entry"] for one in shop.got] == shop.ids, "each is told under the id of its entry"
    accuracy = await town.ok("GET", "/api/v2/sync/accuracy", scopes="reports:read")
    assert next(one for one in accuracy["by_connection"] if one["connection"] == hook["id"])["pairs"] == 0


async def test_events_can_be_asked_for_by_name(town: Town, shop: Receiver) -> None:
    hook = await town.webhook(shop, events=["event.received"], names=["Cart Abandoned"])
    await promo(town, "opted_out")
    sent = {"id": "c-1", "events": [{"event": "Page Viewed"}, {"event": "Cart Abandoned", "properties": {"worth": 7}}]}
    await town.ok("POST", "/events", sent, scopes="events")
    await eventually(lambda: town.has(shop.got))
    assert [(one["data"]["event"], one["data"]["properties"]) for one in shop.got] == [("Cart Abandoned", {"worth": 7})]
    await town.ok("PATCH", f"/api/v2/webhooks/{hook['id']}", {"events": STATES})
    await eventually(lambda: town.has(shop.of("preferences.changed")))


@pytest.mark.feature("D13")
async def test_forbidden_places_are_refused_when_named_and_when_told(database: str, tmp_path: Path, shop: Receiver) -> None:
    async with town_over(database, tmp_path / "data", allow="") as town:
        for url in ("http://127.0.0.1:9/", "https://10.0.0.1/", "https://169.254.169.254/", "https://[::1]/", "ftp://example.com/", "http://example.com/",
                    "https://user:pw@example.com/", "https://example.com:22/", "https://0x7f.1/", ""):  # fmt: skip
            status, problem = await town.call("POST", "/api/v2/webhooks", {"url": url})
            assert (status, problem["errors"][0]["pointer"]) == (422, "#/url"), url
        status, problem = await town.call("POST", "/api/v2/connections", {
            "connector": "sendgrid", "name": "x", "settings": {"api_key": "k", "base_url": "http://127.0.0.1:1"}})  # fmt: skip
        assert (status, problem["errors"][0]["pointer"]) == (422, "#/settings/base_url")
        port = shop.url.rpartition(":")[2].partition("/")[0]
        assert (await town.call("POST", "/api/v2/webhooks", {"url": f"https://localhost:{port}/"}))[0] == 422
        made = await town.ok("POST", "/api/v2/webhooks", {"url": "https://localhost:8443/told", "events": STATES})
        tried = await town.ok("POST", f"/api/v2/webhooks/{made['id']}/test")
        assert (tried["delivered"], tried["status"], tried["outcome"]) == (False, None, "refused"), tried
        await promo(town, "opted_out")

        async def refused() -> Any:
            [one] = (await town.ok("GET", "/api/v2/contacts/c-1/propagation", scopes="email_preferences"))["items"]
            return one if one["cause"] else None

        assert "not a public address" in (await eventually(refused))["cause"]
    assert shop.server.seen == []


@pytest.mark.feature("D8", "D15")
async def test_what_was_acknowledged_but_is_not_held_is_told_again(town: Town) -> None:
    sendgrid, source = await town.sendgrid()
    await promo(town, "opted_out")
    await eventually(lambda: town.has(ADA in sendgrid.groups[101]))
    await town.settled()
    confirmed = await town.ok("POST", f"/api/v2/connections/{source['id']}/run")
    assert confirmed["differs"] == 0
    await promo(town, "opted_in")
    await promo(town, "opted_out")
    await town.settled()
    sendgrid.groups[101].clear()  # acknowledged, and gone all the same
    assert (await town.ok("POST", f"/api/v2/connections/{source['id']}/run"))["differs"] == 1
    await eventually(lambda: town.has(ADA in sendgrid.groups[101]))
    await town.settled()


async def test_one_answer_that_does_not_come_delays_nobody_else(quiet_town: Town, shop: Receiver) -> None:
    await quiet_town.webhook(shop, events=STATES)
    for n in range(4):
        await quiet_town.say(f"c-{n}", {"email_pref_promotional": "opted_out", "email_pref_update_source": "preference_center"})
    shop.server.plan("hang", 1)
    await quiet_town.start_worker()

    async def all_but_one() -> bool:
        return len({one["data"]["contact_id"] for one in shop.got}) == 3

    await eventually(all_but_one, 10)  # a request is given up after 15 seconds
    assert len(shop.server.seen) >= 4
    shop.server.stop()


async def test_each_acknowledgement_keeps_its_own_reason_and_nobody_elses(town: Town, shop: Receiver) -> None:
    hook = await town.webhook(shop, events=STATES)
    shop.server.plan("status", 1, status=503)
    for n in range(3):
        await town.say(f"c-{n}", {"email": f"p{n}@example.com", "email_pref_promotional": "opted_out"})
    await town.settled()
    page = await town.parts.book.read([Key("connection", hook["id"])])
    [sub] = page.rows
    kept = [(one.fields["act"], one.detail) for one in await town.parts.book.entries([sub]) if one.fields["t"] == "ack"]
    assert len(kept) >= 4
    assert dict(kept) == {"later": {"reason": "answered 503"}, "applied": {"reason": "answered 204"}}
    assert all(detail == dict(kept)[act] for act, detail in kept)

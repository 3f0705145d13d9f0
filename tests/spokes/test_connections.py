"""Connections are set up over the API; their secrets go in and never come out; each change is in the ledger."""

import json
from typing import Any

import pytest

from sayso.flows.note_config import HUB
from town import ADA, Receiver, Town, eventually

pytestmark = pytest.mark.feature("D2", "D9")


async def test_a_connection_is_shown_without_its_secrets(quiet_town: Town) -> None:
    fake, made = await quiet_town.mailchimp()
    assert made["state"] == "active" and made["hook_url"].endswith(f"/hooks/{made['id']}")
    listed = await quiet_town.ok("GET", "/api/v2/connections")
    shown = await quiet_town.ok("GET", f"/api/v2/connections/{made['id']}")
    assert (
        listed["items"] == [{key: value for key, value in shown.items() if key != "odd_calls"}]
        and shown["odd_calls"] == 0
        and shown["secrets_set"] == ["api_key", "webhook_secret"]
    )
    changed = await quiet_town.ok("PATCH", f"/api/v2/connections/{made['id']}", {"name": "Other", "settings": {"category": "promotional"}})
    assert (
        changed["name"] == "Other" and changed["secrets_set"] == shown["secrets_set"] and changed["settings"]["category"] == "promotional"
    )
    health = await quiet_town.ok("POST", f"/api/v2/connections/{made['id']}/check")
    assert health["ok"], "the secret that was not sent is still there"
    wrong = await quiet_town.ok("PATCH", f"/api/v2/connections/{made['id']}", {"settings": {"api_key": "wrong-us1", "category": None}})
    assert "category" not in wrong["settings"]
    assert not (await quiet_town.ok("POST", f"/api/v2/connections/{made['id']}/check"))["ok"]
    everything = json.dumps([made, listed, shown, changed, health, wrong])
    assert fake.api_key not in everything and "s3cret" not in everything
    raw = await quiet_town.parts.pool.fetchval("SELECT settings FROM connection")
    assert fake.api_key.encode() not in raw


async def test_each_change_is_in_the_ledger(quiet_town: Town) -> None:
    _, made = await quiet_town.mailchimp()
    where = f"/api/v2/connections/{made['id']}"
    await quiet_town.ok("PATCH", where, {"name": "Other"})
    assert (await quiet_town.ok("POST", f"{where}/pause"))["state"] == "paused"
    assert (await quiet_town.ok("POST", f"{where}/resume"))["state"] == "active"
    assert (await quiet_town.call("DELETE", where))[0] == 204
    for method, path in (("GET", where), ("PATCH", where), ("DELETE", where), ("POST", f"{where}/check"), ("GET", f"{where}/deliveries")):
        assert (await quiet_town.call(method, path, {} if method == "PATCH" else None))[0] == 404
    page = await quiet_town.parts.book.read([HUB])
    entries = await quiet_town.parts.book.entries([page.keys[HUB]])
    acts = [one.fields["act"] for one in entries]
    assert acts == [f"connection_{act}" for act in ("added", "changed", "paused", "resumed", "removed")]
    assert {one.fields["by"] for one in entries} == {"c:cl_ops"}
    assert all(one.detail and one.detail["connection"] == made["id"] for one in entries)
    assert await quiet_town.parts.pool.fetchval("SELECT state FROM connection") == "gone"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"connector": "nobody", "settings": {}}, "#/connector"),
        ({"connector": "mailchimp", "settings": {"list_id": "x"}}, "#/settings/api_key"),
        ({"connector": "mailchimp", "settings": {"api_key": "k", "list_id": "x"}}, "#/settings/api_key"),
        ({"connector": "mailchimp", "settings": {"api_key": "k-us1", "list_id": "x", "lists": 1}}, "#/settings/lists"),
        ({"connector": "sendgrid", "settings": {"api_key": "k", "groups": {"promotional": "x"}}}, "#/settings/groups"),
        ({"connector": "sendgrid", "settings": {"api_key": "k", "pull_every": "1s"}}, "#/settings/pull_every"),
        ({"connector": "sendgrid", "settings": {"api_key": "k", "pull_every": "soon"}}, "#/settings/pull_every"),
        ({"connector": "sendgrid", "settings": {"api_key": "k", "grants_opt_in": "perhaps"}}, "#/settings/grants_opt_in"),
        ({"connector": "webhook", "settings": {"url": "https://shop.example/", "events": ["x"]}}, "#/settings/events"),
        ({"connector": "webhook", "settings": {"url": "https://shop.example/", "retire_at": [1]}}, "#/settings/retire_at"),
        ({"connector": "webhook", "settings": {"url": "https://shop.example/", "secrets": ["whsec_c2hvcnQ="]}}, "#/settings/secrets"),
        ({"connector": "webhook", "name": "\x07", "settings": {"url": "https://shop.example/"}}, "#/name"),
        ({"connector": "webhook", "settings": {"url": 7}}, "#/settings/url"),
        ({"connector": "webhook", "settings": []}, "#/settings"),
        ({"connector": "webhook", "colour": "red"}, "#/colour"),
    ],
)
async def test_settings_that_cannot_work_are_refused_by_name(quiet_town: Town, body: Any, pointer: str) -> None:
    status, problem = await quiet_town.call("POST", "/api/v2/connections", body)
    assert status == 422 and pointer in [error["pointer"] for error in problem["errors"]], problem
    assert (await quiet_town.ok("GET", "/api/v2/connections"))["items"] == []


async def test_webhooks_have_a_door_of_their_own(quiet_town: Town, shop: Receiver) -> None:
    made = await quiet_town.webhook(shop, description="Shop")
    assert made["secret"].startswith("whsec_") and "event.received" in made["events"]
    shown = await quiet_town.ok("GET", f"/api/v2/webhooks/{made['id']}")
    assert "secret" not in shown and shown["url"] == shop.url and shown["description"] == "Shop"
    changed = await quiet_town.ok("PATCH", f"/api/v2/webhooks/{made['id']}", {"events": ["preferences.changed"], "description": "New"})
    assert changed["events"] == ["preferences.changed"] and changed["description"] == "New" and changed["url"] == shop.url
    for bad in ({"events": ["nothing.known"]}, {"url": "nonsense"}, {"secret": "x"}, {"events": "preferences.changed"}):
        assert (await quiet_town.call("PATCH", f"/api/v2/webhooks/{made['id']}", bad))[0] == 422, bad
    _, audience = await quiet_town.mailchimp()
    assert [one["id"] for one in (await quiet_town.ok("GET", "/api/v2/webhooks"))["items"]] == [made["id"]]
    assert (await quiet_town.call("GET", f"/api/v2/webhooks/{audience['id']}"))[0] == 404
    assert (await quiet_town.call("DELETE", f"/api/v2/webhooks/{made['id']}"))[0] == 204
    assert (await quiet_town.call("GET", f"/api/v2/webhooks/{made['id']}"))[0] == 404
    other = await quiet_town.ok("POST", "/api/v2/connections", {"connector": "webhook", "name": "x", "settings": {"url": shop.url}})
    assert other["secret"].startswith("whsec_") and other["hook_url"] is None


async def test_only_admins_may(quiet_town: Town) -> None:
    for method, path in (
        ("GET", "/api/v2/connections"),
        ("POST", "/api/v2/connections"),
        ("GET", "/api/v2/webhooks"),
        ("POST", "/api/v2/webhooks"),
    ):
        body = {} if method == "POST" else None
        assert (await quiet_town.call(method, path, body, scopes="events"))[0] == 403
        assert (await quiet_town.call(method, path, body, scopes=""))[0] == 401


@pytest.mark.feature("D1", "D8", "D12")
async def test_a_new_system_is_told_what_everybody_said_before(town: Town, shop: Receiver) -> None:
    await town.say("c-1", {"email": ADA, "email_opt_out_global": True})
    lead = {"email": "lead@example.com", "events": [{"event": "Opt Out", "channel.type": "MAIL"}]}
    await town.ok("POST", "/events", lead, scopes="events")
    fake, audience = await town.mailchimp()
    await town.webhook(shop, events=["preferences.changed"])
    await eventually(lambda: town.has(fake.status(ADA) == fake.status("lead@example.com") == "unsubscribed"))
    await eventually(lambda: town.has(len(shop.flagged()) == 2))
    assert {(one["contact_id"], one["address"]) for one in shop.flagged()} == {("c-1", ADA), (None, "lead@example.com")}
    assert (await town.ok("GET", f"/api/v2/connections/{audience['id']}"))["backfilled"]


async def test_a_paused_system_is_told_later_and_heard_now(town: Town) -> None:
    fake, audience = await town.mailchimp()
    await town.ok("POST", f"/api/v2/connections/{audience['id']}/pause")
    await town.say("c-1", {"email": ADA, "email_opt_out_global": True})
    pending = (await town.ok("GET", "/api/v2/contacts/c-1/propagation", scopes="email_preferences"))["items"]
    assert [(one["state"], one["address"]) for one in pending] == [("pending", ADA)]
    accuracy = await town.ok("GET", "/api/v2/sync/accuracy", scopes="reports:read")
    assert (accuracy["pairs"], accuracy["in_sync"], accuracy["accuracy"]) == (1, 0, 0.0)
    await town.ok("POST", f"/api/v2/connections/{audience['id']}/resume")
    await eventually(lambda: town.has(fake.status(ADA) == "unsubscribed"))
    assert (await town.call("GET", "/api/v2/contacts/nobody/propagation", scopes="email_preferences"))[0] == 404


async def test_nothing_to_tell_is_all_in_sync(quiet_town: Town) -> None:
    found = await quiet_town.ok("GET", "/api/v2/sync/accuracy", scopes="reports:read")
    assert found == {"pairs": 0, "in_sync": 0, "accuracy": 1.0, "oldest_lag_ms": 0, "by_connection": []}

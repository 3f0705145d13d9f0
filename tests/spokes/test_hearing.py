"""Vendors tell the hub: kept before believed, believed only with proof, never lost, never echoed."""

import os
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from sayso.contracts.connector import Call, Heard, HeardKind
from sayso.flows.hearsay import words_of
from sayso.opening import microseconds
from sayso.rules.catalogue import DEFAULT
from sayso.rules.statements import Block, Choose, Happen
from sayso.rules.times import format_time
from sayso.rules.words import Scope
from sayso.store.inbox import PostgresInbox
from sayso.testing.fake_mailchimp import form
from town import ADA, Receiver, Town, eventually

pytestmark = pytest.mark.feature("D6", "C11")
WHERE = f"/api/v2/addresses/email/{ADA}/preferences"
UNSUBSCRIBE = {"email": ADA, "timestamp": 1_795_000_000, "event": "unsubscribe", "sg_event_id": "e-1"}


async def inbox(town: Town) -> list[Any]:
    return list(await town.parts.pool.fetch("SELECT state, detail, length(sealed) AS bytes FROM inbox ORDER BY received_at"))


async def globally_out(town: Town) -> bool | None:
    status, found = await town.call("GET", WHERE, scopes="email_preferences")
    return found["email_opt_out_global"] if status == 200 else None


async def test_a_call_without_proof_changes_nothing_and_leaves_one_trace(quiet_town: Town) -> None:
    fake, source = await quiet_town.sendgrid()
    headers, body = fake.signed([UNSUBSCRIBE])
    for bad_headers, bad_body in (((), body), (headers, body + b" "), (headers[:2], body)):
        status, problem = await quiet_town.hook(source, bad_headers, bad_body)
        assert (status, problem["code"]) == (401, "unauthorized")
    assert await globally_out(quiet_town) is None
    assert [(row["state"], row["bytes"]) for row in await inbox(quiet_town)] == [("refused", 0)]


async def test_an_old_signature_is_refused(quiet_town: Town) -> None:
    fake, source = await quiet_town.sendgrid()
    headers, body = fake.signed([UNSUBSCRIBE], seconds=microseconds() // 1_000_000 - 301)
    assert (await quiet_town.hook(source, headers, body))[0] == 401


async def test_the_same_event_counts_once(quiet_town: Town) -> None:
    fake, source = await quiet_town.sendgrid()
    for recorded, duplicates in ((1, 0), (0, 1)):
        headers, body = fake.signed([UNSUBSCRIBE])
        assert (await quiet_town.hook(source, headers, body))[1] == {"recorded": recorded, "duplicates": duplicates, "flagged": 0}
    assert await globally_out(quiet_town) is True


@pytest.mark.feature("C12")
async def test_what_is_unknown_is_flagged_and_what_is_known_is_recorded(quiet_town: Town) -> None:
    fake, source = await quiet_town.sendgrid()
    odd = [UNSUBSCRIBE, {"email": "no address", "event": "unsubscribe", "sg_event_id": "e-2"}, {"email": ADA, "event": "levitated"}]
    headers, body = fake.signed(odd)
    assert await quiet_town.hook(source, headers, body) == (200, {"recorded": 1, "duplicates": 0, "flagged": 2})
    assert await globally_out(quiet_town) is True
    [row] = await inbox(quiet_town)
    assert row["state"] == "odd" and "levitated" in row["detail"] and row["bytes"] > len(body)


async def test_a_genuine_call_that_nobody_can_read_is_kept(quiet_town: Town) -> None:
    fake, source = await quiet_town.sendgrid()
    body = b'{"not": "a list"}'
    status, problem = await quiet_town.hook(source, fake.signed_bytes(body, microseconds() // 1_000_000), body)
    assert (status, problem["code"]) == (422, "invalid_input")
    assert [row["state"] for row in await inbox(quiet_town)] == ["odd"]
    found = await quiet_town.ok("POST", f"/api/v2/connections/{source['id']}/run")
    assert found["understood"] == 0
    assert (await quiet_town.ok("GET", f"/api/v2/connections/{source['id']}"))["odd_calls"] == 1


async def test_probes_change_nothing_and_strangers_find_nothing(quiet_town: Town) -> None:
    _, source = await quiet_town.mailchimp()
    for path, wanted in ((f"/hooks/{source['id']}", 200), ("/hooks/01a2021d-f8da-7a49-a813-2506801a082a", 404), ("/hooks/x", 404)):
        assert (await quiet_town.call("GET", path, scopes=""))[0] == wanted
        assert (await quiet_town.call("HEAD", path, scopes=""))[0] == wanted
    assert (await quiet_town.hook({"id": str(UUID(int=7))}, (), b"x"))[0] == 404
    assert (await quiet_town.hook(source, (), b""))[0] == 200
    assert (await quiet_town.hook(source, (), b"x" * 1_048_577))[0] == 413
    assert await inbox(quiet_town) == []
    await quiet_town.ok("DELETE", f"/api/v2/connections/{source['id']}")
    assert (await quiet_town.call("GET", f"/hooks/{source['id']}", scopes=""))[0] == 404


async def test_a_call_that_was_kept_but_not_recorded_is_recorded_later(town: Town) -> None:
    """What is left behind when the hub is killed between keeping a call and recording it."""
    fake, source = await town.sendgrid()
    headers, body = fake.signed([UNSUBSCRIBE], seconds=microseconds() // 1_000_000 - 60)
    kept_at = microseconds() - 60_000_000
    await PostgresInbox(town.parts.pool, town.parts.tools).keep(UUID(source["id"]), Call("POST", headers, (), body, kept_at))
    await eventually(lambda: globally_out(town))
    assert [row["state"] for row in await inbox(town)] == ["done"]
    again = fake.signed([UNSUBSCRIBE])
    assert (await town.hook(source, *again))[1]["duplicates"] == 1


@pytest.mark.feature("D7")
async def test_what_a_system_was_told_is_not_news_when_it_says_so(town: Town) -> None:
    fake, audience = await town.mailchimp()
    fake.add(ADA)
    await town.say("c-1", {"email": ADA, "choices": [{"channel": "email", "category": "promotional", "choice": "opted_out"}]})
    await eventually(lambda: town.has(fake.status(ADA) == "unsubscribed"))
    await town.settled()
    echoed = {
        "type": "unsubscribe",
        "fired_at": "2026-11-22 10:00:00",
        "data[action]": "unsub",
        "data[reason]": "manual",
        "data[email]": ADA,
    }
    assert await town.hook(audience, (), form(echoed), "?secret=s3cret") == (200, {"recorded": 0, "duplicates": 0, "flagged": 0})
    assert await globally_out(town) is False
    await town.ok("POST", f"/api/v2/connections/{audience['id']}/run")
    assert await globally_out(town) is False, "what was read there was our own writing"
    clicked = {**echoed, "fired_at": "2026-11-22 10:00:05", "data[campaign_id]": "4f2", "data[email]": ADA}
    assert (await town.hook(audience, (), form(clicked), "?secret=s3cret"))[1]["recorded"] == 1
    assert await globally_out(town) is True, "the person's own click is news, whatever we had told"


@pytest.mark.feature("D8")
async def test_a_system_whose_opt_in_lost_is_told_how_things_stand(town: Town, shop: Receiver) -> None:
    sendgrid, source = await town.sendgrid()
    await town.webhook(shop)
    await town.say("c-1", {"email": ADA, "email_pref_promotional": "opted_out"})
    await eventually(lambda: town.has(ADA in sendgrid.groups[101]))
    await town.settled()
    sendgrid.groups[101].clear()  # somebody resubscribes there; a vendor's word is weak unless its profile grants more
    back = {"email": ADA, "event": "group_resubscribe", "asm_group_id": 101, "sg_event_id": "e-9", "timestamp": microseconds() // 1_000_000}
    assert (await town.hook(source, *sendgrid.signed([back])))[1]["recorded"] == 1
    await eventually(lambda: town.has(ADA in sendgrid.groups[101]))
    shown = await town.ok("GET", "/api/v2/contacts/c-1/email_preferences", scopes="email_preferences")
    assert shown["email_pref_promotional"] == "opted_out"


async def test_a_granted_connection_may_bring_people_back(town: Town) -> None:
    sendgrid, source = await town.sendgrid(grants_opt_in=True)
    await town.say("c-1", {"email": ADA, "email_pref_promotional": "opted_out"})
    await town.settled()
    later = microseconds() // 1_000_000 + 60
    back = {"email": ADA, "event": "group_resubscribe", "asm_group_id": 101, "sg_event_id": "e-9", "timestamp": later}
    assert (await town.hook(source, *sendgrid.signed([back])))[1]["recorded"] == 1
    shown = await town.ok("GET", "/api/v2/contacts/c-1/email_preferences", scopes="email_preferences")
    assert shown["email_pref_promotional"] == "opted_in"


@pytest.mark.feature("D8")
@pytest.mark.parametrize(
    ("microsecond", "stands"), [(0, "opted_out"), (300_000, "opted_out"), (999_999, "opted_out"), (1_000_000, "opted_in")]
)
@pytest.mark.parametrize("vendor", ["sendgrid", "mailchimp"])
async def test_a_vendors_whole_second_never_loses_an_opt_out(quiet_town: Town, vendor: str, microsecond: int, stands: str) -> None:
    """She switches it on here, and clicks unsubscribe there within the same second, which the vendor cuts off."""
    second = microseconds() // 1_000_000 - 60
    yes = {"occurred_at": format_time(second * 1_000_000 + microsecond), "email_pref_update_source": "preference_center"}
    await quiet_town.say("c-1", {"email": ADA, "email_pref_promotional": "opted_in", **yes})
    if vendor == "sendgrid":
        fake, source = await quiet_town.sendgrid()
        left = {"email": ADA, "event": "group_unsubscribe", "asm_group_id": 101, "sg_event_id": "e-7", "timestamp": second}
        assert (await quiet_town.hook(source, *fake.signed([left])))[1]["recorded"] == 1
    else:
        _, source = await quiet_town.mailchimp(category="promotional")
        fired = format_time(second * 1_000_000).replace("T", " ").removesuffix("Z")
        left = {"type": "unsubscribe", "fired_at": fired, "data[email]": ADA, "data[campaign_id]": "4f2"}
        assert (await quiet_town.hook(source, (), form(left), "?secret=s3cret"))[1]["recorded"] == 1
    shown = await quiet_town.ok("GET", "/api/v2/contacts/c-1/email_preferences", scopes="email_preferences")
    assert shown["email_pref_promotional"] == stands


@pytest.mark.parametrize(
    ("event", "code"), [({"event": "spamreport"}, "complaint"), ({"event": "bounce", "type": "bounce", "status": "5.1.1"}, "hard_bounce")]
)
async def test_a_vendors_whole_second_never_loses_a_complaint_or_a_bounce(quiet_town: Town, event: Any, code: str) -> None:
    """A mail came in, and was complained of, within the same second; or another one did not come in."""
    second = microseconds() // 1_000_000 - 60
    came = {"event": "mail.delivered", "channel.type": "MAIL", "timestamp": format_time(second * 1_000_000 + 300_000)}
    yes = {"occurred_at": came["timestamp"], "email_pref_update_source": "preference_center"}
    await quiet_town.say("c-1", {"email": ADA, "email_pref_promotional": "opted_in", **yes})
    await quiet_town.ok("POST", "/events", {"id": "c-1", "email": ADA, "events": [came]}, scopes="events")
    fake, source = await quiet_town.sendgrid()
    told = {"email": ADA, "sg_event_id": "e-6", "timestamp": second, **event}
    assert (await quiet_town.hook(source, *fake.signed([told])))[1]["recorded"] == 1
    question = {"contact_id": "c-1", "address": ADA, "channel": "email", "category": "promotional", "country": "US"}
    verdict = await quiet_town.ok("POST", "/api/v2/send_checks", question, scopes="send_checks")
    stops = [reason["code"] for reason in verdict["reasons"]]
    assert code in stops and (code != "complaint" or "global_opt_out" in stops)


async def test_a_vendors_whole_second_lifts_no_later_opt_out(quiet_town: Town) -> None:
    sendgrid, source = await quiet_town.sendgrid(grants_opt_in=True)
    second = microseconds() // 1_000_000 - 60
    no = {"occurred_at": format_time(second * 1_000_000 + 1), "email_pref_update_source": "preference_center"}
    await quiet_town.say("c-1", {"email": ADA, "email_pref_promotional": "opted_out", **no})
    back = {"email": ADA, "event": "group_resubscribe", "asm_group_id": 101, "sg_event_id": "e-8", "timestamp": second}
    assert (await quiet_town.hook(source, *sendgrid.signed([back])))[1]["recorded"] == 1
    shown = await quiet_town.ok("GET", "/api/v2/contacts/c-1/email_preferences", scopes="email_preferences")
    assert shown["email_pref_promotional"] == "opted_out"


async def test_pulled_facts_are_recorded_once_and_the_cursor_moves(town: Town) -> None:
    fake, source = await town.sendgrid()
    fake.everywhere[ADA] = microseconds() // 1_000_000 - 100
    ran = await town.ok("POST", f"/api/v2/connections/{source['id']}/run")
    assert ran["problem"] is None
    assert await globally_out(town) is True
    again = await town.ok("POST", f"/api/v2/connections/{source['id']}/run")
    assert again["recorded"] == 0
    fake.server.plan("status", 3, status=500)
    failed = await town.ok("POST", f"/api/v2/connections/{source['id']}/run")
    assert "500" in failed["problem"]


def heard(kind: HeardKind, **more: Any) -> Heard:
    return replace(Heard(kind, "email", f"vendor {kind}", address=ADA), **more)


@pytest.mark.feature("C13")
@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (heard("opt_out"), (Choose(Scope("outlet", "email", "*"), out=True),)),
        (heard("opt_out", category="promotional"), (Choose(Scope("outlet", "email", "promotional"), out=True),)),
        (heard("opt_out", category="?"), (Choose(Scope("outlet", "email", "*"), out=True, rule="unknown_category_counts_for_all"),)),
        (
            heard("opt_out", category="account_security"),
            (Choose(Scope("outlet", "email", "*"), True, "", "unknown_category_counts_for_all"),),
        ),
        (heard("opt_in", category="events"), (Choose(Scope("outlet", "email", "events"), out=False),)),
        (heard("opt_in", category="?"), (Happen("vendor opt_in"),)),
        (heard("hard_bounce"), (Happen("mail.bounce"), Block("hard_bounce", on=True))),
        (heard("soft_bounce"), (Happen("mail.bounce"), Block("soft_bounce", on=True))),
        (heard("complaint"), (Happen("mail.complaint"), Block("complaint", on=True), Choose(Scope("*", "email", "*"), out=True))),
        (heard("delivered"), (Happen("mail.delivered"),)),
        (heard("open"), (Happen("mail.open"),)),
        (heard("click"), (Happen("mail.click"),)),
        (heard("seen"), (Happen("vendor seen"),)),
        (heard("delivered", channel="sms"), (Happen("sms.delivered"),)),
    ],
)
def test_what_a_fact_means(fact: Heard, words: tuple[object, ...]) -> None:
    assert words_of(fact, "outlet", DEFAULT) == words


async def test_a_hostile_vendor_breaks_nothing(quiet_town: Town) -> None:
    fake, source = await quiet_town.sendgrid()
    long = "a" * 5_000
    events = [
        {"email": f"{long}@example.com", "event": "unsubscribe"},
        {"email": "x\x00@example.com", "event": "unsubscribe"},
        {"email": ADA, "event": "unsubscribe", "timestamp": -1, "sg_event_id": "\ud800", "reason": "\ud800\x00"},
        {"email": ADA, "event": long},
        {"email": [1], "event": {}},
        7,
    ]
    headers, body = fake.signed(events)
    status, found = await quiet_town.hook(source, headers, body)
    assert (status, found["recorded"], found["flagged"]) == (200, 2, 4)
    for junk in (os.urandom(2_000), b"[" * 200_000, b"\x00", b"[1e999]"):
        status, _ = await quiet_town.hook(source, fake.signed_bytes(junk, microseconds() // 1_000_000), junk)
        assert 400 <= status < 500 or status == 200

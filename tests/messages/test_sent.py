"""What was sent, told over HTTP, and what is a violation (wire contract section 5)."""

from uuid import UUID

import pytest
from office import Office

from sayso.contracts.book import Key
from sayso.rules.sends import CODES
from sayso.rules.times import SECOND, format_time
from sayso.rules.tokens import Ring, sign_permit
from sayso.store.messages import PostgresSent

ADA = {"contact_id": "c-1001", "address": "ada@example.com"}
IN = {"email_pref_promotional": "opted_in", "email_pref_consent_method": "explicit"}


async def opt_in(office: Office, contact: str = "c-1001", email: str = "ada@example.com") -> None:
    await office.prefer(contact, email=email, country="DE", **IN)


@pytest.mark.feature("S1")
async def test_a_message_with_its_permit_is_none_and_without_one_is_a_violation(office: Office) -> None:
    await opt_in(office)
    told = await office.tell(contact_id="c-1001", subject="Spring", message_id="m-0")
    assert told["violation"] == {"code": "no_permit", "detail": CODES["no_permit"]}
    permit = (await office.check(**ADA))["permit"]
    assert await office.violation(**ADA, permit=permit, message_id="m-1") is None
    assert await office.violation(contact_id="c-1001", permit=permit, message_id="m-2") is None
    assert await office.violation(address="ada@example.com", permit=permit) is None


@pytest.mark.feature("S1")
async def test_an_allowing_verdict_of_the_last_minute_counts_without_its_permit(office: Office) -> None:
    await opt_in(office)
    asked = await office.check(**ADA)
    assert await office.violation(**ADA) is None
    assert await office.violation(**ADA, category="events") == "no_permit"
    assert await office.violation(contact_id="c-1001", channel="post") == "no_permit"
    office.clock.ahead = 61 * SECOND
    assert await office.violation(contact_id="c-1001") == "no_permit"
    assert await office.violation(contact_id="c-1001", sent_at=asked["checked_at"]) is None


@pytest.mark.feature("S1")
async def test_what_a_permit_does_not_cover(office: Office) -> None:
    await opt_in(office)
    await opt_in(office, "c-1002", "ben@example.com")
    asked = await office.check(**ADA, business_unit="outlet")
    permit = asked["permit"]
    assert await office.violation(contact_id="c-1002", business_unit="outlet", permit=permit) == "permit_of_another"
    assert await office.violation(**ADA, business_unit="outlet", category="events", permit=permit) == "permit_of_another"
    assert await office.violation(**ADA, business_unit="main", permit=permit) == "permit_of_another"
    assert await office.violation(**ADA, permit=permit) == "permit_of_another"
    assert await office.violation(**ADA, business_unit="outlet", permit=permit) is None
    flipped = permit[:-2] + ("A" if permit[-2] != "A" else "B") + permit[-1]
    for bad in (flipped, "nonsense", permit.replace("2.", "1.", 1)):
        assert await office.violation(contact_id="c-1002", permit=bad) == "permit_invalid"


@pytest.mark.feature("S1")
async def test_clocks_are_read_restrictively(office: Office) -> None:
    await opt_in(office)
    asked = await office.check(**ADA)
    found = await office.parts.gatehouse.logged(UUID(asked["id"].removeprefix("chk_")))
    assert found is not None
    office.clock.ahead = 120 * SECOND

    async def at(moment: int) -> str | None:
        return await office.violation(**ADA, permit=asked["permit"], sent_at=format_time(moment))

    assert await at(found.at - 2 * SECOND) == "sent_before_check"
    assert await at(found.at) is None
    assert await at(found.at + 59 * SECOND) is None
    assert await at(found.at + 60 * SECOND) in (None, "permit_expired")  # ends are cut to whole seconds
    assert await at(found.at + 61 * SECOND) == "permit_expired"
    ahead = await office.post(
        "/api/v2/messages", {**ADA, "channel": "email", "category": "promotional", "sent_at": format_time(found.at + 600 * SECOND)}
    )
    assert ahead.status == 422 and ahead.json["errors"][0]["pointer"] == "#/sent_at"
    late = await office.tell(**ADA, permit=asked["permit"], sent_at=format_time(office.clock() + 60 * SECOND), message_id="late")
    assert late["violation"]["code"] == "permit_expired"
    listed = (await office.get("/api/v2/contacts/c-1001/messages")).json["items"]
    assert next(one for one in listed if one["message_id"] == "late")["sent_at"] <= format_time(office.clock())


@pytest.mark.feature("S1", "C1")
async def test_sending_against_a_no_is_named_so(office: Office) -> None:
    await office.prefer("c-1001", email="ada@example.com", email_pref_promotional="opted_out")
    assert await office.violation(**ADA) == "sent_against_choice"
    assert await office.violation(**ADA, category="order_confirmations") == "no_permit"
    assert (await office.check(**ADA, category="order_confirmations"))["allowed"]
    assert await office.violation(**ADA, category="order_confirmations") is None
    await office.prefer("c-1003", email="chris@example.com", country="DE")
    assert not (await office.check(contact_id="c-1003"))["allowed"]
    assert await office.violation(contact_id="c-1003") == "sent_against_verdict"


@pytest.mark.feature("S1")
async def test_a_permit_of_somebody_never_seen_is_good_for_whoever_was_never_seen(office: Office) -> None:
    asked = await office.check(address="new@example.com", country="US")
    assert asked["allowed"]
    assert await office.violation(address="new@example.com", permit=asked["permit"], message_id="m-1") is None
    await office.prefer("c-1001", email="ada@example.com", email_pref_events="opted_out")
    asked = await office.check(address="other@example.com", country="US")
    assert await office.violation(address="ada@example.com", permit=asked["permit"]) == "permit_of_another"


@pytest.mark.feature("S1")
async def test_a_permit_whose_check_is_not_in_the_log_proves_nothing(office: Office) -> None:
    await opt_in(office)
    ring: Ring = office.parts.keys.permit_ring
    check = UUID("019c0a5e-7b3a-7c21-9d55-0f3b6f1c2a41")
    permit = sign_permit(ring, check, "email", "promotional", expires_at=office.clock() + 60 * SECOND)
    assert await office.violation(contact_id="c-1001", permit=permit) == "permit_unknown"


async def test_told_twice_is_held_once(office: Office) -> None:
    await opt_in(office)
    first = await office.tell(**ADA, message_id="m-1", subject="Spring")
    permit = (await office.check(**ADA))["permit"]
    assert await office.tell(**ADA, message_id="m-1", subject="Autumn", permit=permit) == first
    body = {"items": [{**ADA, "channel": "email", "category": "promotional", "message_id": name} for name in ("m-2", "m-2", "m-1")]}
    answer = await office.post("/api/v2/messages", body)
    assert answer.status == 201
    two, again, one = answer.json["items"]
    assert (two["id"], one["id"]) == (again["id"], first["id"])
    listed = (await office.get("/api/v2/contacts/c-1001/messages")).json
    assert [item["message_id"] for item in listed["items"]] == ["m-2", "m-1"] and listed["violations"] == 1
    assert listed["items"][1]["subject"] == "Spring"
    metrics = (await office.get("/metrics")).raw.decode()
    assert 'sayso_violations_total{code="permit_unknown"}' in metrics


async def test_a_batch_answers_item_by_item(office: Office) -> None:
    good = {"contact_id": "c-9", "channel": "MAIL", "category": "promotional"}
    bad = [{}, {"contact_id": "c-9"}, {**good, "category": "nonsense"}, {**good, "subject": "a\nb"}, {**good, "sent_at": "yesterday"},
           {**good, "address": "no address"}, {**good, "unknown": 1}, 7, {**good, "channel": "ALL"}, {**good, "category": "*"}]  # fmt: skip
    answer = await office.post("/api/v2/messages", {"items": [good, *bad]})
    assert answer.status == 207
    assert [item["status"] for item in answer.json["items"]] == [201] + [422] * len(bad)
    assert answer.json["items"][3]["errors"][0]["pointer"] == "#/items/3/category"
    assert (await office.post("/api/v2/messages", {"items": [good] * 1001})).status == 422
    assert (await office.post("/api/v2/messages", {"items": [], "more": 1})).status == 422
    assert (await office.post("/api/v2/messages", {"items": []})).json == {"items": []}
    assert (await office.post("/api/v2/messages", {**good, "category": "nonsense"})).status == 422


async def test_messages_are_listed_page_by_page_and_by_address(office: Office) -> None:
    await opt_in(office)
    now = office.clock()
    told = [
        {**ADA, "channel": "email", "category": "events", "message_id": f"m-{n}", "sent_at": format_time(now - n * SECOND)}
        for n in range(5)
    ]
    told.append({"address": "ada@example.com", "channel": "email", "category": "events", "message_id": "to the address"})
    assert (await office.post("/api/v2/messages", {"items": told})).status == 201
    first = (await office.get("/api/v2/contacts/c-1001/messages?limit=4")).json
    rest = (await office.get(f"/api/v2/contacts/c-1001/messages?limit=4&after={first['next']}")).json
    names = [item["message_id"] for item in first["items"] + rest["items"]]
    assert names == ["to the address", "m-0", "m-1", "m-2", "m-3", "m-4"] and rest["next"] is None and first["violations"] == 6
    at = (await office.get("/api/v2/addresses/email/ada@example.com/messages")).json
    assert [item["message_id"] for item in at["items"]] == ["to the address"]
    assert (await office.get("/api/v2/contacts/nobody/messages")).status == 404
    reader = await office.token_for("audit:read")
    assert (await office.call("GET", "/api/v2/contacts/c-1001/messages", token=reader)).status == 200
    assert (await office.call("POST", "/api/v2/messages", told[0], token=reader)).status == 403


async def test_telling_makes_the_person_and_says_nothing_about_them(office: Office) -> None:
    assert (await office.get("/api/v2/contacts/c-77")).status == 404
    await office.tell(contact_id="c-77", subject="Secret-Subject-Line", campaign_id="camp-77", message_id="msg-77")
    assert (await office.get("/api/v2/contacts/c-77")).json["version"] == 0
    assert (await office.get("/api/v2/contacts/c-77/history")).json["items"] == []
    raw = await office.parts.pool.fetchval("SELECT string_agg(s::text, '') FROM sent s")
    assert not any(word in raw for word in ("Secret-Subject-Line", "camp-77", "msg-77", "c-77"))
    assert not any(word.encode().hex() in raw for word in ("Secret-Subject-Line", "camp-77", "msg-77"))


async def test_the_port_finds_by_message_and_campaign_and_leads_to_the_entries_that_decided(office: Office) -> None:
    await opt_in(office)
    permit = (await office.check(**ADA))["permit"]
    await office.tell(**ADA, permit=permit, subject="Spring", campaign_id="spring-26", message_id="m-77")
    await office.tell(**ADA, permit=permit, subject="Other", campaign_id="other", message_id="m-78")
    sent = PostgresSent(office.parts.pool, office.parts.tools)
    page = await office.parts.book.read([Key("contact", "c-1001")])
    subs = list(page.rows)
    found = await sent.read(subs, message="m-77")
    assert [one.subject for one in found] == ["Spring"] == [one.subject for one in await sent.read(subs, campaign="spring-26")]
    assert await sent.read(subs, message="m-99") == []
    assert found[0].check is not None
    asked = await sent.verdict(found[0].check)
    assert asked is not None and asked.sub in subs and asked.logged.verdict.reasons[0].code == "opted_in"
    history = (await office.get("/api/v2/contacts/c-1001/history")).json["items"]
    assert asked.logged.verdict.reasons[0].entry in [one["entry"] for one in history]
    assert await sent.violations() == {} == await sent.violations(subs)
    await office.tell(**ADA, category="events")
    assert await sent.violations() == {"no_permit": 1} == await sent.violations(subs)
    assert await sent.violations(since=office.clock()) == {}

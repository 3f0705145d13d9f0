"""Preferences over HTTP, sentence by sentence of the wire contract (section 3)."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from running import Api

ADA = "/api/v2/contacts/c-1001/email_preferences"
OUT = {"email_pref_promotional": "opted_out", "email_pref_consent_method": "explicit"}


@pytest.mark.feature("B1", "B2", "A2", "A3", "A11", "A12", "A13", "A14", "A15", "B7", "A17")
async def test_a_contact_is_written_and_read_back_with_its_evidence(api: Api) -> None:
    said = {
        "email": "Ada@Example.com", "email_pref_promotional": "opted_out", "email_pref_product_updates": "opted_in",
        "email_pref_update_source": "email_link", "email_pref_update_reason": "too many", "email_pref_consent_ip": "203.0.113.7",
        "country": "us",
    }  # fmt: skip
    written = await api.post(ADA, said)
    assert written.status == 200, written.raw
    answer = await api.get(ADA, as_="email_preferences:read")
    body = answer.json
    assert answer.headers["ETag"] == f'"{body["version"]}"' == written.headers["ETag"]
    expected = {
        "contact_id": "c-1001", "email": "Ada@Example.com", "email_opt_out_global": False, "email_pref_promotional": "opted_out",
        "email_pref_product_updates": "opted_in", "email_pref_educational": "not_set", "email_pref_events": "not_set",
        "email_pref_update_source": "email_link", "email_pref_update_reason": "too many", "email_pref_consent_ip": "203.0.113.7",
        "email_pref_consent_method": "explicit", "paused_until": None, "blacklisted": False, "country": "US", "brands": {},
        "always_sent": ["order_confirmations", "account_security", "service_alerts", "legal_notices"],
        "channels": {"email": {"opt_out": False}, "sms": {"opt_out": False}}, "catalogue_version": 1,
    }  # fmt: skip
    assert {name: body[name] for name in expected} == expected
    assert body["email_pref_last_updated"].endswith("Z")
    assert set(body) == set(expected) | {"version", "email_pref_last_updated"}
    shown = written.json
    assert {name: shown[name] for name in body} == body
    assert [one["field"] for one in shown["result"]] == ["email_pref_promotional", "email_pref_product_updates"]
    assert {one["effect"] for one in shown["result"]} == {"applied"}
    assert shown["receipt"]["version"] == body["version"] and shown["receipt"]["entries"] and shown["receipt"]["token"]
    assert shown["still_blocked_by"] == []


@pytest.mark.feature("B2")
async def test_reading_somebody_unknown_is_404_and_an_empty_write_creates_them(api: Api) -> None:
    assert (await api.get(ADA)).status == 404
    assert (await api.post(ADA, {})).status == 200
    answer = await api.get(ADA)
    assert answer.status == 200 and answer.json["email_pref_last_updated"] is None


@pytest.mark.feature("B4", "A4", "A5", "A6", "J8")
async def test_setting_a_transactional_category_refuses_the_whole_request_and_logs_the_attempt(api: Api) -> None:
    body = {"email_pref_promotional": "opted_out", "email_pref_order_confirmations": "opted_out",
            "choices": [{"channel": "sms", "category": "legal_notices", "choice": "opted_out"}]}  # fmt: skip
    answer = await api.post(ADA, body, headers={"Idempotency-Key": "k1"})
    assert (answer.status, answer.json["code"]) == (409, "change_refused")
    assert answer.json["rule"] == "transactional_cannot_be_refused"
    assert [one["pointer"] for one in answer.json["errors"]] == ["#/email_pref_order_confirmations", "#/choices/0"]
    history = (await api.get("/api/v2/contacts/c-1001/history")).json["items"]
    assert {one["effect"] for one in history} == {"refused"} and len(history) == 3
    assert (await api.get(ADA)).json["email_pref_promotional"] == "not_set"


FLAWED: list[tuple[Any, str]] = [
    ({"email_pref_promo": "opted_out"}, "#/email_pref_promo"),
    ({"email_pref_promotional": "yes"}, "#/email_pref_promotional"),
    ({"email_pref_promotional": None}, "#/email_pref_promotional"),
    ({"email_opt_out_global": "true"}, "#/email_opt_out_global"),
    ({"email_opt_out_global": 1}, "#/email_opt_out_global"),
    ({"colour": "red"}, "#/colour"),
    ({"email": "not an address"}, "#/email/address"),
    ({"email_pref_consent_ip": "300.1.1.1"}, "#/email_pref_consent_ip"),
    ({"email_pref_update_source": "hotline"}, "#/email_pref_update_source"),
    ({"country": "ZZ"}, "#/country"),
    ({"paused_until": "2020-01-01T00:00:00Z"}, "#/paused_until"),
    ({"occurred_at": "yesterday"}, "#/occurred_at"),
    ({"version": 99}, "#/version"),
    ({"contact_id": "c-2"}, "#/contact_id"),
    ({"blacklisted": True}, "#/blacklisted"),
    ({"choices": [{"channel": "fax", "category": "promotional", "choice": "opted_out"}]}, "#/choices/0/channel"),
    ({"choices": [{"channel": "sms", "category": "nope", "choice": "opted_out"}]}, "#/choices/0/category"),
    ({"addresses": [{"channel": "sms", "address": "12"}]}, "#/addresses/0/address"),
    ({"business_unit": "a", "businessUnit": "b"}, "#/businessUnit"),
    ({"business_unit": ""}, "#/business_unit"),
    ({"email_pref_promotional": "opted_out", "a~/b": 1}, "#/a~0~1b"),
]


@pytest.mark.feature("B4")
async def test_what_cannot_be_meant_is_422_with_a_pointer(api: Api) -> None:
    for body, pointer in FLAWED:
        answer = await api.post(ADA, body)
        assert answer.status == 422, answer.raw
        assert answer.json["code"] == "invalid_input"
        assert pointer in [one["pointer"] for one in answer.json["errors"]], answer.raw
    assert (await api.get(ADA)).status == 404


async def test_a_near_miss_of_a_category_is_told(api: Api) -> None:
    answer = await api.post(ADA, {"email_pref_promotion": "opted_out"})
    assert "email_pref_promotional" in answer.json["detail"]


async def test_the_document_itself_can_be_sent_back(api: Api) -> None:
    await api.prefer("c-1001", OUT | {"email_pref_update_source": "preference_center"})
    held = (await api.get(ADA)).json
    again = await api.put(ADA, held)
    assert again.status == 200, again.raw
    effects = {one["field"]: (one["became"], one["effect"]) for one in again.json["result"]}
    assert effects["email_pref_promotional"] == ("opted_out", "unchanged")
    assert {name: again.json[name] for name in held if name.startswith("email_pref_") and name in effects} == {
        name: held[name] for name in held if name in effects and name.startswith("email_pref_")
    }


@pytest.mark.feature("F1", "F3", "F4")
async def test_a_relayed_opt_in_within_the_window_of_anothers_opt_out_is_superseded_and_says_so(api: Api) -> None:
    await api.prefer("c-1001", {"email_pref_promotional": "opted_out"})
    said = {"email_pref_promotional": "opted_in", "email_pref_consent_method": "explicit"}
    became = await api.prefer("c-1001", said, client="cl_crm")
    [result] = became["result"]
    assert result["asked"] == "opted_in" and result["became"] == "opted_out" and result["effect"] == "superseded"
    assert result["rule"] == "most_restrictive_within_window"
    assert [one["scope"]["category"] for one in became["still_blocked_by"]] == ["promotional"]
    effects = [one["effect"] for one in (await api.get("/api/v2/contacts/c-1001/history")).json["items"]]
    assert effects == ["applied", "superseded"]


@pytest.mark.feature("A3", "A18", "C15")
async def test_an_opt_in_names_whatever_else_still_denies(api: Api) -> None:
    await api.prefer("c-1001", {"email": "ada@example.com"})
    await api.post(
        "/api/v2/addresses/email/ada@example.com/preferences", {"email_opt_out_global": True, "email_pref_update_source": "one_click"}
    )
    became = await api.prefer("c-1001", {"email_pref_promotional": "opted_in", "email_pref_consent_method": "explicit"}, client="cl_crm")
    assert became["result"][0]["rule"] == "covered_by_broader_opt_out"
    [still] = became["still_blocked_by"]
    assert still["subject"] == "address" and still["scope"] == {"brand": "*", "channel": "email", "category": "*"}
    assert still["since"] and still["entry"] and became["email_opt_out_global"] is True


async def test_a_repeat_under_its_key_is_answered_alike_and_another_request_under_it_is_refused(api: Api) -> None:
    key = {"Idempotency-Key": '"order-1"'}
    first = await api.post(ADA, OUT | {"email": "ada@example.com"}, headers=key)
    again = await api.post(ADA, OUT | {"email": "ada@example.com"}, headers={"Idempotency-Key": "order-1"})
    assert (again.status, again.raw) == (200, first.raw) and again.headers["Idempotency-Replayed"] == "true"
    other = await api.post(ADA, {"email_opt_out_global": True}, headers=key)
    assert (other.status, other.json["code"]) == (422, "idempotency_mismatch")
    foreign = await api.post(ADA, {"email_opt_out_global": True}, headers=key, client="cl_crm")
    assert foreign.status == 200


async def test_a_repeated_answer_is_the_whole_document_whoever_wrote_what_it_shows(api: Api) -> None:
    await api.prefer("c-1001", {"email": "ada@example.com", "email_pref_events": "opted_out", "email_pref_update_reason": "no time"})
    key = {"Idempotency-Key": "later"}
    first = await api.post(ADA, {"email_pref_events": "opted_out"}, headers=key)
    again = await api.post(ADA, {"email_pref_events": "opted_out"}, headers=key)
    assert again.raw == first.raw and again.json["email"] == "ada@example.com" and again.json["email_pref_update_reason"] == "no time"


async def test_a_stale_version_is_409_with_the_current_state(api: Api) -> None:
    first = await api.post(ADA, OUT)
    version = first.json["version"]
    good = await api.post(ADA, {"email_opt_out_global": True}, headers={"If-Match": first.headers["ETag"]})
    assert good.status == 200
    stale = await api.post(ADA, {"email_pref_events": "opted_out"}, headers={"If-Match": f'W/"{version}"'})
    assert (stale.status, stale.json["code"]) == (409, "conflict_version")
    assert stale.json["current"]["version"] == good.json["version"] > version
    assert (await api.post(ADA, {}, headers={"If-Match": "*"})).status == 200
    assert (await api.post("/api/v2/contacts/nobody/email_preferences", {}, headers={"If-Match": "*"})).status == 409
    assert (await api.get("/api/v2/contacts/nobody/email_preferences")).status == 404
    assert (await api.post(ADA, {}, headers={"If-Match": "seven"})).status == 422


@pytest.mark.feature("A21")
async def test_a_brand_has_its_own_choices_and_shows_the_more_restrictive(api: Api) -> None:
    await api.prefer("c-1001", {"email_pref_promotional": "opted_out", "business_unit": "outlet"})
    whole = (await api.get(ADA)).json
    assert whole["email_pref_promotional"] == "not_set" and whole["brands"]["outlet"]["email_pref_promotional"] == "opted_out"
    assert (await api.get(ADA + "?business_unit=outlet")).json["email_pref_promotional"] == "opted_out"
    assert (await api.get(ADA + "?businessUnit=other")).json["email_pref_promotional"] == "not_set"
    await api.prefer("c-1001", {"email_opt_out_global": True})
    assert (await api.get(ADA + "?businessUnit=other")).json["email_opt_out_global"] is True


@pytest.mark.feature("A20", "B11")
async def test_a_lead_has_preferences_under_its_address(api: Api) -> None:
    path = "/api/v2/addresses/MAIL/Lead%40Example.com/preferences"
    assert (await api.get(path)).status == 404
    written = await api.post(path, {"email_pref_promotional": "opted_out"})
    assert written.status == 200 and written.json["contact_id"] is None and written.json["email"] == "Lead@Example.com"
    assert (await api.get("/api/v2/addresses/email/lead@example.com/preferences")).json["email_pref_promotional"] == "opted_out"
    assert (await api.post(path, {"addresses": [{"channel": "sms", "address": "+12065550100"}]})).status == 422
    phone = "/api/v2/addresses/sms/%2B12065550100/preferences"
    choices = [{"channel": "sms", "category": "*", "choice": "opted_out"}]
    assert (await api.post(phone, {"choices": choices})).json["channels"]["sms"]["opt_out"] is True


async def test_a_new_primary_address_lifts_nothing_of_the_old_one(api: Api) -> None:
    await api.prefer("c-1001", {"email": "old@example.com"})
    await api.post("/api/v2/addresses/email/old@example.com/preferences", {"email_opt_out_global": True})
    became = await api.prefer("c-1001", {"email": "new@example.com"})
    assert became["email"] == "new@example.com" and became["email_opt_out_global"] is True
    profile = (await api.get("/api/v2/contacts/c-1001")).json
    assert [(one["address"], one["primary"]) for one in profile["addresses"]] == [("new@example.com", True), ("old@example.com", False)]


@pytest.mark.feature("N4")
async def test_a_pause_ends_when_it_is_told_to(api: Api) -> None:
    became = await api.prefer("c-1001", {"paused_until": "2099-01-01T00:00:00+00:00"})
    assert became["paused_until"] == "2099-01-01T00:00:00Z" and became["result"] == []
    assert (await api.prefer("c-1001", {"paused_until": None}))["paused_until"] is None


async def test_a_contact_id_may_hold_anything_that_prints(api: Api) -> None:
    for contact in ("a/b", "ünal", "a b", "50%", "x?y", "history", "../.."):
        path = quote(contact, safe="")
        written = await api.prefer(path, OUT)
        found = await api.get(f"/api/v2/contacts/{path}/email_preferences")
        assert found.status == 200
        assert found.json["contact_id"] == written["contact_id"] == contact


async def test_a_relay_only_client_has_no_voice_of_the_persons_own(api: Api) -> None:
    await api.prefer("c-1001", {"email_opt_out_global": True})
    said = {"email_opt_out_global": False, "email_pref_update_source": "preference_center", "email_pref_consent_method": "explicit"}
    relayed = await api.prefer("c-1001", said, client="cl_relay")
    assert relayed["result"][0]["effect"] == "superseded" and relayed["email_opt_out_global"] is True
    own = await api.prefer("c-1001", said)
    assert own["result"][0]["effect"] == "applied" and own["email_opt_out_global"] is False


async def test_two_hundred_first_writes_of_one_person_all_succeed(api: Api) -> None:
    answers = await asyncio.gather(*(api.post(ADA, OUT | {"email": "ada@example.com"}) for _ in range(200)))
    assert {answer.status for answer in answers} == {200}
    assert sum(answer.json["result"][0]["effect"] == "applied" for answer in answers) == 1


@pytest.mark.feature("R7")
async def test_a_batch_answers_item_by_item(api: Api) -> None:
    items = [
        {"contact_id": "c-1", "email_pref_promotional": "opted_out"},
        {"contact_id": "c-2", "email_pref_nonsense": "opted_out"},
        {"contact_id": "c-3", "email_pref_legal_notices": "opted_out"},
        {"email_pref_promotional": "opted_out"},
        "what",
        {"contact_id": "c-1", "email_pref_events": "opted_out"},
    ]
    answer = await api.post("/api/v2/email_preferences:batch", {"items": items})
    assert answer.status == 207
    found = answer.json["items"]
    assert [one["status"] for one in found] == [200, 422, 409, 422, 422, 200]
    assert found[1]["errors"][0]["pointer"] == "#/items/1/email_pref_nonsense"
    assert found[5]["email_pref_promotional"] == found[5]["email_pref_events"] == "opted_out"
    whole = await api.post("/api/v2/email_preferences:batch", {"items": items[:1]})
    assert whole.status == 200 and whole.json["items"][0]["contact_id"] == "c-1"
    assert (await api.post("/api/v2/email_preferences:batch", {"items": [{}] * 1001})).status == 422


async def test_a_batch_of_a_thousand_keeps_the_order_about_one_person(api: Api) -> None:
    words = ["opted_out", "opted_in"] * 500
    items = [{"contact_id": "c-1", "email_pref_promotional": word, "email_pref_update_source": "preference_center"} for word in words]
    answer = await api.post("/api/v2/email_preferences:batch", {"items": items})
    assert answer.status == 200
    assert [one["email_pref_promotional"] for one in answer.json["items"]] == words

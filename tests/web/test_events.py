"""Events, opt-out status and blacklist over HTTP, sentence by sentence of the wire contract (section 4)."""

from typing import Any

import pytest

from running import Api

PREFS = "/api/v2/contacts/c-1001/email_preferences"
STATUS = "/users/c-1001/optout-status?channelType="


async def send(
    api: Api, *events: dict[str, Any], client: str | None = None, headers: dict[str, str] | None = None, **whom: str
) -> list[Any]:
    """The results of events about c-1001, or whom else."""
    answer = await api.post("/events", {**(whom or {"id": "c-1001"}), "events": list(events)}, as_="events", client=client, headers=headers)
    assert answer.status == 200, answer.raw
    results: list[Any] = answer.json["results"]
    return results


async def flag(api: Api, channel: str) -> bool:
    answer = await api.get(STATUS + channel)
    assert answer.status == 200, answer.raw
    return bool(answer.json["optOut"])


@pytest.mark.feature("C1", "C2", "C3", "C6", "A17", "A19")
async def test_opt_out_and_opt_in_events_move_the_status_of_their_channel(api: Api) -> None:
    said = {
        "event": "Opt Out",
        "channel.type": "MAIL",
        "timestamp": "2026-01-22T10:00:00Z",
        "properties": {"status": "opt out via hotline"},
    }
    [out] = await send(api, said)
    assert (out["event"], out["effect"], out["warning"]) == ("Opt Out", "applied", None) and out["entries"]
    assert await flag(api, "MAIL") and not await flag(api, "SMS")
    document = (await api.get(PREFS)).json
    assert document["email_opt_out_global"] is True and document["email_pref_update_reason"] == "opt out via hotline"
    [back] = await send(api, {"event": "Opt In", "channel.type": "mail"})
    assert back["effect"] == "applied" and not await flag(api, "EMAIL")


@pytest.mark.feature("C3", "A18", "A19")
async def test_every_name_of_a_channel_is_understood_in_any_case(api: Api) -> None:
    names = {"MAIL": "email", "SMS": "sms", "PUSH_NOTIFICATION": "push", "BROWSER_NOTIFICATION": "web_push", "EXIT_INTENT": "onsite",
             "DIRECT_MAIL": "post", "VOICE": "voice", "SOCIAL": "social", "ADS": "ads", "IN_APP": "app"}  # fmt: skip
    for wire, ours in names.items():
        await send(api, {"event": "Opt Out", "channel.type": wire.lower()})
        assert await flag(api, ours)
    [back] = await send(api, {"event": "Opt In", "channel.type": "ALL"})
    assert back["effect"] in ("applied", "unchanged")
    assert not any([await flag(api, ours) for ours in names.values()])
    await send(api, {"event": "Opt Out", "channel.type": "ALL"})
    assert all([await flag(api, ours) for ours in [*names, "ALL"]])
    wrong = await api.post("/events", {"id": "c-1001", "events": [{"event": "Opt Out", "channel.type": "FAX"}]}, as_="events")
    assert wrong.status == 422 and "DIRECT_MAIL" in wrong.json["errors"][0]["detail"]
    assert wrong.json["errors"][0]["pointer"] == "#/events/0/channel.type"


@pytest.mark.feature("C4", "C5")
async def test_without_a_channel_it_is_stored_changes_nothing_and_the_reply_says_so(api: Api) -> None:
    [out] = await send(api, {"event": "Opt Out"})
    assert out["effect"] == "stored" and "channel.type" in out["warning"] and out["entries"]
    assert not await flag(api, "ALL")
    [listed] = (await api.get("/api/v2/contacts/c-1001/events")).json["items"]
    assert (listed["event"], listed["channel.type"]) == ("Opt Out", None)


@pytest.mark.feature("C7", "A20", "A21")
async def test_a_lead_is_named_by_address_and_brand(api: Api) -> None:
    await send(api, {"event": "Opt Out", "channel.type": "MAIL"}, email="Lead@example.com", businessUnit="outlet")
    lead = (await api.get("/api/v2/addresses/email/lead@example.com/preferences")).json
    assert lead["email_opt_out_global"] is False and lead["brands"]["outlet"]["email_opt_out_global"] is True


@pytest.mark.feature("C11", "C12", "C8", "C14")
async def test_an_unsubscribe_from_the_mail_stream_opts_the_address_out_and_emits_the_event(api: Api) -> None:
    await api.prefer("c-1001", {"email": "ada@example.com"})
    [told] = await send(api, {"event": "mail.unsubscribe", "timestamp": "2026-01-22T10:00:00Z"})
    assert told["effect"] == "applied"
    address = (await api.get("/api/v2/addresses/email/ada@example.com/preferences")).json
    assert address["email_opt_out_global"] is True and address["email_pref_update_source"] == "email_link"
    events = (await api.get("/api/v2/contacts/c-1001/events")).json["items"]
    assert [(one["event"], one["channel.type"]) for one in events][:2] == [("mail.unsubscribe", None), ("Opt Out", "MAIL")]
    assert events[1]["timestamp"] == "2026-01-22T10:00:00Z"


@pytest.mark.feature("C8")
async def test_every_status_change_by_whichever_door_is_listed_once_with_its_time(api: Api) -> None:
    await api.prefer("c-1001", {"email": "ada@example.com", "email_pref_promotional": "opted_out", "occurred_at": "2026-01-02T03:04:05Z"})
    await api.prefer("c-1001", {"email_pref_promotional": "opted_out"})
    await api.put(STATUS + "SMS", {"optOut": True})
    found = (await api.get("/api/v2/contacts/c-1001/events")).json["items"]
    assert [(one["event"], one["channel.type"]) for one in found] == [("Opt Out", "MAIL"), ("Opt Out", "SMS")]
    assert found[0]["timestamp"] == "2026-01-02T03:04:05Z" and found[0]["properties"]["category"] == "promotional"


@pytest.mark.feature("C13", "N5")
async def test_opens_clicks_and_custom_events_are_stored_listed_and_change_nothing(api: Api) -> None:
    named = ["mail.open", "mail.click", "not_relevant", "Visited Shop №5", "mail.delivered"]
    results = await send(api, *({"event": name, "properties": {"n": n}} for n, name in enumerate(named)))
    assert [(one["event"], one["effect"], one["warning"]) for one in results if one["event"] != "mail.delivered"] == [
        (name, "stored", None) for name in named[:-1]
    ]
    listed = (await api.get("/api/v2/contacts/c-1001/events")).json["items"]
    assert [one["event"] for one in listed] == named and listed[3]["properties"] == {"n": 3}
    [near] = await send(api, {"event": "opt_out", "channel.type": "MAIL"})
    assert near["effect"] == "stored" and "'Opt Out'" in near["warning"] and not await flag(api, "MAIL")


@pytest.mark.feature("I5")
async def test_bounces_and_complaints_block_and_a_delivery_lifts_bounces(api: Api) -> None:
    await send(api, {"event": "mail.bounce", "properties": {"bounce_type": "hard"}}, id="c-1001", email="ada@example.com")
    assert (await api.get("/api/v2/contacts/c-1001")).json["blocks"] == ["hard_bounce"]
    await send(api, {"event": "mail.delivered"})
    assert (await api.get("/api/v2/contacts/c-1001")).json["blocks"] == []
    [told] = await send(api, {"event": "mail.complaint"})
    assert told["effect"] == "applied"
    assert (await api.get("/api/v2/contacts/c-1001")).json["blocks"] == ["complaint"] and await flag(api, "MAIL")
    for properties in ({}, {"bounce_type": "odd"}):
        body = {"id": "c-1001", "events": [{"event": "mail.open"}, {"event": "mail.bounce", "properties": properties}]}
        answer = await api.post("/events", body, as_="events")
        assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "#/events/1/properties/bounce_type"
    assert "mail.open" not in [one["event"] for one in (await api.get("/api/v2/contacts/c-1001/events")).json["items"]]


async def test_an_opt_in_from_the_future_is_kept_and_refused_and_an_opt_out_counts_now(api: Api) -> None:
    [out] = await send(api, {"event": "Opt Out", "channel.type": "SMS", "timestamp": "2099-01-01T00:00:00Z"})
    assert out["effect"] == "applied" and await flag(api, "SMS")
    [back] = await send(api, {"event": "Opt In", "channel.type": "SMS", "timestamp": "2099-01-01T00:00:00Z"})
    assert back["effect"] == "refused" and "future" in back["warning"] and await flag(api, "SMS")


@pytest.mark.feature("F1")
async def test_events_of_one_call_count_in_their_order(api: Api) -> None:
    results = await send(api, *({"event": name, "channel.type": "SMS"} for name in ("Opt Out", "Opt In", "Opt Out")))
    assert [one["effect"] for one in results] == ["applied"] * 3 and await flag(api, "SMS")


async def test_a_repeat_under_its_key_records_nothing_twice(api: Api) -> None:
    events = [{"event": "Opt Out", "channel.type": "MAIL"}, {"event": "mail.open"}]
    first = await send(api, *events, headers={"Idempotency-Key": "e-1"})
    assert await send(api, *events, headers={"Idempotency-Key": "e-1"}) == first
    assert len((await api.get("/api/v2/contacts/c-1001/events?limit=50")).json["items"]) == 4  # e-mail spreads to ads and social


FLAWED: list[tuple[Any, str]] = [
    ({"events": [{"event": "x"}]}, "#/id"),
    ({"id": "c", "events": []}, "#/events"),
    ({"id": "c"}, "#/events"),
    ({"id": 7, "events": [{"event": "x"}]}, "#/id"),
    ({"id": " c", "events": [{"event": "x"}]}, "#/id"),
    ({"email": "nobody", "events": [{"event": "x"}]}, "#/email/address"),
    ({"id": "c", "events": [{"event": ""}]}, "#/events/0/event"),
    ({"id": "c", "events": [{"event": "x" * 65}]}, "#/events/0/event"),
    ({"id": "c", "events": [{"event": "x", "timestamp": "now"}]}, "#/events/0/timestamp"),
    ({"id": "c", "events": [{"event": "x", "channel": "MAIL"}]}, "#/events/0/channel"),
    ({"id": "c", "events": [{"event": "x", "properties": []}]}, "#/events/0/properties"),
]


async def test_what_cannot_be_meant_is_422_with_a_pointer(api: Api) -> None:
    for body, pointer in FLAWED:
        answer = await api.post("/api/v2/events", body, as_="events")
        assert answer.status == 422, (body, answer.raw)
        assert pointer in [one["pointer"] for one in answer.json["errors"]], (body, answer.raw)


@pytest.mark.feature("B9", "B10", "P5", "A24")
async def test_the_opt_out_status_is_the_same_register_as_the_flag(api: Api) -> None:
    assert (await api.get(STATUS + "MAIL")).status == 404
    answer = await api.post(STATUS + "MAIL", {"optOut": True})
    assert answer.status == 200
    assert answer.json["id"] == "c-1001" and answer.json["channelType"] == "MAIL" and answer.json["optOut"] is True and answer.json["since"]
    assert (await api.get(PREFS)).json["email_opt_out_global"] is True
    assert (await api.get("/api/v2/contacts/c-1001")).json["traits"]["optOut"]["email"] == "true"
    back = await api.put(STATUS + "email", {"optOut": False})
    assert back.json["optOut"] is False and back.json["channelType"] == "MAIL"
    traits = (await api.get("/api/v2/contacts/c-1001")).json["traits"]["optOut"]
    assert traits["email"] == "false" and "sms" not in traits
    assert (await api.get(PREFS)).json["email_opt_out_global"] is False


async def test_the_status_names_what_still_denies(api: Api) -> None:
    await send(api, {"event": "Opt Out", "channel.type": "ALL"})
    answer = await api.put(STATUS + "MAIL", {"optOut": False}, client="cl_crm")
    assert answer.json["optOut"] is True
    assert answer.json["still_blocked_by"][0]["scope"] == {"brand": "*", "channel": "*", "category": "*"}


async def test_the_status_is_asked_strictly(api: Api) -> None:
    for query, body in (
        ("MAIL", {"optOut": "true"}),
        ("MAIL", {}),
        ("MAIL", {"optout": True}),
        ("FAX", {"optOut": True}),
        ("", {"optOut": True}),
    ):
        assert (await api.put(STATUS + query, body)).status == 422
    assert (await api.put("/users/c-1001/optout-status", {"optOut": True})).status == 422
    assert (await api.put(STATUS + "MAIL&channelType=SMS", {"optOut": True})).status == 422
    assert (await api.get(STATUS + "MAIL")).status == 404


@pytest.mark.feature("B12", "P1", "I10")
async def test_the_blacklist_is_set_read_and_lifted(api: Api) -> None:
    path = "/users/c-1001/blacklist"
    assert (await api.get(path)).status == 404
    assert (await api.call("DELETE", path)).status == 404
    put = await api.put(path, {"blacklisted": True, "reason": "court order"})
    assert put.status == 200 and put.json["blacklisted"] is True and put.json["reason"] == "court order"
    assert (await api.get(path)).json == put.json
    assert (await api.get(PREFS)).json["blacklisted"] is True
    assert (await api.call("DELETE", path)).status == 204
    assert (await api.get(path)).json["blacklisted"] is False
    phone = "/api/v2/addresses/sms/%2B1%20206%20555%200100/blacklist"
    assert (await api.put(phone, {"blacklisted": True})).json["blacklisted"] is True
    assert (await api.get("/api/v2/addresses/voice/+12065550100/blacklist")).json["blacklisted"] is True
    assert (await api.put(phone, {"blacklisted": 1})).status == 422
    assert (await api.put(phone, {"blacklisted": True}, as_="email_preferences:read")).status == 403

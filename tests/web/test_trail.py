"""History, segments, catalogue and campaigns over HTTP (wire contract sections 3 to 6)."""

import csv
import io

import pytest

from running import Api

ADA = "/api/v2/contacts/c-1001/email_preferences"
HISTORY = "/api/v2/contacts/c-1001/history"


@pytest.mark.feature("A16", "J1", "J2", "J3", "J4", "J5", "J6", "J7", "J8", "K5", "L5")
async def test_the_history_tells_who_what_when_and_why(api: Api) -> None:
    said = {
        "email": "ada@example.com", "email_pref_promotional": "opted_out", "email_pref_update_source": "support_request",
        "email_pref_update_reason": "rang us", "email_pref_consent_ip": "203.0.113.7", "user_agent": "Desk/1.0",
        "occurred_at": "2026-01-02T03:04:05Z", "proof": "ticket 77", "metadata": {"desk": 4},
    }  # fmt: skip
    await api.prefer("c-1001", said)
    items = (await api.get(HISTORY, as_="audit:read")).json["items"]
    assert [one["kind"] for one in items] == ["link", "choice"]
    told = items[1]
    expected = {
        "contact_id": "c-1001", "email": "ada@example.com", "time": "2026-01-02T03:04:05Z", "source": "support_request",
        "scope": {"brand": "*", "channel": "email", "category": "promotional"}, "old_value": "not_set", "new_value": "opted_out",
        "effect": "applied", "rule": None, "reason": "rang us", "ip": "203.0.113.7", "user_agent": "Desk/1.0", "proof": "ticket 77",
        "metadata": {"desk": 4}, "actor": "the person, through The shop",
    }  # fmt: skip
    assert {name: told[name] for name in expected} == expected
    assert "ledger_index" in told and items[0]["new_value"] == "ada@example.com"


async def test_the_history_is_paged_without_gaps_and_tells_each_statement_once(api: Api) -> None:
    await api.prefer("c-1001", {"email": "ada@example.com"})
    for n in range(7):
        word = "Opt Out" if n % 2 == 0 else "Opt In"
        body = {"id": "c-1001", "email": "ada@example.com", "events": [{"event": word, "channel.type": "SMS"}]}
        assert (await api.post("/events", body, as_="events")).status == 200
    whole = (await api.get(HISTORY + "?limit=500")).json
    assert whole["next"] is None and len(whole["items"]) == 8
    paged, after = [], ""
    while True:
        page = (await api.get(f"{HISTORY}?limit=3{after}")).json
        paged += page["items"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert paged == whole["items"]
    for bad in ("limit=0", "limit=501", "limit=x", "after=zzz", "page=2", "limit=1&limit=2"):
        assert (await api.get(f"{HISTORY}?{bad}")).status == 422
    assert (await api.get("/api/v2/contacts/nobody/history")).status == 404
    assert (await api.get("/api/v2/addresses/email/ada@example.com/history")).json["items"]


@pytest.mark.feature("P2", "P3", "P4", "C9", "K6")
async def test_who_opted_out_in_a_time_frame_is_listed_and_exported_safely(api: Api) -> None:
    await api.prefer("c-1001", {"email": "ada@example.com", "email_opt_out_global": True, "email_pref_update_reason": "=HYPERLINK(1)"})
    await api.prefer("c-1002", {"email_pref_promotional": "opted_out"})
    await api.prefer("c-1002", {"email_pref_promotional": "opted_in", "email_pref_update_source": "preference_center"})
    lead = "/api/v2/addresses/sms/+12065550100/preferences"
    await api.post(lead, {"choices": [{"channel": "sms", "category": "*", "choice": "opted_out"}]})
    path = "/api/v2/segments/opt_outs"
    items = (await api.get(path, as_="reports:read")).json["items"]
    assert [(one["contact_id"], one["address"], one["still_opted_out"]) for one in items] == [
        ("c-1001", "ada@example.com", True), ("c-1002", None, False), (None, "+12065550100", True),
    ]  # fmt: skip
    first = (await api.get(path + "?limit=2", as_="reports:read")).json
    rest = (await api.get(f"{path}?limit=2&after={first['next']}", as_="reports:read")).json
    assert first["items"] + rest["items"] == items and rest["next"] is None
    for query, count in (("channel=SMS", 1), ("category=promotional", 1), ("source=api", 3), ("source=manual", 0), ("to=2020-01-01", 0),
                         ("from=2020-01-01T00:00:00Z", 3), ("channel=ads", 1)):  # fmt: skip
        assert len((await api.get(f"{path}?{query}", as_="reports:read")).json["items"]) == count, query
    export = await api.get(path + "?format=csv", as_="reports:read")
    assert export.headers["Content-Type"].startswith("text/csv") and "attachment" in export.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(export.raw.decode())))
    assert [row["address"] for row in rows] == ["ada@example.com", "", "'+12065550100"] and rows[0]["reason"] == "'=HYPERLINK(1)"
    for bad in ("format=xml", "from=yesterday", "from=2026-02-01&to=2026-01-01", "channel=fax", "source=x", "after=1"):
        assert (await api.get(f"{path}?{bad}", as_="reports:read")).status == 422, bad
    assert (await api.get(path)).status == 403


@pytest.mark.feature("C9", "P2")
async def test_events_can_be_used_in_segments(api: Api) -> None:
    await api.post("/events", {"id": "c-1", "events": [{"event": "Visited"}, {"event": "Opt Out"}]}, as_="events")
    await api.prefer("c-2", {"email_pref_promotional": "opted_out"})
    visited = (await api.get("/api/v2/segments/events?name=Visited", as_="reports:read")).json["items"]
    assert [one["contact_id"] for one in visited] == ["c-1"]
    outs = (await api.get("/api/v2/segments/events?name=Opt%20Out", as_="reports:read")).json["items"]
    assert [one["contact_id"] for one in outs] == ["c-1", "c-2"]
    assert (await api.get("/api/v2/segments/events", as_="reports:read")).status == 422


@pytest.mark.feature("A10", "A7", "A8", "G7")
async def test_the_catalogue_is_versioned_and_audited(api: Api) -> None:
    path = "/api/v2/catalogue"
    held = (await api.get(path, as_="admin")).json
    assert held["version"] == 1
    held["categories"].append({"key": "shoes", "class": "marketing", "title": "Shoes", "sends": "Shoes.", "often": "Weekly"})
    put = await api.put(path, held, as_="admin")
    assert put.status == 200 and put.json["version"] == 2
    stale = await api.put(path, held, as_="admin")
    assert (stale.status, stale.json["code"], stale.json["current"]["version"]) == (409, "conflict_version", 2)
    document = await api.prefer("c-1001", {"email_pref_shoes": "opted_out"})
    assert document["email_pref_shoes"] == "opted_out" and document["catalogue_version"] == 2
    held["version"] = 2
    held["categories"][-1]["key"] = "update_source"
    assert (await api.put(path, held, as_="admin")).status == 422
    for bad in ({}, {"categories": []}, {"categories": [7]}, {"categories": held["categories"][:1] * 2}):
        assert (await api.put(path, bad, as_="admin")).status == 422
    assert (await api.get(path)).status == 403
    acts = await api.parts.pool.fetch("SELECT act FROM entry WHERE kind = 'config'")
    assert [row["act"] for row in acts] == ["catalogue_applied"]


@pytest.mark.feature("I9")
async def test_a_campaign_says_what_its_messages_are(api: Api) -> None:
    path = "/api/v2/campaigns/recall-26"
    body = {"transactional": True, "category": "legal_notices", "reason": "recall"}
    assert (await api.get(path, as_="admin")).status == 404
    assert (await api.put(path, body, as_="admin")).json["category"] == "legal_notices"
    assert (await api.get(path, as_="admin")).json["transactional"] is True
    for bad in ({"transactional": True}, {"transactional": False}, {"transactional": True, "category": "promotional", "reason": "x"},
                {"transactional": False, "category": "legal_notices"}, {"transactional": False, "category": "nope"},
                {"transactional": "yes", "category": "promotional"}):  # fmt: skip
        assert (await api.put(path, bad, as_="admin")).status == 422, bad
    assert (await api.put(path, body)).status == 403

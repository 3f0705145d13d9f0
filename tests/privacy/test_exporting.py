"""Handing out everything that is held about somebody, in plain words and safe to open."""

import csv
import io
import json
import zipfile
from typing import Any

import pytest
from forgetting import ADA, RIGHTS
from test_erasing import ada

from sayso.flows.export_person import COLUMNS, PAGE
from sayso.rules.cells import cell, line
from town import Receiver, Town

pytestmark = pytest.mark.feature("R14", "L5")
FILES = {"README.txt", "profile.json", "preferences.json", "systems.json", "history.json", "history.csv", "events.json", "consents.json", "messages.json"}  # fmt: skip


async def exported(town: Town, contact: str) -> dict[str, bytes]:
    """The files of an export."""
    status, raw = await town.call("POST", f"/api/v2/contacts/{contact}/export", scopes=RIGHTS)
    assert status == 200
    with zipfile.ZipFile(io.BytesIO(raw)) as packed:
        assert packed.testzip() is None
        return {name: packed.read(name) for name in packed.namelist()}


async def test_everything_is_in_it_and_it_is_on_record(town: Town, shop: Receiver) -> None:
    hook = await town.webhook(shop)
    await ada(town)
    await town.say("c-1", {
        "email_pref_events": "opted_in", "email_pref_update_source": "double_opt_in", "proof": "form 7", "user_agent": "Browser/1",
        "email_pref_consent_ip": "203.0.113.7", "country": "US",
    })  # fmt: skip
    await town.say("c-1", {"email_pref_promotional": "opted_out", "email_pref_update_reason": "=HYPERLINK(1)"})
    events = [{"event": "Visited shop", "properties": {"page": "+cmd|' /C calc'!A0"}}]
    await town.ok("POST", "/events", {"id": "c-1", "events": events}, scopes="events")
    sent = {
        "contact_id": "c-1",
        "channel": "email",
        "category": "order_confirmations",
        "subject": "Your order",
        "sent_at": "2026-11-20T10:00:00Z",
    }
    await town.ok("POST", "/api/v2/messages", sent, scopes="messages")
    await town.settled()
    found = await exported(town, "c-1")
    assert found.keys() == FILES
    assert "Northwind" in found["README.txt"].decode()
    assert [name for name in FILES - {"README.txt"} if name not in found["README.txt"].decode()] == []
    told = {name: json.loads(raw) for name, raw in found.items() if name.endswith(".json")}
    assert {(one["kind"], one["value"]) for one in told["profile.json"]} == {("contact", "c-1"), ("email", ADA)}
    assert told["preferences.json"][0]["email_pref_promotional"] == "opted_out"
    [consent] = [one for one in told["consents.json"] if one["category"] == "events" and one["about"] == "c-1"]
    assert (consent["proof"], consent["ip"], consent["method"], consent["source"]) == ("form 7", "203.0.113.7", "explicit", "double_opt_in")
    assert "Visited shop" in {one["event"] for one in told["events.json"]}
    assert [one["subject"] for one in told["messages.json"]] == ["Your order"]
    assert told["systems.json"][0]["system"] == hook.get("description") or told["systems.json"][0]["knows_the_newest_state"]
    rows = list(csv.DictReader(io.StringIO(found["history.csv"].decode())))
    assert len(rows) == len(told["history.json"]) and set(rows[0]) == set(COLUMNS)
    assert [value for row in rows for value in row.values() if value.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    history = await town.ok("GET", "/api/v2/contacts/c-1/history", scopes="audit:read")
    assert (history["items"][-1]["kind"], history["items"][-1]["what"]) == ("rights", "data_exported")


async def test_nothing_of_anybody_else_is_in_it(town: Town) -> None:
    await ada(town)
    await ada(town, "c-2", "bea@example.com")
    await town.say("c-2", {"addresses": [{"channel": "email", "address": ADA}]})
    found = b"".join((await exported(town, "c-1")).values())
    assert b"bea@example.com" not in found
    assert (await town.call("POST", "/api/v2/contacts/c-9/export", scopes=RIGHTS))[0] == 404
    status, raw = await town.call("POST", f"/api/v2/addresses/email/{ADA}/export", scopes=RIGHTS)
    assert status == 200
    with zipfile.ZipFile(io.BytesIO(raw)) as packed:
        assert b"bea@example.com" not in b"".join(packed.read(name) for name in packed.namelist())


async def test_a_long_life_is_exported_whole(quiet_town: Town) -> None:
    await ada(quiet_town)
    many = [{"event": "mail.open", "properties": {"n": n}} for n in range(PAGE)]
    for _ in range(2):
        await quiet_town.ok("POST", "/events", {"id": "c-1", "events": many}, scopes="events")
    found = await exported(quiet_town, "c-1")
    events = json.loads(found["events.json"])
    assert len([one for one in events if one["event"] == "mail.open"]) == 2 * PAGE
    assert len(json.loads(found["history.json"])) > 2 * PAGE


@pytest.mark.parametrize("hostile", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_a_formula_and_every_cell_is_read_back(hostile: str) -> None:
    values: list[Any] = [hostile, 'say "hi", all', "two\r\nlines", None, True, {"a": [1]}, 7]
    text = line(cell(value) for value in values)
    assert text.endswith("\r\n")
    [row] = csv.reader(io.StringIO(text, newline=""))
    assert row == [f"'{hostile}", 'say "hi", all', "two\r\nlines", "", "true", '{"a": [1]}', "7"]

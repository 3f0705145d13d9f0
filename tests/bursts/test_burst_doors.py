"""Bursts as an operator meets them: the API of a hub whose worker watches, the numbers, and the command line."""

import asyncio
import os
from typing import Any
from uuid import UUID

import pytest

from database import apart
from operators import Sayso
from sayso.burst_wiring import burst_duties_of
from sayso.opening import opened
from sayso.settings import read
from town import Town, eventually, receiver

SCANNER = "Mozilla/5.0 (compatible; Barracuda Sentinel (EE))"
ID = UUID(int=7)
SLOW = 40
"""Seconds that a busy machine may need for what takes one."""


def pressed(n: int) -> dict[str, Any]:
    """What a company's own page tells of a scanner that pressed its button."""
    return {
        "email": f"person{n}@company.example", "email_pref_promotional": "opted_out", "email_pref_update_source": "preference_center",
        "email_pref_consent_ip": "203.0.113.7", "user_agent": SCANNER,
    }  # fmt: skip


async def burst_of(town: Town, count: int = 3) -> Any:
    """The burst that so many people make, once the worker has found all of it."""
    for n in range(count):
        await town.say(f"c-{n}", pressed(n))

    async def look() -> Any:
        found = (await town.ok("GET", "/api/v2/bursts"))["items"]
        return found if sum(one["people"] for one in found) == count else None

    [found] = await eventually(look, SLOW)
    return found


@pytest.mark.feature("S4")
async def test_an_operator_sees_the_evidence_and_asks_the_people_once(town: Town) -> None:
    found = await burst_of(town)
    assert found["networks"] == [{"network": "203.0.113.0/24", "opt_outs": 3}]
    assert found["mail_hosts"] == [{"mail_host": "company.example", "opt_outs": 3}]
    assert found["user_agents"] == [{"user_agent": SCANNER, "opt_outs": 3}]
    assert (found["known_scanners"], found["seconds_after_delivery"]["unknown"], found["offer"]) == (3, 3, None)
    one = await town.ok("GET", f"/api/v2/bursts/{found['id']}")
    assert [mark["contact_id"] for mark in one["marks"]] == ["c-0", "c-1", "c-2"]
    for n in range(3):
        document = await town.ok("GET", f"/api/v2/contacts/c-{n}/email_preferences", scopes="email_preferences")
        assert document["email_pref_promotional"] == "opted_out", "it was honoured at once"
    history = await town.ok("GET", "/api/v2/contacts/c-0/history", scopes="audit:read")
    assert {item["what"]: item["suspected"] for item in history["items"]} == {"link": None, "choice": found["id"]}

    offered = await town.ok("POST", f"/api/v2/bursts/{found['id']}/offer", {"reason": "their scanner pressed"})
    assert offered["offer"]["by"] == "c:cl_ops"

    async def asked() -> Any:
        offer = (await town.ok("GET", f"/api/v2/bursts/{found['id']}"))["offer"]
        return offer if offer["waiting"] == 0 else None

    assert (await eventually(asked, SLOW))["asked"] == 3
    assert await town.parts.pool.fetchval("SELECT count(*) FROM letter WHERE kind = 'offer'") == 3
    status, again = await town.call("POST", f"/api/v2/bursts/{found['id']}/offer", {"reason": "once more"})
    assert (status, again["code"], again["rule"]) == (409, "change_refused", "offered_once")
    _, metrics = await town.call("GET", "/metrics", scopes="")
    assert b"sayso_suspected_optouts_total 3.0" in metrics


@pytest.mark.feature("S4")
async def test_webhooks_hear_the_alert(town: Town) -> None:
    async with receiver() as shop:
        await town.webhook(shop, events=["alert.raised"])
        found = await burst_of(town)
        await town.parts.pool.execute("UPDATE link_opt_out SET at = at - 120000000")

        async def raised() -> Any:
            return shop.of("alert.raised")

        [alert] = await eventually(raised, SLOW)
        assert (alert["data"]["burst"], alert["data"]["alert"], alert["data"]["people"]) == (found["id"], "suspected_opt_outs", 3)


async def test_two_operators_at_once_ask_once(town: Town) -> None:
    found = await burst_of(town)
    both = await asyncio.gather(*(town.call("POST", f"/api/v2/bursts/{found['id']}/offer", {"reason": "mine"}) for _ in range(2)))
    assert sorted(status for status, _ in both) == [202, 409]


REFUSED = (
    ("GET", f"/api/v2/bursts/{ID}", None, 404), ("GET", "/api/v2/bursts/x", None, 404), ("GET", "/api/v2/bursts?after=x", None, 422),
    ("POST", f"/api/v2/bursts/{ID}/offer", {"reason": "x"}, 404), ("POST", "/api/v2/bursts/x/offer", {"reason": "x"}, 404),
    ("POST", f"/api/v2/bursts/{ID}/offer", {}, 422), ("POST", f"/api/v2/bursts/{ID}/offer", {"reason": "  "}, 422),
    ("POST", f"/api/v2/bursts/{ID}/offer", {"reason": "x", "force": True}, 422),
)  # fmt: skip


async def test_what_cannot_be_done_is_refused(town: Town) -> None:
    for method, path, body, status in REFUSED:
        assert (await town.call(method, path, body))[0] == status, (method, path, body)
        assert (await town.call(method, path, body, scopes="audit:read"))[0] == (403 if "?" not in path else 422)
        assert (await town.call(method, path, body, scopes=""))[0] == 401


@pytest.mark.feature("S4")
def test_the_same_on_the_command_line(sayso: Sayso) -> None:
    assert "No burst was found" in sayso("bursts", "list").out
    burst = apart(_burst())
    [found] = sayso("bursts", "list", "--json").json["items"]
    assert (found["id"], found["people"]) == (burst, 3)
    assert "203.0.113.0/24" in sayso("bursts", "list").out
    assert [mark["contact_id"] for mark in sayso("bursts", "show", burst, "--json").json["marks"]] == ["c-0", "c-1", "c-2"]
    assert "Barracuda" in sayso("bursts", "show", burst).out
    assert sayso("bursts", "offer", burst, "--reason", "  ", "--json").code == 2
    assert sayso("bursts", "offer", burst).code == 2, "why is asked for"
    assert "3 people will be asked" in sayso("bursts", "offer", burst, "--reason", "their scanner pressed").out
    again = sayso("bursts", "offer", burst, "--reason", "once more", "--json")
    assert again.code == 1
    assert "nobody is asked twice" in again.error["what"]
    for nothing in (("show", "x"), ("show", str(ID)), ("offer", str(ID), "--reason", "x")):
        gone = sayso("bursts", *nothing, "--json")
        assert (gone.code, gone.error["fix"]) == (1, "sayso bursts list")


async def _burst() -> str:
    """Three people of a scanner, recorded and found on the hub of this environment; the burst's id."""
    from sayso.contracts.book import Key
    from sayso.flows.record import Said, record
    from sayso.flows.sequence import sequence
    from sayso.opening import microseconds
    from sayso.rules.statements import Choose, Voice
    from sayso.rules.words import Scope

    async with opened(read(os.environ)) as parts:
        ground = await parts.current.ground()
        for n in range(3):
            contact, email = Key("contact", f"c-{n}", f"c-{n}"), Key("email", f"p{n}@company.example", f"p{n}@company.example")
            voice, word = Voice("preference_center", True, "", "c:center"), Choose(Scope("*", "email", "promotional"), out=True)
            personal = {"ip": "203.0.113.7", "user_agent": SCANNER}
            await record(Said(voice, (word,), contact, email, ((email, True),), personal=personal), book=parts.book, ground=ground)
        await sequence(log=parts.log, anchor=parts.anchor, origin=parts.origin, private=parts.keys.ledger_key, now=microseconds())
        duties = dict(burst_duties_of(parts))
        await duties["watch bursts"]()
        await duties["forget signs"]()
        return str(await parts.pool.fetchval("SELECT id FROM burst"))

"""Why, for several messages at once, now or as of an earlier moment."""

import asyncio
from typing import Any

import pytest

from sayso.rules.times import format_time
from town import Town

pytestmark = pytest.mark.feature("R1")
PROMO, SMS = {"channel": "email", "category": "promotional"}, {"channel": "sms", "message_type": "order_confirmation"}


async def why(town: Town, *actions: dict[str, str], scopes: str = "audit:read", **more: Any) -> Any:
    return await town.ok("POST", "/api/v2/decisions", {"contact_id": "c-1", "actions": list(actions), **more}, scopes=scopes)


async def moment(town: Town) -> str:
    """The database's time now; what is said afterwards is later."""
    at = await town.parts.pool.fetchval("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
    await asyncio.sleep(0.002)
    return format_time(at)


async def test_every_action_is_answered_with_the_records_that_decided(town: Town) -> None:
    said = await town.say("c-1", {"email": "ada@example.com", "country": "DE", "email_pref_promotional": "opted_out"})
    answer = await why(town, PROMO, SMS)
    promo, sms = answer["decisions"]
    assert (answer["as_of"], promo["proceed"], sms["proceed"]) == (False, False, False)
    assert promo["action"] == PROMO and promo["regime"] == "eu_eprivacy_gdpr"
    consulted = promo["explanation"][0]
    assert (consulted["objectConsulted"], consulted["field"], consulted["value"]) == ("choice", "*/email/promotional", "opted_out")
    assert consulted["recordId"] == said["result"][0]["entry"]
    assert sms["explanation"][0]["objectConsulted"] == "contact"  # no number is known


async def test_an_answer_about_now_is_logged_as_every_check_is(town: Town) -> None:
    await town.say("c-1", {"email": "ada@example.com"})
    found = (await why(town, PROMO, scopes="send_checks"))["decisions"][0]
    logged = await town.ok("GET", f"/api/v2/send_checks/{found['check_id']}", scopes="send_checks")
    assert logged["allowed"] == found["proceed"]


async def test_the_past_is_answered_as_it_was(town: Town) -> None:
    never = await moment(town)
    await town.say("c-1", {"email": "ada@example.com", "country": "US"})
    silent = await moment(town)
    await town.say("c-1", {"email_pref_promotional": "opted_out", "email_pref_update_source": "preference_center"})
    out = await moment(town)
    back = {"email_pref_promotional": "opted_in", "email_pref_update_source": "preference_center"}
    await town.say("c-1", back)
    told = {at: (await why(town, PROMO, at=at))["decisions"][0] for at in (never, silent, out)}
    now = (await why(town, PROMO))["decisions"][0]
    found = {at: (one["proceed"], [row["value"] for row in one["explanation"]]) for at, one in told.items()}
    assert found == {
        never: (False, ["unknown_state"]), silent: (True, ["allowed_by_regime"]), out: (False, ["opted_out"]),
    }  # fmt: skip
    assert (now["proceed"], now["explanation"][0]["value"]) == (True, "opted_in")
    assert all(one["check_id"] is None for one in told.values())


async def test_asking_about_the_past_leaves_no_trace(town: Town) -> None:
    await town.say("c-1", {"email": "ada@example.com"})
    count = "SELECT (SELECT count(*) FROM verdict) + (SELECT count(*) FROM entry)"
    before = await town.parts.pool.fetchval(count)
    await why(town, PROMO, at=await moment(town))
    assert await town.parts.pool.fetchval(count) == before


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"actions": []}, "#/actions"), ({"actions": [PROMO], "at": "2999-01-01T00:00:00Z"}, "#/at"), ({"actions": [PROMO], "at": 3}, "#/at"),
        ({"actions": [PROMO, {"channel": "fax", "category": "promotional"}]}, "#/actions/1/channel"),
        ({"actions": [{**PROMO, "address": "x"}]}, "#/actions/0"), ({"actions": [PROMO], "who": 1}, "#/who"),
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_is_refused_with_its_place(town: Town, body: Any, pointer: str) -> None:
    status, problem = await town.call("POST", "/api/v2/decisions", {"contact_id": "c-1", **body}, scopes="audit:read")
    assert (status, problem["errors"][0]["pointer"]) == (422, pointer)

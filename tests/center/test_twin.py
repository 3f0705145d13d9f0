"""The headless twin does what the page does, and tells why a message came."""

import pytest
from people import PROMO, Town

from sayso.contracts.messages import Sending
from sayso.flows.check import Question, check
from sayso.rules.catalogue import DEFAULT
from sayso.rules.gate import Ask
from sayso.rules.references import reference
from sayso.rules.subjects import parse_address
from sayso.store.messages import PostgresSent

pytestmark = pytest.mark.asyncio(loop_scope="module")


def on(body: dict[str, list[dict[str, object]]]) -> set[object]:
    return {one["key"] for one in body["categories"] if one["on"]}


@pytest.mark.feature("R10", "S2")
async def test_the_twin_saves_and_takes_back(hub_town: Town) -> None:
    path = f"/api/v2/center/{await hub_town.link(fresh=True)}"
    await hub_town.opts_in("promotional", "events")
    first = (await hub_town.get(path)).json
    assert (on(first), first["address"], first["fresh"], first["gone"]) == ({"promotional", "events"}, "a•••@example.com", True, False)
    assert [one["about"] for one in first["history"]] == ["events", "promotional"]
    wish = {
        "choices": {"promotional": "opted_out", "educational": "opted_in", "events": "opted_in"},
        "reason": "too many",
        "language": "de",
    }
    saved = (await hub_town.post(path, body=wish)).json
    assert on(saved) == {"events", "educational"}
    result = saved["result"]
    assert (set(result["changed"]), result["refused"], result["to_confirm"]) == ({"promotional", "educational"}, [], [])
    assert saved["language"] == "de" and saved["wording"].endswith(", de")
    entries = await hub_town.entries()
    assert [one.act for one in entries][-1] == "preference_reason"
    assert entries[-1].detail["properties"] == {"entries": result["entries"], "reason": "other", "words": "too many"}
    other = f"/api/v2/center/{await hub_town.link(email='ben@example.com', contact='c-2002', fresh=True)}"
    assert (await hub_town.post(other, body={"undo": result["undo"]})).status == 422
    undone = (await hub_town.post(path, body={"undo": result["undo"]})).json
    assert (on(undone), set(undone["result"]["changed"])) == ({"promotional", "events"}, {"promotional", "educational"})
    stopped = (await hub_town.post(path, body={"stop": "company"})).json
    assert (on(stopped), stopped["stopped_all"]) == (set(), True)
    paused = (await hub_town.post(path, body={"paused_until": None})).json
    assert paused["result"]["changed"] == []


async def test_the_twin_refuses_what_no_page_offers(hub_town: Town) -> None:
    path = f"/api/v2/center/{await hub_town.link()}"
    before = len(await hub_town.entries())
    cases = (
        ({"choices": {"order_confirmations": "opted_out"}}, 409), ({"choices": {"nothing": "opted_out"}}, 422),
        ({"choices": {"promotional": "maybe"}}, 422), ({"stop": "world"}, 422), ({"paused_until": "tomorrow"}, 422),
        ({"paused_until": "2001-01-01T00:00:00Z"}, 422), ({"language": "tlh"}, 422), ({"undo": "nonsense"}, 422), ({"colour": 1}, 422),
    )  # fmt: skip
    for body, status in cases:
        assert (await hub_town.post(path, body=body)).status == status, body
    assert (await hub_town.get(f"{path}?language=de")).status == 422
    assert (await hub_town.post(path, b"x" * 70_000, headers={"Content-Type": "application/json"})).status == 413
    for name in ("nonsense", "1.k1.AAAA.BBBB"):
        assert (await hub_town.get(f"/api/v2/center/{name}")).status == 404
        assert (await hub_town.post(f"/api/v2/center/{name}", body={})).status == 404
    assert len(await hub_town.entries()) == before


async def test_only_configured_websites_may_call_it_from_a_browser(hub_town: Town) -> None:
    path = f"/api/v2/center/{await hub_town.link()}"
    for origin, let_in in (("https://shop.example", True), ("https://shop.example.evil.example", False), ("null", False), ("", False)):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"} if origin else {}
        for method in ("GET", "OPTIONS"):
            answer = await hub_town.call(method, path, headers=headers)
            assert answer.headers.get("Access-Control-Allow-Origin") == (origin if let_in else None)
            assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.feature("H5", "N5", "G9")
async def test_why_shows_the_message_and_the_very_record_that_allowed_it(hub_town: Town) -> None:
    await hub_town.link()
    await hub_town.opts_in("promotional")
    parts = hub_town.parts
    consent = (await hub_town.entries())[-1]
    who, _ = await hub_town.meets()
    ask = Ask("email", DEFAULT.get("promotional"))
    at = parse_address("email", hub_town.email, default_region=None)
    [(verdict, logged)] = await check([Question(ask, None, at)], gatehouse=parts.gatehouse, ground=await parts.current.ground())
    assert logged.verdict.allowed and verdict is not None
    now = parts.current.held.clock()
    sending = Sending(who, now, "email", "promotional", subject="Spring <b>sale</b>", campaign="spring-26", message="m-77", check=verdict)
    await PostgresSent(parts.pool, parts.tools).keep([sending], now)
    token = await hub_town.link(scope=PROMO, campaign="spring-26", message="m-77")
    page = await hub_town.get(f"/why/{token}")
    assert page.status == 200
    assert "Spring &lt;b&gt;sale&lt;/b&gt;" in page.text and "spring-26" in page.text and f"chk_{verdict}" in page.text
    assert reference(consent.id) in page.text
    noted = await hub_town.post(f"/why/{token}", {"form": page.hidden(), "action": "not_relevant"})
    assert noted.status == 200
    last = (await hub_town.entries())[-1]
    assert (last.act, last.detail["properties"]["message"]) == ("not_relevant", "m-77")
    stopped = await hub_town.post(f"/preferences/{token}", [("form", page.hidden()), ("shown", "promotional"), ("action", "save")])
    assert stopped.status == 200
    assert (await hub_town.get(f"/preferences/{token}")).ticked == set()
    mailed = (await hub_town.get(f"/api/v2/center/{await hub_town.link(fresh=True)}")).json["mailed"]
    assert [(one["subject"], one["category"]) for one in mailed] == [("Spring <b>sale</b>", "promotional")]
    unknown = await hub_town.get(f"/why/{await hub_town.link()}")
    assert unknown.status == 200

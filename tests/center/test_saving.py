"""The preference page saves what people ask for, and shows afterwards what it did."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from people import ONE_CLICK, Town, admin, town

from sayso.app import working
from sayso.rules.references import reference
from sayso.rules.words import ANY, Scope

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVERYTHING = Scope(ANY, "email", ANY)
ALL = {"product_updates", "educational", "promotional", "events"}


@pytest.mark.feature("G1", "G2", "G3", "G4", "G6", "G8", "N1", "N3")
async def test_a_box_that_is_unticked_stops_that_mail_at_once(hub_town: Town) -> None:
    token = await hub_town.link()
    await hub_town.opts_in("promotional", "events")
    page = await hub_town.get(f"/preferences/{token}")
    assert (page.status, page.shown, page.ticked) == (200, ALL, {"promotional", "events"})
    assert (
        "Discounts, the newsletter" in page.text and "Up to once a week" in page.text and "You need them to follow an order." in page.text
    )
    assert "a•••@example.com" in page.text and hub_town.email not in page.text
    saved = await hub_town.save(token, "events")
    assert (saved.status, (await hub_town.get(f"/preferences/{token}")).ticked) == (200, {"events"})
    entries = await hub_town.entries()
    promo = [one for one in entries if one.fields.get("scope") == [*("*", "email"), "promotional"]][-1]
    assert (promo.fields["src"], promo.fields["own"], promo.fields["effect"]) == ("preference_center", 1, "applied")
    assert promo.detail["wording"] == "pages 0, catalogue 1, en"
    assert (promo.detail["ip"], promo.detail["user_agent"], promo.detail["language"]) == ("127.0.0.1", hub_town.agent, "en")
    assert reference(entries[2].id) in saved.text
    assert (await hub_town.call("GET", saved.undo)).status == 200


@pytest.mark.feature("G3", "N3")
async def test_what_was_ticked_and_stays_so_says_nothing(hub_town: Town) -> None:
    token = await hub_town.link(fresh=True)
    await hub_town.opts_in(*ALL)
    before = len(await hub_town.entries())
    saved = await hub_town.save(token, *ALL)
    assert (saved.status, len(await hub_town.entries())) == (200, before)
    assert "/undo/" not in saved.text


@pytest.mark.feature("S8", "R5")
async def test_an_ordinary_link_asks_by_mail_before_it_opts_in_but_stops_at_once(hub_town: Town) -> None:
    token = await hub_town.link()
    await hub_town.opts_in("promotional")
    saved = await hub_town.save(token, "events")
    assert saved.status == 200
    said = [(one.fields["scope"][2], one.fields["x"]["new"]) for one in await hub_town.entries()]
    assert ("promotional", "opted_out") in said and ("events", "opted_in") not in said
    twin = (await hub_town.get(f"/api/v2/center/{token}")).json
    assert {one["key"] for one in twin["categories"] if one["pending"]} == {"events"}
    assert not any(one["on"] for one in twin["categories"])
    fresh = await hub_town.get(f"/preferences/{await hub_town.link(fresh=True)}")
    assert fresh.ticked == set()


@pytest.mark.feature("S8", "N3")
async def test_after_stop_everything_a_save_does_what_the_page_shows(hub_town: Town) -> None:
    token = await hub_town.link(fresh=True)
    await hub_town.opts_in(*ALL)
    await hub_town.save(token, *ALL, stop="brand")
    assert (await hub_town.get(f"/preferences/{token}")).ticked == set()
    await hub_town.save(token, "events")
    assert (await hub_town.get(f"/preferences/{token}")).ticked == {"events"}


@pytest.mark.feature("N4")
async def test_a_pause_is_set_by_any_link_and_ended_by_a_fresh_one(hub_town: Town) -> None:
    ordinary, fresh = await hub_town.link(), await hub_town.link(fresh=True)
    await hub_town.opts_in(*ALL)
    await hub_town.save(ordinary, *ALL, pause="30")
    paused = (await hub_town.get(f"/api/v2/center/{ordinary}")).json["paused_until"]
    assert paused is not None
    await hub_town.save(ordinary, *ALL, pause="end")
    assert (await hub_town.get(f"/api/v2/center/{ordinary}")).json["paused_until"] == paused
    await hub_town.save(fresh, *ALL, pause="end")
    assert (await hub_town.get(f"/api/v2/center/{ordinary}")).json["paused_until"] is None
    wrong = await hub_town.save(ordinary, *ALL, pause="date", pause_date="2020-02-30")
    assert wrong.status == 400


@pytest.mark.feature("B1")
async def test_one_click_stops_what_the_link_names(hub_town: Town) -> None:
    token = await hub_town.link()
    await hub_town.opts_in(*ALL)
    for _ in range(2):
        answer = await hub_town.post(f"/u/{token}", ONE_CLICK)
        assert (answer.status, answer.text) == (200, "Unsubscribed.\n")
    assert (await hub_town.get(f"/preferences/{token}")).ticked == ALL - {"promotional"}
    assert [one.fields["src"] for one in await hub_town.entries()][-2:] == ["one_click", "one_click"]
    everything = await hub_town.link(scope=EVERYTHING)
    assert (await hub_town.post(f"/u/{everything}", ONE_CLICK)).status == 200
    assert (await hub_town.get(f"/preferences/{token}")).ticked == set()


@pytest.mark.feature("S2")
async def test_undo_gives_back_exactly_the_state_before_one_act(hub_town: Town) -> None:
    token = await hub_town.link()
    await hub_town.opts_in("promotional", "events")
    saved = await hub_town.save(token, stop="company")
    page = await hub_town.get(saved.undo)
    assert (page.status, (await hub_town.get(f"/preferences/{token}")).ticked) == (200, set())
    undone = await hub_town.post(saved.undo, {"form": page.hidden()})
    assert (undone.status, (await hub_town.get(f"/preferences/{token}")).ticked) == (200, {"promotional", "events"})
    again = await hub_town.post(saved.undo, {"form": saved.undo_form})
    assert (again.status, (await hub_town.get(f"/preferences/{token}")).ticked) == (200, {"promotional", "events"})


@pytest.mark.feature("S2", "N2")
async def test_the_page_says_which_systems_know_already(own_town: Town) -> None:
    told: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        told.append(await request.read())
        return web.Response(status=204)

    shop = web.Application()
    shop.router.add_post("/told", take)
    runner = web.AppRunner(shop)
    await runner.setup()
    try:
        await (site := web.TCPSite(runner, "127.0.0.1", 0)).start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]  # it has started
        headers = await admin(own_town)
        made = await own_town.post(
            "/api/v2/webhooks", body={"url": f"http://127.0.0.1:{port}/told", "description": "Shop"}, headers=headers
        )
        assert made.status == 201, made.text
        path = f"/api/v2/center/{await own_town.link()}"
        saved = (await own_town.post(path, body={"stop": "brand"})).json
        assert [one["state"] for one in saved["systems"]] == ["waiting"]
        async with working(own_town.parts), asyncio.timeout(30):
            while (now := (await own_town.get(path)).json["systems"])[0]["state"] != "told":
                await asyncio.sleep(0.05)
        assert told and now[0]["milliseconds"] >= 0 and now[0]["at"] is not None
    finally:
        await runner.cleanup()


async def test_the_address_behind_a_proxy_of_ours_is_the_persons(database: str, tmp_path: Path) -> None:
    async with town(database, tmp_path, SAYSO_TRUSTED_PROXIES="127.0.0.1") as found:
        token = await found.link()
        for forwarded in ("203.0.113.7", "198.51.100.9, 203.0.113.8"):
            await found.post(f"/u/{token}", ONE_CLICK, headers={"X-Forwarded-For": forwarded})
        assert [one.detail["ip"] for one in await found.entries()] == ["203.0.113.7", "203.0.113.8"]

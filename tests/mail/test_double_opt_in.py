"""Double opt-in: asked by a form, answered by the owner of the address. Until then nothing is opted in."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from postoffice import ADA, ADAS_MAIL, ALL_MAIL, EVENTS, PROMO, RING, Office, links, mail_key, office_over, plain, stop

from hub import Hub, api
from running import Api, hub_over, served
from sayso.contracts.letters import state_of
from sayso.flows.ask_double import LIFE, NotMailed, TooMany, Wanted, ask_double
from sayso.flows.confirm_double import confirm_double, open_double
from sayso.rules import view
from sayso.rules.statements import Block
from sayso.rules.tokens import BadToken, Link, sign, sign_link
from sayso.rules.words import Scope
from sayso.web.api import double_opt_in
from sayso.web.app_parts import api_app

MINUTE = 60_000_000
DAY = 24 * 60 * MINUTE


async def ask(office: Office, *scopes: Scope, contact: object = ADA, **more: object) -> object:
    wanted = Wanted(contact, ADAS_MAIL, scopes or (PROMO,), **more)  # type: ignore[arg-type]  # tests give all kinds
    return await ask_double(wanted, letters=office.letters, book=office.hub.book, ground=office.ground)


async def click(office: Office, token: str, **personal: str) -> object:
    return await confirm_double(token, personal=personal, letters=office.letters, book=office.hub.book, ring=RING, ground=office.ground)


async def choice(office: Office, scope: Scope) -> str:
    from sayso.contracts.book import readings_of

    page = await office.hub.book.read([ADA, ADAS_MAIL])
    row = page.row(ADA) or page.row(ADAS_MAIL)
    assert row is not None
    return view.choice_at(readings_of(row, page.linked(row)), scope, office.ground.window)


@pytest.mark.feature("R5")
async def test_the_click_makes_the_consent_with_the_times_of_both_steps(office: Office) -> None:
    await office.meet_ada()
    pending = await ask(office, PROMO, EVENTS, language="es", personal={"ip": "203.0.113.7", "proof": "form 3"})
    (mail,) = await office.send()
    assert mail["Subject"] == "Confirme lo que quiere recibir de Northwind Outfitters"
    assert "Ofertas y noticias" in plain(mail) and "Eventos" in plain(mail)
    assert await choice(office, PROMO) == "not_set"
    assert [one.id for one in await office.letters.open_pending([pending.contact], office.now)] == [pending.id]
    assert [one.scopes for one in await office.letters.open_pending([pending.address], office.now)] == [(PROMO, EVENTS)]

    office.turn(2 * DAY)
    shown = await open_double(links(mail)["confirm"], letters=office.letters, ring=RING, ground=office.ground)
    assert state_of(shown, office.now) == "pending" and await choice(office, PROMO) == "not_set"
    done = await click(office, links(mail)["confirm"], ip="198.51.100.9", wording="v1")
    assert state_of(done, office.now) == "confirmed"
    assert (await choice(office, PROMO), await choice(office, EVENTS)) == ("opted_in", "opted_in")
    assert await office.letters.open_pending([pending.address, pending.contact], office.now) == []

    sub = (await office.hub.book.read([ADA])).keys[ADA]
    (entry, _) = await office.hub.book.entries([sub], kinds=("choice",))
    assert (entry.fields["src"], entry.fields["own"], entry.fields["strong"], entry.fields["x"]["method"]) == (
        "double_opt_in",
        1,
        1,
        "explicit",
    )
    assert entry.detail is not None and entry.detail["ip"] == "198.51.100.9"
    assert "asked 2" in entry.detail["proof"] and "confirmed 2" in entry.detail["proof"] and entry.detail["proof"].endswith("form 3")
    assert entry.detail["asked"]["ip"] == "203.0.113.7"


@pytest.mark.feature("R5")
async def test_a_second_click_changes_nothing_and_neither_does_a_forged_or_late_one(office: Office) -> None:
    await office.meet_ada()
    await ask(office)
    (mail,) = await office.send()
    token = links(mail)["confirm"]
    await asyncio.gather(click(office, token), click(office, token))
    await office.say(stop())
    done = await click(office, token)
    assert state_of(done, office.now) == "confirmed"
    assert await choice(office, PROMO) == "opted_out"
    for bad in (
        token[:-3] + "AAA",
        sign(RING, "undo", b"x" * 16, expires_at=None),
        sign(RING, "confirm", b"short", expires_at=None),
        "1.k1.x.y",
    ):
        with pytest.raises(BadToken):
            await click(office, bad)
    with pytest.raises(BadToken, match="expired"):
        await click(office, sign(RING, "confirm", b"\x01" * 16, expires_at=None))
    page = await office.hub.book.read([ADAS_MAIL])
    with pytest.raises(BadToken, match="wrong_kind"):
        await click(office, sign_link(RING, Link(None, bytes.fromhex(page.keys[ADAS_MAIL]), PROMO)))


@pytest.mark.feature("R5")
async def test_after_seven_days_a_sign_up_is_over(office: Office) -> None:
    await office.meet_ada()
    await ask(office)
    (mail,) = await office.send()
    office.turn(LIFE)
    done = await click(office, links(mail)["confirm"])
    assert state_of(done, office.now) == "expired" and await choice(office, PROMO) == "not_set"
    await ask(office)
    assert len(await office.send()) == 1


async def test_a_letter_that_could_not_be_sent_in_time_is_not_sent_any_more(office: Office) -> None:
    await office.meet_ada()
    await ask(office)
    office.turn(LIFE)
    assert await office.send() == []
    assert await office.states() == [("double_opt_in", "dropped", "nothing waits for this any more")]


async def test_the_same_sign_up_asked_again_is_the_same_one_and_mailed_within_limits(office: Office) -> None:
    await office.meet_ada()
    first = await ask(office, PROMO, EVENTS)
    again = [await ask(office, EVENTS, PROMO) for _ in range(6)]
    assert {one.id for one in again} == {first.id}
    assert len(await office.send()) == 3
    with pytest.raises(TooMany):
        await ask(office, PROMO)
    office.turn(16 * MINUTE)
    other = await ask(office, PROMO)
    assert other.id != first.id


@pytest.mark.feature("R5")
async def test_a_lead_nobody_knew_is_made_by_asking_and_has_chosen_nothing(office: Office) -> None:
    await ask(office, contact=None)
    (mail,) = await office.send()
    page = await office.hub.book.read([ADAS_MAIL])
    row = page.row(ADAS_MAIL)
    assert row is not None and row.state.length == 0
    await click(office, links(mail)["confirm"])
    assert await choice(office, PROMO) == "opted_in"


@pytest.mark.parametrize("name", ["hard_bounce", "complaint", "blacklist"])
async def test_blocked_addresses_are_not_asked(office: Office, name: str) -> None:
    await office.meet_ada()
    await office.say(Block(name, on=True), voice=api(), address=ADAS_MAIL)
    with pytest.raises(NotMailed, match=name):
        await ask(office)
    assert await office.states() == []


async def test_nothing_is_confirmed_for_somebody_who_was_erased(office: Office) -> None:
    await office.meet_ada()
    await ask(office)
    (mail,) = await office.send()
    await office.hub.pool.execute("DELETE FROM subject_key")
    done = await click(office, links(mail)["confirm"])
    assert state_of(done, office.now) == "expired"


@pytest.fixture
async def door(hub: Hub, tmp_path: object) -> AsyncIterator[tuple[Api, Office]]:
    import aiohttp

    office = office_over(hub, tmp_path)  # type: ignore[arg-type]  # a Path
    app = api_app()
    app.include_router(double_opt_in.router)
    made = hub_over(hub, ground=replace(office.ground, default_country=None))
    app.state.hub, app.state.letters = made, office.letters
    async with served(app) as base, aiohttp.ClientSession() as session:
        yield Api(base, made, hub, session), office


@pytest.mark.feature("R5")
async def test_the_door_asks_and_tells_how_it_stands(door: tuple[Api, Office]) -> None:
    api_, office = door
    body = {"contact_id": "c-1001", "address": "ada@example.com", "category": "promotional", "language": "de", "business_unit": "outlet"}
    asked = await api_.post("/api/v2/double_opt_in", body)
    assert asked.status == 202, asked.raw
    assert (asked.json["state"], asked.json["confirmed_at"]) == ("pending", None)
    assert asked.json["choices"] == [{"channel": "email", "category": "promotional", "business_unit": "outlet"}]
    (mail,) = await office.send()
    assert "Northwind Outlet" in mail["Subject"]
    path = f"/api/v2/double_opt_in/{asked.json['id']}"
    assert (await api_.get(path, as_="email_preferences:read")).json == asked.json
    await click(office, links(mail)["confirm"])
    told = (await api_.get(path)).json
    assert told["state"] == "confirmed" and told["confirmed_at"] >= told["captured_at"]
    office.turn(8 * DAY)
    assert (await api_.get(path)).json["state"] == "confirmed"


async def test_the_door_refuses_what_cannot_be_asked(door: tuple[Api, Office]) -> None:
    api_, office = door
    address = {"address": "ada@example.com"}
    for body, pointer in (
        ({}, "#/category"),
        ({**address, "category": "promotional", "choices": [{"category": "events"}]}, "#/category"),
        ({**address, "category": "nothing"}, "#/category"),
        ({**address, "choices": [{"category": "events", "channel": "sms"}]}, "#/choices/0/channel"),
        ({"category": "events"}, "#/address"),
        ({"contact_id": "c-9", "category": "events"}, "#/address"),
        ({"address": "nobody", "category": "events"}, "#/address"),
        ({**address, "category": "events", "language": "d e"}, "#/language"),
        ({**address, "category": "events", "surprise": 1}, "#/surprise"),
    ):
        answer = await api_.post("/api/v2/double_opt_in", body)
        assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, pointer), answer.raw
    always = await api_.post("/api/v2/double_opt_in", {**address, "category": "legal_notices"})
    assert (always.status, always.json["rule"]) == (409, "transactional_needs_no_consent")
    await office.meet_ada()
    for _ in range(3):
        assert (await api_.post("/api/v2/double_opt_in", {"contact_id": "c-1001", "category": "events"})).status == 202
    often = await api_.post("/api/v2/double_opt_in", {**address, "category": "promotional"})
    assert (often.status, often.json["code"], often.headers["Retry-After"]) == (429, "rate_limited", "900")
    await office.say(Block("complaint", on=True), voice=api(), address=ADAS_MAIL)
    stopped = await api_.post("/api/v2/double_opt_in", {**address, "category": "promotional"})
    assert (stopped.status, stopped.json["rule"]) == (409, "complaint")
    for unknown in ("019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e00", "x"):
        assert (await api_.get(f"/api/v2/double_opt_in/{unknown}")).status == 404
    assert (await api_.post("/api/v2/double_opt_in", address, as_="email_preferences:read")).status == 403
    assert ALL_MAIL and mail_key("lead@example.com")

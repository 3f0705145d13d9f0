"""What pages do for people who are gone, who have no address here, or whose catalogue changed; and what a draft may not hold."""

from dataclasses import replace

import pytest
from people import ONE_CLICK, Town, admin

from sayso.contracts.book import Key
from sayso.contracts.center import DraftMoved, Wish
from sayso.contracts.messages import Sending
from sayso.contracts.people import Opened
from sayso.flows.choose import Manner, NobodyHere, choose
from sayso.flows.give_reason import REASON, give_reason
from sayso.flows.open_link import opened as people_of
from sayso.flows.record import Said, record
from sayso.flows.undo import spoken, undo
from sayso.flows.weigh import weigh
from sayso.rules.catalogue import DEFAULT, Catalogue
from sayso.rules.pages import draft_of
from sayso.rules.statements import Block, Choose, Voice
from sayso.rules.subjects import CONTACT
from sayso.rules.tokens import Link, Undo, read, read_link, read_undo, sign, sign_link
from sayso.rules.words import ANY, Scope
from sayso.store.center import PostgresPages
from sayso.store.messages import PostgresSent

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def never(_: Opened, __: object) -> bool:
    return False


async def test_of_somebody_erased_nothing_can_be_chosen_or_taken_back(hub_town: Town) -> None:
    book, ring, ground = hub_town.parts.book, hub_town.parts.keys.token_ring, await hub_town.parts.current.ground()
    link = Link(b"\x01" * 16, b"\x02" * 16, Scope(ANY, "email", ANY))
    gone = await people_of(link, "t", fresh=True, book=book, ground=ground)
    assert gone.gone
    with pytest.raises(NobodyHere):
        await choose(gone, Wish(stop="company"), DEFAULT, Manner(), book=book, ring=ring, ground=ground, ask=never)
    with pytest.raises(NobodyHere):
        await give_reason(gone, REASON, {}, Manner(), book=book, ground=ground)
    with pytest.raises(NobodyHere):
        await undo(Undo(link.contact, link.address, ()), Manner(), book=book, ground=ground)
    token = sign_link(ring, link)
    for path in (f"/preferences/{token}", f"/u/{token}", f"/why/{token}", f"/preferences/{token}/data"):
        assert (await hub_town.get(path)).status == 200
    assert (await hub_town.post(f"/u/{token}", ONE_CLICK)).status == 200
    assert (await hub_town.post(f"/api/v2/center/{token}", body={"stop": "brand"})).json["result"] is None


async def test_a_question_that_cannot_be_mailed_is_told_as_refused(hub_town: Town) -> None:
    token = await hub_town.link()
    parts = hub_town.parts
    opened = await people_of(read_link_of(hub_town, token), token, fresh=False, book=parts.book, ground=await parts.current.ground())
    ground = await parts.current.ground()
    ring = parts.keys.token_ring
    chosen = await choose(opened, Wish({"events": True}), DEFAULT, Manner(), book=parts.book, ring=ring, ground=ground, ask=never)
    assert (chosen.to_confirm, chosen.refused, chosen.entries, chosen.undo) == ((), ("events",), (), "")
    voice = Voice("manual", False, "c:ops:manual", "c:ops")
    who = Key("email", hub_town.email, hub_town.email)
    await record(Said(voice, (Block("complaint", on=True),), address=who), book=parts.book, ground=ground)
    blocked = (await hub_town.post(f"/api/v2/center/{token}", body={"choices": {"events": "opted_in"}})).json
    assert (blocked["result"]["refused"], blocked["held"]) == (["events"], ["complaint"])
    phone = await hub_town.link(scope=Scope(ANY, "sms", "promotional"))
    asked = (await hub_town.post(f"/api/v2/center/{phone}", body={"choices": {"events": "opted_in"}})).json
    assert (asked["channel"], asked["result"]["refused"]) == ("sms", ["events"])


def read_link_of(town: Town, token: str) -> Link:
    return read_link(read(town.parts.keys.token_ring, token, kinds=["link"], now=0))


async def test_an_undo_of_nothing_restores_nothing(hub_town: Town) -> None:
    book, ground = hub_town.parts.book, await hub_town.parts.current.ground()
    who, at = await hub_town.meets()
    undone = await undo(Undo(bytes.fromhex(who), bytes.fromhex(at), ()), Manner(), book=book, ground=ground)
    assert (undone.restored, undone.kept, undone.reference) == ((), (), "")
    token = await hub_town.link(fresh=True)
    first = (await hub_town.post(f"/api/v2/center/{token}", body={"choices": {"promotional": "opted_out"}})).json["result"]["undo"]
    await hub_town.post(f"/api/v2/center/{token}", body={"choices": {"promotional": "opted_in"}})
    right = read_undo(read(hub_town.parts.keys.token_ring, first, kinds=["undo"], now=0))
    late = await undo(right, Manner(), book=book, ground=ground)
    assert (late.restored, late.kept) == ((), ("promotional",))


async def test_a_long_life_is_read_in_pages(hub_town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    await hub_town.opts_in("promotional", "events", "educational")
    who, _ = await hub_town.meets()
    whole = await spoken(who, hub_town.parts.book)
    monkeypatch.setattr("sayso.flows.undo.BATCH", 2)
    assert [one.id for one in await spoken(who, hub_town.parts.book)] == [one.id for one in whole]


async def test_a_category_that_became_locked_stops_the_channel_by_one_click(own_town: Town) -> None:
    parts, token = own_town.parts, await own_town.link()
    await own_town.opts_in("promotional", "events")
    locked = [replace(one, kind="transactional", reason="It is.") if one.key == "promotional" else one for one in DEFAULT.categories]
    await parts.desk.keep_catalogue(Catalogue(2, tuple(locked), dict(DEFAULT.message_types)), parts.current.held.clock())
    parts.current.stale()
    button = await own_town.get(f"/u/{token}")
    assert button.status == 200
    assert (await own_town.post(f"/u/{token}", ONE_CLICK)).status == 200
    assert ["*", "email", "*"] in [one.fields["scope"] for one in await own_town.entries()]
    assert (await own_town.get(f"/preferences/{token}")).ticked == set()
    posted = await own_town.post(f"/preferences/{token}", {"form": button.hidden(), "action": "category"})
    assert posted.status == 200
    assert [one.fields["src"] for one in await own_town.entries() if one.fields["scope"] == ["*", "email", "*"]] == [
        "one_click",
        "preference_center",
    ]


@pytest.mark.feature("G12")
async def test_the_one_button_stops_the_category_of_its_link(hub_town: Town) -> None:
    token = await hub_town.link()
    await hub_town.opts_in("promotional", "events")
    page = await hub_town.get(f"/u/{token}")
    assert (await hub_town.post(f"/preferences/{token}", {"form": page.hidden(), "action": "category"})).status == 200
    last = (await hub_town.entries())[-1].fields
    assert (last["src"], last["scope"]) == ("preference_center", ["*", "email", "promotional"])


async def test_a_contact_without_an_address_has_a_page_too(hub_town: Town) -> None:
    parts = hub_town.parts
    ground = await parts.current.ground()
    who = Key(CONTACT, "c-7", "c-7")
    said = Said(Voice("preference_center", True, "", "c:center"), (Choose(Scope(ANY, "email", "events"), out=False),), who)
    page = (await record(said, book=parts.book, ground=ground)).page
    link = Link(bytes.fromhex(page.keys[who]), None, Scope(ANY, "email", ANY))
    opened = await people_of(link, "t", fresh=False, book=parts.book, ground=ground)
    weighed = await weigh(opened, DEFAULT, book=parts.book, ground=ground)
    assert {key for key, on in weighed.on.items() if on} == {"events"}
    shown = await hub_town.get(f"/preferences/{sign_link(parts.keys.token_ring, link)}")
    assert (shown.status, shown.ticked) == (200, {"events"})


@pytest.mark.feature("H5")
async def test_why_knows_a_message_by_its_campaign_too(hub_town: Town) -> None:
    who, _ = await hub_town.meets()
    now = hub_town.parts.current.held.clock()
    sending = Sending(who, now, "email", "events", subject="Come by", campaign="fair")
    await PostgresSent(hub_town.parts.pool, hub_town.parts.tools).keep([sending], now)
    assert "Come by" in (await hub_town.get(f"/why/{await hub_town.link(campaign='fair')}")).text
    assert "Come by" not in (await hub_town.get(f"/why/{await hub_town.link(campaign='other')}")).text
    everything = await hub_town.get(f"/why/{await hub_town.link(scope=Scope(ANY, 'email', ANY))}")
    assert everything.status == 200


@pytest.mark.feature("N4")
async def test_a_pause_lasts_through_the_day_that_was_named(hub_town: Town) -> None:
    token = await hub_town.link()
    await hub_town.opts_in("promotional")
    year = int((await hub_town.get(f"/api/v2/center/{token}")).headers["Date"].split()[3])
    kept = await hub_town.save(token, "promotional", pause="date", pause_date=f"{year + 1}-03-01")
    assert kept.status == 200
    assert (await hub_town.get(f"/api/v2/center/{token}")).json["paused_until"] == f"{year + 1}-03-01T23:59:59Z"
    for wrong in ("2001-01-01", f"{year + 9}-01-01", "soon"):
        answer = await hub_town.save(token, "events", pause="date", pause_date=wrong)
        assert answer.status == 400 and "Error:" in answer.text and answer.ticked == {"events"}
    assert (await hub_town.save(token, "promotional", pause="for ever")).status == 400
    history = (await hub_town.get(f"/api/v2/center/{await hub_town.link(fresh=True)}")).json["history"]
    assert (history[0]["about"], history[0]["new"]) == ("pause", f"{year + 1}-03-01T23:59:59Z")


@pytest.mark.feature("R5")
async def test_the_answer_to_a_question_by_mail_makes_the_consent(own_town: Town) -> None:
    token = await own_town.link()
    await own_town.post(f"/api/v2/center/{token}", body={"choices": {"events": "opted_in"}})
    [row] = await own_town.parts.pool.fetch("SELECT id, expires_at FROM pending")
    mailed = sign(own_town.parts.keys.token_ring, "confirm", row["id"].bytes, expires_at=row["expires_at"])
    page = await own_town.get(f"/confirm/{mailed}")
    assert page.status == 200 and "Events" in page.text
    assert not [one for one in (await own_town.get(f"/api/v2/center/{token}")).json["categories"] if one["on"]]
    assert (await own_town.post(f"/confirm/{mailed}", {"form": "nonsense"})).status == 400
    for _ in range(2):
        assert (await own_town.post(f"/confirm/{mailed}", {"form": page.hidden()})).status == 200
    on = [one["key"] for one in (await own_town.get(f"/api/v2/center/{token}")).json["categories"] if one["on"]]
    assert on == ["events"]
    said = [one for one in await own_town.entries() if one.fields["src"] == "double_opt_in"]
    assert len(said) == 1 and said[0].detail["wording"] == "pages 0, catalogue 1, en"


async def test_two_operators_publish_once(own_town: Town) -> None:
    parts = own_town.parts
    store, now = PostgresPages(parts.pool, parts.tools.vault), parts.current.held.clock()
    first = draft_of({"texts": {"en": {"preferences_lead": "One."}}}, 2)
    await store.keep_draft(first, now)
    held = await store.draft()
    assert held is not None
    await store.publish(1, held, DEFAULT, now)
    with pytest.raises(DraftMoved):
        await store.publish(2, held, DEFAULT, now)
    await store.keep_draft(first, now)
    again = await store.draft()
    assert again is not None
    with pytest.raises(DraftMoved):
        await store.publish(1, again, DEFAULT, now)
    assert (await store.live()).version == 1
    assert await store.draft() is not None, "what failed took nothing away"
    headers = await admin(own_town)
    assert (await own_town.call("DELETE", "/api/v2/center_texts", headers=headers)).status == 204

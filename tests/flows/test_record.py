"""Everything that changes a choice ends in `record`: what it keeps, and what it survives."""

import asyncio

import pytest

from hub import Hub, api, person
from sayso.contracts.book import Key, readings_of
from sayso.flows.record import Said, record
from sayso.rules import view
from sayso.rules.statements import Choose, Happen
from sayso.rules.words import Scope

PROMO = Scope("*", "email", "promotional")
EMAIL = Scope("*", "email", "*")
ADA = Key("contact", "c-1001", "c-1001")
ADAS_MAIL = Key("email", "ada@example.com", "Ada@example.com")


async def choice(hub: Hub, key: Key, scope: Scope) -> str:
    page = await hub.book.read([key])
    row = page.row(key)
    assert row is not None
    return view.choice_at(readings_of(row, page.linked(row)), scope, hub.ground.window)


@pytest.mark.feature("B5", "J3", "J4")
async def test_an_opt_out_is_kept_with_the_old_and_the_new_value(hub: Hub) -> None:
    said = Said(api(), (Choose(PROMO, out=True, field="email_pref_promotional"),), contact=ADA, personal={"reason": "too many"})
    done = await record(said, book=hub.book, ground=hub.ground)
    assert done.ruling is not None and done.about is not None
    [told] = done.ruling.told
    assert (told.effect, told.became) == ("applied", "opted_out")
    assert await choice(hub, ADA, PROMO) == "opted_out"
    [noted] = await hub.book.entries([done.about.sub])
    assert noted.fields["x"]["old"] == "not_set" and noted.fields["x"]["new"] == "opted_out"
    assert noted.detail == {"reason": "too many"}


async def test_a_word_through_an_address_counts_for_its_contact_and_the_other_way_round(hub: Hub) -> None:
    await record(Said(api(), contact=ADA, ties=((ADAS_MAIL, True),)), book=hub.book, ground=hub.ground)
    await record(Said(person("email_link"), (Choose(EMAIL, out=True),), address=ADAS_MAIL), book=hub.book, ground=hub.ground)
    assert await choice(hub, ADA, EMAIL) == "opted_out"
    await record(Said(person(), (Choose(EMAIL, out=False),), contact=ADA), book=hub.book, ground=hub.ground)
    assert await choice(hub, ADAS_MAIL, EMAIL) == "opted_in"


async def test_two_hundred_first_opt_outs_of_one_new_person_at_the_same_instant_all_succeed(hub: Hub) -> None:
    said = Said(api(), (Choose(PROMO, out=True), Happen("mail.click")), contact=ADA, ties=((ADAS_MAIL, True),))
    done = await asyncio.gather(*(record(said, book=hub.book, ground=hub.ground) for _ in range(200)))
    assert {each.about.sub for each in done if each.about} == {done[0].about.sub if done[0].about else ""}
    entries = await hub.book.entries([done[0].about.sub], limit=1000) if done[0].about else []
    assert len(entries) == 401 and [e.fields["ver"] for e in entries] == list(range(1, 402))

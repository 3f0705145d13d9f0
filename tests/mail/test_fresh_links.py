"""Lost the mail? A fresh link goes to the address itself, nobody learns who is known, and nobody is buried in mail."""

import pytest
from postoffice import ADA, ADAS_MAIL, ALL_MAIL, PROMO, RING, Office, links, mail_key, plain, stop

from hub import api
from sayso.flows.mail_link import EACH_NETWORK, EVERYBODY, mail_link
from sayso.flows.open_link import open_link, opened
from sayso.rules.statements import Block
from sayso.rules.subjects import InvalidAddress
from sayso.rules.tokens import Link, sign_link
from sayso.rules.words import Scope

MINUTE = 60_000_000
HOUR = 60 * MINUTE


async def ask(office: Office, to: object = "ada@example.com", network: str = "203.0.113.0/24", **more: str) -> None:
    await mail_link(to, network=network, letters=office.letters, book=office.hub.book, ground=office.ground, **more)  # type: ignore[arg-type]  # tests give all kinds


async def counted(office: Office) -> dict[str, int]:
    """How many rows each table has, but for limits."""
    names = [
        row["relname"] for row in await office.hub.pool.fetch("SELECT relname FROM pg_stat_user_tables WHERE relname <> 'letter_limit'")
    ]
    return {name: await office.hub.pool.fetchval(f"SELECT count(*) FROM {name}") for name in names}


async def test_a_fresh_link_opens_the_page_for_an_hour_and_an_ordinary_one_after_that(office: Office) -> None:
    await office.meet_ada()
    await ask(office, "Ada@Example.com", language="fr", brand="outlet")
    (mail,) = await office.send()
    assert mail["To"] == "ada@example.com"
    assert mail["Subject"] == "Votre lien pour choisir ce que Northwind Outlet vous envoie"
    token = plain(mail).split("Ouvrir mes préférences : https://sayso.example/preferences/")[1].split()[0]
    people = await open_link(token, book=office.hub.book, ring=RING, ground=office.ground)
    assert people.fresh and people.contact == ADA and people.address == ADAS_MAIL and people.brand == "outlet"
    office.turn(HOUR)
    assert not (await open_link(token, book=office.hub.book, ring=RING, ground=office.ground)).fresh
    assert not (await open_link(links(mail)["preferences"], book=office.hub.book, ring=RING, ground=office.ground)).fresh


async def test_nobody_unknown_is_mailed_or_written_down(office: Office) -> None:
    await office.meet_ada()
    before = await counted(office)
    await ask(office, "stranger@example.com")
    assert await counted(office) == before
    limits = await office.hub.pool.fetchval("SELECT count(*) FROM letter_limit")
    assert limits == 3  # the same as for Ada: her address, the network, everybody
    await ask(office, "ada@example.com", network="198.51.100.0/24")
    assert await office.hub.pool.fetchval("SELECT count(*) FROM letter_limit") == 5
    (mail,) = await office.send()
    assert mail["To"] == "ada@example.com"


async def test_one_letter_a_quarter_of_an_hour_and_five_a_day(office: Office) -> None:
    await office.meet_ada()
    sent = 0
    for step in range(24):
        await ask(office, network=f"network {step}")
        await ask(office, " ADA@example.com", network=f"network {step}")
        sent += len(await office.send())
        office.turn(20 * MINUTE if step < 12 else 0)
    assert sent == 5
    office.turn(24 * HOUR)
    await ask(office)
    assert len(await office.send()) == 1


async def test_limits_of_a_network_and_of_everybody_end_a_flood(office: Office) -> None:
    await office.meet_ada()
    for n in range(EACH_NETWORK[0]):
        await ask(office, f"somebody{n}@example.com")
    await ask(office)
    assert await office.send() == []
    await ask(office, network="198.51.100.0/24")
    assert len(await office.send()) == 1
    office.turn(20 * MINUTE)
    times = [office.now] * EVERYBODY[0]
    await office.hub.pool.execute("UPDATE letter_limit SET times = $1", times)
    await ask(office, network="192.0.2.0/24")
    assert await office.send() == []


async def test_a_link_that_somebody_holds_mails_the_address_it_reaches(office: Office) -> None:
    await office.meet_ada()
    page = await office.hub.book.read([ADA, ADAS_MAIL])
    contact, address = (bytes.fromhex(page.keys[key]) for key in (ADA, ADAS_MAIL))
    for link in (Link(contact, None, Scope("outlet", "email", "promotional"), "spring", "m-7"), Link(None, address, PROMO)):
        token = sign_link(RING, link)
        people = await opened(link, token, fresh=False, book=office.hub.book, ground=office.ground)
        await ask(office, people)
        (mail,) = await office.send()
        assert mail["To"] == "ada@example.com"
        fresh = plain(mail).split("Open my preferences: https://sayso.example/preferences/")[1].split()[0]
        back = await open_link(fresh, book=office.hub.book, ring=RING, ground=office.ground)
        assert back.fresh and (back.link.scope, back.link.campaign) == (link.scope, link.campaign) and back.contact == ADA
        office.turn(20 * MINUTE)


async def test_an_address_that_several_contacts_share_opens_none_of_them(office: Office) -> None:
    await office.meet_ada()
    await office.say(voice=api(), contact=type(ADA)("contact", "c-2", "c-2"), ties=((ADAS_MAIL, True),))
    await ask(office)
    (mail,) = await office.send()
    fresh = plain(mail).split("Open my preferences: https://sayso.example/preferences/")[1].split()[0]
    people = await open_link(fresh, book=office.hub.book, ring=RING, ground=office.ground)
    assert people.contact is None and people.address == ADAS_MAIL


async def test_a_link_that_came_too_late_is_not_sent_and_a_complaint_does_not_stop_what_one_asks_for(office: Office) -> None:
    await office.meet_ada()
    await office.say(Block("complaint", on=True), stop(ALL_MAIL), voice=api(), address=ADAS_MAIL)
    await ask(office)
    assert len(await office.send()) == 1
    office.turn(20 * MINUTE)
    await ask(office)
    office.turn(25 * HOUR)
    assert await office.send() == []
    assert (await office.states())[-1] == ("link", "dropped", "asked for too long ago")


async def test_a_link_to_somebody_without_an_address_mails_nobody(office: Office) -> None:
    await office.say(stop())
    sub = (await office.hub.book.read([ADA])).keys[ADA]
    people = await opened(Link(bytes.fromhex(sub), None, PROMO), "", fresh=False, book=office.hub.book, ground=office.ground)
    await ask(office, people)
    await office.hub.pool.execute("DELETE FROM subject_key")
    await ask(office, await opened(people.link, "", fresh=False, book=office.hub.book, ground=office.ground))
    assert await office.states() == []


@pytest.mark.parametrize("raw", ["", "nobody", "ada@example.com\r\nBcc: all@example.com", "ada@localhost", "@", "a" * 400 + "@example.com"])
async def test_what_is_no_address_is_told_so(office: Office, raw: str) -> None:
    with pytest.raises(InvalidAddress):
        await ask(office, raw)


async def test_limits_and_letters_are_forgotten_in_time(office: Office) -> None:
    await office.meet_ada()
    await ask(office)
    await office.send()
    await office.letters.tidy(office.now)
    assert await office.hub.pool.fetchval("SELECT count(*) FROM letter_limit") == 3
    office.turn(25 * HOUR)
    await office.letters.tidy(office.now)
    assert await office.hub.pool.fetchval("SELECT count(*) FROM letter_limit") == 0
    assert len(await office.states()) == 1
    office.turn(90 * 24 * HOUR)
    await office.letters.tidy(office.now)
    assert await office.states() == []


async def test_what_must_be_sent_once_is_put_once(office: Office) -> None:
    from sayso.contracts.letters import FreshLink

    await office.meet_ada()
    sub = (await office.hub.book.read([ADAS_MAIL])).keys[ADAS_MAIL]
    matter = FreshLink("", sub, ALL_MAIL)
    assert await office.letters.put(sub, matter, now=office.now, once="burst 1") is not None
    assert await office.letters.put(sub, matter, now=office.now, once="burst 1") is None
    assert await office.letters.put(sub, matter, now=office.now, once="burst 2") is not None
    assert await office.letters.put("00" * 16, matter, now=office.now) is None
    assert mail_key("ada@example.com") == ADAS_MAIL

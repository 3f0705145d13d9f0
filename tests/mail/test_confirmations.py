"""Whoever changes something hears of it by mail: at once, in their language, with a way back."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from postoffice import ADA, ADAS_MAIL, ALL_MAIL, EVENTS, NORTHWIND, PROMO, RING, Office, html, links, mail_key, plain, stop

from hub import api, tools
from sayso.contracts.letters import Confirmation, Cursor
from sayso.contracts.mailer import Mail, NeverTaken, NotNow, Sender
from sayso.flows.choose import Manner
from sayso.flows.undo import undo
from sayso.rules.references import reference
from sayso.rules.statements import Block, Choose, Suspend, Voice
from sayso.rules.tokens import BadToken, read, read_undo
from sayso.rules.words import Scope
from sayso.store.letters import PostgresLetters

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND


@pytest.mark.feature("G5", "H2")
async def test_a_change_is_confirmed_at_once_with_what_when_how_and_a_way_back(office: Office) -> None:
    await office.meet_ada()
    done = await office.say(stop(), personal={"language": "de"})
    assert done.ruling is not None
    await office.confirm()
    (mail,) = await office.send()
    assert mail["Subject"] == "Ihre Auswahl bei Northwind Outfitters wurde geändert"
    assert (mail["To"], mail["From"]) == ("ada@example.com", "Northwind Outfitters <hello@northwind.example>")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "de"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["List-Unsubscribe"].startswith("<https://sayso.example/u/1.k1.")
    text = plain(mail)
    assert "Angebote und Neuigkeiten: abbestellt" in text
    assert "auf Ihrer Einstellungsseite" in text
    assert reference(done.ruling.told[0].entries[0]) in text
    assert "1 Harbour Way" in text and 'lang="de" dir="ltr"' in html(mail)
    assert set(links(mail)) == {"undo", "preferences"}
    assert office.outbox[0].envelope_from == ""


@pytest.mark.feature("G5")
async def test_the_way_back_restores_what_stood_before_for_half_an_hour(office: Office) -> None:
    await office.meet_ada()
    await office.say(Choose(PROMO, out=False))
    await office.confirm()
    await office.send()
    office.turn(2 * MINUTE)
    await office.say(stop(), Choose(EVENTS, out=True))
    await office.confirm()
    (mail,) = await office.send()
    token = links(mail)["undo"]
    with pytest.raises(BadToken, match="expired"):
        read(RING, token, kinds=("undo", "confirm"), now=office.now + 31 * MINUTE)
    right = read_undo(read(RING, token, kinds=("undo", "confirm"), now=office.now))
    done = await undo(right, Manner("preference_center"), book=office.hub.book, ground=office.ground)
    assert set(done.restored) == {"promotional", "events"}
    await office.confirm()
    office.turn(2 * MINUTE)
    (told,) = await office.send()
    assert "Offers and news" in plain(told)
    assert "undo" not in links(told)


@pytest.mark.feature("G5")
async def test_the_first_change_is_told_at_once_and_those_of_the_next_minute_in_one_more(office: Office) -> None:
    await office.meet_ada()
    await office.say(stop())
    await office.confirm()
    assert len(await office.send()) == 1
    for scope in (EVENTS, Scope("*", "email", "educational")):
        office.turn(SECOND)
        await office.say(stop(scope))
        await office.confirm()
    await office.say(Choose(EVENTS, out=False))
    await office.confirm()
    assert await office.send() == []
    office.turn(MINUTE)
    (mail,) = await office.send()
    assert "Events: you get it" in plain(mail) and "Events: stopped" not in plain(mail)
    assert "Tips and webinars: stopped" in plain(mail)
    assert len(read_undo(read(RING, links(mail)["undo"], kinds=("undo", "confirm"), now=office.now)).entries) == 3
    office.turn(2 * MINUTE)
    assert await office.send() == []


@pytest.mark.feature("G5", "R12")
async def test_what_systems_say_and_what_is_loaded_from_the_past_sends_nothing(office: Office) -> None:
    await office.meet_ada()
    await office.say(stop(), voice=api())
    await office.say(stop(EVENTS), voice=Voice("import", False, "c:shop:import", "c:shop"))
    await office.say(Choose(PROMO, out=True), voice=Voice("connection", False, "k:1", "k:1"))
    await office.say(stop(Scope("*", "email", "educational")), given_ts=office.now - 3 * DAY)
    await office.say(stop(), voice=Voice("preference_center", True, "", "c:center"))  # it was stopped already
    await office.confirm()
    assert await office.send() == []
    assert await office.states() == []


@pytest.mark.feature("G5")
async def test_stop_everything_and_pauses_are_told_in_words_and_spread_entries_are_not(office: Office) -> None:
    await office.meet_ada()
    until = 1_798_761_600_000_000  # 2027-01-01
    await office.say(stop(ALL_MAIL), Suspend("*", until), address=ADAS_MAIL)
    await office.confirm()
    (mail,) = await office.send()
    assert plain(mail).count("\n- ") == 2
    assert "Everything from Northwind Outfitters by e-mail: stopped" in plain(mail)
    assert "paused until 1 January 2027" in plain(mail)


async def test_the_brand_writes_and_a_company_s_own_categories_keep_their_titles(office: Office) -> None:
    await office.meet_ada()
    await office.say(stop(Scope("outlet", "email", "promotional")), stop(Scope("outlet", "sms", "events")))
    await office.confirm()
    (mail,) = await office.send()
    assert mail["Subject"] == "Your choices at Northwind Outlet were changed"
    assert "Events by text message: stopped" in plain(mail)


@pytest.mark.feature("G5")
@pytest.mark.parametrize(
    ("word", "cause"),
    [
        (Block("hard_bounce", on=True), "blocked: hard_bounce"),
        (Block("blacklist", on=True), "blocked: blacklist"),
        (Block("complaint", on=True), "blocked: complaint"),
    ],
)
async def test_blocked_addresses_are_not_mailed(office: Office, word: Block, cause: str) -> None:
    await office.meet_ada()
    await office.say(word, voice=api(), address=ADAS_MAIL)
    await office.say(stop())
    await office.confirm()
    assert await office.send() == []
    assert await office.states() == [("confirmation", "dropped", cause)]


async def test_people_without_an_address_and_people_who_were_erased_are_not_mailed(office: Office) -> None:
    await office.say(stop(), contact=None, address=mail_key("lead@example.com"))
    await office.say(stop(), contact=ADA)
    await office.confirm()
    await office.hub.pool.execute(
        "DELETE FROM subject_key USING subject WHERE subject.pseudonym = subject_key.pseudonym AND kind = 'email'"
    )
    assert await office.send() == []
    assert sorted(await office.states()) == [("confirmation", "dropped", "erased"), ("confirmation", "dropped", "no_email_address")]
    sealed = await office.hub.pool.fetch("SELECT sealed FROM letter")
    assert {row["sealed"] for row in sealed} == {b""}


@pytest.mark.feature("G5")
async def test_a_mail_that_is_not_taken_waits_and_goes_out_later_as_the_same_one(office: Office) -> None:
    await office.meet_ada()
    await office.say(stop())
    await office.confirm()
    ids = []

    async def busy(mail: Mail) -> None:
        ids.append(mail.id)
        raise NotNow("451 greylisted")

    for wait in (10 * SECOND, 6 * MINUTE, 40 * MINUTE):
        assert await office.send(busy) == []
        assert await office.send(busy) == []
        office.turn(wait)
    held = await office.letters.backlog(office.now)
    assert (held.waiting, held.failing, held.parked, held.cause) == (1, 1, 0, "451 greylisted")
    (mail,) = await office.send()
    assert len(ids) == 3 and mail["Message-ID"] == f"<{ids[0]}@northwind.example>"
    assert (await office.states())[0][1] == "sent"


async def test_a_mail_that_is_never_taken_is_set_aside_with_its_cause(office: Office) -> None:
    await office.meet_ada()
    await office.say(stop())
    await office.confirm()

    async def never(mail: Mail) -> None:
        raise NeverTaken("550 5.1.1 no such user")

    assert await office.send(never) == []
    assert await office.states() == [("confirmation", "parked", "550 5.1.1 no such user")]
    assert (await office.letters.backlog(office.now)).parked == 1
    office.turn(DAY)
    assert await office.send() == []


async def test_a_mail_that_cannot_be_written_is_set_aside_and_its_cause_names_nobody(office: Office) -> None:
    await office.meet_ada()
    await office.say(stop())
    await office.confirm()
    evil = replace(NORTHWIND, company="Northwind\r\nBcc: all@example.com")

    async def sender(brand: str) -> Sender:
        return evil

    office.room = replace(office.room, sender=sender)
    assert await office.send() == []
    cause = "it cannot be written: the header Subject must not hold line breaks or control characters"
    assert await office.states() == [("confirmation", "parked", cause)]


async def test_a_worker_that_dies_with_a_letter_in_hand_loses_nothing(office: Office) -> None:
    await office.meet_ada()
    await office.say(stop())
    await office.confirm()
    taken = await office.letters.claim(now=office.now, limit=10, lease=5 * MINUTE)
    assert len(taken) == 1
    assert await office.send() == []
    office.turn(5 * MINUTE)
    assert len(await office.send()) == 1
    await office.letters.later(taken[0], office.now, "a lease that is over")  # says nothing any more
    assert (await office.states())[0][1] == "sent"


@pytest.mark.feature("G5")
async def test_two_workers_confirm_every_change_once(office: Office) -> None:
    await office.meet_ada()
    await office.say(stop())
    await asyncio.gather(office.confirm(), office.confirm(), office.confirm())
    mails = await asyncio.gather(*(office.send() for _ in range(3)))
    assert [len(one) for one in await asyncio.gather(office.send())] == [0]
    assert len(office.outbox) == 1, mails


class Torn(PostgresLetters):
    """Letters of a process that dies before they are kept, once."""

    died = False

    async def _confirm(self, *args: Any) -> None:
        if not self.died:
            self.died = True
            raise RuntimeError("killed")
        await super()._confirm(*args)


class Careless(Torn):
    """The same, with the cursor moved first, in a transaction of its own."""

    async def confirm(self, start: Cursor, end: Cursor, told: Mapping[str, Confirmation], *, now: int) -> bool:
        await self._pool.execute("UPDATE letter_cursor SET log = $1, seq = $2", end.log, end.seq)
        async with self._pool.acquire() as connection:
            for sub in told:
                await self._confirm(connection, sub, told[sub], now)
        return True


@pytest.mark.feature("G5")
@pytest.mark.parametrize(("kept", "mails"), [(Torn, 1), (Careless, 0)], ids=["ours", "twin"])
async def test_a_process_that_dies_while_confirming_leaves_no_change_untold(office: Office, kept: type[Torn], mails: int) -> None:
    await office.meet_ada()
    await office.say(stop())
    office.letters = kept(office.hub.pool, tools())
    with pytest.raises(RuntimeError, match="killed"):
        await office.confirm()
    await office.confirm()
    assert len(await office.send()) == mails  # the careless twin loses it


async def test_nobody_is_buried_in_confirmations_by_whoever_clicks_without_end(office: Office) -> None:
    await office.meet_ada()
    sent = 0
    for step in range(60):
        await office.say(Choose(PROMO, out=step % 2 == 0))
        await office.confirm()
        sent += len(await office.send())
        office.turn(70 * SECOND)
    assert 10 <= sent <= 12
    office.turn(60 * MINUTE)
    (mail,) = await office.send()
    assert "Offers and news: you get it" in plain(mail)


async def test_a_hub_that_is_upgraded_does_not_tell_people_of_what_they_did_long_ago(office: Office) -> None:
    start = await office.letters.cursor()
    assert start == Cursor(0, 0)
    await office.meet_ada()
    await office.say(stop())
    await office.confirm()
    end = await office.letters.cursor()
    size = await office.hub.pool.fetchval("SELECT max(seq) + 1 FROM log_entry")
    assert end == Cursor(0, size)
    made = await office.hub.pool.fetchrow(
        "SELECT log.id, (SELECT coalesce(max(seq) + 1, 0) FROM log_entry WHERE log_entry.log = log.id) FROM log ORDER BY log.id DESC LIMIT 1"
    )
    assert tuple(made) == (0, size)  # what the migration gives a hub that has a log


async def test_confirming_goes_on_in_the_log_that_follows_a_closed_one(office: Office) -> None:
    await office.hub.pool.execute("INSERT INTO log (id, opened_at) VALUES (1, 0)")
    assert await office.letters.confirm(Cursor(0, 0), Cursor(1, 0), {}, now=office.now)
    assert not await office.letters.confirm(Cursor(0, 0), Cursor(0, 7), {}, now=office.now)
    assert await office.letters.cursor() == Cursor(1, 0)


async def test_letters_hold_no_personal_data_in_the_clear(office: Office) -> None:
    await office.meet_ada()
    await office.say(stop(), personal={"language": "de", "reason": "canary-reason"})
    await office.confirm()
    rows = await office.hub.pool.fetch("SELECT * FROM letter")
    held = b" ".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row.values())
    assert rows
    assert [word for word in (b"canary", b"promotional", b"example", b"opted_out") if word in held] == []

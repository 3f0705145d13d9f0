"""Bursts on a real store: found in the ledger as it grows, offered once, asked once, and nothing undone by any of it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest

from hub import Hub, person, tools
from sayso.contracts.book import Key
from sayso.contracts.letters import Letter, Offer
from sayso.flows.alert_bursts import alert_bursts
from sayso.flows.ask_meant import OPEN_FOR, ask_meant
from sayso.flows.offer_undo import AlreadyOffered, NoSuchBurst, offer_undo
from sayso.flows.record import Recorded, Said, record
from sayso.flows.tell_bursts import tell_burst, tell_bursts
from sayso.flows.watch_bursts import watch_bursts
from sayso.rules.statements import Choose, Happen, Voice
from sayso.rules.times import MINUTE, SECOND
from sayso.rules.words import Scope
from sayso.store.bursts import PostgresBursts
from sayso.store.feed import PostgresFeed
from sayso.store.letters import PostgresLetters

PROMOTIONAL = Scope("*", "email", "promotional")
SCANNER = "Mozilla/5.0 (compatible; Barracuda Sentinel (EE))"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


@dataclass(slots=True)
class Watch:
    """A hub, and what watches it."""

    hub: Hub
    bursts: PostgresBursts
    letters: PostgresLetters

    async def stop(self, n: int, *, ip: str = "203.0.113.7", agent: str = SCANNER, src: str = "preference_center", **more: Any) -> Recorded:
        """Somebody's opt-out through a link."""
        contact, email = people(n, more.pop("host", "company.example"))
        personal = {"ip": ip, "user_agent": agent, "language": "de"}
        said = Said(person(src), (Choose(PROMOTIONAL, out=True),), contact, email, ties=((email, True),), personal=personal, **more)
        return await record(said, book=self.hub.book, ground=self.hub.ground)

    async def delivered(self, n: int, host: str = "company.example") -> None:
        """The mail system's word that a message reached somebody."""
        voice = Voice("connection", False, "s:sendgrid", "s:sendgrid")
        said = Said(voice, (Happen("mail.delivered"),), address=people(n, host)[1])
        await record(said, book=self.hub.book, ground=self.hub.ground)

    async def look(self, later: int = 0, log: int = 0) -> None:
        """Places new entries in the log and watches, `later` microseconds from now."""
        await self.hub.pool.execute(PLACE, log)
        ground = replace(self.hub.ground, clock=lambda: time.time_ns() // 1000 + later)
        while await watch_bursts(
            size_of=lambda number: self.feed(number).size(), newest=log, book=self.hub.book, bursts=self.bursts, ground=ground
        ):
            pass

    def feed(self, number: int) -> PostgresFeed:
        return PostgresFeed(self.hub.pool, tools().vault, number)

    async def found(self) -> list[Any]:
        return await tell_bursts(None, 10, bursts=self.bursts, book=self.hub.book)

    async def offer(self, burst: UUID) -> Any:
        return await offer_undo(
            burst, "their scanner pressed the button", "c:operator", bursts=self.bursts, book=self.hub.book, ground=self.hub.ground
        )

    async def ask(self) -> Sequence[Letter]:
        """Asks everybody who waits; the letters that lie there now."""
        while await ask_meant(bursts=self.bursts, letters=self.letters, book=self.hub.book, ground=self.hub.ground):
            pass
        return await self.letters.claim(now=self.hub.ground.clock() + MINUTE, limit=50, lease=1)


PLACE = """
WITH next AS (SELECT coalesce(max(seq) + 1, 0) AS seq FROM log_entry WHERE log = $1),
     taken AS (DELETE FROM to_sequence RETURNING shard, at, id)
INSERT INTO log_entry (log, seq, shard, entry) SELECT $1, next.seq + row_number() OVER (ORDER BY at, id) - 1, shard, id FROM taken, next
"""


def people(n: int, host: str = "company.example") -> tuple[Key, Key]:
    return Key("contact", f"c-{n}", f"c-{n}"), Key("email", f"person{n}@{host}", f"person{n}@{host}")


@pytest.fixture
async def watch(hub: Hub) -> Watch:
    return Watch(hub, PostgresBursts(hub.pool, tools()), PostgresLetters(hub.pool, tools()))


@pytest.mark.feature("S4")
async def test_a_scanner_that_presses_for_everybody_is_found_with_its_evidence(watch: Watch) -> None:
    for n in range(4):
        await watch.delivered(n)
        await watch.stop(n, agent=FIREFOX, ip=f"203.0.113.{n}", src="one_click")
    await watch.look()
    [story] = await watch.found()
    burst = story.burst
    assert (burst.people, burst.opt_outs, burst.networks, burst.hosts, burst.agents, burst.undelivered) == (4, 4, 1, 1, 1, 0)
    assert 0 <= burst.soonest <= burst.median <= burst.latest < MINUTE
    assert story.networks == (("203.0.113.0/24", 4),)
    assert story.hosts == (("company.example", 4),)
    assert story.agents == ((FIREFOX, 4),)
    assert await watch.bursts.suspected() == 4
    one = await tell_burst(burst.id, bursts=watch.bursts, book=watch.hub.book)
    assert one is not None
    assert {mark.contact_id for mark in one.marks} == {f"c-{n}" for n in range(4)}
    assert {mark.address for mark in one.marks} == {f"person{n}@company.example" for n in range(4)}
    assert set(await watch.bursts.marks([mark.entry for mark in one.marks])) == {mark.entry for mark in one.marks}


@pytest.mark.feature("S4")
async def test_a_mark_delays_and_changes_nothing(watch: Watch) -> None:
    for n in range(3):
        assert (await watch.stop(n)).ruling.told[0].effect == "applied"  # type: ignore[union-attr]  # it was written
    before = await watch.hub.pool.fetch("SELECT pseudonym, version, length, state FROM subject ORDER BY pseudonym")
    await watch.look()
    assert await watch.bursts.suspected() == 3
    assert await watch.hub.pool.fetch("SELECT pseudonym, version, length, state FROM subject ORDER BY pseudonym") == before


async def test_people_are_left_alone(watch: Watch) -> None:
    for n in range(4):
        await watch.stop(n, agent=f"{FIREFOX} {n}", ip=f"198.51.{n}.7", host="gmail.com")
    for n in range(4, 8):
        await watch.delivered(n)
        await watch.stop(n, agent=f"{FIREFOX} {n}", src="api" if n % 2 else "one_click", ip=f"198.51.{n}.7", host=f"host{n}.example")
    await watch.look()
    assert await watch.found() == []
    assert await watch.hub.pool.fetchval("SELECT count(*) FROM link_opt_out") == 6


async def test_read_in_many_turns_over_two_logs_and_by_two_processes_it_is_one_burst(watch: Watch) -> None:
    for n in range(6):
        await watch.stop(n)
        await watch.look(log=n // 3)
    [story] = await watch.found()
    assert (story.burst.people, story.burst.opt_outs) == (6, 6)
    cursor = await watch.bursts.cursor()
    assert not await watch.bursts.keep(replace(cursor, seq=0), cursor, [], [], [], 1), "another process was first"


@pytest.mark.feature("S4")
async def test_a_delivery_that_is_told_late_counts_at_the_second_look(watch: Watch) -> None:
    for n in range(3):
        await watch.delivered(100 + n)
        await watch.stop(n, agent=FIREFOX)
    await watch.look()
    assert await watch.found() == []
    for n in range(3):
        sub = (await watch.hub.book.read([people(n)[0]])).keys[people(n)[0]]
        at = await watch.hub.pool.fetchval("SELECT min(at) - 1000000 FROM link_opt_out WHERE person = $1", bytes.fromhex(sub))
        await watch.hub.pool.execute(
            "INSERT INTO sent (shard, sub, id, at, noted_at, channel, category, brand, sealed)"
            " VALUES ($1, $2, gen_random_uuid(), $3, $3, 'email', 'promotional', '*', '')", int(sub[:2], 16), bytes.fromhex(sub), at,
        )  # fmt: skip
    await watch.look()
    assert await watch.found() == []
    await watch.look(later=2 * MINUTE)
    [story] = await watch.found()
    assert story.burst.people == 3
    assert 0 < story.burst.soonest <= 2 * SECOND


@pytest.mark.feature("S4")
async def test_the_people_of_a_burst_are_asked_once_and_only_they_undo(watch: Watch) -> None:
    for n in range(3):
        await watch.stop(n)
    await watch.look()
    [story] = await watch.found()
    closed = await watch.offer(story.burst.id)
    assert closed.offered.by == "c:operator"
    letters = await watch.ask()
    assert len(letters) == 3
    for letter in letters:
        offer = letter.matter
        assert isinstance(offer, Offer)
        assert offer.contact and offer.address
        assert offer.language == "de"
        assert offer.undo_until == closed.offered.at + OPEN_FOR
        assert [(one.kind, one.scope, one.old, one.new) for one in offer.changes] == [("choice", PROMOTIONAL, "not_set", "opted_out")]
    with pytest.raises(AlreadyOffered):
        await watch.offer(story.burst.id)
    await watch.ask()
    assert await watch.hub.pool.fetchval("SELECT count(*) FROM letter") == 3
    [after] = await watch.found()
    assert (after.burst.asked, after.burst.settled) == (3, 3)
    for n in range(3):
        page = await watch.hub.book.read([people(n)[0]])
        row = page.row(people(n)[0])
        assert row is not None
        assert any(stamp.out for stamp in row.state.strong.values()), "an offer undoes nothing"


@pytest.mark.feature("S4", "K4")
async def test_who_offered_and_why_is_in_the_ledger_and_nowhere_else(watch: Watch) -> None:
    for n in range(3):
        await watch.stop(n)
    await watch.look()
    [story] = await watch.found()
    await watch.offer(story.burst.id)
    rows = await watch.hub.pool.fetch("SELECT id, act FROM entry WHERE kind = 'config'")
    assert [row["act"] for row in rows] == ["burst_offered"]
    assert (await watch.bursts.burst(story.burst.id)).offered.entry == str(rows[0]["id"])  # type: ignore[union-attr]  # it was offered
    with pytest.raises(NoSuchBurst):
        await watch.offer(UUID(int=7))


@pytest.mark.feature("S4")
async def test_who_said_something_newer_is_not_asked_and_later_opt_outs_are_a_burst_of_their_own(watch: Watch) -> None:
    for n in range(3):
        await watch.stop(n)
    await watch.look()
    [story] = await watch.found()
    contact, email = people(0)
    again = Said(person(), (Choose(PROMOTIONAL, out=False),), contact, email)
    await record(again, book=watch.hub.book, ground=watch.hub.ground)
    await watch.offer(story.burst.id)
    assert len(await watch.ask()) == 2
    [after] = await watch.found()
    assert (after.burst.asked, after.burst.settled) == (2, 3)
    await watch.stop(9)
    await watch.look()
    assert [one.burst.people for one in await watch.found()] == [1, 3]


@pytest.mark.feature("S4")
async def test_the_ledger_tells_of_a_burst_once_nobody_joins_it_any_more(watch: Watch) -> None:
    for n in range(3):
        await watch.stop(n)
    await watch.look()

    async def told(later: int) -> int:
        ground = replace(watch.hub.ground, clock=lambda: time.time_ns() // 1000 + later)
        return await alert_bursts(bursts=watch.bursts, book=watch.hub.book, ground=ground)

    assert [await told(0), await told(2 * MINUTE), await told(3 * MINUTE)] == [0, 1, 0]
    await watch.hub.pool.execute(PLACE, 0)
    [entry] = [one for one in await watch.feed(0).read(0, 500) if one.act == "burst_found"]
    assert entry.detail is not None
    assert (entry.detail["alert"], entry.detail["people"], entry.detail["networks"]) == ("suspected_opt_outs", 3, 1)


async def test_neither_networks_nor_agents_nor_hosts_stand_in_the_tables(watch: Watch) -> None:
    for n in range(3):
        await watch.stop(n)
    await watch.look()
    rows = await watch.hub.pool.fetch("SELECT link_opt_out::text AS row FROM link_opt_out UNION ALL SELECT burst::text FROM burst")
    text = " ".join(row["row"] for row in rows)
    for word in ("203.0.113", "Barracuda", "company.example", "person0", "c-0"):
        assert word not in text
        assert word.encode().hex() not in text


async def test_of_people_who_were_erased_meanwhile_nothing_is_told_and_nobody_is_asked(watch: Watch) -> None:
    for n in range(3):
        await watch.stop(n)
    await watch.look()
    [story] = await watch.found()
    await watch.hub.pool.execute("DELETE FROM subject_key")
    [blank] = await watch.found()
    assert (blank.burst.people, blank.networks, blank.hosts, blank.agents) == (3, (), (), ())
    await watch.hub.pool.execute("DELETE FROM subject")
    await watch.offer(story.burst.id)
    assert await watch.ask() == []
    await watch.hub.pool.execute("DELETE FROM link_opt_out")
    assert await watch.found() == []
    assert await watch.bursts.untold(time.time_ns()) == []


async def test_what_is_no_burst_is_forgotten_and_marks_stay(watch: Watch) -> None:
    for n in range(3):
        await watch.stop(n)
    await watch.stop(7, agent=FIREFOX, ip="198.51.100.1", host="elsewhere.example")
    await watch.look()
    await watch.bursts.forget(time.time_ns() // 1000 + SECOND)
    assert await watch.hub.pool.fetchval("SELECT count(*) FROM link_opt_out") == 3
    assert len(await watch.found()) == 1

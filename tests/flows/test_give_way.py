"""An import slows itself down while somebody asks before sending, and nobody who asks one question waits for a thousand others."""

import asyncio
import os
from dataclasses import dataclass, field

import pytest

from hub import PEPPER, Hub, api, tools
from sayso.contracts.book import Key, Unavailable
from sayso.flows.check import Question, check
from sayso.flows.give_way import LONGEST, give_way
from sayso.flows.record import Said, act_of
from sayso.rules.catalogue import DEFAULT
from sayso.rules.gate import Ask
from sayso.rules.statements import Choose
from sayso.rules.words import Scope
from sayso.store.book import PostgresBook
from sayso.store.gatehouse import PostgresGatehouse

PROMO = Scope("*", "email", "promotional")


@dataclass
class Gate:
    """A gatehouse that says what it was told to say."""

    asked: bool | Unavailable
    rests: list[float] = field(default_factory=list)

    async def asked_lately(self) -> bool:
        if isinstance(self.asked, Unavailable):
            raise self.asked
        return self.asked

    async def rest(self, seconds: float) -> None:
        self.rests.append(seconds)


@pytest.mark.feature("R1")
async def test_bulk_work_rests_as_long_as_it_worked_only_while_checks_are_asked() -> None:
    for asked, worked, rests in ((True, 0.4, [0.4]), (True, 60.0, [LONGEST]), (False, 0.4, []), (Unavailable("down"), 0.4, [])):
        gate = Gate(asked)
        assert await give_way(worked, gatehouse=gate, rest=gate.rest) is bool(rests)
        assert gate.rests == rests


async def test_the_database_tells_every_process_that_checks_are_asked(hub: Hub) -> None:
    asking, importing = (PostgresGatehouse(hub.pool, PEPPER, os.urandom, 10.0) for _ in range(2))
    assert not await importing.asked_lately()
    question = Question(Ask("email", DEFAULT.get("promotional")), Key("contact", "c-1", "c-1"), None)
    [(found, _)] = await check([question], gatehouse=asking, ground=hub.ground)
    assert found is not None and await importing.asked_lately()
    await asking.close()


async def test_first_words_of_the_same_people_through_two_processes_all_succeed(hub: Hub) -> None:
    other = PostgresBook(hub.pool, tools())
    await other.open()
    people = [Key("contact", f"c-{n}", f"c-{n}") for n in range(60)]
    acts = [act_of(Said(api(), (Choose(PROMO, out=True),), contact=who), hub.ground) for who in people]
    answers = await asyncio.gather(hub.book.write_all(acts), other.write_all(acts[::-1]))
    assert not [one for half in answers for one in half if isinstance(one, Exception)]
    page = await hub.book.read(people)
    assert [page.rows[page.keys[who]].state.length for who in people] == [2] * 60
    await other.close()


async def test_one_check_is_answered_before_everybody_of_a_large_batch(hub: Hub) -> None:
    """Between the acts of a group the event loop turns: whatever else waits in this process goes on."""
    turns = 0

    async def turning() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    acts = [act_of(Said(api(), (Choose(PROMO, out=True),), contact=Key("contact", f"d-{n}", f"d-{n}")), hub.ground) for n in range(200)]
    seen: list[int] = []
    watched = [type(act)(act.keys, lambda scene, act=act: (seen.append(turns), act.judge(scene))[1], act.detail) for act in acts]
    task = asyncio.create_task(turning())
    await hub.book.write_all(watched)
    task.cancel()
    assert len(set(seen)) >= 20, "the loop turned while the group was judged"

"""Turns: everybody is worked on once, alone at once, in a crowd by halves; nobody who left is worked on."""

import asyncio
from dataclasses import dataclass, field

from sayso.store.turns import AT_ONCE, COMPANY, Turns


@dataclass(eq=False)
class Wish:
    size: int = 1
    answer: "asyncio.Future[int]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass
class Office:
    """Does what is asked when its door is opened, and notes what shared a batch."""

    door: asyncio.Event = field(default_factory=asyncio.Event)
    batches: list[list[Wish]] = field(default_factory=list)
    under_way: int = 0
    most: int = 0

    async def do(self, batch: list[Wish]) -> None:
        self.batches.append(batch)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.door.wait()
        await asyncio.sleep(0.001)
        self.under_way -= 1
        for one in batch:
            if not one.answer.done():
                one.answer.set_result(len(batch))


async def begun(office: Office, count: int) -> None:
    async with asyncio.timeout(30):
        while len(office.batches) < count:
            await asyncio.sleep(0.001)


async def test_whoever_comes_alone_waits_for_nobody() -> None:
    office = Office()
    turns = Turns(office.do, largest=100, name="test")
    one = Wish()
    turns.join(one)
    await begun(office, 1)
    assert office.batches == [[one]]
    office.door.set()
    assert await one.answer == 1


async def test_a_crowd_parts_in_two_halves_and_a_few_wait_for_the_batch_under_way() -> None:
    office = Office()
    turns = Turns(office.do, largest=1_000, name="test")
    for _ in range(40):
        turns.join(Wish())
    await begun(office, 2)
    assert [len(batch) for batch in office.batches] == [20, 20]
    few = [Wish() for _ in range(COMPANY - 1)]
    for one in few:
        turns.join(one)
    await asyncio.sleep(0.02)
    assert len(office.batches) == AT_ONCE
    office.door.set()
    assert {await one.answer for one in few} == {COMPANY - 1}


async def test_a_few_wait_though_only_one_batch_is_under_way() -> None:
    office = Office()
    turns = Turns(office.do, largest=1_000, name="test")
    turns.join(Wish())
    await begun(office, 1)
    for _ in range(COMPANY - 1):
        turns.join(Wish())
    await asyncio.sleep(0.02)
    assert len(office.batches) == 1
    turns.join(Wish())
    await begun(office, 2)
    assert len(office.batches[1]) == COMPANY
    office.door.set()


async def test_everybody_is_answered_once_within_the_largest_size_and_two_batches_at_once() -> None:
    office = Office()
    office.door.set()
    turns = Turns(office.do, largest=100, name="test")
    wishes = []
    for n in range(2_000):
        wishes.append(Wish(size=1 + n % 30))
        turns.join(wishes[-1])
        if n % 97 == 0:
            await asyncio.sleep(0.0015)
    async with asyncio.timeout(60):
        await asyncio.gather(*[one.answer for one in wishes])
    assert sorted(id(one) for batch in office.batches for one in batch) == sorted(map(id, wishes))
    assert max(sum(one.size for one in batch) for batch in office.batches) < 100 + 30
    assert office.most == AT_ONCE


async def test_whoever_left_before_is_not_worked_on() -> None:
    office = Office()
    turns = Turns(office.do, largest=100, name="test")
    stays, leaves = Wish(), Wish()
    turns.join(leaves)
    turns.join(stays)
    leaves.answer.cancel()
    await begun(office, 1)
    assert office.batches == [[stays]]
    office.door.set()


async def test_the_end_cancels_what_is_under_way_and_gives_back_the_rest() -> None:
    office = Office()
    turns = Turns(office.do, largest=100, name="test")
    turns.join(Wish())
    await begun(office, 1)
    late = Wish()
    turns.join(late)
    assert await turns.end() == [late]
    assert office.under_way == 1, "it was cancelled in the middle"
    assert [task for task in asyncio.all_tasks() if task.get_name() == "test"] == []

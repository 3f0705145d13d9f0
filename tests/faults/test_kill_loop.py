"""Kills at random instants under writers and checkers: nothing acknowledged is lost, nobody is allowed after a no, all is told."""

import asyncio
import itertools
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from history import Check, History, Write
from standing import Hub, family, receiving, signal_all, standing, until

KILLS = 15
CONTACTS = 8
Ask = Callable[[str], Awaitable[tuple[int, bool]]]
"""Asks whether a contact may be mailed: HTTP status and the answer."""


def test_the_checker_finds_what_is_wrong_in_histories_made_by_hand() -> None:
    assert violations("out 0 1", "check 2 3 allow") == 1
    assert violations("out 0 1", "check 2 3 deny") == 0
    assert violations("out 0 2", "check 1 3 allow") == 0, "the opt-out was not acknowledged when the check began"
    assert violations("out 0 1", "in 2 3", "check 4 5 allow") == 0
    assert violations("out 0 1", "in 2 -", "check 4 5 allow") == 0, "an unanswered opt-in may have taken effect"
    assert violations("out 0 1", "in 6 7", "check 4 5 allow") == 1, "that opt-in came after the check"
    assert violations("out 0 1", "in 4.5 7", "check 4 5 allow") == 0, "that opt-in was under way"
    assert violations("in 0 1", "out 2 3", "check 4 5 allow") == 1
    assert violations("in 0 1", "out 2 -", "check 4 5 allow") == 0, "an unanswered opt-out may never take effect"


@pytest.mark.slow
@pytest.mark.feature("Q4", "I6", "D8", "Q3")
@pytest.mark.timeout(300)
async def test_killed_again_and_again_the_hub_loses_nothing_and_allows_nothing_it_must_not() -> None:
    chance = random.Random(15)
    async with standing() as hub, receiving() as receiver:
        await hub.tell(receiver.url)
        histories = {f"c{n}": History() for n in range(CONTACTS)}
        async with at_work(hub, histories, lambda who: asked(hub, who)):
            for kill in range(KILLS):
                goal = acknowledged(histories) + chance.randrange(1, 15)
                await until(lambda goal=goal: reached(histories, goal), what=f"writes before kill {kill}")
                if chance.random() < 0.3:
                    hub.kill()
                    hub.start()
                else:
                    signal_all(family(hub.database_pid()), signal.SIGKILL)
            await hub.ready()
            goal = acknowledged(histories) + 20
            await until(lambda: reached(histories, goal), what="writes after the last kill")

        assert [found for one in histories.values() for found in one.violations()] == []
        assert any(check.allowed for one in histories.values() for check in one.checks), "nothing was ever allowed: this shows nothing"
        await hub.end_leases()
        await until(hub.all_told, what="everything to be told")
        await until(lambda: sequenced(hub), what="every entry to have its place")
        for who, history in histories.items():
            status, shown = await hub.ask("GET", f"/api/v2/contacts/{who}/email_preferences")
            possible = {write.out for write in after_last_ack(history)}
            assert status == 200 and shown["email_opt_out_global"] in possible
            assert receiver.last(who) is shown["email_opt_out_global"]
        found = await hub.verified()
        assert found.problems == []
        kept = await hub.value("SELECT count(*) FROM entry WHERE kind = 'choice' AND channel = 'email' AND brand = '*' AND category = '*'")
        assert kept >= acknowledged(histories), "an acknowledged write is not in the ledger"


@pytest.mark.slow
async def test_the_same_checker_finds_a_cache_in_front_of_the_checks() -> None:
    """The sabotage twin: answers are believed for a while, which is what nobody may do."""
    async with standing() as hub:
        histories = {f"c{n}": History() for n in range(2)}
        cached: dict[str, tuple[float, bool]] = {}

        async def believed(who: str) -> tuple[int, bool]:
            held = cached.get(who)
            if held is None or time.monotonic() - held[0] > 0.5:
                status, allowed = await asked(hub, who)
                assert status == 200
                held = cached[who] = (time.monotonic(), allowed)
            await asyncio.sleep(0.005)
            return 200, held[1]

        async with at_work(hub, histories, believed):
            await until(lambda: found_any(histories), what="the stale cache to be found out")


@asynccontextmanager
async def at_work(hub: Hub, histories: dict[str, History], ask: Ask) -> AsyncIterator[None]:
    """Writers, each making one contact opt out and in again and again, and checkers over all of them, until the block ends."""
    stop = asyncio.Event()

    async def write(who: str, history: History) -> None:
        for n in itertools.count():
            if stop.is_set():
                return
            noted = history.begin(out=n % 2 == 0)
            status, answer = await hub.prefer(who, email_opt_out_global=noted.out)
            assert status in (0, 200, 503), answer
            if status == 200:
                noted.acked = time.monotonic()
                # Without a check that begins between this write and the next one, a stale answer would have nowhere to show.
                while not stop.is_set() and not history.checked_since(noted.acked):
                    await asyncio.sleep(0.002)
            else:
                await asyncio.sleep(0.05)

    async def check(shift: int) -> None:
        for who in itertools.islice(itertools.cycle(histories), shift, None):
            if stop.is_set():
                return
            invoked = time.monotonic()
            status, allowed = await ask(who)
            if status:
                histories[who].checks.append(Check(invoked, time.monotonic(), allowed))
            else:
                await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as workers:
        for who, history in histories.items():
            workers.create_task(write(who, history))
        for shift in range(3):
            workers.create_task(check(shift))
        yield
        stop.set()


async def asked(hub: Hub, who: str) -> tuple[int, bool]:
    """What a check answers: 200 always while the hub runs, and nothing is allowed that was not logged."""
    status, verdict = await hub.check(who)
    assert status in (0, 200), verdict
    if not status:
        return 0, False
    assert verdict["id"] is not None or verdict["allowed"] is False
    return 200, verdict["allowed"]


def acknowledged(histories: dict[str, History]) -> int:
    return sum(write.acked is not None for one in histories.values() for write in one.writes)


def after_last_ack(history: History) -> list[object]:
    """The last acknowledged write and all that began after it: one of them is the state."""
    places = [n for n, write in enumerate(history.writes) if write.acked is not None]
    return list(history.writes[places[-1] :])


async def reached(histories: dict[str, History], goal: int) -> bool:
    return acknowledged(histories) >= goal


async def found_any(histories: dict[str, History]) -> bool:
    return any(one.violations() for one in histories.values())


async def sequenced(hub: Hub) -> bool:
    return not await hub.value("SELECT count(*) FROM to_sequence")


def violations(*lines: str) -> int:
    """How many violations the checker finds in a history written as `out|in INVOKED ACKED` and `check INVOKED ANSWERED allow|deny`."""
    history = History()
    for line in lines:
        what, invoked, ended, *rest = line.split()
        if what == "check":
            history.checks.append(Check(float(invoked), float(ended), rest == ["allow"]))
        else:
            history.writes.append(Write(what == "out", float(invoked), None if ended == "-" else float(ended)))
    return len(history.violations())

"""Kills at random instants under writers and checkers: nothing acknowledged is lost, nobody is allowed after a no, all is told."""

import asyncio
import random
import signal
import time

import pytest
from drill import asked, at_work, sequenced
from standing import family, receiving, signal_all, standing, until

from shares import Ran, patience, share

PEOPLE = 8


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.feature("Q4", "I6", "D8", "Q3")
@pytest.mark.timeout(patience(300))
async def test_killed_again_and_again_the_hub_loses_nothing_and_allows_nothing_it_must_not(ran: Ran) -> None:
    chance = random.Random(15)
    async with standing() as hub, receiving() as receiver:
        await hub.tell(receiver.url)
        async with at_work(hub, PEOPLE) as drill:
            for kill in range(share("G3 kills")):
                await drill.more(chance.randrange(1, 15), f"writes before kill {kill}")
                if chance.random() < 0.3:
                    hub.kill()
                    hub.start()
                else:
                    signal_all(family(hub.database_pid()), signal.SIGKILL)
                ran("G3 kills", 1)
            await hub.ready()
            await drill.more(20, "writes after the last kill")

        assert drill.violations() == []
        assert drill.was_ever_allowed(), "nothing was ever allowed: this shows nothing"
        ran("G1 checks", drill.checks)
        ran("G1 opt-outs", drill.opt_outs)
        await hub.end_leases()
        await until(hub.all_told, what="everything to be told")
        await until(lambda: sequenced(hub), what="every entry to have its place")
        assert await drill.lost() == []
        for who, history in drill.histories.items():
            if history.acknowledged:
                _, shown = await hub.ask("GET", f"/api/v2/contacts/{who}/email_preferences")
                assert receiver.last(who) is shown["email_opt_out_global"]
        found = await hub.verified()
        assert found.problems == []
        kept = await hub.value("SELECT count(*) FROM entry WHERE kind = 'choice' AND channel = 'email' AND brand = '*' AND category = '*'")
        assert kept >= drill.acknowledged, "an acknowledged write is not in the ledger"


@pytest.mark.slow
async def test_the_same_checker_finds_a_cache_in_front_of_the_checks() -> None:
    """The sabotage twin: answers are believed for a while, which is what nobody may do."""
    async with standing() as hub:
        cached: dict[str, tuple[float, bool]] = {}

        async def believed(who: str) -> tuple[int, bool]:
            held = cached.get(who)
            if held is None or time.monotonic() - held[0] > 0.3:
                status, allowed = await asked(hub, who)
                if not status:
                    return status, allowed
                held = cached[who] = (time.monotonic(), allowed)
            await asyncio.sleep(0.005)
            return 200, held[1]

        async with at_work(hub, 2, believed) as drill:

            async def found_out() -> bool:
                return bool(drill.violations())

            await until(found_out, what="the stale cache to be found out")

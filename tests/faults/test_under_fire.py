"""Several web processes, a primary and a synchronous standby, and everything that goes wrong with them, under writers and checkers."""

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from drill import Drill, asked, at_work, sequenced
from history import Check, History
from pair import HASTY, Pair, pair
from standing import Hub, family, signal_all, standing, until

from sayso.store import embedded
from shares import Ran, patience, share

PEOPLE = 6
HELD = 0.7
"""Seconds that something stands still: longer than a check waits for its store."""
Fault = Callable[["Site", random.Random], Awaitable[None]]


class Site:
    """What is shot at: the hub with its web processes, and the pair of servers."""

    def __init__(self, hub: Hub, servers: Pair) -> None:
        self.hub, self.servers = hub, servers
        self.failovers = 0

    async def web_processes(self) -> list[int]:
        """The children that hold the hub's port: neither the worker nor multiprocessing's own helper does."""
        assert self.hub.process is not None
        wanted = f":{self.hub.port:04X} 00000000:0000 0A"
        inodes = {line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines() if wanted in line}
        return sorted(pid for pid in family(self.hub.process.pid)[1:] if _holds(pid, inodes))

    async def failed_over(self) -> None:
        """The standby takes over, and the old primary's place is taken by a new standby once writes go on."""
        await self.servers.promote()
        self.failovers += 1
        await self.hub.ready()
        await self.servers.follow()


def _holds(pid: int, inodes: set[str]) -> bool:
    try:
        links = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return False
    return any(f"socket:[{inode}]" in links for inode in inodes)


async def a_web_process_is_killed(site: Site, chance: random.Random) -> None:
    found = await site.web_processes()
    signal_all([chance.choice(found)] if found else [], signal.SIGKILL)


async def a_web_process_stands_still(site: Site, chance: random.Random) -> None:
    found = await site.web_processes()
    halted = [chance.choice(found)] if found else []
    signal_all(halted, signal.SIGSTOP)
    await asyncio.sleep(HELD)
    signal_all(halted, signal.SIGCONT)


async def the_hub_is_killed(site: Site, _: random.Random) -> None:
    assert site.hub.process is not None
    children = family(site.hub.process.pid)[1:]
    site.hub.kill()

    async def gone() -> bool:
        return not any(family(pid) for pid in children)

    await until(gone, what="the children of the killed hub to end")
    site.hub.start("--processes", "2")
    await site.hub.ready()


async def the_database_is_killed_and_recovers(site: Site, _: random.Random) -> None:
    site.servers.kill(site.servers.primary)
    await embedded.start(site.servers.primary)
    await until(site.servers.follows, what="the standby to follow again")


async def the_database_is_restarted(site: Site, _: random.Random) -> None:
    await embedded.stop(site.servers.primary)
    await embedded.start(site.servers.primary)
    await until(site.servers.follows, what="the standby to follow again")


async def the_database_stands_still(site: Site, _: random.Random) -> None:
    halted = site.servers.halt(site.servers.primary)
    await asyncio.sleep(HELD)
    signal_all(halted, signal.SIGCONT)


async def the_standby_stands_still(site: Site, _: random.Random) -> None:
    halted = site.servers.halt(site.servers.standby)
    await asyncio.sleep(HELD)
    signal_all(halted, signal.SIGCONT)
    await until(site.servers.follows, what="the standby to follow again")


async def the_standby_is_restarted(site: Site, _: random.Random) -> None:
    site.servers.kill(site.servers.standby)
    await embedded.start(site.servers.standby)
    await until(site.servers.follows, what="the standby to follow again")


async def the_primary_is_killed_and_the_standby_promoted(site: Site, _: random.Random) -> None:
    site.servers.kill(site.servers.primary)
    await site.failed_over()


async def the_primary_comes_back_without_knowing_that_it_is_none(site: Site, _: random.Random) -> None:
    """It stood still, the standby was promoted, and now it goes on for a while with whoever is still connected to it."""
    old = site.servers.primary
    halted = site.servers.halt(old)
    await site.servers.promote()
    site.failovers += 1
    await site.hub.ready()
    signal_all(halted, signal.SIGCONT)
    await asyncio.sleep(HELD)
    site.servers.kill(old)
    await site.servers.follow()


FAULTS: tuple[Fault, ...] = (
    the_primary_comes_back_without_knowing_that_it_is_none,
    a_web_process_is_killed,
    the_database_stands_still,
    a_web_process_stands_still,
    the_standby_stands_still,
    the_database_is_killed_and_recovers,
    the_primary_is_killed_and_the_standby_promoted,
    the_database_is_restarted,
    the_hub_is_killed,
    the_standby_is_restarted,
)


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.feature("Q4", "I6", "Q3")
@pytest.mark.timeout(patience(300))
async def test_whatever_happens_to_processes_and_servers_nothing_is_lost_and_no_stale_answer_allows(ran: Ran) -> None:
    chance = random.Random(4)
    async with pair() as servers, standing("--processes", "2", environment={"SAYSO_DATABASE_URL": servers.url}) as hub:
        site = Site(hub, servers)
        async with at_work(hub, PEOPLE) as drill:
            for n in range(share("G1 faults")):
                await drill.more(chance.randrange(2, 12), f"writes before {FAULTS[n % len(FAULTS)].__name__}")
                await FAULTS[n % len(FAULTS)](site, chance)
                ran("G1 faults", 1)
            while site.failovers < share("G3 failovers"):
                await drill.more(chance.randrange(2, 12), "writes before a failover")
                await the_primary_is_killed_and_the_standby_promoted(site, chance)
            await hub.ready()
            await drill.more(10, "writes after the last fault")
            while drill.checks < share("G1 checks") or drill.opt_outs < share("G1 opt-outs"):
                await drill.more(50, "the rest of the figure")

        assert drill.violations() == []
        assert drill.was_ever_allowed(), "nothing was ever allowed: this shows nothing"
        assert await drill.lost() == []
        await until(lambda: sequenced(hub), what="every entry to have its place")
        assert (await hub.verified()).problems == []
        for figure, count in (("G1 checks", drill.checks), ("G1 opt-outs", drill.opt_outs), ("G3 failovers", site.failovers)):
            ran(figure, count)


async def stale_after_a_failover(hub: Hub, servers: Pair, who: str) -> tuple[bool, int, list[str]]:
    """An opt-out while there is no standby, then a failover to what it had: whether it was acknowledged, how many checks allowed wrongly, who is lost."""
    drill = Drill(hub, lambda who: asked(hub, who), 1)
    history = drill.histories[who] = History()

    async def write(*, out: bool) -> None:
        noted = history.begin(out=out)
        status, _ = await hub.prefer(who, seconds=2, email_opt_out_global=out)
        noted.acked = time.monotonic() if status == 200 else None

    async def opted_in() -> bool:
        await write(out=False)
        return history.writes[-1].acked is not None

    await until(opted_in, what="an opt-in to be acknowledged")
    await until(servers.caught_up, what="the standby to have the opt-in")
    servers.kill(servers.standby)
    await write(out=True)
    servers.kill(servers.primary)
    await embedded.start(servers.standby)
    await servers.promote()
    await hub.ready()

    async def judged() -> bool:
        """Whether a check was judged; the first ones may find broken connections, and deny."""
        invoked = time.monotonic()
        status, verdict = await hub.check(who)
        assert status == 200, verdict
        history.checks.append(Check(invoked, time.monotonic(), verdict["allowed"]))
        return verdict["id"] is not None

    await until(judged, what="a check to be judged")
    return history.writes[-1].acked is not None, len(history.violations()), await drill.lost()


@pytest.mark.slow
@pytest.mark.feature("Q4", "I6")
@pytest.mark.timeout(300)
async def test_what_the_standby_does_not_have_is_not_acknowledged_and_where_it_is_the_loss_is_found_out() -> None:
    # Without a worker, so that no anchor tells the hub that the promoted server is older than what was signed.
    async with pair() as servers, standing("--no-worker", environment={"SAYSO_DATABASE_URL": servers.url}) as hub:
        assert await stale_after_a_failover(hub, servers, "ada") == (False, 0, [])
        servers.settings = dict(HASTY)
        await servers.follow()
        assert await stale_after_a_failover(hub, servers, "ben") == (True, 1, ["ben"]), "the twin: acknowledged before the standby had it"

"""The drill: people who opt out and in without rest, and senders who ask about them, whatever happens to the hub meanwhile."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from history import Check, History, Write
from standing import Hub, until

Ask = Callable[[str], Awaitable[tuple[int, bool]]]
"""Asks whether a contact may be mailed: HTTP status (0: nobody answered) and the answer."""
CHECKERS = 4


@dataclass(slots=True)
class Drill:
    """Histories by contact. Each writer has one contact at a time, and takes another one once a write of this one went unanswered:
    what may land later, or never, would excuse everything that comes after it."""

    hub: Hub
    ask: Ask
    people: int
    histories: dict[str, History] = field(default_factory=dict)
    current: dict[int, str] = field(default_factory=dict)
    stop: bool = False

    @property
    def acknowledged(self) -> int:
        return sum(len(one.acknowledged) for one in self.histories.values())

    @property
    def opt_outs(self) -> int:
        return sum(write.out for one in self.histories.values() for write in one.acknowledged)

    @property
    def checks(self) -> int:
        return sum(len(one.checks) for one in self.histories.values())

    def violations(self) -> list[tuple[Check, Write]]:
        return [found for one in self.histories.values() for found in one.violations()]

    def was_ever_allowed(self) -> bool:
        """Without that a run shows nothing."""
        return any(check.allowed for one in self.histories.values() for check in one.checks)

    async def more(self, writes: int, what: str) -> None:
        """Returns when so many more writes were acknowledged."""
        goal = self.acknowledged + writes

        async def reached() -> bool:
            return self.acknowledged >= goal

        await until(reached, 120, what=what)

    async def lost(self) -> list[str]:
        """The contacts that are not as their last acknowledged write, or one that began after it, left them."""
        found = []
        for who, history in self.histories.items():
            if history.acknowledged:
                status, shown = await self.hub.ask("GET", f"/api/v2/contacts/{who}/email_preferences")
                assert status == 200, shown
                if shown["email_opt_out_global"] not in {write.out for write in after_last_ack(history)}:
                    found.append(who)
        return found

    async def write(self, n: int) -> None:
        """One writer."""
        for turn in itertools.count():
            who = self.current[n] = f"c{n}-{turn}"
            history = self.histories[who] = History()
            # Until the first acknowledgement only opt-outs: none of them could excuse an allow.
            outs = itertools.cycle([False, True])
            while not self.stop and await self._one(who, history, out=next(outs) if history.acknowledged else True):
                pass
            if self.stop:
                return

    async def _one(self, who: str, history: History, *, out: bool) -> bool:
        """One write; False when this contact has to be given up."""
        noted = history.begin(out=out)
        status, answer = await self.hub.prefer(who, email_opt_out_global=noted.out)
        assert status in (0, 200, 503), answer
        if status != 200:
            await asyncio.sleep(0.05)
            return not history.acknowledged
        noted.acked = time.monotonic()
        # Without a check that begins between this write and the next one, a stale answer would have nowhere to show.
        while not self.stop and not history.checked_since(noted.acked):
            await asyncio.sleep(0.002)
        return True

    async def check(self, shift: int) -> None:
        """One checker, over everybody's contact of the moment."""
        for n in itertools.count(shift):
            if self.stop:
                return
            who = self.current.get(n % self.people)
            if who is None:
                await asyncio.sleep(0.01)
                continue
            invoked = time.monotonic()
            status, allowed = await self.ask(who)
            if status:
                self.histories[who].checks.append(Check(invoked, time.monotonic(), allowed))
            else:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def at_work(hub: Hub, people: int, ask: Ask | None = None) -> AsyncIterator[Drill]:
    """Writers, each with a contact that opts out and in again and again, and checkers over all of them, until the block ends."""
    drill = Drill(hub, ask or (lambda who: asked(hub, who)), people)
    async with asyncio.TaskGroup() as workers:
        for n in range(people):
            workers.create_task(drill.write(n))
        for shift in range(CHECKERS):
            workers.create_task(drill.check(shift))
        try:
            yield drill
        finally:
            drill.stop = True


async def asked(hub: Hub, who: str) -> tuple[int, bool]:
    """What a check answers: 200 always while the hub runs, and nothing is allowed that was not logged."""
    status, verdict = await hub.check(who)
    assert status in (0, 200), verdict
    if not status:
        return 0, False
    assert verdict["id"] is not None or verdict["allowed"] is False
    return 200, verdict["allowed"]


def after_last_ack(history: History) -> list[Write]:
    """The last acknowledged write and all that began after it: one of them is the state."""
    return history.writes[history.writes.index(history.acknowledged[-1]) :]


async def sequenced(hub: Hub) -> bool:
    """Whether every entry has its place."""
    return not await hub.value("SELECT count(*) FROM to_sequence")

"""The worker: one loop for the ledger, one for each connection. Losing it loses nothing; the next one goes on from the tables."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from sayso.contracts.book import Unavailable
from sayso.contracts.ledger import LedgerDamaged, LedgerRolledBack
from sayso.contracts.spokes import Connection, NoSuchConnection, Spokes
from sayso.flows.deliver import Round
from sayso.flows.sequence import Sequenced
from sayso.rules.times import SECOND
from sayso.store.ending import ended

log = structlog.get_logger("sayso.worker")

SEQUENCE_EVERY = 0.2
SEAL_EVERY = 2.0
LOOK_EVERY = 1.0
"""The poll that finds work nobody rang for."""
LISTED_AGAIN = 0.25
"""Seconds that the list of connections is good for: what is written rings for those that are known, many times a second."""
EVENTS_EVERY = 0.5
REPAIR_EVERY = 5.0
LONGEST_SILENCE = 30.0
"""A connection that does not answer is probed at least this often, so that it converges within a minute of coming back (G5)."""


@dataclass(frozen=True, slots=True)
class Duties:
    """What the worker does, with everything already wired in."""

    sequence: Callable[[], Awaitable[Sequenced]]
    seal: Callable[[], Awaitable[int]]
    deliver: Callable[[Connection, bool], Awaitable[Round]]
    pull: Callable[[Connection], Awaitable[bool]]
    events: Callable[[Connection], Awaitable[bool]]
    """Delivers event-by-event types to one connection; True when there is more."""
    backfill: Callable[[Connection], Awaitable[bool]]
    """Plans work for everybody a new connection must be told about; False when it must be tried again."""
    repair: Callable[[], Awaitable[int]]
    """Records vendors' calls that a process kept and died over."""
    tidy: Callable[[], Awaitable[None]]
    spokes: Spokes
    wait: Callable[[float], Awaitable[None]]
    """Returns when something was written, at the latest after so many seconds."""
    further: tuple[tuple[str, Callable[[], Awaitable[float]]], ...] = ()
    """Duties of other parts by name; each does one round and says how many seconds to wait before the next."""


@dataclass(slots=True)
class Silence:
    """A connection's breaker: how many rounds in a row it did not take anything, and when it is probed next (monotonic seconds)."""

    rounds: int = 0
    until: float = 0.0

    def after(self, went: Round, now: float) -> bool:
        """Notes a round; True when the connection answers again after a silence."""
        if went.waiting and not went.acknowledged:
            self.rounds += 1
            asked = went.retry_after / SECOND if went.retry_after else 0.0
            self.until = now + max(asked, min(0.5 * 2 ** min(self.rounds, 10), LONGEST_SILENCE))
            return False
        came_back = self.rounds > 0 and went.acknowledged > 0
        if went.acknowledged:
            self.rounds, self.until = 0, 0.0
        return came_back


@dataclass(slots=True)
class Worker:
    """Runs the duties until it is closed."""

    duties: Duties
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    pumps: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    ears: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    rung: dict[UUID, asyncio.Event] = field(default_factory=dict)
    listed: float = float("-inf")
    """When the connections were listed last (monotonic seconds)."""

    async def open(self) -> None:
        """Starts."""
        loops: tuple[tuple[str, Callable[[], Awaitable[float]]], ...] = (
            ("sequence", self._sequence), ("seal", self._seal), ("look", self._look), ("tidy", self._tidy),
            ("repair", self._repair), *self.duties.further,
        )  # fmt: skip
        self.tasks = [asyncio.create_task(self._forever(name, once), name=f"worker-{name}") for name, once in loops]

    async def close(self) -> None:
        """Stops after what is under way; what was claimed comes back when its lease ends."""
        running = [*self.tasks, *self.pumps.values(), *self.ears.values()]
        await ended(running)

    async def _forever(self, name: str, once: Callable[[], Awaitable[float]]) -> None:
        """Does one duty again and again; it returns how many seconds to wait. No failure ends the loop."""
        while True:
            try:
                pause = await once()
            except Unavailable:
                pause = LOOK_EVERY
            except (LedgerRolledBack, LedgerDamaged) as broken:
                log.error("ledger", duty=name, problem=str(broken))
                pause = 10 * LOOK_EVERY
            except Exception:  # a loop that stops is worse than a duty that fails: it is logged and tried again
                log.exception("duty failed", duty=name)
                pause = LOOK_EVERY
            await asyncio.sleep(pause)

    async def _sequence(self) -> float:
        return 0.0 if (await self.duties.sequence()).more else SEQUENCE_EVERY

    async def _seal(self) -> float:
        await self.duties.seal()
        return SEAL_EVERY

    async def _repair(self) -> float:
        return 0.0 if await self.duties.repair() else REPAIR_EVERY

    async def _tidy(self) -> float:
        await self.duties.tidy()
        return 3_600.0

    async def _look(self) -> float:
        """Keeps one pump for each active connection, and wakes them all when something was written."""
        clock = asyncio.get_running_loop().time
        if clock() - self.listed >= LISTED_AGAIN:
            self.listed = clock()
            await self._list()
        await self.duties.wait(LOOK_EVERY)
        for event in self.rung.values():
            event.set()
        return 0.0

    async def _list(self) -> None:
        """Begins with connections that are new here, and ends with those that are gone."""
        active = {one.id: one for one in await self.duties.spokes.connections() if one.state == "active"}
        for gone in self.pumps.keys() - active.keys():
            self.pumps.pop(gone).cancel()
            self.ears.pop(gone).cancel()
            self.rung.pop(gone)
        for connection in active.keys() - self.pumps.keys():
            self.rung[connection] = asyncio.Event()
            self.pumps[connection] = asyncio.create_task(self._pump(connection), name=f"pump-{connection}")
            self.ears[connection] = asyncio.create_task(self._ear(connection), name=f"ear-{connection}")

    async def _pump(self, connection: UUID) -> None:
        silence = Silence()
        clock = asyncio.get_running_loop().time

        async def once() -> float:
            self.rung[connection].clear()
            spoke = await self._active(connection)
            if spoke is None:
                return LOOK_EVERY
            probing = silence.rounds > 0
            if probing and clock() < silence.until:
                return min(silence.until - clock(), LOOK_EVERY)
            went = await self.duties.deliver(spoke, probing)
            if silence.after(went, clock()):
                await self.duties.spokes.hasten(connection)
                return 0.0
            if went.claimed and not went.waiting:
                return 0.0
            await self._rest(connection)
            return 0.0

        await self._forever(f"pump {connection}", once)

    async def _ear(self, connection: UUID) -> None:
        """Whatever may take long without keeping the pump from telling: planning for a new connection, single events, pulls."""

        async def once() -> float:
            spoke = await self._active(connection)
            if spoke is None:
                return LOOK_EVERY
            if not spoke.backfilled and await self.duties.backfill(spoke):
                self.rung[connection].set()
            more = await self.duties.events(spoke) or await self.duties.pull(spoke)
            return 0.0 if more else EVENTS_EVERY

        await self._forever(f"ear {connection}", once)

    async def _active(self, connection: UUID) -> Connection | None:
        """The connection as it is now, or None where it must be left alone."""
        try:
            spoke = await self.duties.spokes.connection(connection)
        except NoSuchConnection:
            return None
        return spoke if spoke.state == "active" else None

    async def _rest(self, connection: UUID) -> None:
        """Waits until something was written, at the latest until the next poll."""
        try:
            async with asyncio.timeout(LOOK_EVERY):
                await self.rung[connection].wait()
        except TimeoutError:
            return

"""Opens what a hub stands on: keys, database, stores, engine. The wiring of ports to parts, and nothing else."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import structlog

from sayso import keys as key_files
from sayso.anchor import AnchorFolder
from sayso.clocks import Clocks
from sayso.connectors import registry
from sayso.connectors.drive import Engine
from sayso.connectors.transport import Transport
from sayso.contracts.book import Unavailable
from sayso.contracts.connector import Connector
from sayso.contracts.ground import Ground
from sayso.contracts.ledger import LedgerDamaged, LedgerRolledBack, origin_of
from sayso.flows.compare import compare
from sayso.flows.complete_erasure import forget_again
from sayso.journal import JournalFile
from sayso.keys import Keys
from sayso.rules.caps import LONGEST
from sayso.rules.notes import key_of
from sayso.rules.times import SECOND
from sayso.settings import Settings
from sayso.store import embedded, migrate
from sayso.store.book import PostgresBook
from sayso.store.desk import PostgresDesk
from sayso.store.embedded_folder import EmbeddedError
from sayso.store.ending import ended
from sayso.store.gatehouse import PATIENCE, PostgresGatehouse
from sayso.store.ledger import PostgresLog
from sayso.store.pool import UNREACHABLE, borrowed, open_pool
from sayso.store.privacy import PostgresErasures
from sayso.store.queries import QUERIES
from sayso.store.reach import reach
from sayso.store.spokes import PostgresSpokes
from sayso.store.standing_back import standing_back
from sayso.store.vault import Vault
from sayso.store.wake import Wake
from sayso.store.writing import Tools
from sayso.web.hub import Current

log = structlog.get_logger("sayso")
KEPT_DAYS = 7
LOOK_AGAIN = 0.05
LOOK_EVERY = 0.95
ACCEPT = "restore the newest backup, or: sayso accept-rollback --reason TEXT (docs/explanation/rollback.md)"


class PepperChanged(Exception):
    """The data folder's pepper is not the one this database was written with: nothing in it could be found again."""


def microseconds() -> int:
    """The process's clock, in microseconds since the epoch."""
    return time.time_ns() // 1000


class NotCompared(asyncpg.InterfaceError):
    """Not the run of the server whose log was compared with the anchor: it may be an old copy."""


@dataclass(slots=True)
class Doubt:
    """Why the store may not be believed ("" when it may): then every check is denied. A start begins with doubt.

    `compared` is when the server began whose log was compared last; `look` asks for another comparison.
    """

    why: str = "the log was not compared with its anchor yet"
    compared: datetime | None = None
    look: asyncio.Event = field(default_factory=asyncio.Event)

    async def admit(self, connection: Any) -> None:
        """Lets connections through to the server that was compared. Raises NotCompared."""
        if await connection.fetchval(QUERIES["server_started"]) != self.compared:
            self.look.set()
            raise NotCompared("the log of this server was not compared with its anchor yet")


@dataclass(slots=True)
class Parts:
    """Everything a hub is made of. `ready` is set once the store was prepared."""

    settings: Settings
    keys: Keys = field(repr=False)
    dsn: str = field(repr=False)
    pool: "asyncpg.Pool[asyncpg.Record]" = field(repr=False)
    tools: Tools = field(repr=False)
    book: PostgresBook
    gatehouse: PostgresGatehouse
    spokes: PostgresSpokes
    desk: PostgresDesk
    log: PostgresLog
    engine: Engine
    connectors: dict[str, Connector]
    wake: Wake
    current: Current
    ready: asyncio.Event
    doubt: Doubt
    clocks: Clocks

    @property
    def origin(self) -> str:
        """The origin of the log that grows now."""
        return origin_of(self.keys.ledger_name, self.log.log)

    @property
    def anchor(self) -> AnchorFolder:
        """The anchors of the log that grows now."""
        return self.anchor_of(self.log.log)

    def anchor_of(self, log: int) -> AnchorFolder:
        """The anchors of a log."""
        return AnchorFolder.of(self.settings.data_dir, origin_of(self.keys.ledger_name, log))

    async def tidy(self) -> None:
        """Destroys what is kept for a limited time only: daily keys after seven days, what they sealed, and most old checkpoints."""
        async with borrowed(self.pool) as connection:
            for name in ("forget_daily_keys", "forget_calls", "forget_attempts", "forget_memos"):
                await connection.execute(QUERIES[name], KEPT_DAYS)
            await connection.execute(QUERIES["thin_checkpoints"], microseconds())
            await connection.execute(QUERIES["forget_reservations"], microseconds() - LONGEST)


async def database_of(settings: Settings) -> str:
    """The DSN of the hub's database; starts the embedded server where no other is named."""
    if settings.database_url is not None:
        return settings.database_url
    return (await embedded.start(settings.data_dir)).dsn


@asynccontextmanager
async def opened(settings: Settings, *, patience: float = PATIENCE, nice: int = 0) -> AsyncIterator[Parts]:
    """The parts of a hub, open until the block ends. A store that is down is waited for in the background; checks deny until then.

    `nice`: how much the embedded server stands back with what it does for these parts. Raises KeysUnusable, EmbeddedError, MigrationError
    and PepperChanged: what an operator has to mend before anything may be answered.
    """
    keys = key_files.load(settings.data_dir)
    dsn = await database_of(settings)
    ring = key_files.KekRing(settings.data_dir)
    tools = Tools(keys.pepper, Vault(ring, ring.newest(), os.urandom, ring.newest), os.urandom)
    async with AsyncExitStack() as stack:
        pool = await open_pool(dsn, admit=standing_back(nice) if nice and settings.database_url is None else None)
        stack.push_async_callback(_closed, pool)
        doubt, clocks = Doubt(), Clocks(microseconds, time.monotonic)
        lane = await open_pool(dsn, size=4, application="sayso-checks", admit=doubt.admit)
        stack.push_async_callback(_closed, lane)
        transport = await stack.enter_async_context(Transport(settings.webhook_allow))
        wake, desk = Wake(dsn), PostgresDesk(pool)
        ground = Ground(clocks.later, os.urandom, settings.conflict_window, settings.default_country, early=clocks.earlier)
        parts = Parts(
            settings=settings,
            keys=keys,
            dsn=dsn,
            pool=pool,
            tools=tools,
            book=PostgresBook(pool, tools, wake=wake.ring),
            gatehouse=PostgresGatehouse(lane, keys.pepper, os.urandom, patience, doubt=lambda: doubt.why),
            spokes=PostgresSpokes(pool, tools),
            desk=desk,
            log=PostgresLog(pool),
            engine=Engine(transport, clock=microseconds, monotonic=time.monotonic),
            connectors=dict(registry.find().connectors),
            wake=wake,
            current=Current(ground, desk),
            ready=asyncio.Event(),
            doubt=doubt,
            clocks=clocks,
        )
        with suppress(Unavailable):
            await prepare(parts)
        for part in (parts.book, wake):
            await part.open()
            stack.push_async_callback(part.close)
        stack.push_async_callback(parts.gatehouse.close)
        keeper = asyncio.create_task(_keep(parts), name="keeper")
        stack.push_async_callback(_ended, keeper)
        yield parts


async def prepare(parts: Parts) -> None:
    """Brings the schema up to date, compares the pepper and the log. Raises Unavailable while the store is down."""
    async with _connected(parts.dsn) as connection:
        await migrate.migrate(connection)
        check = key_files.check_value(parts.keys.pepper)
        found = None
        for _ in range(2):  # one statement does not see the row that another process makes at the same instant; the next one does
            found = found or await connection.fetchval(QUERIES["instance_check"], parts.keys.ledger_name, check, microseconds())
    if found != check:
        raise PepperChanged(
            "This data folder's pepper is not the one the database was written with; restore the keys folder that belongs to this database."
        )
    await compare_log(parts)
    parts.ready.set()


async def compare_log(parts: Parts) -> None:
    """Compares the newest log with its anchor, and doubts the store or believes it again. Raises Unavailable."""
    parts.doubt.look.clear()
    try:
        started = await _looked_at(parts)
        await parts.log.follow()
        await compare(log=parts.log, anchor=parts.anchor, key=key_of(parts.origin, parts.keys.ledger_key))
    except (LedgerRolledBack, LedgerDamaged, migrate.MigrationError) as broken:
        if parts.doubt.why != str(broken):
            fix = "start the version that migrated it" if isinstance(broken, migrate.MigrationError) else ACCEPT
            log.error("checks deny: the store is not as it was left", problem=str(broken), fix=fix)
        parts.doubt.why = str(broken)
        if isinstance(broken, LedgerRolledBack):
            await parts.log.stop(str(broken))
    else:
        if parts.doubt.why or parts.doubt.compared != started:
            await _forget_again(parts)
        parts.doubt.why, parts.doubt.compared = "", started


def erasures_of(parts: Parts) -> PostgresErasures:
    """Where erasures are kept."""
    return PostgresErasures(parts.pool, parts.tools, JournalFile.of(parts.settings.data_dir))


async def _forget_again(parts: Parts) -> None:
    """Erases once more whom an older database brought back, before any check is answered from it."""
    remains = JournalFile.of(parts.settings.data_dir).kept()
    if found := await erasures_of(parts).again(remains, forget_again):
        log.warning("an older database had brought erased people back: they were erased again", subjects=found)


async def _looked_at(parts: Parts) -> datetime:
    """When the server began; its clock is noted on the way. Raises MigrationError when its schema is not this version's."""
    async with borrowed(parts.pool) as connection:
        server = await connection.fetchrow(QUERIES["server_started"])
        assert server is not None  # it reads no table
        if (back := parts.clocks.saw(server["now"])) > SECOND:
            log.warning("the database's clock stepped back, ours does not follow", seconds=back / SECOND)
        await migrate.require_current(connection)
    started: datetime = server["started"]
    return started


@asynccontextmanager
async def _connected(dsn: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    try:
        connection = await reach(dsn, timeout=10)
        try:
            yield connection
        finally:
            await connection.close(timeout=5)
    except UNREACHABLE as failure:
        raise Unavailable(f"the store cannot be reached: {type(failure).__name__}") from failure


async def _keep(parts: Parts) -> None:
    """Once a second: whether the store answers, is prepared and as it was signed, and, where embedded, runs; if not, starts it again.

    Sooner when checks meet a server that was not compared yet.
    """
    while True:
        await asyncio.sleep(LOOK_AGAIN)
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY):
                await parts.doubt.look.wait()
        try:
            if parts.ready.is_set():
                await compare_log(parts)
            else:
                await prepare(parts)
        except Unavailable as down:
            log.warning("store unreachable", problem=str(down))
            if parts.settings.database_url is None:
                await _revive(parts)
        except Exception:  # the keeper must outlive whatever it meets; it is logged and tried again
            log.exception("keeping failed")


async def _revive(parts: Parts) -> None:
    try:
        await embedded.start(parts.settings.data_dir)
    except EmbeddedError as failed:
        log.error("embedded server does not start", problem=str(failed))


async def _closed(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    try:
        async with asyncio.timeout(5):
            await pool.close()
    except (TimeoutError, *UNREACHABLE):
        pool.terminate()


async def _ended(task: "asyncio.Task[None]") -> None:
    await ended([task])

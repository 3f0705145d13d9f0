"""Whatever is wrong with the store, checks say that nothing is known, without an id, and never allow. And once it is mended they judge again."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from standing import Hub, clear, family, signal_all, until

from database import reachable_folder
from running import served
from sayso.app import web_app
from sayso.opening import Parts, compare_log, opened
from sayso.settings import read
from sayso.store import embedded
from sayso.store.embedded_folder import Folder
from sayso.web import asking
from shares import Ran, patience, share

AT_ONCE = 20
TOO_LONG = 5.0
"""Ten times the half second within which a check is answered (G1b)."""


@dataclass(slots=True)
class Broken:
    """A hub in this process over an embedded server of its own, which is broken in one way after the other."""

    place: Path
    url: str
    parts: Parts
    hub: Hub

    async def sql(self, *statements: str, database: str = "sayso") -> None:
        connection = await asyncpg.connect(self.url, database=database, timeout=30)
        try:
            for one in statements:
                await connection.execute(one)
        finally:
            await connection.close()

    def server(self) -> list[int]:
        return family(int((Folder(self.place).data / "postmaster.pid").read_text().split("\n", 1)[0]))


@asynccontextmanager
async def the_server_is_stopped(at: Broken) -> AsyncIterator[None]:
    await embedded.stop(at.place)
    yield
    await embedded.start(at.place)


@asynccontextmanager
async def the_server_is_killed(at: Broken) -> AsyncIterator[None]:
    signal_all(at.server(), signal.SIGKILL)
    yield
    await embedded.start(at.place)


@asynccontextmanager
async def the_server_stands_still(at: Broken) -> AsyncIterator[None]:
    halted = at.server()
    signal_all(halted, signal.SIGSTOP)
    yield
    signal_all(halted, signal.SIGCONT)


@asynccontextmanager
async def nobody_may_log_in(at: Broken) -> AsyncIterator[None]:
    await at.sql("ALTER DATABASE sayso ALLOW_CONNECTIONS false", END_OTHERS, database="postgres")
    yield
    await at.sql("ALTER DATABASE sayso ALLOW_CONNECTIONS true", database="postgres")


@asynccontextmanager
async def no_connection_is_free(at: Broken) -> AsyncIterator[None]:
    async with AsyncExitStack() as busy:
        lane = at.parts.gatehouse._pool
        for _ in range(lane.get_max_size()):
            await busy.enter_async_context(lane.acquire(timeout=30))
        yield


@asynccontextmanager
async def the_people_are_locked(at: Broken) -> AsyncIterator[None]:
    async with locked(at, "subject"):
        yield


@asynccontextmanager
async def verdicts_cannot_be_kept(at: Broken) -> AsyncIterator[None]:
    async with locked(at, "verdict"):
        yield


@asynccontextmanager
async def the_people_are_gone(at: Broken) -> AsyncIterator[None]:
    await at.sql("ALTER TABLE subject RENAME TO elsewhere")
    yield
    await at.sql("ALTER TABLE elsewhere RENAME TO subject")


@asynccontextmanager
async def a_state_is_damaged(at: Broken) -> AsyncIterator[None]:
    await at.sql("CREATE TABLE sound AS TABLE subject", "UPDATE subject SET state = '{\"zz\":1}' WHERE kind IN ('contact', 'email')")
    yield
    await at.sql("UPDATE subject SET state = sound.state FROM sound WHERE sound.id = subject.id", "DROP TABLE sound")


@asynccontextmanager
async def the_server_takes_no_writes(at: Broken) -> AsyncIterator[None]:
    await at.sql("ALTER DATABASE sayso SET default_transaction_read_only = on", END_OTHERS)
    yield
    await at.sql("SET default_transaction_read_only = off", "ALTER DATABASE sayso RESET default_transaction_read_only", END_OTHERS)


@asynccontextmanager
async def a_newer_version_migrated_it(at: Broken) -> AsyncIterator[None]:
    await at.sql("INSERT INTO schema_migration (number, name, sha256) VALUES (9999, 'newer', sha256('newer'))")
    await compare_log(at.parts)
    yield
    await at.sql("DELETE FROM schema_migration WHERE number = 9999")
    await compare_log(at.parts)


@asynccontextmanager
async def its_log_was_found_to_be_cut(at: Broken) -> AsyncIterator[None]:
    await at.sql("UPDATE log SET stopped = 'its end is missing'")
    await compare_log(at.parts)
    yield
    await at.sql("UPDATE log SET stopped = NULL")
    await compare_log(at.parts)


@asynccontextmanager
async def it_is_a_server_that_nobody_compared(at: Broken) -> AsyncIterator[None]:
    """As after a promotion: the keeper, which would compare it, is kept from doing so."""
    doubt, known = at.parts.doubt, at.parts.doubt.compared
    pool, at.parts.pool = at.parts.pool, Nobody()
    doubt.compared = None
    await at.parts.gatehouse._pool.expire_connections()
    yield
    at.parts.pool, doubt.compared = pool, known


class Nobody:
    """A pool that gives no connection."""

    def acquire(self, **_: Any) -> Any:
        raise OSError(111, "nobody there")


END_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'sayso' AND pid <> pg_backend_pid()"
WAYS: tuple[Callable[[Broken], Any], ...] = (
    the_server_is_stopped, the_server_is_killed, the_server_stands_still, nobody_may_log_in, no_connection_is_free, the_people_are_locked,
    verdicts_cannot_be_kept, the_people_are_gone, a_state_is_damaged, the_server_takes_no_writes, a_newer_version_migrated_it,
    its_log_was_found_to_be_cut, it_is_a_server_that_nobody_compared,
)  # fmt: skip


@asynccontextmanager
async def locked(at: Broken, table: str) -> AsyncIterator[None]:
    # The server ends transactions that stand idle for a minute; at the full figure this one stands longer.
    connection = await asyncpg.connect(at.url, timeout=30, server_settings={"idle_in_transaction_session_timeout": "0"})
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


@asynccontextmanager
async def breakable() -> AsyncIterator[Broken]:
    """A hub whose every check is allowed, until something breaks."""
    place, own = reachable_folder(), reachable_folder()
    try:
        url = (await embedded.start(place)).dsn
        settings = read({"SAYSO_DATA_DIR": str(own), "SAYSO_DATABASE_URL": url})
        async with opened(settings) as parts, served(web_app(parts)) as base, aiohttp.ClientSession() as session:
            hub = Hub(own, int(base.rpartition(":")[2]), session, {"SAYSO_DATABASE_URL": url})
            await hub.enrol()
            assert (await hub.prefer("ada", email_opt_out_global=False))[0] == 200
            yield Broken(place, url, parts, hub)
    finally:
        clear(place)
        clear(own)


async def judged(hub: Hub) -> bool:
    """Whether a check is allowed, and kept."""
    status, verdict = await hub.check("ada")
    return status == 200 and verdict["allowed"] and verdict["id"] is not None


async def denials(hub: Hub, count: int) -> int:
    """Asks so often, and counts the answers that deny because nothing is known."""
    found = 0
    for start in range(0, count, AT_ONCE):
        answers = await asyncio.gather(*(hub.check("ada", seconds=TOO_LONG) for _ in range(min(AT_ONCE, count - start))))
        found += sum(is_denial(status, verdict) for status, verdict in answers)
    return found


def is_denial(status: int, verdict: Any) -> bool:
    """Whether nothing is known, nothing was kept, and nothing is permitted. A damaged state is known to be one: that is kept."""
    codes = [reason["code"] for reason in verdict["reasons"]] if status == 200 else []
    return codes == ["unknown_state"] and verdict["allowed"] is False and verdict["permit"] is None


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.feature("Q4", "I6")
@pytest.mark.timeout(patience(300))
async def test_whatever_is_wrong_with_the_store_nothing_is_allowed_and_mended_it_is_judged_again(ran: Ran) -> None:
    each = max(1, share("G1b denials") // len(WAYS))
    async with breakable() as at:
        for way in WAYS:
            await until(lambda: judged(at.hub), what=f"checks to be judged before {way.__name__}")
            async with way(at):
                assert await denials(at.hub, each) == each, way.__name__
                ran("G1b denials", each)
        await until(lambda: judged(at.hub), what="checks to be judged in the end")
        await the_twin(at)


async def the_twin(at: Broken) -> None:
    """A hub that goes by its last answer when nothing is known allows, and the same count finds it."""
    check, last = asking.check, []

    async def believing(*questions: Any, **ports: Any) -> Any:
        found = await check(*questions, **ports)
        if found[0][0] is None:
            return last
        last[:] = found
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "check", believing)
        assert await judged(at.hub)
        async with the_server_is_stopped(at):
            assert await denials(at.hub, 5) == 0

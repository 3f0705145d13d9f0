"""A primary and its standby, as whoever may not go down runs them: real servers, base backups, promotion. Used as SAYSO_DATABASE_URL."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
from standing import clear, family, signal_all, until

from database import reachable_folder
from sayso.store import embedded
from sayso.store import embedded_folder as files
from sayso.store.embedded_folder import Folder

SAFE = {"synchronous_commit": "remote_apply", "synchronous_standby_names": "standby"}
"""What is acknowledged is applied on the standby already: nothing is lost by a promotion."""
HASTY = {"synchronous_commit": "on", "synchronous_standby_names": ""}
"""The sabotage: acknowledged before the standby has it."""
BOTH = {"wal_retrieve_retry_interval": "200ms", "wal_receiver_status_interval": "1s", "wal_keep_size": "512MB", "hot_standby": "on"}


@dataclass(slots=True)
class Pair:
    """Two servers of one content. `primary` and `standby` change places at a promotion."""

    primary: Path
    standby: Path
    settings: dict[str, str] = field(default_factory=lambda: dict(SAFE))

    @property
    def url(self) -> str:
        """Where a hub reaches whichever takes writes."""
        folders = ",".join(quote(str(_sockets(one))) for one in sorted((self.primary, self.standby)))
        return f"postgresql://sayso:{quote(self._password(), safe='')}@/sayso?host={folders}&port=5432&target_session_attrs=read-write"

    def _password(self) -> str:
        return Folder(self.primary).password.read_text()

    async def begin(self) -> None:
        """Starts both; returns when the standby follows."""
        files.prepare(Folder(self.primary))
        _configure(self.primary, BOTH)
        await embedded.start(self.primary)
        await self.follow()

    async def follow(self) -> None:
        """Makes the standby anew from the primary, and waits until every acknowledgement waits for it (or, unsafe, until it follows)."""
        folder = Folder(self.standby)
        files.prepare(folder)
        if folder.data.exists():
            shutil.rmtree(folder.data)
        files.write_private(folder.password, self._password())
        await asyncio.to_thread(self._copy, folder)
        _configure(self.standby, BOTH)
        await embedded.start(self.standby)
        await self.alter(self.primary, self.settings)
        await until(self.follows, what="the standby to follow")

    def _copy(self, folder: Folder) -> None:
        files.copy_program(folder)
        owner = files.owner_of(folder)
        files.give(folder.data, owner)
        login = f"host={_sockets(self.primary)} user=sayso password={self._password()} application_name=standby"
        with (folder.postgres / "start.log").open("wb") as out:
            command = (folder.binaries / "pg_basebackup", "-d", login, "-D", folder.data, "-R", "-X", "stream", "--checkpoint=fast")
            code = owner.run(*command, out=out.fileno(), folder=Path("/"))
        assert code == 0, (folder.postgres / "start.log").read_text()

    async def follows(self) -> bool:
        """Whether the standby streams, and synchronously where it has to."""
        wanted = "sync" if self.settings["synchronous_standby_names"] else "async"
        found = await self.value(self.primary, "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'")
        return bool(found == wanted)

    async def caught_up(self) -> bool:
        """Whether the standby has applied everything that the primary wrote."""
        query = "SELECT replay_lsn = pg_current_wal_lsn() FROM pg_stat_replication WHERE state = 'streaming'"
        return bool(await self.value(self.primary, query))

    async def alter(self, server: Path, settings: dict[str, str]) -> None:
        """Changes settings of a running server."""
        async with _connected(server) as connection:
            for name, value in settings.items():
                await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            await connection.execute("SELECT pg_reload_conf()")

    async def value(self, server: Path, query: str) -> Any:
        """One value from one of the servers."""
        async with _connected(server) as connection:
            return await connection.fetchval(query)

    def pids(self, server: Path) -> list[int]:
        """Every process of one of the servers."""
        return family(int((Folder(server).data / "postmaster.pid").read_text().split("\n", 1)[0]))

    def kill(self, server: Path) -> None:
        """kill -9 of everything of one of the servers."""
        signal_all(self.pids(server), signal.SIGKILL)

    def halt(self, server: Path) -> list[int]:
        """Stops one of the servers where it stands; gives the processes, for `signal_all(…, SIGCONT)`."""
        halted = self.pids(server)
        signal_all(halted, signal.SIGSTOP)
        return halted

    async def promote(self) -> None:
        """The standby takes over, waiting for nobody: until `follow` there is nobody it could wait for. The old primary has to be dead."""
        self.primary, self.standby = self.standby, self.primary
        async with _connected(self.primary) as connection:
            assert await connection.fetchval("SELECT pg_promote(true, 60)")
        await self.alter(self.primary, {"synchronous_standby_names": ""})


@asynccontextmanager
async def pair(**settings: str) -> AsyncIterator[Pair]:
    """A pair at work; in the end nothing of it is left."""
    first, second = reachable_folder(), reachable_folder()
    found = Pair(first, second, {**SAFE, **settings})
    try:
        await found.begin()
        yield found
    finally:
        for one in (first, second):
            clear(one)


@asynccontextmanager
async def _connected(server: Path) -> AsyncIterator[Any]:
    place = Folder(server)
    connection = await asyncpg.connect(
        host=str(_sockets(server)), port=5432, user="sayso", database="sayso", password=place.password.read_text(), timeout=60
    )
    try:
        # What is changed here is about one server, and must not wait for another one.
        await connection.execute("SET synchronous_commit = local")
        yield connection
    finally:
        connection.terminate()


def _sockets(server: Path) -> Path:
    return Folder(server).postgres / "socket"


def _configure(server: Path, settings: dict[str, str]) -> None:
    place = Folder(server).postgres / "local.conf"
    place.write_text("".join(f"{name} = '{value}'\n" for name, value in settings.items()))
    place.chmod(0o644)


__all__ = ["HASTY", "SAFE", "Pair", "pair"]

"""A real PostgreSQL inside the data folder: start it, find it, stop it.

How it stays right (docs/adr/0002-embedded-postgresql.md):

1. One lock file says whether a server lives. The starter takes its flock and hands the descriptor down to the server, whose
   every process inherits it: the kernel frees it when the last of them is gone, whatever killed them and whatever a pid file
   says. Whoever holds the lock may therefore remove a stale pid file and start.
2. Usable means one thing: a login with the password succeeded. Until then a start waits, crash recovery included.
3. The server is nobody's child: it survives the process that started it, and only `stop` ends it.

Used by anything that has no SAYSO_DATABASE_URL. Does not migrate, and keeps no connection.
"""

import asyncio
import contextlib
import fcntl
import os
import re
import secrets
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

import asyncpg

from sayso.store import embedded_folder as files
from sayso.store.embedded_folder import MAJOR, PORT, EmbeddedError, Folder, Owner

ROLE = "sayso"
DATABASE = "sayso"
POLL_SECONDS = 0.05
LOGIN_SECONDS = 10.0
START_SECONDS = 600.0
STOP_SECONDS = 120.0
# Starting, recovering, ending, or its template database in use by another starter: look again.
NOT_YET = (
    OSError,
    TimeoutError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.ObjectInUseError,
)


class StartFailed(EmbeddedError):
    """The server did not come up; the message ends with what it said."""


class StopFailed(EmbeddedError):
    """The server is still running."""


class State(StrEnum):
    """What an embedded server can be."""

    ABSENT = "absent"
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Server:
    """A running embedded server; its repr never shows the password."""

    data_dir: Path
    sockets: Path
    password: str = field(repr=False)
    pid: int
    started: bool

    @property
    def dsn(self) -> str:
        """The connection string for asyncpg and libpq, password included: pass it on, do not log it."""
        return self.dsn_of(DATABASE)

    def dsn_of(self, database: str) -> str:
        """The same for another database of this server."""
        return (
            f"postgresql://{ROLE}:{quote(self.password, safe='')}@/{quote(database, safe='')}?host={quote(str(self.sockets))}&port={PORT}"
        )


@dataclass(frozen=True, slots=True)
class Status:
    """What `status` found; `major` is the version that wrote the data, None without data."""

    state: State
    major: int | None
    server: Server | None


async def start(data_dir: Path, *, new_password: Callable[[], str] = secrets.token_urlsafe, patience: float = START_SECONDS) -> Server:
    """The running server of this data folder, started if it does not run yet; `started` tells which.

    Any number of processes may call this at once: one starts it, all get it. Waits up to `patience` seconds.
    Raises DataFolderUnreachable, WrongVersion, StartFailed or another EmbeddedError, each naming the fix.
    """
    folder = Folder(data_dir.absolute())
    files.prepare(folder)
    owner = files.owner_of(folder)
    files.require_version(folder)
    deadline = time.monotonic() + patience
    launched = False
    while True:
        if (server := await _login(folder, started=launched)) is not None:
            return server
        if (lock := _try_lock(folder)) is not None:
            try:
                if launched:
                    raise StartFailed(f"PostgreSQL ended during its start. It said:\n{_last_words(folder)}")
                await asyncio.to_thread(_launch, folder, owner, lock, new_password)
                launched = True
            finally:
                os.close(lock)
        if time.monotonic() > deadline:
            raise StartFailed(f"PostgreSQL in {folder.data} is not ready after {patience:.0f} s. It said:\n{_last_words(folder)}")
        await asyncio.sleep(POLL_SECONDS)


async def stop(data_dir: Path, *, patience: float = STOP_SECONDS) -> bool:
    """Whether a server was running; it no longer is: open transactions were rolled back, all data is on disk.

    Raises StopFailed when it is still there after `patience` seconds, or runs where it cannot be signalled from.
    """
    folder = Folder(data_dir.absolute())
    deadline = time.monotonic() + patience
    asked: int | None = None
    if not folder.lock.exists():
        return False
    files.owner_of(folder)
    while (lock := _try_lock(folder)) is None:
        pid = _pid(folder)
        if pid is not None and pid != asked:
            _ask_to_end(folder, pid)
            asked = pid
        if time.monotonic() > deadline:
            raise StopFailed(f"PostgreSQL in {folder.data} (process {pid}) did not stop within {patience:.0f} s.")
        await asyncio.sleep(POLL_SECONDS)
    files.remove_noted_sockets(folder)
    os.close(lock)
    return asked is not None


async def status(data_dir: Path) -> Status:
    """What the server of this data folder is doing; starts and changes nothing."""
    folder = Folder(data_dir.absolute())
    files.owner_of(folder)
    try:
        major = int((folder.data / "PG_VERSION").read_text(encoding="ascii"))
    except (FileNotFoundError, NotADirectoryError):
        return Status(State.ABSENT, None, None)
    if major == MAJOR and (server := await _login(folder, started=False)) is not None:
        return Status(State.RUNNING, major, server)
    lock = _try_lock(folder) if folder.lock.exists() else None
    if lock is None and folder.lock.exists():
        return Status(State.STARTING, major, None)
    if lock is not None:
        os.close(lock)
    return Status(State.STOPPED, major, None)


def tools(data_dir: Path) -> Path:
    """The folder of pg_dump, pg_basebackup, pg_ctl, psql and the rest, of the version that runs here.

    Raises EmbeddedError when no server was ever started in this data folder.
    """
    binaries = Folder(data_dir.absolute()).binaries
    if not binaries.is_dir():
        raise EmbeddedError(f"{binaries} does not exist: start the embedded server once (sayso serve).")
    return binaries


async def _login(folder: Folder, *, started: bool) -> Server | None:
    """The server if a login succeeds, None if there is nothing to log in to yet; makes the database on its first login."""
    try:
        password = folder.password.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    if (sockets := files.socket_folder(folder)) is None:
        return None
    for database in (DATABASE, "postgres"):
        try:
            connection = await asyncpg.connect(
                host=str(sockets), port=PORT, user=ROLE, password=password, database=database, timeout=LOGIN_SECONDS, ssl=False
            )
        except asyncpg.InvalidCatalogNameError:
            continue
        except asyncpg.TooManyConnectionsError:
            break
        except NOT_YET:
            return None
        except asyncpg.InvalidAuthorizationSpecificationError as error:
            raise EmbeddedError(
                f"The server in {folder.data} does not take the password in {folder.password}: restore the keys folder that belongs to this data."
            ) from error
        try:
            if database != DATABASE:
                # Another starter may be doing the same.
                with contextlib.suppress(asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                    await connection.execute(f"CREATE DATABASE {DATABASE}")
        except NOT_YET:
            return None
        finally:
            await connection.close()
        break
    pid = _pid(folder)
    return None if pid is None else Server(folder.root, sockets, password, pid, started)


def _try_lock(folder: Folder) -> int | None:
    """A descriptor that holds the lock, for the caller to close; None while a server or another starter holds it."""
    lock = os.open(folder.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _launch(folder: Folder, owner: Owner, lock: int, new_password: Callable[[], str]) -> None:
    """Start the server with the lock in its hands, having made the cluster if there is none. No server runs: the lock proves it."""
    files.require_version(folder)
    files.require_reachable(folder, owner)
    files.copy_program(folder)
    files.require_runnable(folder, owner)
    out = os.open(folder.start_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        if folder.half.exists():
            shutil.rmtree(folder.half)
        if not folder.data.exists():
            _make_cluster(folder, owner, lock, out, new_password)
        if not folder.password.exists():
            raise EmbeddedError(f"{folder.password} is missing but {folder.data} has data: restore the keys folder that belongs to it.")
        files.give(folder.postgres / "log", owner)
        files.configure(folder, files.make_socket_folder(folder, owner))
        # Held by nobody: after a kill or in a new container its number may be anybody's, and PostgreSQL would believe it.
        (folder.data / "postmaster.pid").unlink(missing_ok=True)
        options = f"-c config_file={_shell_quoted(folder.configuration)}"
        command = (folder.binaries / "pg_ctl", "start", "-W", "-s", "-D", folder.data, "-o", options)
        if owner.run(*command, out=out, keep=lock, folder=folder.data if owner.is_us else Path("/")) != 0:
            raise StartFailed(f"PostgreSQL could not be started. It said:\n{_last_words(folder)}")
    finally:
        os.close(out)


def _make_cluster(folder: Folder, owner: Owner, lock: int, out: int, new_password: Callable[[], str]) -> None:
    """Create the data folder in one step: what a killed start left half-made was removed by `_launch`."""
    if not folder.password.exists():
        files.write_private(folder.password, new_password())
    # The half-made folder is ours, so that nothing in it can be swapped while we hand it over.
    folder.half.mkdir(mode=0o711)
    half = files.give(folder.half / "data", owner)
    shown = folder.half / "password"
    files.write_private(shown, folder.password.read_text(encoding="ascii"))
    if not owner.is_us:
        os.chown(shown, owner.uid, owner.gid)
    code = owner.run(
        folder.binaries / "initdb",
        f"--pgdata={half}",
        f"--pwfile={shown}",
        f"--username={ROLE}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--data-checksums",
        "--no-instructions",
        out=out,
        keep=lock,
        folder=Path("/"),
    )
    if code != 0:
        raise StartFailed(f"The database could not be created (initdb ended with {code}). It said:\n{_last_words(folder)}")
    half.replace(folder.data)
    shutil.rmtree(folder.half)


def _ask_to_end(folder: Folder, pid: int) -> None:
    """Ask the server for a fast shutdown. The pid file alone is not believed: the process must work in this very data folder."""
    where = Path(f"/proc/{pid}/cwd")
    try:
        if Path("/proc/self").exists() and not where.samefile(folder.data):
            raise StopFailed(f"PostgreSQL in {folder.data} runs, but not as process {pid} of this machine: stop it where it was started.")
        os.kill(pid, signal.SIGINT)
    except (FileNotFoundError, ProcessLookupError):
        # Gone between the reading and the asking, or in another container: the caller's wait tells.
        return
    except PermissionError as error:
        raise StopFailed(
            f"PostgreSQL in {folder.data} (process {pid}) belongs to another user: stop it as that user or as root."
        ) from error


def _pid(folder: Folder) -> int | None:
    """The server's process id by its pid file; only meaningful while the lock is held."""
    try:
        return int((folder.data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _last_words(folder: Folder) -> str:
    """The last lines of what the server said, from its start log and its newest own log."""
    logs = sorted((folder.postgres / "log").glob("*.log"), key=lambda place: place.stat().st_mtime)[-1:]
    said: list[str] = []
    for place in (folder.start_log, *logs):
        with contextlib.suppress(OSError):
            said += place.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
    return "\n".join(said) or "(nothing)"


def _shell_quoted(place: Path) -> str:
    """The path for pg_ctl's -o, which hands it to /bin/sh."""
    return "'" + re.sub("'", "'\\\\''", str(place)) + "'"

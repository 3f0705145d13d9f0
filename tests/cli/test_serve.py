"""Commands and the running hub share one data folder: both work, and nobody stops a server that is not theirs."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from database import apart, reachable_folder, remove_server
from sayso.store import embedded

pytestmark = pytest.mark.slow
PATIENCE = 120


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    place = reachable_folder()
    yield place
    remove_server(place)


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SAYSO_")}
    return {**kept, "SAYSO_DATA_DIR": str(home)}


def sayso(home: Path, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "sayso", *arguments, "--json"], env=environment(home), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def state(home: Path) -> embedded.State:
    return apart(embedded.status(home)).state


def waiting(home: Path) -> int:
    """How many entries have no place in the log yet."""

    async def count() -> int:
        found = await embedded.status(home)
        if found.server is None:
            return 1
        connection = await asyncpg.connect(found.server.dsn)
        try:
            return int(await connection.fetchval("SELECT count(*) FROM to_sequence"))
        finally:
            await connection.close()

    return apart(count())


@contextmanager
def running(home: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "sayso", *arguments], env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


def answers(port: int, process: "subprocess.Popen[str]") -> bool:
    """Whether the hub is ready, waiting for it as long as it lives."""
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            time.sleep(0.1)
    return False


def test_a_command_alone_starts_the_server_and_stops_it_again(home: Path) -> None:
    assert sayso(home, "client", "list") == {"items": []}
    assert state(home) is embedded.State.STOPPED


def test_commands_work_beside_the_running_hub_and_leave_it_running(home: Path) -> None:
    port = free_port()
    with running(home, "serve", "--port", str(port), "--json") as hub:
        assert answers(port, hub)
        made = sayso(home, "client", "create", "shop", "--scope", "email_preferences")
        assert state(home) is embedded.State.RUNNING
        body = f"grant_type=client_credentials&client_id={made['client_id']}&client_secret={made['client_secret']}".encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/oauth/token", body, timeout=20) as answer:
            assert json.load(answer)["access_token"].startswith("sst_")
        taken = subprocess.run(
            [sys.executable, "-m", "sayso", "serve", "--port", str(port)],
            env=environment(home),
            capture_output=True,
            text=True,
            check=False,
        )
        assert taken.returncode == 1 and f"--port {port + 1}" in taken.stderr and "Traceback" not in taken.stderr
        hub.send_signal(signal.SIGTERM)
        said, complained = hub.communicate(timeout=PATIENCE)
        assert hub.returncode == 0 and "leaked" not in complained, complained
        assert json.loads(said)["url"] == f"http://127.0.0.1:{port}"
    assert state(home) is embedded.State.STOPPED


def held_by(process: int, port: int) -> int:
    """How many connections to the port a process holds."""
    ours = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, here, _, state, *_, inode = line.split()[:10]
        if here.endswith(f":{port:04X}") and state == "01":  # established
            ours.add(f"socket:[{inode}]")
    count = 0
    for one in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            count += str(one.readlink()) in ours
    return count


def test_what_a_client_opens_at_once_is_shared_among_the_web_processes(home: Path) -> None:
    port = free_port()
    with running(home, "serve", "--no-worker", "--processes", "2", "--port", str(port)) as hub, ExitStack() as lines:
        assert answers(port, hub)
        children = [int(one) for one in Path(f"/proc/{hub.pid}/task/{hub.pid}/children").read_text().split()]

        def held() -> list[int]:
            return sorted([count for one in children if (count := held_by(one, port))], reverse=True)

        def opened(count: int) -> None:
            for _ in range(count):
                lines.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))

        end = time.monotonic() + PATIENCE
        while len(held()) < 2 and time.monotonic() < end:  # until both take connections
            opened(1)
            time.sleep(0.1)
        lines.close()
        while held() and time.monotonic() < end:
            time.sleep(0.05)
        opened(40)
        while sum(held()) < 40 and time.monotonic() < end:
            time.sleep(0.05)
        assert sum(held()) == 40 and held()[1] >= 10, held()


def test_a_connection_that_stood_idle_for_a_while_is_still_answered(home: Path) -> None:
    """Longer than servers of this kind keep one by default, which is five seconds."""
    port = free_port()
    with running(home, "serve", "--port", str(port)) as hub:
        assert answers(port, hub)
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        line.auto_open = 0  # a connection that was closed is not quietly opened again
        line.connect()
        for idle in (0, 6):
            time.sleep(idle)
            line.request("GET", "/livez")
            assert line.getresponse().read()
        line.close()


def test_a_worker_alone_gives_every_entry_its_place_and_ends_when_told(home: Path, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("email\nada@example.com\n")
    assert sayso(home, "import", str(tmp_path / "list.csv"), "--opt-outs")["new"] == 1
    with running(home, "worker") as worker:
        end = time.monotonic() + PATIENCE
        while waiting(home) and time.monotonic() < end:
            time.sleep(0.1)
        worker.send_signal(signal.SIGINT)
        _, complained = worker.communicate(timeout=PATIENCE)
        assert worker.returncode == 0 and "leaked" not in complained, complained
    found = sayso(home, "verify")
    assert found["ok"] and found["unsequenced"] == 0 and found["signed"] == found["size"] > 0


def kin(home: Path) -> set[tuple[str, int]]:
    """Processes of the embedded server, each as what it is ("client" for one that serves a connection, or "wal") and its nice value."""
    started = home / "postgres" / "data" / "postmaster.pid"
    main = started.read_text().split("\n", 1)[0] if started.exists() else ""
    found = set()
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError):
            if place.read_text().rpartition(")")[2].split()[1] == main:
                title = place.with_name("cmdline").read_text()
                kind = "client" if "[local]" in title else "wal" if "walwriter" in title else "other"
                found.add((kind, os.getpriority(os.PRIO_PROCESS, int(place.parent.name))))
    return found


def test_an_import_stands_back_and_so_does_what_the_server_does_for_it(home: Path, tmp_path: Path) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    file = tmp_path / "list.csv"
    file.write_text("email\n" + "".join(f"p{n}@example.com\n" for n in range(8_000)))
    command = [sys.executable, "-m", "sayso", "import", str(file), "--opt-outs", "--json"]
    seen: set[tuple[str, int]] = set()
    with subprocess.Popen(command, env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            with suppress(ProcessLookupError):
                seen.add(("import", os.getpriority(os.PRIO_PROCESS, process.pid)))
            seen |= kin(home)
            time.sleep(0.05)
    assert process.returncode == 0
    assert {("import", max(own, 10)), ("client", max(own, 10))} <= seen
    assert {nice for kind, nice in seen if kind == "wal"} == {own}, "the server itself serves others too"

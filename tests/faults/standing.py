"""A hub as it stands in production: processes of its own, a data folder of its own, reached over HTTP only. And what it tells."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from database import reachable_folder, remove_server
from sayso import keys
from sayso.anchor import AnchorFolder
from sayso.contracts.desk import SCOPES, Client, Grant
from sayso.contracts.verified import Verified
from sayso.flows.verify import verify
from sayso.rules.notes import key_of
from sayso.rules.tokens import access_token, fingerprint
from sayso.store import embedded
from sayso.store.desk import PostgresDesk
from sayso.store.embedded_folder import Folder
from sayso.store.ledger import PostgresLog
from sayso.store.pool import open_pool

PATIENCE = 60.0
"""The longest any wait of these tests may take, in seconds: far beyond every promise, so that a slow machine fails nothing."""
SKEWED = Path(__file__).with_name("skewed_hub.py")
LIFE = 90 * 86_400_000_000


async def until(ask: Callable[[], Awaitable[Any]], seconds: float = PATIENCE, *, what: str = "") -> Any:
    """The first answer of `ask` that is true; fails the test when there is none in time."""
    end, found = time.monotonic() + seconds, None
    while not (found := await ask()):
        assert time.monotonic() < end, f"waited {seconds:.0f} s for {what or ask}; last answer {found!r}"
        await asyncio.sleep(0.02)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family(pid: int) -> list[int]:
    """A process and all that descend from it, parents first; those that ended meanwhile are left out."""
    parents: dict[int, list[int]] = {}
    living = set()
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = place.read_text().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if state != "Z":
            living.add(int(place.parent.name))
            parents.setdefault(int(parent), []).append(int(place.parent.name))
    found = [pid] if pid in living else []
    for one in found:
        found += parents.get(one, [])
    return found


def is_running(pid: int) -> bool:
    return pid in family(pid)


def signal_all(pids: list[int], name: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, name)
        except ProcessLookupError:
            continue


@dataclass(slots=True)
class Hub:
    """One data folder and, between `start` and `kill`, the hub that serves it."""

    folder: Path
    port: int
    session: aiohttp.ClientSession
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    token: str = ""

    def start(self, *arguments: str, program: tuple[str, ...] = ("-m", "sayso", "serve")) -> None:
        """Starts the hub without waiting for it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SAYSO_")}
        own = {"SAYSO_DATA_DIR": str(self.folder), "SAYSO_PORT": str(self.port), "SAYSO_WEBHOOK_ALLOW": "127.0.0.0/8"}
        with (self.folder / "hub.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *program, *arguments], cwd=self.folder, env={**kept, **own, **self.environment}, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    @property
    def log(self) -> str:
        """What the hub said on its standard error."""
        return (self.folder / "hub.log").read_text(errors="replace")[-4_000:]

    def told(self) -> str:
        """Everything that may explain a failure: whether the hub runs, what it said, and what its database said."""
        state = "not started" if self.process is None else f"process {self.process.pid}, exit code {self.process.poll()}"
        said = [place.read_text(errors="replace")[-3_000:] for place in sorted((self.folder / "postgres").glob("**/*.log"))]
        return "\n".join([f"--- the hub: {state}", self.log, "--- its database", *said])

    async def ready(self, seconds: float = PATIENCE) -> None:
        """Returns when the hub says that it is ready; starts it again when it ended, as whoever watches it in production would."""
        arguments = self.process.args if self.process else []

        async def asked() -> bool:
            assert self.process is not None and isinstance(arguments, list)
            if self.process.poll() is not None:
                self.start(*arguments[1:], program=())
            status, _ = await self.ask("GET", "/readyz")
            return status == 200

        try:
            await until(asked, seconds, what="the hub to be ready")
        except AssertionError:
            raise AssertionError(self.log) from None

    def kill(self) -> None:
        """kill -9 of the process that was started. Its children and the database are left to themselves."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def ask(self, method: str, path: str, body: Any = None, *, seconds: float = PATIENCE) -> tuple[int, Any]:
        """Status and JSON of one call; status 0 when nobody answered."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            async with self.session.request(
                method, f"http://127.0.0.1:{self.port}{path}", json=body, headers=headers, timeout=aiohttp.ClientTimeout(seconds)
            ) as answer:
                raw = await answer.read()
                return answer.status, json.loads(raw) if answer.content_type.endswith("json") else raw
        except (aiohttp.ClientError, TimeoutError, OSError) as nobody:
            return 0, repr(nobody)

    async def prefer(self, contact: str, *, seconds: float = PATIENCE, **fields: Any) -> tuple[int, Any]:
        """Writes a contact's preferences, as somebody who knows what the person wants."""
        body = {"email": f"{contact}@example.com", "country": "US", "email_pref_consent_method": "explicit", **fields}
        return await self.ask("POST", f"/api/v2/contacts/{contact}/email_preferences", body, seconds=seconds)

    async def check(self, contact: str, seconds: float = PATIENCE) -> tuple[int, Any]:
        """Asks whether a promotion may be mailed to a contact."""
        body = {"contact_id": contact, "channel": "email", "category": "promotional"}
        return await self.ask("POST", "/api/v2/send_checks", body, seconds=seconds)

    async def tell(self, url: str) -> str:
        """Sets up a webhook that is told every change; its id."""
        status, answer = await self.ask("POST", "/api/v2/webhooks", {"url": url, "events": ["preferences.changed"]})
        assert status == 201, answer
        return str(answer["id"])

    async def dsn(self) -> str:
        """Where the hub's database is; the embedded one must run."""
        return self.environment.get("SAYSO_DATABASE_URL") or (await embedded.start(self.folder)).dsn

    async def enrol(self) -> None:
        """Gives this test a token for everything."""
        async with pool_of(self) as pool:
            desk, now = PostgresDesk(pool), time.time_ns() // 1_000
            self.token = access_token(os.urandom(32))
            await desk.add_client(Client("cl_faults", "Faults", tuple(SCOPES), False, now), fingerprint("unused"))
            await desk.keep_token(fingerprint(self.token), Grant("cl_faults", tuple(SCOPES), False, now + LIFE))

    def database_pid(self) -> int:
        """The first process of the embedded server."""
        return int((Folder(self.folder).data / "postmaster.pid").read_text().split("\n", 1)[0])

    async def verified(self) -> Verified:
        """What `verify` finds in the ledger of this hub."""
        own = keys.load(self.folder)
        async with pool_of(self) as pool, PostgresLog(pool).audit() as audit:
            anchor = AnchorFolder.of(self.folder, own.ledger_name)
            return await verify(audit=audit, anchor=anchor, key=key_of(own.ledger_name, own.ledger_key))

    async def value(self, query: str, *arguments: object) -> Any:
        """One value from the hub's database."""
        async with pool_of(self) as pool:
            return await pool.fetchval(query, *arguments)

    async def all_told(self) -> bool:
        """Whether every connection has acknowledged everything."""
        return not await self.value("SELECT count(*) FROM work WHERE acked < wanted")

    async def end_leases(self) -> None:
        """Ends the leases that a killed process holds: it stands for the minute after which they end by themselves."""
        await self.value("UPDATE work SET due_at = 0 WHERE lease IS NOT NULL RETURNING 1")


@asynccontextmanager
async def pool_of(hub: Hub) -> AsyncIterator[Any]:
    pool = await open_pool(await hub.dsn(), size=2, application="faults")
    try:
        yield pool
    finally:
        pool.terminate()


@asynccontextmanager
async def standing(
    *arguments: str, environment: dict[str, str] | None = None, start: bool = True, folder: Path | None = None,
    program: tuple[str, ...] = ("-m", "sayso", "serve"),
) -> AsyncIterator[Hub]:  # fmt: skip
    """A hub that is ready and lets this test in; in the end nothing of it is left, whatever happened to it."""
    place = folder or reachable_folder()
    async with aiohttp.ClientSession() as session:
        hub = Hub(place, free_port(), session, environment or {})
        try:
            if start:
                hub.start(*arguments, program=program)
                await hub.ready()
                await hub.enrol()
            yield hub
        except BaseException as error:
            error.add_note(hub.told())
            raise
        finally:
            if hub.process is not None:
                members = family(hub.process.pid)
                signal_all(members, signal.SIGKILL)
                hub.process.wait()
            if folder is None:
                clear(place)


def clear(place: Path) -> None:
    """Stops the embedded server of a folder, also one that was halted, and removes the folder."""
    try:
        pid = int((Folder(place).data / "postmaster.pid").read_text().split("\n", 1)[0])
        if Path(f"/proc/{pid}/cwd").samefile(Folder(place).data):
            signal_all(family(pid), signal.SIGCONT)
    except (OSError, ValueError):
        pass  # there is no server
    remove_server(place)


@dataclass(slots=True)
class Receiver:
    """Somebody who is told: what came, by contact the newest last; `status` is what it answers, `held` keeps everybody waiting."""

    url: str = ""
    status: int = 200
    open: asyncio.Event = field(default_factory=asyncio.Event)
    came: list[tuple[int, str, bool]] = field(default_factory=list)
    """(status answered, contact, whether mail is stopped) in order of arrival."""

    async def take(self, request: web.Request) -> web.Response:
        """Answers one delivery."""
        data = (await request.json())["data"]
        status = self.status
        self.came.append((status, data["contact_id"], data["preferences"]["email_opt_out_global"]))
        await self.open.wait()
        return web.Response(status=status)

    def last(self, contact: str) -> bool | None:
        """What it was told last about a contact and took; None for nothing."""
        return next((stopped for status, who, stopped in reversed(self.came) if who == contact and status == 200), None)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver at work."""
    receiver = Receiver()
    receiver.open.set()
    app = web.Application()
    app.router.add_post("/", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server = site._server
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"  # type: ignore[union-attr]  # an asyncio server has sockets
    try:
        yield receiver
    finally:
        receiver.open.set()
        await runner.cleanup()

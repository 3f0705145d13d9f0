"""A hub in processes of its own, in a folder of its own, with a token that may do everything that is measured."""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from sayso import keys
from sayso.store import embedded

SCOPES = ("email_preferences", "events", "send_checks", "changes:read", "admin", "reports:read", "audit:read")


@dataclass(frozen=True, slots=True)
class Bench:
    """A running hub: where it listens, where it keeps things, how to call it, and its process."""

    port: int
    folder: Path
    dsn: str
    token: str
    pid: int

    @property
    def pepper(self) -> bytes:
        """The key that subject ids are made with."""
        return keys.load(self.folder).pepper

    @property
    def headers(self) -> dict[str, str]:
        """What every call carries."""
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}


def free_port() -> int:
    """A port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def serving(folder: Path, *, worker: bool = True, processes: int = 1) -> AsyncIterator[Bench]:
    """A hub with one or more web processes on the data of a folder, until the block ends; its worker is a process of its own."""
    port = free_port()
    env = {**os.environ, "SAYSO_DATA_DIR": str(folder), "SAYSO_WEBHOOK_ALLOW": "127.0.0.0/8", "SAYSO_PORT": str(port)}
    log = (folder / "serve.log").open("ab")
    command = (sys.executable, "-m", "sayso", "serve", "--port", str(port), "--processes", str(processes), "--no-worker")
    process = await asyncio.create_subprocess_exec(*command, env=env, stdout=log, stderr=log)
    beside: list[asyncio.subprocess.Process] = []
    try:
        await _answers(f"http://127.0.0.1:{port}/readyz", process)
        token = await _token(port, env)
        if worker:
            beside.append(await asyncio.create_subprocess_exec(sys.executable, "-m", "sayso", "worker", env=env, stdout=log, stderr=log))
        server = (await embedded.status(folder)).server
        assert server is not None
        yield Bench(port, folder, server.dsn, token, process.pid)
    finally:
        for one in (*beside, process):
            if one.returncode is None:
                one.send_signal(signal.SIGTERM)
            await one.wait()
        log.close()


@asynccontextmanager
async def folder() -> AsyncIterator[Path]:
    """A data folder that the database's user can enter; removed at the end, with the server that runs in it."""
    place = Path(tempfile.mkdtemp(prefix="sayso-bench-", dir="/var/tmp"))
    place.chmod(0o711)
    try:
        yield place
    finally:
        await embedded.stop(place)
        shutil.rmtree(place, ignore_errors=True)


async def _answers(url: str, process: asyncio.subprocess.Process) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(600):
            if process.returncode is not None:
                raise RuntimeError(f"the hub ended with {process.returncode}")
            try:
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise RuntimeError("the hub was not ready within a minute")


async def _token(port: int, env: dict[str, str]) -> str:
    asked = [option for scope in SCOPES for option in ("--scope", scope)]
    made = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sayso", "client", "create", "bench", *asked, "--json", env=env, stdout=asyncio.subprocess.PIPE
    )
    client = json.loads((await made.communicate())[0])
    form = {"grant_type": "client_credentials", "client_id": client["client_id"], "client_secret": client["client_secret"]}
    async with aiohttp.ClientSession() as session, session.post(f"http://127.0.0.1:{port}/oauth/token", data=form) as answer:
        token: str = (await answer.json())["access_token"]
        return token

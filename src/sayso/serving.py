"""Serving: binds the port, runs the web processes and the worker, and stops the embedded server when all of them have ended."""

import asyncio
import errno
import gc
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, fields
from multiprocessing.context import SpawnProcess
from types import MappingProxyType
from typing import Any

import structlog
import uvicorn
import uvloop
from starlette.types import ASGIApp

from sayso.app import web_app, working
from sayso.contracts.book import Unavailable
from sayso.opening import Parts, database_of, opened
from sayso.settings import Settings
from sayso.store import embedded
from sayso.web.corked import CorkedHttp
from sayso.web.spreading import EvenServer, Held

log = structlog.get_logger("sayso")

Wrap = Callable[[ASGIApp, Parts], ASGIApp]
Begun = Callable[[Parts], Awaitable[None]]
GRACE_SECONDS = 10
KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open. Longer than proxies and clients keep theirs (nginx and AWS load balancers: 60 s): whoever closes
first must not be the one who is asked next, or a request meets a closed door, and is lost or answered 502."""
CYCLES = (5_000, 20, 100)
"""Objects between two looks for garbage in circles: requests leave hardly any, and each look keeps everybody waiting."""
ENDING = (signal.SIGINT, signal.SIGTERM)


class PortTaken(Exception):
    """Another program listens where the hub should; the message says how to choose another port."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: how many web processes, with or without a worker. `wrap` puts more doors in front; `begun` runs once all is open."""

    settings: Settings
    processes: int = 1
    worker: bool = True
    wrap: Wrap = lambda app, _: app
    begun: Begun | None = None


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens, also right after an earlier hub was killed. Raises PortTaken and OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as failure:
        listener.close()
        if failure.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"Port {port} on {host} is taken. Choose another one: --port {port + 1}, or SAYSO_PORT={port + 1}."
            ) from failure
        raise
    return listener


def run(plan: Plan) -> None:
    """Serves until SIGINT or SIGTERM; on return nothing of it runs any more, the embedded server included."""
    listener = bind(plan.settings.host, plan.settings.port)
    try:
        if plan.processes == 1:
            uvloop.run(_serve_and_stop(plan, listener))
        else:
            _supervise(plan, listener)
    finally:
        listener.close()


async def _serve_and_stop(plan: Plan, listener: socket.socket) -> None:
    try:
        await serve_here(plan, listener)
    finally:
        if plan.settings.database_url is None:
            await embedded.stop(plan.settings.data_dir)


async def serve_here(plan: Plan, listener: socket.socket, held: Held | None = None, place: int = 0) -> None:
    """One web process, with the worker in it where the plan has one; `held` is what all web processes hold, this one at `place`."""
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(opened(plan.settings))
        with suppress(Unavailable):
            await parts.gatehouse.warm()
        app = plan.wrap(web_app(parts), parts)
        if plan.worker:
            await stack.enter_async_context(working(parts))
        if plan.begun is not None:
            await plan.begun(parts)
        config = uvicorn.Config(
            app, http=CorkedHttp, lifespan="off", log_config=None, access_log=False, server_header=False, proxy_headers=False, date_header=True,
            timeout_keep_alive=KEEP_ALIVE_SECONDS, timeout_graceful_shutdown=GRACE_SECONDS, backlog=2048,
        )  # fmt: skip
        with _left_alone(), _ended_once():
            await EvenServer(config, [0] if held is None else held, place).serve(sockets=[listener])


@contextmanager
def _left_alone() -> Iterator[None]:
    """Takes what is there by now, all the code above all, out of every look for garbage until the end: one through it takes 0.1 s."""
    gc.set_threshold(*CYCLES)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()  # the interpreter clears away at its end what extensions otherwise report as leaked


@contextmanager
def _ended_once() -> Iterator[None]:
    """Swallows the signal that uvicorn, ended by it, sends to this process once more: what is closed after it must not be cut short."""
    before = {name: signal.signal(name, lambda *_: None) for name in ENDING}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


async def work_here(settings: Settings) -> None:
    """A worker alone, until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in ENDING:
        loop.add_signal_handler(name, stop.set)
    async with opened(settings) as parts, working(parts):
        with _left_alone():
            await stop.wait()


def _supervise(plan: Plan, listener: socket.socket) -> None:
    """Web processes and a worker as children; one that dies is started again, all end together."""
    asyncio.run(database_of(plan.settings))
    context = multiprocessing.get_context("spawn")
    ending = threading.Event()
    for name in ENDING:
        signal.signal(name, lambda *_: ending.set())

    held = context.RawArray("i", plan.processes)

    def start(n: int) -> SpawnProcess:
        given = (_packed(plan.settings), listener)
        target, more = (_web_child, (held, n)) if n < plan.processes else (_worker_child, ())
        child = context.Process(target=target, args=(*given, *more), name=f"sayso-{n}")
        child.start()
        return child

    children = [start(n) for n in range(plan.processes + plan.worker)]
    while not ending.wait(0.2):
        for n, child in enumerate(children):
            if not child.is_alive():
                log.error("process ended", process=child.name, code=child.exitcode)
                ending.wait(1.0)
                if not ending.is_set():
                    children[n] = start(n)
    _end(children)
    if plan.settings.database_url is None:
        asyncio.run(embedded.stop(plan.settings.data_dir))


def _end(children: list[SpawnProcess]) -> None:
    for child in children:
        child.terminate()
    for child in children:
        child.join(GRACE_SECONDS + 5)
        if child.is_alive():
            child.kill()
            child.join()


def _packed(settings: Settings) -> dict[str, Any]:
    """Settings as another process can be given them: read-only views do not travel."""
    values = {one.name: getattr(settings, one.name) for one in fields(settings)}
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}


def _unpacked(values: dict[str, Any]) -> Settings:
    given: dict[str, Any] = {name: MappingProxyType(value) if isinstance(value, dict) else value for name, value in values.items()}
    return Settings(**given)


def _end_with_parent() -> None:
    """Ends this process when the one that started it is gone, however that was killed: what it left must not keep the port."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # only children call this

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="watch-parent", daemon=True).start()


def _web_child(values: dict[str, Any], listener: socket.socket, held: Held, place: int) -> None:
    _end_with_parent()
    uvloop.run(serve_here(Plan(_unpacked(values), worker=False), listener, held, place))


def _worker_child(values: dict[str, Any], listener: socket.socket) -> None:
    listener.close()
    _end_with_parent()
    uvloop.run(work_here(_unpacked(values)))

"""`sayso demo`: Northwind Outfitters on this machine, seeded and running. It never sends mail, and only this machine can reach it."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, nullcontext
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import uvicorn
import uvloop
from rich.console import Console as Terminal

from sayso.app import web_app, working
from sayso.demo import connecting, folder, welcome, world
from sayso.demo.folder import DemoFolder
from sayso.demo.gateway import press
from sayso.demo.hall import with_console
from sayso.demo.progress import shown
from sayso.demo.seed import make_clients, seed, size_of
from sayso.demo.story import PEOPLE
from sayso.demo.world import World
from sayso.opening import Parts, microseconds, opened
from sayso.serving import KEEP_ALIVE_SECONDS, PortTaken, bind
from sayso.settings import Settings, listening, read
from sayso.settings_forms import MailRoute
from sayso.store import embedded

HOST = "127.0.0.1"
PATIENCE = 5.0
"""Seconds a check waits for the store: nobody sends mail here, and a laptop may be busy."""


def run(port: int | None = None, reset: bool = False, people: int = PEOPLE) -> int:
    """Serves the demo until Ctrl-C or SIGTERM; the exit code: 0, or 1 with a message when it cannot begin.

    Raises BadConfiguration, KeysUnusable, EmbeddedError and Unavailable as every command.
    """
    settings = settings_of(read(os.environ), port)
    try:
        listener = bind(HOST, settings.port)
    except PortTaken:
        return _told(f"Port {settings.port} is taken, perhaps by a demo that runs already.", f"sayso demo --port {settings.port + 1}")
    with listener:
        try:
            with folder.held(settings.data_dir):
                whole = folder.prepare(settings.data_dir, reset=reset, people=people)
                uvloop.run(_serve(settings, listener, people, whole=whole))
        except DemoFolder as unusable:
            return _told(str(unusable), "")
    return 0


def settings_of(given: Settings, port: int | None) -> Settings:
    """The demo's settings: a folder and database of its own, mail into a folder, webhooks to this machine, the loopback only."""
    here = given.data_dir.absolute() / "demo"
    own = replace(
        given, data_dir=here, database_url=None, webhook_allow=(ip_network("127.0.0.0/8"),), rate_limit=None, inbound_smtp=None,
        mail_url=MailRoute("folder", folder=here / "mail"), host=HOST,
    )  # fmt: skip
    chosen = listening(own, host=HOST, port=port)
    return replace(chosen, public_url=f"http://{HOST}:{chosen.port}")


async def _serve(settings: Settings, listener: socket.socket, people: int, *, whole: bool) -> None:
    try:
        async with AsyncExitStack() as stack:
            parts = await stack.enter_async_context(opened(settings, patience=PATIENCE))
            file = settings.data_dir / folder.WORLD
            here = _remembered(file) if whole else world.fresh(file, microseconds, os.urandom)
            moved = await stack.enter_async_context(world.running(here))
            if whole:
                await connecting.follow(here, moved, parts)
            else:
                await tell_story(here, parts, people)
            token = await welcome.fresh_token(here, parts)
            app = with_console(web_app(parts), parts, here, token)
            await stack.enter_async_context(working(parts))
            await _listen(uvicorn.Config(app, http="httptools", lifespan="off", log_config=None, access_log=False, server_header=False,
                                         timeout_keep_alive=KEEP_ALIVE_SECONDS), listener, lambda: _welcome(settings, token, parts))  # fmt: skip
    finally:
        await embedded.stop(settings.data_dir)


def _remembered(file: Path) -> World:
    try:
        return world.remembered(file, microseconds)
    except (OSError, ValueError, KeyError) as damaged:
        raise DemoFolder(f"{file} cannot be read. Start over: sayso demo --reset") from damaged


async def tell_story(here: World, parts: Parts, people: int) -> None:
    """Seeds the hub and connects the vendors; only then the folder counts as whole."""
    ground = await parts.current.ground()
    here.people = people
    await make_clients(parts.desk, ground)
    with shown("Seeding Northwind Outfitters", size_of(people)) as advance:
        await seed(people, book=parts.book, ground=ground, now=ground.clock(), progress=advance)
    await press(people, book=parts.book, ground=ground)
    with shown("Connecting Mailchimp, SendGrid and a shop", 1) as advance:
        await connecting.connect(here, parts)
        advance(1)
    here.save()
    folder.finish(parts.settings.data_dir, people)


class _Server(uvicorn.Server):
    """A server that leaves signals to us: it would raise them again at its end, and what we opened would stay open."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    def capture_signals(self) -> "nullcontext[None]":  # type: ignore[override]  # any context manager will do
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


async def _listen(config: uvicorn.Config, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Answers requests until a signal; `ready` is called once the first one would be answered."""
    server = _Server(config, ready)

    def end() -> None:
        server.should_exit = True

    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, end)
    await server.serve(sockets=[listener])


def _welcome(settings: Settings, token: str, parts: Parts) -> None:
    sys.stdout.write("\n".join(welcome.lines(settings.public_url, token, parts)) + "\n")
    sys.stdout.flush()


def _told(what: str, fix: str) -> int:
    terminal = Terminal(stderr=True, highlight=False, soft_wrap=True)
    terminal.print("Error:", style="bold red", end=" ")
    terminal.print(what, markup=False)
    if fix:
        terminal.print(f"  fix:   {fix}", markup=False)
    return 1

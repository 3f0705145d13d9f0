"""Web processes that share a socket share the connections too, and one that hangs costs nobody a connection."""

import asyncio
import multiprocessing
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import uvloop

from sayso.web import spreading
from sayso.web.spreading import EvenServer, Held

PATIENCE = 60
UNHURRIED = 5.0
"""Seconds that a process has to take what is left to it: here it is only a busy thread, and the question is who takes, not how fast."""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as made:
        yield made


def server(held: Held, place: int) -> EvenServer:
    """A web process that tells its place to whoever asks."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
        await send({"type": "http.response.body", "body": b"%d" % place})

    return EvenServer(uvicorn.Config(app, lifespan="off", log_config=None, ws="none"), held, place)


@contextmanager
def running(held: Held, place: int, listener: socket.socket) -> Iterator[EvenServer]:
    """One in a thread of its own, with a descriptor of its own for the socket they share, as processes have."""
    one = server(held, place)
    thread = threading.Thread(target=lambda: uvloop.run(one.serve(sockets=[listener.dup()])))
    thread.start()
    try:
        until(lambda: one.started)
        yield one
    finally:
        one.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


def until(happened: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def asked(connection: socket.socket) -> int:
    """Who answers on a connection."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: sayso\r\n\r\n")
    said = b""
    while not (b"\r\n\r\n" in said and said[-1:].isdigit()):
        got = connection.recv(4_096)
        assert got, "the connection was closed"
        said += got
    return int(said[-1:])


@pytest.fixture
def opened(listener: socket.socket) -> Iterator[Callable[[], socket.socket]]:
    """Opens connections, and closes them at the end."""
    with ExitStack() as all_:
        yield lambda: all_.enter_context(socket.create_connection(listener.getsockname(), timeout=PATIENCE))


Opened = Callable[[], socket.socket]


def test_whoever_holds_fewer_connections_gets_the_next(listener: socket.socket, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreading, "LET_OTHERS", UNHURRIED)
    held = [0, 0]
    with running(held, 0, listener):
        monkeypatch.setattr(spreading, "LET_OTHERS", 0)  # the other one is not there yet
        first = [opened() for _ in range(10)]
        assert [asked(one) for one in first] == [0] * 10
        monkeypatch.setattr(spreading, "LET_OTHERS", UNHURRIED)
        with running(held, 1, listener):
            then = []
            for _ in range(10):
                then.append(opened())
                assert asked(then[-1]) == 1
            until(lambda: held == [10, 10])
            for one in (*first, *then):
                one.close()
            until(lambda: held == [0, 0])


def test_one_that_hangs_and_holds_none_costs_a_moment_and_no_connection(listener: socket.socket, opened: Opened) -> None:
    held = [0, 0]  # nobody is at the second place
    with running(held, 0, listener):
        lines = [opened() for _ in range(100)]
        assert [asked(one) for one in lines] == [0] * 100
        until(lambda: held == [100, 0])


def test_who_ends_closes_its_door_and_what_comes_then_goes_to_the_others(listener: socket.socket, opened: Opened) -> None:
    held = [0, 0]
    with running(held, 0, listener):
        with running(held, 1, listener):
            pass
        for _ in range(5):
            assert asked(opened()) == 0


def _with_few_files(listener: socket.socket, ready: "Connection") -> None:
    one = server([0], 0)

    async def serve() -> None:
        serving = asyncio.create_task(one.serve(sockets=[listener]))
        while not one.started:
            await asyncio.sleep(0.01)
        most = len(list(Path("/proc/self/fd").iterdir())) + 5
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        ready.send(True)
        await serving

    uvloop.run(serve())


def test_one_that_has_no_room_for_another_connection_takes_it_when_it_has(listener: socket.socket, opened: Opened) -> None:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_with_few_files, args=(listener, there))
    process.start()
    try:
        assert here.poll(PATIENCE)
        lines = [opened() for _ in range(30)]
        assert asked(lines[0]) == 0
        late = lines.pop()
        late.sendall(b"GET / HTTP/1.1\r\nHost: sayso\r\n\r\n")
        late.settimeout(0.5)
        with pytest.raises(TimeoutError):
            late.recv(1)  # more than it has room for
        for one in lines:
            one.close()
        late.settimeout(PATIENCE)
        assert late.recv(1)
    finally:
        process.terminate()
        process.join(PATIENCE)

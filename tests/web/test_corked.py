"""Answers leave whole, and nobody who reads slowly makes the hub hold everything in memory."""

import asyncio
import inspect
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from uvicorn.protocols import utils
from uvicorn.protocols.http import flow_control, httptools_impl

from running import served
from sayso.web.corked import _Corked

PIECE = b"#" * 50_000
PIECES = 2_000
HEAD = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}


class Streaming:
    """An app that answers 100 MB in pieces, and counts what it could hand over."""

    def __init__(self) -> None:
        self.sent = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send(HEAD)
        for n in range(PIECES):
            await send({"type": "http.response.body", "body": PIECE, "more_body": n < PIECES - 1})
            self.sent += 1


async def connected(base: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    place = urlsplit(base)
    reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=1_000)
    writer.write(b"GET / HTTP/1.1\r\nHost: sayso\r\n\r\n")
    return reader, writer


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


async def test_a_slow_reader_is_waited_for_and_gets_everything() -> None:
    app = Streaming()
    async with served(app) as base:
        reader, writer = await connected(base)
        before = -1
        while app.sent != before:  # until the app stands still, because the reader does
            before = app.sent
            await asyncio.sleep(0.5)
        assert app.sent < PIECES, "the whole answer was held in memory"
        size = 0
        while not (got := await reader.read(1 << 20)).endswith(b"0\r\n\r\n"):
            assert got, "the answer ended early"
            size += got.count(b"#")
        size += got.count(b"#")
        assert size == PIECES * len(PIECE) and app.sent == PIECES
        await closed(writer)


async def test_head_and_body_of_an_answer_leave_together() -> None:
    seen: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**HEAD, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})

    async with served(app) as base:
        for _ in range(50):
            reader, writer = await connected(base)
            seen.append(await reader.read(10_000))
            await closed(writer)
    assert all(one.endswith(b"\r\n\r\nhello") for one in seen)


async def test_twin_an_answer_in_two_turns_is_not_held_back() -> None:
    go = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**HEAD, "headers": [(b"content-length", b"5")]})
        await go.wait()
        await send({"type": "http.response.body", "body": b"hello"})

    async with served(app) as base:
        reader, writer = await connected(base)
        assert (await reader.read(10_000)).endswith(b"\r\n\r\n"), "the head is there before the body is known"
        go.set()
        assert await reader.read(10_000) == b"hello"
        await closed(writer)


@pytest.mark.parametrize("part", [httptools_impl, flow_control, utils])
def test_a_corked_connection_has_all_that_uvicorn_asks_of_one(part: Any) -> None:
    asked = set(re.findall(r"\b_?transport\.([a-z_]+)", inspect.getsource(part)))
    assert asked and asked <= set(dir(_Corked)), f"uvicorn asks for {sorted(asked - set(dir(_Corked)))} too"

"""Corked connections: what is written to one in the same turn of the loop leaves as one packet, as TCP_CORK would have it.

uvicorn writes head and body of an answer one after the other, and each write wakes the reader; for small answers these two calls of
the system are a fifth of all the work.
"""

import asyncio
from typing import Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST: Final = 65_536
"""Bytes that are held back at most, so that whoever streams more is still told when the reader does not keep up."""


_PASSED_ON: Final = (
    "abort", "get_extra_info", "get_protocol", "get_write_buffer_size", "is_closing", "pause_reading", "resume_reading", "set_protocol",
)  # fmt: skip


class CorkedHttp(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, over a corked connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn says the same
        """Puts the cork in."""
        super().connection_made(cast("asyncio.Transport", _Corked(transport, self.loop)))


class _Corked:
    """A transport that holds what is written until the end of the turn, until much is held, or until it is closed.

    It has what uvicorn asks of a transport, each as the transport's own method: looking for what is missing takes Python several
    times as long, at every question.
    """

    __slots__ = ("_held", "_loop", "_size", "_transport", *_PASSED_ON)

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        for name in _PASSED_ON:
            setattr(self, name, getattr(transport, name))
        self._held: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)
        self._size += len(data)
        if self._size > MOST:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        held, self._held, self._size = self._held, [], 0
        if held and not self._transport.is_closing():
            self._transport.write(b"".join(held))

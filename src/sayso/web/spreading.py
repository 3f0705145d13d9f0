"""Spreading: each of several web processes takes its even share of the connections that come.

All of them listen on one socket, so that no connection waits for a process that died. Left to the system, whoever wakes first takes all
that wait, and keeps them: of 64 that a client opened at once one process was seen to get 10 and the other 54.
"""

import asyncio
import socket
from collections.abc import Callable, MutableSequence
from typing import Final, cast

import structlog
import uvicorn

log = structlog.get_logger("sayso")

LET_OTHERS: Final = 0.002
"""Seconds a connection is left to processes that hold fewer. One that is stopped or hangs takes none: then it costs the caller so much."""
SHORT_OF_FILES: Final = 1.0
"""Seconds until the next try when the system has no room for another connection (asyncio waits as long)."""
Held = MutableSequence[int]
"""How many connections each web process holds, shared by all of them; each sets its own place only."""


class EvenServer(uvicorn.Server):
    """uvicorn, taking one connection a turn of the loop, and leaving it to others of `held` while they hold fewer."""

    def __init__(self, config: uvicorn.Config, held: Held, place: int) -> None:
        super().__init__(config)
        self._held, self._place = held, place

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens on sockets that are bound already."""
        await super().startup(sockets=[])
        doors = [_Door(listener, self._protocol, self._compare) for listener in sockets or []]
        self.servers = cast("list[asyncio.Server]", doors)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: also those that went are told to the others."""
        self._compare()
        return await super().on_tick(counter)

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]  # uvicorn says the same
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def _compare(self) -> bool:
        """Tells the others how many connections this process holds; whether one of them holds fewer."""
        self._held[self._place] = mine = len(self.server_state.connections)
        return mine > min(self._held)


class _Door:
    """Takes connections from one listening socket until it is closed; what uvicorn asks of a server."""

    def __init__(self, listener: socket.socket, protocol: Callable[[], asyncio.Protocol], compare: Callable[[], bool]) -> None:
        self._listener, self._protocol, self._compare = listener, protocol, compare
        self._loop = asyncio.get_running_loop()
        self._comes = asyncio.Event()
        listener.setblocking(False)
        self._taking = self._loop.create_task(self._take(), name="door")

    def close(self) -> None:
        self._loop.remove_reader(self._listener)
        self._taking.cancel()

    async def wait_closed(self) -> None:
        await asyncio.wait([self._taking])

    async def _take(self) -> None:
        while True:
            await self._somebody()
            if self._compare():
                await asyncio.sleep(LET_OTHERS)
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                continue  # another process took it, or it went
            except OSError as full:
                log.error("no room for another connection", error=str(full))
                await asyncio.sleep(SHORT_OF_FILES)
                continue
            try:
                await self._loop.connect_accepted_socket(self._protocol, connection)
                self._compare()
            except Exception as failed:  # noqa: BLE001 - whatever one connection met, the next must be taken
                log.warning("a connection could not be begun", error=repr(failed))
                connection.close()

    async def _somebody(self) -> None:
        """Waits until a connection waits."""
        self._loop.add_reader(self._listener, self._comes.set)
        await self._comes.wait()
        self._loop.remove_reader(self._listener)
        self._comes.clear()

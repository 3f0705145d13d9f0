"""Wakes workers when something was written. Only a hint: whoever misses it finds the work by polling once a second.

NOTIFY inside a transaction halves the throughput of commits (measured), so it is sent apart from them, by one connection a
process, at most every ten milliseconds.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final

from sayso.store.ending import ended
from sayso.store.pool import UNREACHABLE
from sayso.store.reach import reach

CHANNEL: Final = "sayso_work"
PAUSE: Final = 0.01
RECONNECT: Final = 1.0


class Wake:
    """Rings and waits on one connection of its own. Open it before use and close it after."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._rung, self._heard = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Starts listening and ringing."""
        self._task = asyncio.create_task(self._run(), name="wake")

    async def close(self) -> None:
        """Stops."""
        if self._task is not None:
            await ended([self._task])

    def ring(self) -> None:
        """Says that there is work, here at once and to other processes soon."""
        self._rung.set()
        self._heard.set()

    async def wait(self, seconds: float) -> None:
        """Returns when somebody rang, at the latest after so many seconds."""
        # not wait_for: before Python 3.12 it loses a cancellation that comes together with the ring
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._heard.wait()
        self._heard.clear()

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except UNREACHABLE:
                self.ring()  # what was rung for meanwhile may not have been heard
            await asyncio.sleep(RECONNECT)

    async def _listen(self) -> None:
        connection = await reach(self._dsn, timeout=10, server_settings={"application_name": "sayso-wake"})
        try:
            await connection.add_listener(CHANNEL, self._on_notify)
            # A process that only listens would never notice otherwise that nobody talks to it any more.
            connection.add_termination_listener(lambda _: self._rung.set())
            while not connection.is_closed():
                await self._rung.wait()
                self._rung.clear()
                await connection.execute(f"NOTIFY {CHANNEL}")
                await asyncio.sleep(PAUSE)
        finally:
            await connection.close(timeout=2)

    def _on_notify(self, *_: Any) -> None:
        self._heard.set()

"""Turns: what many ask for at the same time is done in batches, because a transaction costs about the same for one as for a dozen.

The crowd parts in two halves that take turns: one waits for the store while the other is worked on. Whoever comes alone does not wait
for company, and nothing is ever waited for but a batch under way.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, Protocol, TypeVar

from sayso.store.ending import ended

AT_ONCE: Final = 2
"""Batches under way at once in one process."""
COMPANY: Final = 12
"""Who are fewer wait for the batch under way, which is over in a few milliseconds, rather than for a transaction of their own."""


class Asked(Protocol):
    """Somebody's wish: how much work it is, and where its answer goes. One that has an answer is not worked on any more."""

    @property
    def size(self) -> int:
        """How many of what a batch may hold at most."""

    @property
    def answer(self) -> "asyncio.Future[Any]":
        """Where the answer goes."""


One = TypeVar("One", bound=Asked)


class Turns(Generic[One]):
    """Does batches of at most about `largest` with `do`, which has to answer everybody in them and to raise nothing."""

    def __init__(self, do: "Callable[[list[One]], Coroutine[Any, Any, None]]", *, largest: int, name: str) -> None:
        self._do, self._largest, self._name = do, largest, name
        self._waiting: deque[One] = deque()
        self._flights: dict[asyncio.Task[None], int] = {}
        self._begins = False

    def join(self, one: One) -> None:
        """Takes one more; who comes meanwhile shares the batch."""
        self._waiting.append(one)
        self._begin_soon()

    async def end(self) -> list[One]:
        """Cancels the batches under way, and waits for that. Gives those whom nobody has begun with."""
        left, self._waiting = list(self._waiting), deque()
        await ended(list(self._flights))
        return left

    def _begin(self) -> None:
        """Begins a batch at once when none is under way, and another beside it when as many wait as are under way."""
        self._begins = False
        while self._waiting and len(self._flights) < AT_ONCE and (not self._flights or self._is_crowd()):
            batch = self._half()
            if batch:
                flight = asyncio.create_task(self._do(batch), name=self._name)
                self._flights[flight] = len(batch)
                flight.add_done_callback(self._landed)

    def _is_crowd(self) -> bool:
        return len(self._waiting) >= max(COMPANY, sum(self._flights.values()))

    def _half(self) -> list[One]:
        """Half of all who wait or are under way, or a small company, within the largest size; without those who have an answer by now."""
        most = max(COMPANY, -(-(len(self._waiting) + sum(self._flights.values())) // 2))
        batch: list[One] = []
        size = 0
        while self._waiting and len(batch) < most and size < self._largest:
            one = self._waiting.popleft()
            if not one.answer.done():
                batch.append(one)
                size += one.size
        return batch

    def _landed(self, flight: "asyncio.Task[None]") -> None:
        self._flights.pop(flight)
        if self._waiting:
            self._begin_soon()

    def _begin_soon(self) -> None:
        """Begins when everybody who comes in this turn of the loop has come."""
        if not self._begins:
            self._begins = True
            asyncio.get_running_loop().call_soon(self._begin)

"""The hub as its doors see it: the parts they take from `request.app.state.hub`. The wiring makes one a process."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from fastapi import Request

from sayso.contracts.book import Book
from sayso.contracts.desk import Desk
from sayso.contracts.ground import Ground
from sayso.contracts.segments import Segments
from sayso.rules.tokens import Ring
from sayso.web.auth import RateLimit, TokenCache

FRESH_SECONDS: Final = 1.0
"""How long the catalogue is believed without reading it again: other processes may have stored a new one."""


class Current:
    """The ground with the catalogue in force, read again when it is older than a second."""

    def __init__(self, ground: Ground, desk: Desk, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ground, self._desk, self._monotonic = ground, desk, monotonic
        self._read_at: float | None = None

    @property
    def held(self) -> Ground:
        """The ground as last read, without asking: for doors that answer while the store is down."""
        return self._ground

    @property
    def fresh(self) -> bool:
        """Whether the catalogue was read within the last second, so that `held` is what `ground` would give."""
        return self._read_at is not None and self._monotonic() - self._read_at < FRESH_SECONDS

    async def ground(self) -> Ground:
        """The ground with the catalogue in force. Raises Unavailable."""
        at = self._monotonic()
        if self._read_at is None:
            self._ground = replace(self._ground, catalogue=await self._desk.catalogue())
            self._read_at = at
        elif at - self._read_at >= FRESH_SECONDS:
            self._read_at = at  # the first to notice reads, the others go on with what is held
            try:
                self._ground = replace(self._ground, catalogue=await self._desk.catalogue())
            except BaseException:
                self._read_at = None  # what could not be read again is not in force for anybody
                raise
        return self._ground

    def stale(self) -> None:
        """Reads the catalogue again at the next question."""
        self._read_at = None


@dataclass(frozen=True, slots=True)
class Hub:
    """The parts of one web process."""

    book: Book
    desk: Desk
    current: Current
    callers: TokenCache
    ring: Ring = field(repr=False)
    """Signs links and receipts."""
    segments: Segments
    public_url: str = "http://127.0.0.1:8400"
    rate: RateLimit | None = None


def hub_of(request: Request) -> Hub:
    """The hub that a request came to."""
    hub: Hub = request.app.state.hub
    return hub

"""What people's own doors stand on; the wiring makes one a process and sets `app.state.center`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from starlette.requests import Request

from sayso.contracts.book import Book
from sayso.contracts.center import House, Pages, PageStore
from sayso.contracts.ground import Ground
from sayso.contracts.people import Opened
from sayso.flows.present import Sources
from sayso.rules.catalogue import Catalogue
from sayso.rules.destinations import IPNetwork
from sayso.rules.forwarding import caller
from sayso.rules.pages import Logo
from sayso.rules.tokens import Ring


class Showing(Protocol):
    """Which version of texts and categories somebody is shown."""

    async def shown_to(self, opened: Opened | None) -> tuple[Pages, Catalogue]:
        """The draft for people it is shown to, what is live for everybody else. Raises Unavailable."""

    async def logo(self, name: str) -> Logo | None:
        """The logo that is served under a name. Raises Unavailable."""

    def stale(self) -> None:
        """Reads again at the next question."""


@dataclass(frozen=True, slots=True)
class CenterParts:
    """`house` and `embed_origins` are asked by brand (``*``: the company)."""

    ring: Ring = field(repr=False)
    sources: Sources
    pages: PageStore
    ground: Callable[[], Awaitable[Ground]]
    showing: Showing
    entries_within: Callable[[int, UUID, UUID], Awaitable[Sequence[tuple[UUID, int]]]]
    """Entries of a shard between two ids, with when they were received."""
    house: Callable[[str], House]
    embed_origins: Callable[[str], tuple[str, ...]]
    trusted_proxies: tuple[IPNetwork, ...] = ()

    @property
    def book(self) -> Book:
        """Where choices are kept."""
        return self.sources.book


def center_parts(request: Request) -> CenterParts:
    """The parts of the doors that a request came to."""
    parts: CenterParts = request.app.state.center
    return parts


def caller_of(request: Request) -> str:
    """The address a request came from, "" where nobody knows."""
    peer = request.client.host if request.client else ""
    return caller(peer, ",".join(request.headers.getlist("x-forwarded-for")), center_parts(request).trusted_proxies)

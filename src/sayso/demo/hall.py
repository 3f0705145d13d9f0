"""The demo's console: the hub's parts and the simulated world, put before the hub's own doors."""

import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.types import ASGIApp

from sayso.burst_wiring import bursts_of
from sayso.demo.connecting import QUERIES
from sayso.demo.story import ADA, DAYS
from sayso.demo.welcome import COMMANDS, OTHERS
from sayso.demo.world import World
from sayso.mail_wiring import letters_of
from sayso.opening import Parts, microseconds
from sayso.rules.notes import key_of
from sayso.rules.times import SECOND
from sayso.web.asking import Asking, Campaigns
from sayso.web.console.app import Front, console_app
from sayso.web.console.parts import Console, Day, Guide

COUNTED_SECONDS: Final = 10.0


def with_console(hub: ASGIApp, parts: Parts, world: World, token: str) -> ASGIApp:
    """The hub with the console's pages before it."""
    settings = parts.settings
    url = settings.public_url
    guide = Guide(
        contact_id=ADA.id,
        email=ADA.email,
        category="promotional",
        token=token,
        seen=lambda: tuple(world.glimpses),
        unsubscribe=lambda: world.leave(url, ADA.email, "promotional"),
        daily=Counted(parts),
        others=OTHERS,
        commands=COMMANDS,
    )
    console = Console(
        book=parts.book,
        desk=parts.desk,
        asking=Asking(parts.gatehouse, parts.current, Campaigns(parts.desk), parts.keys.permit_ring),
        systems=parts.spokes,
        bursts=bursts_of(parts),
        letters=letters_of(parts),
        ring=parts.keys.token_ring,
        log=parts.log,
        log_key=key_of(parts.origin, parts.keys.ledger_key),
        ground=parts.current.ground,
        abouts={name: connector.about for name, connector in parts.connectors.items()},
        mail_folder=settings.mail_url.folder,
        company=settings.company,
        base_url=url,
        hosts=frozenset(f"{name}:{settings.port}" for name in ("127.0.0.1", "localhost")),
        form_token=secrets.token_urlsafe(24),
        guide=guide,
    )
    return Front(console_app(console, microseconds), hub)


class Counted:
    """Opt-outs by day; counted again when the last count is ten seconds old."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._held: tuple[float, tuple[Day, ...]] | None = None

    async def __call__(self) -> Sequence[Day]:
        """Every day of the story up to today, those without an opt-out too."""
        if self._held is None or time.monotonic() - self._held[0] > COUNTED_SECONDS:
            self._held = (time.monotonic(), await self._count())
        return self._held[1]

    async def _count(self) -> tuple[Day, ...]:
        today = datetime.fromtimestamp(microseconds() // SECOND, UTC).replace(hour=0, minute=0, second=0)
        days = [today - timedelta(days=ago) for ago in range(DAYS - 1, -1, -1)]
        rows = await self._parts.pool.fetch(QUERIES["opt_outs_by_day"], int(days[0].timestamp()) * SECOND)
        counts = {row["day"]: row["people"] for row in rows}
        return tuple(Day(f"{day:%Y-%m-%d}", counts.get(f"{day:%Y-%m-%d}", 0)) for day in days)

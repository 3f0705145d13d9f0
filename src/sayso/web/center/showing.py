"""Which version of texts, looks and categories somebody is shown: the draft for colleagues it names, what is live for all others."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from sayso.contracts.center import DraftPages, LivePages, Look, Pages, PageStore
from sayso.contracts.ground import Ground
from sayso.contracts.people import Opened
from sayso.rules.catalogue import Catalogue
from sayso.rules.pages import Logo, PageSet, is_shown

FRESH_SECONDS: Final = 1.0
"""How long what was read is believed: other processes may have published since."""


@dataclass(frozen=True, slots=True)
class _Held:
    live: LivePages
    draft: DraftPages | None
    at: float


class ShownPages:
    """Pages as they are in force, read again when they are older than a second."""

    def __init__(
        self, store: PageStore, ground: Callable[[], Awaitable[Ground]], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._ground, self._monotonic = store, ground, monotonic
        self._held: _Held | None = None

    async def _read(self) -> _Held:
        held = self._held
        if held is None or self._monotonic() - held.at >= FRESH_SECONDS:
            at = self._monotonic()
            held = self._held = _Held(await self._store.live(), await self._store.draft(), at)
        return held

    async def shown_to(self, opened: Opened | None) -> tuple[Pages, Catalogue]:
        """The pages and the categories for whoever opened a link (None: nobody known). Raises Unavailable."""
        held, ground = await self._read(), await self._ground()
        draft = held.draft
        if draft is not None and opened is not None and opened.email is not None and is_shown(draft.draft, opened.email.value):
            return _pages(held.live.version + 1, draft.draft.pages, draft=True), draft.draft.catalogue or ground.catalogue
        return _pages(held.live.version, held.live.pages), ground.catalogue

    def stale(self) -> None:
        """Reads again at the next question."""
        self._held = None

    async def logo(self, name: str) -> Logo | None:
        """The logo that is served under a name, of what is live or drafted. Raises Unavailable."""
        held = await self._read()
        found = held.live.pages.logo(name)
        return found or (held.draft.draft.pages.logo(name) if held.draft else None)


def _pages(version: int, pages: PageSet, *, draft: bool = False) -> Pages:
    looks = {
        brand: Look(style.colours, f"/preferences/logo/{style.logo.name}" if style.logo else "") for brand, style in pages.styles.items()
    }
    return Pages(version, draft, pages.texts, pages.brand_texts, looks)

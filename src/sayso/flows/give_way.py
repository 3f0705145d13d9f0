"""Give way: bulk work rests while somebody asks before sending; an import may take longer, a check may not."""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from sayso.contracts.book import Unavailable

LONGEST: Final = 2.0
"""Seconds of one rest at most: bulk work must end some day even while checks are asked day and night."""


class Asked(Protocol):
    """Knows whether checks are being asked."""

    async def asked_lately(self) -> bool:
        """Whether anybody asked within the last second, in whatever process."""


async def give_way(worked: float, *, gatehouse: Asked, rest: Callable[[float], Awaitable[None]]) -> bool:
    """Whether it rested: while checks are asked as long as it worked (seconds), else not at all.

    A store that does not answer is no reason to rest here; whoever works finds out by itself.
    """
    try:
        asked = await gatehouse.asked_lately()
    except Unavailable:
        return False
    if asked:
        await rest(min(worked, LONGEST))
    return asked

"""The ground flows stand on: the settings of one hub that decide, and chance, handed down from the wiring."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sayso.rules.catalogue import DEFAULT, Catalogue


@dataclass(frozen=True, slots=True)
class Ground:
    """`window` is the conflict window in microseconds; `clock` and `chance` are for what no database decides.

    `clock` tells whether something has ended; `early` (None: the same) is for beginning what ends after a while.
    """

    clock: Callable[[], int]
    chance: Callable[[int], bytes] = field(repr=False)
    window: int = 10_000_000
    default_country: str | None = None
    catalogue: Catalogue = DEFAULT
    early: Callable[[], int] | None = None

    def begins(self) -> int:
        """When something begins that is given now and ends after a while: never too late."""
        return (self.early or self.clock)()

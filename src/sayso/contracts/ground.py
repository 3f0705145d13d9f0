"""The ground flows stand on: the settings of one hub that decide, and chance, handed down from the wiring."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sayso.rules.catalogue import DEFAULT, Catalogue


@dataclass(frozen=True, slots=True)
class Ground:
    """`window` is the conflict window in microseconds; `clock` and `chance` are the process's own, for what no database decides."""

    clock: Callable[[], int]
    chance: Callable[[int], bytes] = field(repr=False)
    window: int = 10_000_000
    default_country: str | None = None
    catalogue: Catalogue = DEFAULT

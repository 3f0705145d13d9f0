"""Two clocks, the process's and the database's: what ends, ends by the later one; what begins, begins by the earlier one.

So a clock that is wrong, either way, and steps of either clock shorten the life of a token and never lengthen it (guarantee G11).
Nothing here asks the database: it is told what the database said, about once a second, and counts on from there.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Clocks:
    """`wall` is the process's clock in microseconds since the epoch, `monotonic` its count of seconds that nobody sets."""

    wall: Callable[[], int]
    monotonic: Callable[[], float]
    _said: int | None = None
    _at: float = 0.0

    def saw(self, said: int) -> int:
        """Notes what the database's clock said just now. How many microseconds it stepped back: it is taken to have gone on."""
        at = self.monotonic()
        counted = self._counted(at)
        back = 0 if counted is None else max(0, counted - said)
        self._said, self._at = said + back, at
        return back

    def later(self) -> int:
        """The later of both: for whether something has ended. The process's own before the database said anything."""
        wall, counted = self.wall(), self._counted(self.monotonic())
        return wall if counted is None else max(wall, counted)

    def earlier(self) -> int:
        """The earlier of both: for when something begins that ends after a while."""
        wall, counted = self.wall(), self._counted(self.monotonic())
        return wall if counted is None else min(wall, counted)

    def _counted(self, at: float) -> int | None:
        return None if self._said is None else self._said + int((at - self._at) * 1_000_000)

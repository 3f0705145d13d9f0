"""A checker of histories (G1): no check may allow after an acknowledged opt-out, unless a later opt-in was acknowledged or under way."""

import time
from bisect import bisect_left
from dataclasses import dataclass, field


@dataclass(slots=True)
class Write:
    """One opt-out or opt-in about a contact; `acked` stays None for one whose answer never came: it may take effect later, or never."""

    out: bool
    invoked: float
    acked: float | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One answered check about a contact."""

    invoked: float
    answered: float
    allowed: bool


@dataclass(slots=True)
class History:
    """Everything that was done about one contact; its writes were made one after the other."""

    writes: list[Write] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    def begin(self, *, out: bool) -> Write:
        """A write that begins now."""
        write = Write(out, time.monotonic())
        self.writes.append(write)
        return write

    @property
    def acknowledged(self) -> list[Write]:
        """The writes that were answered 200."""
        return [write for write in self.writes if write.acked is not None]

    def checked_since(self, moment: float) -> bool:
        """Whether a check that began after this moment was answered."""
        return any(check.invoked > moment for check in self.checks[-20:])

    def violations(self) -> list[tuple[Check, Write]]:
        """Each check that allowed although it must not have, with the opt-out that forbade it."""
        places = [place for place, write in enumerate(self.writes) if write.acked is not None]
        acked = [self.writes[place].acked or 0.0 for place in places]
        found = []
        for check in self.checks:
            if check.allowed and (known := bisect_left(acked, check.invoked)):
                place = places[known - 1]
                if self._forbids(place, check):
                    found.append((check, self.writes[place]))
        return found

    def _forbids(self, place: int, check: Check) -> bool:
        """Whether the last write that was acknowledged before the check began leaves no way to an allow."""
        if not self.writes[place].out:
            return False
        for write in self.writes[place + 1 :]:
            if write.invoked >= check.answered:
                break
            if not write.out:
                return False
        # An unanswered opt-in from before may have landed after it. Writers go on with another contact, so few are excused by this.
        return all(write.out or write.acked is not None for write in self.writes[:place])

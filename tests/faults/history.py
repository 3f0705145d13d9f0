"""A checker of histories (G1): no check may allow after an acknowledged opt-out, unless a later opt-in was acknowledged or under way."""

import time
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

    def checked_since(self, moment: float) -> bool:
        """Whether a check that began after this moment was answered."""
        return any(check.invoked > moment for check in self.checks[-20:])

    def violations(self) -> list[tuple[Check, Write]]:
        """Each check that allowed although it must not have, with the opt-out that forbade it."""
        return [(check, out) for check in self.checks if check.allowed and (out := self._forbids(check)) is not None]

    def _forbids(self, check: Check) -> Write | None:
        acked = [write for write in self.writes if write.acked is not None and write.acked < check.invoked]
        if not acked or not (last := acked[-1]).out:
            return None
        place = self.writes.index(last)
        later = [write for write in self.writes[place + 1 :] if write.invoked < check.answered]
        doubtful = [write for write in self.writes[:place] if write.acked is None]
        return None if any(not write.out for write in (*later, *doubtful)) else last

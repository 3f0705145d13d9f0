"""What an audit found: counts of what was checked, and everything that is wrong, the earliest first bad entry among it."""

from dataclasses import dataclass, field
from uuid import UUID

from sayso.rules.merkle import EMPTY_ROOT

PROBLEMS_NAMED = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: what, and among which places of the log (seq ≤ place < upto; None: not in the log) it must be.

    `entry` is the one that shows it: the bad one itself, where the places are one.
    """

    what: str
    seq: int | None = None
    entry: UUID | None = None
    upto: int | None = None

    @property
    def depth(self) -> tuple[float, int]:
        """How early in the log it must be, and then how exactly that is known; smaller is earlier."""
        return (float("inf"), 0) if self.seq is None else (self.upto or self.seq + 1, -self.seq)


@dataclass(slots=True)
class Verified:
    """The result: counts of what was checked, how many problems there are, and at least the first hundred.

    `signed` is the greatest size that a true checkpoint covers: entries after it are only as safe as the store.
    """

    size: int = 0
    root: bytes = EMPTY_ROOT
    entries: int = 0
    unsequenced: int = 0
    chains: int = 0
    erased: int = 0
    checkpoints: int = 0
    anchors: int = 0
    signed: int = 0
    details: int = 0
    details_gone: int = 0
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.problem_count == 0

    @property
    def first_bad(self) -> Problem | None:
        """The problem that must be earliest in the log; one outside the log only when there is no other."""
        return min(self.problems, key=lambda problem: problem.depth, default=None)

    def note(self, what: str, seq: int | None = None, entry: UUID | None = None, upto: int | None = None) -> None:
        """Counts a problem, and names it unless there are too many already and it is not an earlier one."""
        self.problem_count += 1
        problem = Problem(what, seq, entry, upto)
        if len(self.problems) < PROBLEMS_NAMED or problem.depth < min(known.depth for known in self.problems):
            self.problems.append(problem)

    def take(self, chains: "Verified") -> None:
        """Adds what was found in some chains."""
        for name in ("entries", "unsequenced", "chains", "erased", "details", "details_gone", "problem_count"):
            setattr(self, name, getattr(self, name) + getattr(chains, name))
        self.problems += chains.problems

"""How much of each guarantee's full figure a run tries: SOAK_SHARE=1 all of it (`make soak`), unset the small share of `make test`.

A test asks `share(figure)` for its count and says `ran(figure, count)` what it did; the end of the run tells both beside the full figure.
"""

import os
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest

FULL: Final = {
    "G1 checks": 1_000_000,
    "G1 opt-outs": 100_000,
    "G1 faults": 500,
    "G1b denials": 120_000,
    "G2 examples": 50_000,
    "G3 kills": 1_000,
    "G3 failovers": 100,
    "G4 entries": 1_000_000,
    "G4 mutations": 10_000,
    "G6 erasures": 10_000,
    "G7 GETs": 100_000,
    "G9 API cases": 100_000,
    "G9 hostile files": 500,
    "G11 skew events": 10_000,
}
"""What `make soak` runs: kinds of faults times how often, as the guarantees state them."""
QUICK: Final = {
    "G1 checks": 300,
    "G1 opt-outs": 30,
    "G1 faults": 5,
    "G1b denials": 130,
    "G2 examples": 100,
    "G3 kills": 3,
    "G3 failovers": 1,
    "G4 entries": 2_400,
    "G4 mutations": 220,
    "G6 erasures": 12,
    "G7 GETs": 600,
    "G9 API cases": 2_500,
    "G9 hostile files": 150,
    "G11 skew events": 24,
}
"""What `make test` runs at least."""
PROPERTY: Final = "ran"
Ran = Callable[[str, int], None]
_seen: Counter[str] = Counter()


def is_soak() -> bool:
    """Whether a share was asked for."""
    return bool(os.environ.get("SOAK_SHARE"))


def share(figure: str) -> int:
    """How many this run tries of a figure."""
    return max(1, round(FULL[figure] * float(os.environ["SOAK_SHARE"]))) if is_soak() else QUICK[figure]


def patience(seconds: float) -> float:
    """A test's time limit: hours where it runs a large share."""
    return 24 * 3_600 if is_soak() else seconds


@pytest.fixture
def ran(request: pytest.FixtureRequest) -> Ran:
    """Says how many of a figure this test did; several calls add up."""

    def note(figure: str, count: int) -> None:
        assert figure in FULL
        request.node.user_properties.append((PROPERTY, [figure, count]))

    return note


def pytest_runtest_logreport(report: Any) -> None:
    """Adds up what passing tests did; with several workers this runs where their reports arrive."""
    if report.when == "call" and report.passed:
        for name, value in report.user_properties:
            if name == PROPERTY:
                _seen[value[0]] += value[1]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tells the share."""
    if _seen:
        terminalreporter.section("share of the full figures (make soak runs all)")
        for figure in FULL:
            if figure in _seen:
                guarantee, what = figure.split(" ", 1)
                terminalreporter.write_line(f"{guarantee}: {_seen[figure]:,} of {FULL[figure]:,} {what}")

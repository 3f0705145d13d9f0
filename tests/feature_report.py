"""Collects which feature ids are shown by passing tests (`@pytest.mark.feature("B1")`) into .features.json.

Run as a program it prints the report: `make features`. Ids that are not in docs/features.txt stop the run.
"""

import json
import os
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
REPORT = PROJECT / ".features.json"
FEATURE_LIST = PROJECT / "docs" / "features.txt"
PROPERTY = "feature"


def known_features() -> dict[str, str]:
    """The text of each feature by id, in the order of docs/features.txt."""
    lines = FEATURE_LIST.read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))


def read_report() -> dict[str, dict[str, object]]:
    """What earlier runs saw: outcome and features by test."""
    return json.loads(REPORT.read_text(encoding="utf-8")) if REPORT.exists() else {}


def pytest_configure(config: pytest.Config) -> None:
    """Collect in the process that sees all reports: the only one, or the one that hands out work."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Collector(), "feature-collector")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tie each test's ids to its reports, which is how they travel from a worker."""
    known = known_features()
    for item in items:
        for feature in sorted({str(one) for mark in item.iter_markers("feature") for one in mark.args}):
            if feature not in known:
                raise pytest.UsageError(f"{item.nodeid}: feature {feature} is not in {FEATURE_LIST.name}")
            item.user_properties.append((PROPERTY, feature))


class Collector:
    """Keeps the outcome of every test that carries an id; a test fails by any of its phases."""

    def __init__(self) -> None:
        self.seen: dict[str, dict[str, object]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note one phase of one test."""
        features = [value for name, value in report.user_properties if name == PROPERTY]
        if features and (report.when == "call" or report.outcome != "passed"):
            before = self.seen.get(report.nodeid, {}).get("outcome")
            self.seen[report.nodeid] = {"outcome": "failed" if before == "failed" else report.outcome, "features": features}

    def pytest_sessionfinish(self) -> None:
        """Add this run to the report; tests that did not run keep what they had."""
        if self.seen:
            new = REPORT.with_suffix(f".{os.getpid()}")
            new.write_text(json.dumps(read_report() | self.seen, indent=1, sort_keys=True), encoding="utf-8")
            new.replace(REPORT)


def main() -> int:
    """Print every feature with the number of passing tests that show it; a failing test takes its features back."""
    report = read_report()
    if not report:
        print("No report yet: run `make test` first.")
        return 1
    shown: dict[str, int] = {}
    broken: set[str] = set()
    for test in report.values():
        for feature in test["features"]:  # type: ignore[attr-defined]  # JSON of our own making
            shown[feature] = shown.get(feature, 0) + (test["outcome"] == "passed")
            if test["outcome"] == "failed":
                broken.add(feature)
    features = known_features()
    good = [feature for feature in features if shown.get(feature) and feature not in broken]
    for feature, text in features.items():
        state = "FAILS" if feature in broken else f"{shown[feature]:>5}" if feature in good else "    ."
        print(f"{feature:<4} {state}  {text}")
    print(f"\n{len(good)} of {len(features)} features are shown by passing tests.")
    print("Not shown: " + " ".join(feature for feature in features if feature not in good))
    return 0


if __name__ == "__main__":
    sys.exit(main())

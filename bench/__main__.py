"""`make bench`: every figure beside its limit, measured in the same run. FULL=1 takes ten million people instead of one."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import uvloop
from rich.console import Console
from rich.table import Table

from bench import audiences, figures, flatness, load, memory, told, verify
from bench.figures import Figure
from bench.hub import Bench, folder, serving
from bench.people import entries_before, fill_in_parallel

SIZES = (10_000, 100_000)
VERIFIED = 375_000
"""People whose entries are verified, at most: they have a million."""
GROWN = ("checks", "batches", "audiences", "latency", "opt-outs", "memory")
"""Figures that take the whole population."""


class Phases:
    """What is measured, how long each part of it took, and where that is told while it runs."""

    def __init__(self, only: set[str], console: Console) -> None:
        self.only, self.console = only, console
        self.seconds: dict[str, float] = {}
        self.begun = time.perf_counter()

    def wanted(self, *names: str) -> bool:
        """Whether any of these figures was asked for; all are when none was named."""
        return not self.only or bool(self.only & set(names))

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Tells that a part begins, and how long it took when it is over."""
        self.console.log(f"{name} …")
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = time.perf_counter() - start
            self.console.log(f"{name}: {self.seconds[name]:.1f} s, {time.perf_counter() - self.begun:.0f} s since the start")


async def measure(people: int, phases: Phases) -> list[Figure]:
    """All figures asked for, in their order."""
    found: list[Figure] = []
    if phases.wanted("flat", "verify", *GROWN):
        async with folder() as place:
            async with serving(place, worker=False) as hub:
                found += await among_people(hub, people, phases)
                if phases.wanted("memory"):
                    used = [memory.of_family(hub.pid, place)]
                    found.append(Figure(f"memory of hub + database with {people:,} contacts", "", "2048 MiB", "1024 MiB", "MiB", used))
            if phases.wanted("opt-outs"):
                async with serving(place, worker=False, processes=os.cpu_count() or 1) as hub:
                    with phases.timed("opt-outs"):
                        found += await figures.opt_outs(hub)
    if phases.wanted("webhooks"):
        with phases.timed("webhooks"):
            async with folder() as place, serving(place) as hub:
                found.append(await told.webhooks(hub))
    return found


async def among_people(hub: Bench, people: int, phases: Phases) -> list[Figure]:
    """The figures that take a population; it grows between the points of the flatness line."""
    points: list[flatness.Point] = []
    verified: list[Figure] = []
    filled = 0
    flat = {*SIZES, 1_000_000, people} if phases.wanted("flat") else set[int]()
    proven = {min(people, VERIFIED)} if phases.wanted("verify") else set[int]()
    grown = {people} if phases.wanted(*GROWN) else set[int]()
    for size in sorted(one for one in flat | proven | grown if one <= people):
        with phases.timed(f"filling up to {size:,} people"):
            await fill_in_parallel(hub.dsn, hub.folder, filled, size - filled)
        filled = size
        if size in flat:
            with phases.timed(f"flat, {size:,}"):
                points.append(await flatness.point(hub, size))
        if size in proven:
            with phases.timed("verify"):
                verified = await verify.verifying(hub, entries_before(size), phases.timed)
    flatness.draw(points)
    found = flatness.figures(points)
    for name, figure in (("checks", figures.single_checks), ("batches", figures.batch_checks), ("audiences", audiences.screening)):
        if phases.wanted(name):
            with phases.timed(name):
                found += await figure(hub, people)
    if phases.wanted("latency"):
        with phases.timed("latency"):
            found += await figures.latency(hub, people)
    return found + verified


def table(found: list[Figure]) -> Table:
    """The figures as a table for people."""
    shown = Table(
        "figure", "limit beside it", "median", "spread", "at least", "aim", title="Ratios are the result; absolute numbers only colour them"
    )
    for one in found:
        ratios = one.ratios
        colour = f" ({median(one.ours):,.0f} : {median(one.beside):,.0f})" if one.beside else ""
        spread = f"{min(ratios):.3g} … {max(ratios):.3g}"
        shown.add_row(one.name, one.limit or "–", f"{median(ratios):.3g} {one.unit}{colour}", spread, one.least, one.aim)
    return shown


def main() -> None:
    """Measures, prints a table, and writes the figures as JSON."""
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_argument(
        "figures", nargs="*", help="flat checks batches audiences latency opt-outs memory verify webhooks; all when none is named"
    )
    options.add_argument(
        "--people", type=int, default=int(os.environ.get("PEOPLE") or (10_000_000 if os.environ.get("FULL") else 1_000_000)),
        help="how many people there are (also: PEOPLE=…, FULL=1 for ten million)",
    )  # fmt: skip
    options.add_argument("--json", type=Path, default=Path("bench.json"), metavar="FILE")
    given = options.parse_args()
    console = Console(stderr=True)
    if not load.have_wrk():
        sys.exit("The figures need the load generator wrk: apt-get install wrk")
    phases = Phases(set(given.figures), console)
    found = uvloop.run(measure(given.people, phases))
    Console(width=None if sys.stdout.isatty() else 180).print(table(found))
    console.log("  ".join(f"{name} {seconds:.0f} s" for name, seconds in phases.seconds.items()))
    machine = {"processors": os.cpu_count(), "python": platform.python_version(), "people": given.people}
    given.json.write_text(
        json.dumps({"machine": machine, "seconds": phases.seconds, "figures": [one.as_json() for one in found]}, indent=1) + "\n"
    )
    console.log(f"written to {given.json}")


if __name__ == "__main__":
    main()

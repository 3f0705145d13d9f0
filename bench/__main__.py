"""`make bench`: every figure beside its limit, measured in the same run. FULL=1 takes ten million people instead of one."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

import uvloop
from rich.console import Console
from rich.table import Table

from bench import audiences, figures, flatness, load, memory, told, verify
from bench.figures import Figure
from bench.hub import Bench, folder, serving
from bench.people import fill_in_parallel

SIZES = (10_000, 100_000)


async def measure(people: int, only: set[str], console: Console) -> list[Figure]:
    """All figures asked for, in their order."""

    def wanted(name: str) -> bool:
        if not only or name in only:
            console.log(f"{name} …")
            return True
        return False

    found: list[Figure] = []
    if not only or only - {"verify", "webhooks"}:
        async with folder() as place, serving(place, worker=False) as hub:
            found += await among_people(hub, people, wanted, console)
            if wanted("opt-outs"):
                found += await figures.opt_outs(hub)
            if wanted("memory"):
                used = [memory.of_family(hub.pid, place)]
                found.append(Figure(f"memory of hub + database with {people:,} contacts", "", "2048 MiB", "1024 MiB", "MiB", used))
    if wanted("verify"):
        # Each entry costs the same, so all figures together take a quarter of them.
        entries = people if only or os.environ.get("FULL") else people // 4
        found += await verify.verifying(min(entries, 1_000_000))
    if wanted("webhooks"):
        async with folder() as place, serving(place) as hub:
            found.append(await told.webhooks(hub))
    return found


async def among_people(hub: Bench, people: int, wanted: Callable[[str], bool], console: Console) -> list[Figure]:
    """The figures that take a population; it grows between the points of the flatness line."""
    points: list[flatness.Point] = []
    filled, flat = 0, wanted("flat")
    for size in (*(one for one in SIZES if one < people), people):
        console.log(f"making {size - filled:,} people …")
        await fill_in_parallel(hub.dsn, hub.folder, filled, size - filled)
        filled = size
        if flat:
            points.append(await flatness.point(hub, size))
    flatness.draw(points)
    found = flatness.figures(points)
    if wanted("checks"):
        found += await figures.single_checks(hub, people)
    if wanted("batches"):
        found.append(await figures.batch_checks(hub, people))
    if wanted("audiences"):
        found.append(await audiences.screening(hub, people))
    if wanted("latency"):
        found += await figures.latency(hub, people)
    return found


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
    options.add_argument("--people", type=int, default=10_000_000 if os.environ.get("FULL") else 1_000_000)
    options.add_argument("--json", type=Path, default=Path("bench.json"), metavar="FILE")
    given = options.parse_args()
    console = Console(stderr=True)
    if not load.have_wrk():
        sys.exit("The figures need the load generator wrk: apt-get install wrk")
    found = uvloop.run(measure(given.people, set(given.figures), console))
    Console().print(table(found))
    machine = {"processors": os.cpu_count(), "python": platform.python_version(), "people": given.people}
    given.json.write_text(json.dumps({"machine": machine, "figures": [one.as_json() for one in found]}, indent=1) + "\n")
    console.log(f"written to {given.json}")


if __name__ == "__main__":
    main()

"""`make bench`: every figure beside its limit, measured in the same run. FULL=1 takes ten million people instead of one."""

import argparse
import asyncio
import json
import os
import platform
import sys
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench import figures, load, memory, told
from bench.figures import Figure
from bench.hub import folder, serving
from bench.people import fill_in_parallel

SIZES = (10_000, 100_000)


async def measure(people: int, only: set[str], console: Console) -> list[Figure]:
    """All figures asked for, in their order; the population grows between the points of the flatness line."""
    found: list[Figure] = []

    def wanted(name: str) -> bool:
        return not only or name in only

    async with folder() as place, serving(place, worker=False) as hub:
        filled = 0
        for size in (*(one for one in SIZES if one < people), people):
            console.log(f"making {size - filled:,} people …")
            await fill_in_parallel(hub.dsn, hub.pepper, filled, size - filled)
            filled = size
            if wanted("flat"):
                taken = [
                    load.percentile(await load.latencies(hub.port, token=hub.token, people=size, per_second=200, seconds=3), 0.5)
                    for _ in range(figures.ROUNDS)
                ]
                found.append(Figure(f"median latency of a check among {size:,} people", "", "flat", "flat", "ms", taken))
        if wanted("checks"):
            console.log("single checks …")
            found += await figures.single_checks(hub, people)
        if wanted("batches"):
            console.log("batches of checks …")
            found.append(await figures.batch_checks(hub, people))
        if wanted("latency"):
            console.log("latency under writes …")
            found.append(await figures.latency(hub, people))
        if wanted("opt-outs"):
            console.log("durable opt-outs …")
            found += await figures.opt_outs(hub)
        if wanted("memory"):
            found.append(
                Figure(
                    f"memory of hub + database with {people:,} contacts",
                    "",
                    "2048 MiB",
                    "1024 MiB",
                    "MiB",
                    [memory.of_family(hub.pid, place)],
                )
            )
    if wanted("webhooks"):
        async with folder() as place, serving(place) as hub:
            console.log("webhooks …")
            found.append(await told.webhooks(hub))
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
    options.add_argument("figures", nargs="*", help="flat checks batches latency opt-outs memory webhooks; all when none is named")
    options.add_argument("--people", type=int, default=10_000_000 if os.environ.get("FULL") else 1_000_000)
    options.add_argument("--json", type=Path, default=Path("bench.json"), metavar="FILE")
    given = options.parse_args()
    console = Console(stderr=True)
    if not load.have_wrk():
        sys.exit("The figures need the load generator wrk: apt-get install wrk")
    found = asyncio.run(measure(given.people, set(given.figures), console))
    Console().print(table(found))
    machine = {"processors": os.cpu_count(), "python": platform.python_version(), "people": given.people}
    given.json.write_text(json.dumps({"machine": machine, "figures": [one.as_json() for one in found]}, indent=1) + "\n")
    console.log(f"written to {given.json}")


if __name__ == "__main__":
    main()

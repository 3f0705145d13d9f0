"""What a check costs as people grow: its latency at each size of the population, and the line they make."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import load
from bench.figures import ROUNDS, Figure
from bench.hub import Bench

PLACE = Path("docs/images/flatness.svg")
PER_SECOND = 200
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 640, 260, 60, 30, 50


@dataclass(frozen=True, slots=True)
class Point:
    """Milliseconds of a check among so many people, round by round."""

    people: int
    halfway: list[float]
    slow: list[float]


async def point(hub: Bench, people: int) -> Point:
    """Median and p99 at a steady pace that leaves the hub idle in between."""
    rounds = [await load.latencies(hub.port, token=hub.token, people=people, per_second=PER_SECOND, seconds=3) for _ in range(ROUNDS)]
    return Point(people, [load.percentile(one, 0.5) for one in rounds], [load.percentile(one, 0.99) for one in rounds])


def figures(points: Sequence[Point]) -> list[Figure]:
    """A line for each size, and what the largest costs beside the smallest."""
    found = [Figure(f"median latency of a check among {one.people:,} people", "", "flat", "flat", "ms", one.halfway) for one in points]
    if len(points) > 1:
        first, last = points[0], points[-1]
        found.append(Figure(
            f"a check among {last.people:,} people", f"a check among {first.people:,}", "≤ 2", "≤ 1.2", "×", last.halfway, first.halfway
        ))  # fmt: skip
    return found


def svg(points: Sequence[Point]) -> str:
    """The line as a picture; the same numbers stand in the table of the figures. A decade of people takes one step."""
    top = max(max(median(one.slow), 1.0) for one in points) * 1.1
    step = (WIDTH - LEFT - 40) / max(1, len(points) - 1)

    def at(n: int, value: float) -> tuple[float, float]:
        return LEFT + 10 + n * step, TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif" font-size="12">',
        "<title>Latency of a pre-send check over the number of people</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for share in (0, 0.5, 1):
        y = at(0, top * share)[1]
        parts.append(f'<line x1="{LEFT}" y1="{y:.0f}" x2="{WIDTH - 20}" y2="{y:.0f}" stroke="#d5d9de"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end" fill="#444">{top * share:.1f} ms</text>')
    for name, colour, values in (
        ("p99", "#b3541e", [median(one.slow) for one in points]), ("median", "#1f5f8b", [median(one.halfway) for one in points])
    ):  # fmt: skip
        places = [at(n, value) for n, value in enumerate(values)]
        line = " ".join(f"{x:.0f},{y:.0f}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for (x, y), value in zip(places, values, strict=True):
            parts.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{colour}"/>')
            parts.append(f'<text x="{x:.0f}" y="{y - 8:.0f}" text-anchor="middle" fill="{colour}">{value:.1f}</text>')
        x, y = places[-1]
        parts.append(f'<text x="{x - 30:.0f}" y="{y + 16:.0f}" text-anchor="middle" fill="{colour}">{name}</text>')
    for n, one in enumerate(points):
        parts.append(f'<text x="{at(n, 0)[0]:.0f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle" fill="#444">{one.people:,}</text>')
    parts.append(f'<text x="{WIDTH / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle" fill="#444">people</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def draw(points: Sequence[Point], place: Path = PLACE) -> None:
    """Writes the picture."""
    if points:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(svg(points), encoding="utf-8")

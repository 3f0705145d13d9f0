"""Screening on a cluster: two functions for Spark's `mapInArrow`, around a join with the decision snapshot that Spark does itself.

    keyed = audience.mapInArrow(keys(pepper, "email"), schema_with_keys)
    joined = keyed.join(spark.read.parquet(snapshot), "k", "left").join(shadows, keyed.look == shadows.k, "left")…
    answered = joined.mapInArrow(answers(profiles, ask, default_country), schema_with_answers)

Both are the code that one machine runs: keys by the rules' own reading of addresses, answers by the same profiles. The result is exact as
of the snapshot; rows that only the gate can judge come back denied with the reason `ask_the_gate`. Needs no Spark to be imported.
docs/how-to/screen-an-audience.md shows a whole job.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from sayso.rules.audience import NOBODY, UNSURE, Profile, from_json, told
from sayso.rules.gate import Ask
from sayso.rules.subjects import address_or_fault, aliases, subject_id

KEY_BYTES: Final = 16
ASK_THE_GATE: Final = "ask_the_gate"
"""Reason of rows that no profile can tell: denied here; send them to /api/v2/send_checks:batch."""

Map = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def profiles_of(snapshot: Path) -> tuple[Profile, ...]:
    """The profiles of the snapshot in force in this folder. Raises OSError and ValueError."""
    return tuple(map(from_json, json.loads((snapshot / "in-force.json").read_bytes())["profiles"]))


def keys(pepper: bytes, channel: str, *, column: str = "email", region: str | None = None) -> Map:
    """A function for mapInArrow that adds `k`, `look1`, `look2` (16 bytes each, the snapshot's keys) and `fault` to each row.

    `fault` is "" or the code that says why nothing can be sent there. The pepper is a secret: broadcast it, never write it out.
    """

    def one(raw: str | None) -> tuple[bytes | None, bytes | None, bytes | None, str]:
        address, fault = address_or_fault(channel, raw or "", region)
        if address is None:
            return None, None, None, fault
        found = [subject_id(pepper, other.kind, other.value)[:KEY_BYTES] for other in aliases(address)]
        first, second, third, *_ = [*found, None, None]
        return first, second, third, ""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = [one(raw) for raw in batch.column(column).to_pylist()]
            names = (("k", pa.binary()), ("look1", pa.binary()), ("look2", pa.binary()), ("fault", pa.string()))
            yield _wider(batch, {name: pa.array([row[n] for row in rows], kind) for n, (name, kind) in enumerate(names)})

    return run


def answers(profiles: Sequence[Profile], ask: Ask, default_country: str | None = None) -> Map:
    """A function for mapInArrow that adds `allowed` and `reason`.

    Rows hold `fault`, `profile` (null: never seen), `shadowed` (whether one of its look-alikes may deny; null: no) and, if they like,
    `country`. Each combination is judged once.
    """
    seen: dict[tuple[int, str | None], tuple[bool, str]] = {}

    def one(fault: str | None, profile: int | None, shadowed: bool | None, country: str | None) -> tuple[bool, str]:
        if fault:
            return False, fault
        place = (UNSURE if shadowed else NOBODY if profile is None else profile, country.strip().upper() if country else None)
        if place not in seen:
            asked = Ask(ask.channel, ask.category, ask.brand, place[1] or ask.country)
            seen[place] = told(profiles[place[0]], asked, default_country) or (False, ASK_THE_GATE)
        return seen[place]

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            none = pa.nulls(batch.num_rows)
            columns = [batch.column(name) if name in batch.schema.names else none for name in ("fault", "profile", "shadowed", "country")]
            rows = [one(*row) for row in zip(*(column.to_pylist() for column in columns), strict=True)]
            yield _wider(
                batch,
                {"allowed": pa.array([row[0] for row in rows], pa.bool_()), "reason": pa.array([row[1] for row in rows], pa.string())},
            )

    return run


def _wider(batch: pa.RecordBatch, added: Mapping[str, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([*batch.columns, *added.values()], names=[*batch.schema.names, *added])

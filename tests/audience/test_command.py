"""`sayso screen`: a list in, the same list out with an answer in each row."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from operators import Sayso, bare, listed, sayso

__all__ = ["bare", "listed", "sayso"]


@pytest.mark.feature("R7")
def test_a_list_is_screened_from_the_command_line(sayso: Sayso, listed: Callable[..., Path], tmp_path: Path) -> None:
    assert sayso("import", listed("email", "ada@example.com"), "--opt-outs", "--category", "promotional", "--json").code == 0
    audience = listed("id;email", "1;ADA@example.com", "2;ben@example.com", "3;oops", name="audience.csv")
    done = sayso("screen", audience, "--category", "promotional", "--country", "US", "-o", tmp_path / "out.csv", "--json")
    assert done.code == 0, done.err
    report = done.json
    assert (report["rows"], report["allowed"], report["blocked"]) == (3, 1, 2)
    assert report["reasons"] == {"category_opted_out": 1, "allowed_by_regime": 1, "invalid_address": 1}
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert [(row["id"], row["email"], row["allowed"]) for row in rows] == [
        ("1", "ADA@example.com", "false"), ("2", "ben@example.com", "true"), ("3", "oops", "false"),
    ]  # fmt: skip
    assert (tmp_path / "out.csv").stat().st_mode & 0o077 == 0, "whoever else is on the machine does not read lists"
    assert sayso("screen", audience, "-c", "promotional", "-o", tmp_path / "out.parquet").code == 0
    assert pq.read_table(tmp_path / "out.parquet").column_names == ["id", "email", "allowed", "reason"]


@pytest.mark.parametrize(
    ("arguments", "code", "where"),
    [
        (("-c", "promotional", "-o", "out.doc"), 2, "--out"),
        (("-c", "nothing", "-o", "out.csv"), 2, "category"),
        (("-c", "promotional", "--channel", "pigeon", "-o", "out.csv"), 2, "channel"),
        (("-c", "promotional", "-o", "list.csv"), 2, "--out"),
        (("-c", "promotional", "--channel", "sms", "-o", "out.csv"), 1, "list.csv"),
    ],
)
def test_what_cannot_be_screened_is_told_with_the_place(
    sayso: Sayso, listed: Callable[..., Path], arguments: tuple[str, ...], code: int, where: str, tmp_path: Path
) -> None:
    done = sayso("screen", listed("email", "ada@example.com"), *arguments, "--json")
    assert done.code == code and done.error["where"].endswith(where), done
    assert not (tmp_path / "out.csv").exists() and not list(tmp_path.glob(".*.part"))
    assert json.loads(done.err.strip().splitlines()[-1])["error"]["what"]

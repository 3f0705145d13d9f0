"""The command line on a real database, as an operator would use it: arguments in, exit code, stdout and stderr out."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from sayso.cli import app


@dataclass(frozen=True, slots=True)
class Done:
    """How one command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed on stdout: exactly one JSON value."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """What it said went wrong."""
        return json.loads(self.err.strip().splitlines()[-1])["error"]


Sayso = Callable[..., Done]


def invoke(*arguments: str | Path) -> Done:
    try:
        result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    finally:
        structlog.reset_defaults()  # a command logs to its own stderr, which ends with it
    return Done(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sayso]:
    """`sayso` in an empty folder, with no settings but a data folder that does not exist yet."""
    for name in [name for name in os.environ if name.startswith("SAYSO_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAYSO_DATA_DIR", str(tmp_path / "data"))
    return invoke


@pytest.fixture
def sayso(bare: Sayso, database: str, monkeypatch: pytest.MonkeyPatch) -> Sayso:
    """`sayso` on a fresh database."""
    monkeypatch.setenv("SAYSO_DATABASE_URL", database)
    return bare


@pytest.fixture
def listed(tmp_path: Path) -> Callable[..., Path]:
    """Writes a list of opt-outs: rows of text, or bytes as they are."""

    def write(*rows: str, raw: bytes | None = None, name: str = "list.csv") -> Path:
        place = tmp_path / name
        place.write_bytes(raw if raw is not None else ("\n".join(rows) + "\n").encode())
        return place

    return write

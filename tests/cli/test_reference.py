"""The reference page is the command line's own."""

import runpy
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from sayso.cli import app

HOME = Path(__file__).parents[2]
PAGE = HOME / "docs" / "reference" / "cli.md"


def commands() -> list[tuple[str, ...]]:
    root = get_command(app)
    found: list[tuple[str, ...]] = []
    for name, one in root.commands.items():  # type: ignore[attr-defined]  # the root is a group
        found += [(name, inner) for inner in one.commands] if hasattr(one, "commands") else [(name,)]
    return found


def test_the_page_is_current() -> None:
    made = runpy.run_path(str(HOME / "scripts" / "cli_reference.py"))
    assert PAGE.read_text(encoding="utf-8") == made["reference"](), "run: make docs"


@pytest.mark.parametrize("path", commands(), ids=" ".join)
def test_every_command_explains_itself_and_has_json(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*path, "--help"])
    assert shown.exit_code == 0 and "--json" in shown.stdout
    assert f"## sayso {' '.join(path)}\n" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["backup", "restore", "upgrade"])
def test_what_does_not_exist_yet_is_not_offered(name: str) -> None:
    assert CliRunner().invoke(app, [name]).exit_code == 2


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout.startswith("sayso 0.")

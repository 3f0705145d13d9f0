"""The installer: once is enough, a killed one is made good, and what is missing is said in one command."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]

# Makes `.venv/bin/python`, a program that notes what pip is asked for and succeeds unless told to fail.
PYTHON = """#!/bin/bash
case "$*" in
    *ensurepip*) exit ${NO_ENSUREPIP:-0} ;;
    "-m venv .venv") echo venv >>log; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
    "-m pip install"*) echo pip >>log; exit ${NO_NETWORK:-0} ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the installer, what it reads, and a pretended Python."""
    shutil.copytree(PROJECT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(PROJECT / name, tmp_path)
    python = tmp_path / "python3"
    python.write_text(PYTHON)
    python.chmod(0o755)
    return tmp_path


def install(project: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `install.sh run` did."""
    known = {**os.environ, "PYTHON": str(project / "python3"), **environment}
    return subprocess.run([project / "scripts/install.sh", "run"], env=known, capture_output=True, text=True, check=False)


def done(project: Path) -> list[str]:
    """What was made or fetched so far."""
    log = project / "log"
    return log.read_text().split() if log.exists() else []


def test_nothing_is_fetched_while_nothing_changed(project: Path) -> None:
    for _ in range(2):
        assert install(project).returncode == 0
        assert done(project) == ["venv", "pip"]
    with (project / "constraints.txt").open("a") as file:
        file.write("# changed\n")
    assert install(project).returncode == 0
    assert done(project) == ["venv", "pip", "pip"]


def test_a_failed_installation_says_so_and_the_next_one_goes_on(project: Path) -> None:
    failed = install(project, NO_NETWORK="1")
    assert failed.returncode == 1
    assert "needs a network" in failed.stderr
    assert install(project).returncode == 0
    assert done(project) == ["venv", "pip", "pip"]


def test_an_installation_that_was_killed_starts_afresh(project: Path) -> None:
    install(project)
    (project / ".venv/.installing").touch()
    (project / ".venv/half-copied").touch()
    again = install(project)
    assert again.returncode == 0 and "starting afresh" in again.stdout
    assert not (project / ".venv/half-copied").exists()
    assert done(project) == ["venv", "pip", "venv", "pip"]


def test_a_moved_project_is_installed_again(project: Path) -> None:
    """The scripts in .venv carry its path."""
    install(project)
    moved = project / "moved"
    moved.mkdir()
    for name in (".venv", "scripts", "pyproject.toml", "constraints.txt", "python3"):
        (project / name).rename(moved / name)
    assert install(moved).returncode == 0
    assert done(moved) == ["venv", "pip"]


def test_a_python_without_ensurepip_is_named_with_the_fix(project: Path) -> None:
    refused = install(project, NO_ENSUREPIP="1")
    assert refused.returncode == 1
    assert "make run PYTHON=/usr/bin/python3" in refused.stderr
    assert done(project) == []


def test_make_explains_itself() -> None:
    said = subprocess.run(["make", "-C", PROJECT], capture_output=True, text=True, check=True).stdout
    assert all(f"make {target} " in said for target in ("run", "test", "check", "bench", "features", "constraints", "clean"))

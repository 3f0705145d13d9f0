"""Connectors on the command line: what there is, whether it keeps the contract, and a beginning that does from its first minute."""

import subprocess
import sys
from pathlib import Path

import pytest

from operators import Sayso

NEAR = """import sayso.connectors
from pathlib import Path
sayso.connectors.__path__.append(str(Path(__file__).parent))
"""


@pytest.mark.feature("D2")
def test_all_connectors_are_listed_with_their_settings(bare: Sayso) -> None:
    found = bare("connector", "list", "--json")
    named = {row["name"]: row for row in found.json["items"]}
    assert found.code == 0 and {"mailchimp", "sendgrid", "webhook"} <= set(named)
    assert {row["key"] for row in named["sendgrid"]["settings"] if row["secret"]} >= {"api_key"}
    assert "SendGrid" in bare("connector", "list").out


@pytest.mark.feature("D1")
@pytest.mark.slow
def test_a_new_connector_passes_the_whole_suite_before_a_word_of_it_is_changed(bare: Sayso, tmp_path: Path) -> None:
    made = bare("connector", "new", "zed_mail", "--into", tmp_path, "--json")
    assert made.code == 0 and all(Path(file).is_file() for file in made.json["files"])
    assert not [file for file in made.json["files"] if "acme" in Path(file).read_text().lower()]
    (tmp_path / "conftest.py").write_text(NEAR)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "zed_mail/tests.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3_000:]
    assert "passed" in done.stdout and "failed" not in done.stdout


def test_a_connector_that_exists_is_never_written_over(bare: Sayso, tmp_path: Path) -> None:
    assert bare("connector", "new", "zed", "--into", tmp_path).code == 0
    (tmp_path / "zed" / "__init__.py").write_text("mine")
    assert bare("connector", "new", "zed", "--into", tmp_path, "--json").code == 2
    assert (tmp_path / "zed" / "__init__.py").read_text() == "mine"
    assert bare("connector", "new", "sendgrid", "--into", tmp_path, "--json").code == 2


@pytest.mark.parametrize("name", ["Zed", "z", "1st", "a-b", "../x", "class", "x" * 40])
def test_a_name_must_be_a_module(bare: Sayso, tmp_path: Path, name: str) -> None:
    assert bare("connector", "new", name, "--into", tmp_path, "--json").code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_check_runs_the_suite_of_a_connector(bare: Sayso) -> None:
    found = bare("connector", "check", "webhook", "--json")
    assert (found.code, found.json["ok"], found.json["suite"]) == (0, True, True) and "passed" in found.json["detail"]


def test_check_says_which_connector_there_is_not(bare: Sayso) -> None:
    assert bare("connector", "check", "nothing", "--json").error["fix"] == "sayso connector list"

"""`sayso connector`: the kinds of systems that can be connected, and a beginning for a new one."""

import keyword
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final

import typer

import sayso.connectors
from sayso.commands.frame import FAILED, USAGE, Failed, failures
from sayso.commands.output import AsJson, err, out, print_json, show, table
from sayso.connectors import registry
from sayso.contracts.connector import Connector

app = typer.Typer(no_args_is_help=True, help="The kinds of systems that can be connected.")

TEMPLATE: Final = Path(__file__).parent / "connector_template"
STAND_IN: Final = "acme"
PLACES: Final = (
    ("__init__.py.txt", "__init__.py"), ("tests.py.txt", "tests.py"), ("README.md.txt", "README.md"),
    ("unsubscribe.json.txt", "fixtures/unsubscribe.json"),
)  # fmt: skip
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,30}", re.ASCII)
Name = Annotated[str, typer.Argument(help="The connector's name: lower-case letters, digits and _.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the connectors with their settings, and packages that could not be loaded."""
    found = registry.find()
    if as_json:
        print_json({"items": [_row(one) for one in found.connectors.values()], "problems": list(found.problems)})
        return
    rows = [{**_row(one), "settings": ", ".join(_setting(s) for s in _row(one)["settings"])} for one in found.connectors.values()]
    out().print(table(rows, ("name", "title", "channels", "settings", "docs")))
    for problem in found.problems:
        err().print(f"left out: {problem}", markup=False, style="yellow")


@app.command()
def check(name: Name, as_json: AsJson = False) -> None:
    """Check that a connector has the right shape and passes the suite in its tests.py. Exit code 1 if it does not."""
    with failures(as_json):
        found = registry.find()
        if name not in found.connectors:
            said = next((problem for problem in found.problems if name in problem), f"there is no connector {name[:40]!r}")
            raise Failed(said, where=name, fix="sayso connector list")
        ran, passed, said = _suite(found.connectors[name])
    text = f"{'ok' if passed else 'fail'}  {name}: shape right; {said}"
    show({"name": name, "ok": passed, "suite": ran, "detail": said}, text, as_json=as_json)
    if not passed:
        raise typer.Exit(FAILED)


@app.command()
def new(
    name: Name,
    into: Annotated[Path | None, typer.Option(help="The folder it is made in; else beside the built-in ones.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a folder with a connector that works against a stand-in, its fixtures and tests. Put the vendor's words into its place."""
    with failures(as_json):
        made = _make(name, into or Path(sayso.connectors.__path__[0]))
    text = "\n".join([*map(str, made), "", f"Next: docs/how-to/write-a-connector.md, then sayso connector check {name}"])
    show({"name": name, "files": [str(one) for one in made]}, text, as_json=as_json)


def _make(name: str, folder: Path) -> list[Path]:
    """Writes the files of a new connector; those of an old one are never touched."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise Failed(f"{name[:40]!r} is no name", where="NAME", fix="2 to 31 lower-case letters, digits and _, a letter first", code=USAGE)
    home = folder / name
    if home.exists() or name in registry.find().connectors:
        raise Failed(f"there is a connector {name} already", where=str(home), fix="choose another name", code=USAGE)
    files = {home / place: (TEMPLATE / source).read_text(encoding="utf-8") for source, place in PLACES}
    suite = folder.parents[2] / "tests" / "connectors" if len(folder.parents) > 2 else folder
    if folder == Path(sayso.connectors.__path__[0]) and suite.is_dir():
        files[suite / f"test_{name}.py"] = (
            f'"""The {STAND_IN} connector\'s own tests, run from its folder."""\n\nfrom sayso.connectors.{STAND_IN}.tests import *\n'
        )
    for place, text in files.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(_named(text, name), encoding="utf-8")
    return list(files)


def _named(text: str, name: str) -> str:
    title = name.replace("_", " ").title()
    return text.replace(STAND_IN.title(), title if title.isidentifier() else title.replace(" ", "")).replace(STAND_IN, name)


def _suite(connector: Connector) -> tuple[bool, bool, str]:
    """Whether the suite could be run, whether it passed, and its last words."""
    place = getattr(connector, "__file__", None)
    tests = Path(place).parent / "tests.py" if place else None
    if tests is None or not tests.exists():
        return False, True, "it brings no tests.py"
    if find_spec("pytest") is None or find_spec("pytest_asyncio") is None:
        return False, True, "its tests were not run: install sayso[test]"
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "-o", "addopts=", str(tests))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)  # noqa: S603 - our own interpreter and file
    if done.returncode:
        err().print(done.stdout[-4_000:], markup=False)
    last = [line for line in done.stdout.splitlines() if line.strip()][-1:] or ["no answer"]
    return True, done.returncode == 0, last[0]


def _row(connector: Connector) -> dict[str, Any]:
    about = connector.about
    settings = [{"key": one.key, "help": one.help, "required": one.required, "secret": one.secret} for one in about.settings]
    return {
        "name": about.name, "title": about.title, "channels": list(about.channels), "settings": settings, "docs": about.docs,
        "pulls": about.pulls, "hears": about.hears, "can_resubscribe": about.can_resubscribe,
    }  # fmt: skip


def _setting(row: dict[str, Any]) -> str:
    return f"{row['key']}{'*' if row['required'] else ''}"

"""The pages say what the code does: everything is described, every link leads somewhere, every promise has its test."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from sayso.cli import app
from sayso.rules.gate import ALLOWING, BLOCKING
from sayso.rules.law import RULEBOOK
from sayso.settings import describe
from sayso.web.docs import EXPLAINED
from sayso.web.errors import CODES

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
TOP = tuple(PROJECT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"))
PAGES = (*TOP, *sorted(DOCS.rglob("*.md")), *sorted((PROJECT / "src" / "sayso" / "connectors").glob("*/README.md")))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
GUARD = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"```.*?```", "", text(page), flags=re.DOTALL)


def tracked(*patterns: str) -> list[str]:
    """The files of the repository; what somebody is still writing does not count."""
    if not (PROJECT / ".git").exists():
        pytest.skip("not run: this is no git checkout")
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=PROJECT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (PROJECT / name).is_file()]


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def test_pages_written_from_the_code_are_current() -> None:
    done = subprocess.run([sys.executable, "scripts/docs.py", "--check"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run scripts/docs.py: {done.stdout}{done.stderr}"


def test_every_error_code_has_its_page() -> None:
    assert list(EXPLAINED) == list(CODES)
    assert re.findall(r"^## (\w+)$", text(DOCS / "reference" / "errors.md"), re.MULTILINE) == list(CODES)


def test_every_setting_is_described() -> None:
    page = text(DOCS / "reference" / "settings.md")
    assert [one.variable for one in describe() if f"`{one.variable}`" not in page] == []


def test_every_reason_code_has_its_section_in_the_order_of_the_verdict() -> None:
    page = text(DOCS / "reference" / "reason-codes.md")
    assert re.findall(r"^### (\w+)$", page, re.MULTILINE) == [*BLOCKING, *ALLOWING]
    assert RULEBOOK in page


def test_every_regime_of_the_rulebook_is_described() -> None:
    from sayso.rules import law

    regimes = {one.id for one in vars(law).values() if isinstance(one, law.Regime)}
    page = text(DOCS / "reference" / "reason-codes.md")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == regimes


def test_every_promise_names_tests_that_exist() -> None:
    page = text(DOCS / "invariants.md")
    guards = GUARD.findall(page)
    missing = [f"{file}::{name}" for file, name in guards if name not in names_in(PROJECT / file)]
    assert missing == []
    promises = re.findall(r"^(\d+)\. (.*(?:\n(?!\d+\. |## ).*)*)", page, re.MULTILINE)
    assert [int(number) for number, _ in promises] == list(range(1, len(promises) + 1))
    assert [number for number, promise in promises if not GUARD.search(promise)] == []


def names_in(file: Path) -> frozenset[str]:
    if not file.exists():
        return frozenset()
    return frozenset(node.name for node in ast.walk(ast.parse(text(file))) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(prose(page)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if (
            not place.is_relative_to(PROJECT)
            or not place.exists()
            or (anchor and anchor not in [slug(head) for head in re.findall(r"^#+ (.*)$", text(place), re.MULTILINE)])
        ):
            broken.append(target)
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [PROJECT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        if page.is_dir():
            waiting += sorted(page.glob("*.md"))
        elif page.suffix == ".md":
            waiting += [(page.parent / target.partition("#")[0]).resolve() for target in LINK.findall(prose(page)) if ":" not in target]
    assert [str(page.relative_to(PROJECT)) for page in PAGES if page not in seen] == []


def test_the_readme_and_the_architecture_stay_short() -> None:
    assert len(text(PROJECT / "README.md").splitlines()) <= 120
    assert len(text(PROJECT / "ARCHITECTURE.md").splitlines()) <= 250


def test_decisions_are_numbered_without_gaps_and_say_why() -> None:
    decisions = sorted((DOCS / "adr").glob("*.md"))
    assert [int(one.name[:4]) for one in decisions] == list(range(1, len(decisions) + 1))
    assert [one.name for one in decisions if not re.search(r"Decision\b", text(one))] == []
    assert [one.name for one in decisions if len(text(one).splitlines()) > 70] == []


def test_the_readme_shows_the_commands_that_the_demonstration_prints() -> None:
    from sayso.demo.welcome import COMMANDS
    from sayso.web.console.pages import curl

    page = text(PROJECT / "README.md")
    for _, method, path, body in COMMANDS[:2]:
        assert curl("http://127.0.0.1:8400", "sst_…", method, path, body) in page


def test_the_map_of_the_code_names_every_rule_and_every_flow() -> None:
    page = text(PROJECT / "ARCHITECTURE.md")
    table = page[page.index("### rules/") : page.index("### flows/")]
    rules = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    flows = set(re.findall(r"`(\w+)`", page[page.index("### flows/") : page.index("### contracts/")]))
    for floor, named in (("rules", rules), ("flows", flows)):
        kept = {Path(name).stem for name in tracked(f"src/sayso/{floor}/*.py")} - {"__init__"}
        present = {path.stem for path in (PROJECT / "src" / "sayso" / floor).glob("*.py")}
        assert (named - present, kept - named) == (set(), set()), floor


def test_nothing_of_the_place_where_it_was_written_is_in_the_repository() -> None:
    forbidden = re.compile(
        r"/wor[k]/|/root/|/home/(?!sayso)\w+/|\b(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d+){2,3}:\d+|--index-url|proxy\.golang"
    )
    files = tracked("*.md", "*.txt", "*.toml", "*.sh", "*.json", "*.sql", "examples", "scripts", "src", "Makefile", ".ci")
    found = [f"{name}: {hit.group()}" for name in files if (hit := forbidden.search(raw(PROJECT / name)))]
    assert found == []


def raw(file: Path) -> str:
    """The content of any file as text."""
    return file.read_bytes().decode("utf-8", "replace")


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name != "adr"], ids=lambda page: str(page.relative_to(PROJECT)))
def test_pages_name_only_endpoints_and_commands_that_exist(page: Path) -> None:
    paths = json.loads(text(DOCS / "openapi.json"))["paths"]
    known = [re.compile(re.sub(r"\{[^}]*\}", "[^/]+", re.escape(path).replace(r"\{", "{").replace(r"\}", "}")) + r"\Z") for path in paths]
    named = {path.rstrip(".,:;") for path in re.findall(r"(?<![\w.])(/(?:api/v2|oauth|users)/[\w{}%@…/:._-]+)", text(page))}
    assert [path for path in sorted(named) if not any(one.match(path) for one in known)] == []
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    said = re.findall(r"(?:`|^|bin/|\$ )sayso ([a-z][a-z-]*)(?: ([a-z][a-z-]*)(?=[ `\n\"]))?", text(page), re.MULTILINE)
    unknown = []
    for first, second in said:
        command = group.commands.get(first)
        inner = command.commands if isinstance(command, TyperGroup) else None
        if command is None or (inner is not None and second and second not in inner):
            unknown.append(f"{first} {second}".strip())
    assert unknown == []


def test_every_endpoint_is_listed() -> None:
    page = text(DOCS / "reference" / "endpoints.md")
    paths = json.loads(text(DOCS / "openapi.json"))["paths"]
    assert [f"{method} {path}" for path, methods in paths.items() for method in methods if f"`{method.upper()} {path}`" not in page] == []

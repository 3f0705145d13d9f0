"""What a command says: results on stdout (tables for people, JSON for programs), everything else on stderr."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, errors as JSON on stderr.")]


def out() -> Console:
    """The console of results. Wide where nobody looks, so that a pipe gets whole lines."""
    return Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 200)


def err() -> Console:
    """The console of everything that is no result."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def print_json(value: Any, *, to_stderr: bool = False) -> None:
    """One JSON value on one line. Characters beyond ASCII stay escaped: whatever reads a pipe takes that."""
    print(json.dumps(value), file=sys.stderr if to_stderr else sys.stdout, flush=True)


def show(value: Any, text: str, *, as_json: bool) -> None:
    """The result: the value as JSON, or the text for people."""
    if as_json:
        print_json(value)
    else:
        out().print(text, markup=False)


def show_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool, empty: str) -> None:
    """A list: JSON `{"items": […]}`, or a table of the named columns; `empty` says what to do when there is nothing."""
    if as_json:
        print_json({"items": list(rows)})
    elif not rows:
        out().print(empty, markup=False)
    else:
        out().print(table(rows, columns))


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Table:
    """The named columns of some rows."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        shown.add_row(*(cell(row.get(column)) for column in columns))
    return shown


def cell(value: Any) -> str:
    """One cell as text, safe to print: no markup, no control characters that a terminal would obey."""
    if value is None or value is False:
        return ""
    text = "yes" if value is True else ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return escape(printable(text))


def printable(text: str) -> str:
    """The text with everything that a terminal could obey made visible."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)

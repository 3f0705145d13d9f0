"""`sayso config`: the settings, where each comes from, and whether they can be used."""

import os
from typing import Annotated, Any, Final

import typer

from sayso.commands.frame import FAILED, failures, settings
from sayso.commands.output import AsJson, out, print_json, show_rows
from sayso.rules.times import format_duration
from sayso.settings import BadConfiguration, Settings, describe, read

app = typer.Typer(no_args_is_help=True, help="Settings: environment and sayso.toml.")

HIDDEN: Final = "(set, not shown)"


@app.command()
def check(as_json: AsJson = False) -> None:
    """Say everything that is wrong with the settings; unknown names with the one that was meant. Exit code 1 if anything is."""
    try:
        found = read(os.environ)
        problems: tuple[str, ...] = ()
        warnings = tuple(f"{name} holds a value for demonstrations" for name in found.left_at_demo)
    except BadConfiguration as bad:
        problems, warnings = bad.problems, ()
    if as_json:
        print_json({"ok": not problems, "problems": list(problems), "warnings": list(warnings)})
    else:
        for kind, style, lines in (("fail", "red", problems), ("warn", "yellow", warnings)):
            for line in lines:
                out().print(f"{kind}  {line}", style=style, markup=False)
        if not problems:
            out().print("The settings can be used.")
    if problems:
        raise typer.Exit(FAILED)


@app.command()
def show(
    origin: Annotated[bool, typer.Option("--origin", help="Also say where each value comes from.")] = False, as_json: AsJson = False
) -> None:
    """Show every setting. Secrets are never shown."""
    with failures(as_json):
        found = settings()
    rows = [_row(found, one.name, one.variable, one.meaning, secret=one.secret) for one in describe()]
    if not as_json:
        rows = [{**row, "value": "(none)" if row["value"] is None else row["value"]} for row in rows]
    columns = ("setting", "value", *(("origin",) if origin else ()), "meaning")
    show_rows([{name: row[name] for name in columns} for row in rows], columns, as_json=as_json, empty="")


def _row(found: Settings, name: str, variable: str, meaning: str, *, secret: bool) -> dict[str, Any]:
    value = getattr(found, name)
    if secret and found.origins[name] != "default":
        shown: Any = HIDDEN
    elif name == "mail_url":
        shown = f"{value.kind}:{value.folder or value.host}"
    elif name == "conflict_window":
        shown = format_duration(value)
    elif isinstance(value, tuple):
        shown = ", ".join(map(str, value)) or None
    else:
        shown = value if value is None or isinstance(value, int) else str(value)
    return {"setting": variable, "value": shown, "origin": found.origins[name], "meaning": meaning}

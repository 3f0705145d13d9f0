"""The command line: which command is where. Every command has --json; exit codes are explained in docs/reference/cli.md."""

import logging
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from sayso.commands import client, import_, serve
from sayso.commands.logs import log_to_stderr

app = typer.Typer(
    name="sayso",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="The one place that knows who may be contacted, how, about what, and why.",
    epilog="Exit codes: 0 done, 1 failed or unsound, 2 used wrongly or changes pending. Settings: sayso config show.",
)
app.command()(serve.serve)
app.command()(serve.worker)
app.command("import")(import_.import_list)
app.add_typer(client.app, name="client")


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sayso {version_of('sayso')}")
        raise typer.Exit


@app.callback()
def before(
    version: Annotated[bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and exit.")] = False,  # noqa: ARG001 - its callback does it
) -> None:
    """Before every command: warnings go to stderr, so that stdout holds results only."""
    log_to_stderr(logging.WARNING)


def main() -> None:
    """Run the command line."""
    app()

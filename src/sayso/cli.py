"""The command line: which command is where. Every command has --json; exit codes are explained in docs/reference/cli.md."""

import logging
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from sayso.commands import (
    accept_rollback,
    bursts,
    catalogue,
    check_message,
    client,
    config,
    connection,
    connector,
    demo,
    doctor,
    erase,
    explain,
    import_,
    keys,
    lift,
    pages,
    receive_mail,
    screen,
    serve,
    verify,
)
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
app.command("demo")(demo.show_demo)
app.command("import")(import_.import_list)
app.command("explain")(explain.explain_address)
app.command("screen")(screen.screen_list)
app.command("check-message")(check_message.check_message)
app.command("verify")(verify.verify_ledger)
app.command("accept-rollback")(accept_rollback.accept)
app.command("receive-mail")(receive_mail.take_in)
app.command("erase")(erase.erase_person)
app.command("export")(erase.export_data)
app.command("doctor")(doctor.examine_hub)
app.add_typer(client.app, name="client")
app.add_typer(connection.app, name="connection")
app.add_typer(connector.app, name="connector")
app.add_typer(catalogue.app, name="catalogue")
app.add_typer(config.app, name="config")
app.add_typer(bursts.app, name="bursts")
app.add_typer(keys.app, name="keys")
app.add_typer(lift.app, name="lift")
app.add_typer(pages.app, name="pages")


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sayso {version_of('sayso')}")
        raise typer.Exit


@app.callback()
def before(
    version: Annotated[bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    """Before every command: warnings go to stderr, so that stdout holds results only."""
    log_to_stderr(logging.WARNING)


def main() -> None:
    """Run the command line."""
    app()

"""`sayso demo`: Northwind Outfitters, a made-up company on this machine."""

import logging
from typing import Annotated

import typer

from sayso.commands.frame import failures
from sayso.commands.logs import log_to_stderr


def show_demo(
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Port to listen on; default SAYSO_PORT.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Start over: forget what was done in the demo.")] = False,
    people: Annotated[int | None, typer.Option(min=20, hidden=True)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Errors as JSON on stderr.")] = False,
) -> None:
    """Serve a seeded demo on 127.0.0.1. It keeps a data folder of its own, and never sends mail."""
    from sayso.demo import command  # noqa: PLC0415 - the demo brings vendors and made-up people that nothing else needs

    log_to_stderr(logging.WARNING)
    with failures(as_json):
        code = command.run(port, reset) if people is None else command.run(port, reset, people)
    raise typer.Exit(code)

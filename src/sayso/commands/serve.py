"""`sayso serve` and `sayso worker`: the hub at work, until it is told to stop."""

import logging
from typing import Annotated

import typer
import uvloop

from sayso.commands.frame import Failed, failures, settings
from sayso.commands.logs import log_to_stderr
from sayso.commands.output import AsJson, err, print_json
from sayso.opening import Parts
from sayso.settings import Settings, listening


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default SAYSO_HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Port to listen on; default SAYSO_PORT.")] = None,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Web processes.")] = 1,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Only answer; `sayso worker` runs elsewhere.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run the hub: web processes, and the worker that sequences, seals and delivers. SIGINT or SIGTERM ends all of it."""
    from sayso import serving  # noqa: PLC0415 - loading all doors takes a moment that no other command should wait for

    log_to_stderr(logging.INFO)
    with failures(as_json):
        wanted = listening(settings(), host=host, port=port)

        async def begun(_: Parts) -> None:
            announce(wanted, as_json)

        try:
            if processes > 1:
                announce(wanted, as_json)
            serving.run(serving.Plan(wanted, processes, worker=not no_worker, begun=begun))
        except serving.PortTaken as taken:
            raise Failed(str(taken), where=f"{wanted.host}:{wanted.port}", fix=f"sayso serve --port {wanted.port + 1}") from taken
        except OSError as refused:
            fix = "choose an address of this machine: --host 127.0.0.1"
            raise Failed(f"cannot listen: {refused.strerror or refused}", where=f"{wanted.host}:{wanted.port}", fix=fix) from refused


def worker(as_json: AsJson = False) -> None:
    """Run a worker alone: it sequences the ledger, seals verdicts and tells connections. Several may run at once."""
    from sayso import serving  # noqa: PLC0415 - as above

    log_to_stderr(logging.INFO)
    with failures(as_json):
        wanted = settings()
        if as_json:
            print_json({"working": True, "data_dir": str(wanted.data_dir)})
        else:
            err().print(f"Working on {wanted.data_dir}. Ctrl-C ends it.", markup=False)
        uvloop.run(serving.work_here(wanted))


def announce(wanted: Settings, as_json: bool) -> None:
    """Says where the hub listens and what is left at values for demonstrations."""
    host = f"[{wanted.host}]" if ":" in wanted.host else wanted.host
    url = f"http://{host}:{wanted.port}"
    if as_json:
        print_json({"url": url, "data_dir": str(wanted.data_dir), "left_at_demo": list(wanted.left_at_demo)})
        return
    console = err()
    console.print(f"Sayso listens on {url}, data in {wanted.data_dir}.", markup=False)
    if wanted.left_at_demo:
        console.print(f"Set before real mail goes out: {', '.join(wanted.left_at_demo)}.", markup=False, style="yellow")
    console.print("Next: sayso client create NAME --scope email_preferences", markup=False)

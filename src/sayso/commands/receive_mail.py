"""`sayso receive-mail`: one mail from a mail server's pipe, taken as an opt-out. Its exit codes are those mail servers understand."""

import os
import sys
from typing import Annotated, Final

import typer
import uvloop

from sayso.commands.frame import explained, hub, settings
from sayso.commands.output import AsJson, err, print_json
from sayso.flows.receive_mail import Taken
from sayso.mail.inbound import read
from sayso.mail_wiring import take_of

TAKEN: Final = 0
UNREADABLE: Final = os.EX_DATAERR
"""65: there is no mail on stdin."""
AGAIN: Final = os.EX_TEMPFAIL
"""75: the mail server keeps the mail and brings it again."""
LARGEST: Final = 10 << 20


def take_in(
    recipient: Annotated[
        list[str] | None, typer.Option(help="Whom the envelope names (repeatable); else the mail's own headers are read.")
    ] = None,
    sender: Annotated[str | None, typer.Option(help="The envelope's sender; empty for a bounce. Else the header Return-Path.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take one mail on stdin as an opt-out. Exit code 0: dealt with; 75: bring it again; 65: there is no mail.

    Automatic replies are ignored. A mail that names nobody is kept for a person to look at, with a warning and exit code 0.
    """
    raw = sys.stdin.buffer.read(LARGEST)
    while sys.stdin.buffer.read(LARGEST):
        pass  # what is not read to its end, some mail servers take for a failure
    if not raw.strip():
        _say({"outcome": "unreadable", "detail": "there is no mail on stdin"}, as_json)
        raise typer.Exit(UNREADABLE)
    try:
        taken = uvloop.run(_take(raw, recipient or [], sender))
    except Exception as error:  # noqa: BLE001 - whatever it was, a mail server that is told so brings the mail again
        failed = explained(error)
        _say({"outcome": "failed", "detail": failed.what if failed else f"{type(error).__name__}: {error}"}, as_json)
        raise typer.Exit(AGAIN) from None
    _say({"outcome": taken.outcome, "detail": taken.detail}, as_json)


async def _take(raw: bytes, recipients: list[str], sender: str | None) -> Taken:
    async with hub(settings()) as parts:
        return await take_of(parts)(read(raw, recipients=recipients, sender=sender))


def _say(result: dict[str, str], as_json: bool) -> None:
    """The result: on stdout as JSON; else only what somebody has to look at, on stderr, because mail servers log it."""
    if as_json:
        print_json(result)
    elif result["outcome"] in ("unreadable", "failed", "odd"):
        err().print(f"{result['outcome']}: {result['detail']}", markup=False)

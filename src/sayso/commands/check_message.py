"""`sayso check-message`: what a message lacks before it may be sent to many. Looks at the file and at nothing else."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from sayso import keys as key_files
from sayso.commands.frame import FAILED, Failed, failures, settings
from sayso.commands.output import AsJson, out, print_json, printable
from sayso.keys import KeysUnusable
from sayso.rules.lint import Known, lint
from sayso.rules.raw_mail import Finding, NoMail, read_mail
from sayso.rules.tokens import Ring
from sayso.settings import Settings

LARGEST: Final = 32 << 20
STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def check_message(
    file: Annotated[Path, typer.Argument(help="A raw message (.eml); - reads it from stdin.", allow_dash=True)],
    transactional: Annotated[bool, typer.Option("--transactional", help="Nobody can refuse this message: it needs no way out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check a message's unsubscribe headers, signature, visible link, postal address and sender. Exit code 1 if anything failed."""
    with failures(as_json):
        findings = _findings(file, transactional)
    sound = all(one.level != "fail" for one in findings)
    if as_json:
        rows = [{"name": one.name, "level": one.level, "detail": one.detail, "fix": one.fix or None} for one in findings]
        print_json({"ok": sound, "findings": rows})
    else:
        console = out()
        for one in findings:
            console.print(f"{one.level:<5}", style=STYLES[one.level], end="")
            console.print(printable(f"{one.name}: {one.detail}"), markup=False)
            if one.fix and one.level != "ok":
                console.print(f"     fix: {printable(one.fix)}", markup=False)
    if not sound:
        raise typer.Exit(FAILED)


def _findings(file: Path, transactional: bool) -> list[Finding]:
    wanted = settings()
    try:
        mail = read_mail(_raw(file))
    except NoMail as none:
        raise Failed(str(none), where=str(file)) from none
    places = {wanted.postal_address, *(brand.postal_address for brand in wanted.brands.values())}
    return lint(mail, Known(wanted.public_url, _ring(wanted), tuple(sorted(places)), transactional))


def _raw(file: Path) -> bytes:
    if str(file) == "-":
        raw = sys.stdin.buffer.read(LARGEST + 1)
    else:
        with file.open("rb") as source:
            raw = source.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise Failed("a message has at most 32 MiB", where=str(file))
    return raw


def _ring(wanted: Settings) -> Ring | None:
    """The keys that open this hub's links; None where there are none. None are made for this."""
    if not (wanted.data_dir / "keys" / key_files.COMPLETE).exists():
        return None
    try:
        return key_files.load(wanted.data_dir).token_ring
    except KeysUnusable:
        return None

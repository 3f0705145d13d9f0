"""`sayso verify`: whether the whole ledger is what was signed."""

from typing import Any

import typer

from sayso.commands.frame import FAILED, hub, run
from sayso.commands.output import AsJson, out, print_json
from sayso.commands.progress import progress
from sayso.flows.verify import Problem, Verified, verify
from sayso.rules.notes import key_of, key_text
from sayso.store.details import PostgresDetails

SHOWN = 20


def verify_ledger(as_json: AsJson = False) -> None:
    """Check every entry, chain, tile, checkpoint and anchor, and that replaying the ledger gives the stored state. Changes nothing.

    Exit code 0: sound. 1: not, and the first bad entry is named.
    """
    found, key = run(_verify(), as_json)
    if as_json:
        print_json({**_document(found), "key": key})
    else:
        _show(found)
        out().print(f"Verifier key of the log: {key}", markup=False)
    if not found.ok:
        raise typer.Exit(FAILED)


async def _verify() -> tuple[Verified, str]:
    async with hub() as parts:
        key = key_of(parts.keys.ledger_name, parts.keys.ledger_key)
        details = PostgresDetails(parts.pool, parts.tools.vault)
        with progress("verifying the ledger") as tell:
            async with parts.log.audit() as audit:
                found = await verify(audit=audit, anchor=parts.anchor, key=key, details=details, progress=tell)
        return found, key_text(key)


def _show(found: Verified) -> None:
    console = out()
    if found.ok:
        console.print("The ledger is sound.", style="bold green")
    else:
        console.print(f"The ledger is NOT sound: {found.problem_count:,} problems.", style="bold red")
        for problem in sorted(found.problems, key=lambda one: one.depth)[:SHOWN]:
            console.print(f"  {_sentence(problem)}", markup=False)
    console.print(
        f"{found.entries:,} entries in {found.chains:,} chains, {found.size:,} in the log, {found.signed:,} of them signed, "
        f"{found.unsequenced:,} not yet in the log\n{found.checkpoints:,} checkpoints, {found.anchors:,} anchors, "
        f"{found.details:,} personal details as committed to, {found.details_gone:,} erased",
        markup=False,
    )


def _sentence(problem: Problem) -> str:
    place = f"place {problem.seq}, " if problem.seq is not None else ""
    entry = f"entry {problem.entry}: " if problem.entry else ""
    return f"{place}{entry}{problem.what}"


def _problem(problem: Problem | None) -> dict[str, Any] | None:
    if problem is None:
        return None
    return {"what": problem.what, "seq": problem.seq, "upto": problem.upto, "entry": str(problem.entry) if problem.entry else None}


def _document(found: Verified) -> dict[str, Any]:
    return {
        "ok": found.ok, "size": found.size, "root": found.root.hex(), "signed": found.signed, "entries": found.entries,
        "unsequenced": found.unsequenced, "chains": found.chains, "erased": found.erased, "checkpoints": found.checkpoints,
        "anchors": found.anchors, "details": found.details, "details_erased": found.details_gone, "problem_count": found.problem_count,
        "first_bad": _problem(found.first_bad), "problems": [_problem(one) for one in sorted(found.problems, key=lambda one: one.depth)],
    }  # fmt: skip

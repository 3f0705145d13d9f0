"""`sayso verify`: whether the whole ledger is what was signed."""

from typing import Annotated, Any

import typer

from sayso.commands.frame import FAILED, hub, run
from sayso.commands.output import AsJson, out, print_json
from sayso.commands.progress import progress
from sayso.contracts.verified import Problem, Verified
from sayso.crews import uncollected
from sayso.flows.verify_logs import Checked, verify_logs
from sayso.rules.notes import key_of, key_text
from sayso.verifying import crew

SHOWN = 20


def verify_ledger(
    as_json: AsJson = False,
    tree_only: Annotated[
        bool, typer.Option("--tree-only", help="Only places, tiles, signatures and anchors; no chains, state, details.")
    ] = False,
) -> None:
    """Check every entry, chain, tile, checkpoint and anchor, and that replaying the ledger gives the stored state. Changes nothing.

    Exit code 0: sound. 1: not, and the first bad entry is named.
    """
    checked, key = run(_verify(tree_only), as_json)
    *closed, newest = checked
    if as_json:
        before = [{"origin": one.origin, **_document(one.found), "lost": one.closed.lost if one.closed else None} for one in closed]
        sound = all(one.found.ok for one in checked)
        print_json({**_document(newest.found), "ok": sound, "origin": newest.origin, "key": key, "closed": before})
    else:
        _show(checked, tree_only=tree_only)
        out().print(f"Verifier key of the log: {key}", markup=False)
    if not all(one.found.ok for one in checked):
        raise typer.Exit(FAILED)


async def _verify(tree_only: bool) -> tuple[list[Checked], str]:
    async with hub() as parts:
        private = parts.keys.ledger_key
        with progress("verifying the ledger") as tell, uncollected():
            async with parts.log.audit() as audit:
                chains = await crew(audit, parts.dsn, parts.settings.data_dir)
                checked = await verify_logs(
                    audit_of=audit.number, anchor_of=parts.anchor_of, key_of=lambda origin: key_of(origin, private),
                    name=parts.keys.ledger_name, details=audit.details(parts.tools.vault), progress=tell, tree_only=tree_only, chains=chains,
                )  # fmt: skip
        return checked, key_text(key_of(checked[-1].origin, private))


def _show(checked: list[Checked], *, tree_only: bool) -> None:
    console = out()
    problems = sum(one.found.problem_count for one in checked)
    if problems:
        console.print(f"The ledger is NOT sound: {problems:,} problems.", style="bold red")
    else:
        console.print("The ledger is sound, as far as its tree shows." if tree_only else "The ledger is sound.", style="bold green")
    for one in checked:
        for problem in sorted(one.found.problems, key=lambda problem: problem.depth)[:SHOWN]:
            named = f"{one.origin}: " if len(checked) > 1 else ""
            console.print(f"  {named}{_sentence(problem)}", markup=False)
    for one in checked:
        if one.closed:
            console.print(
                f"{one.origin} was closed by an accepted rollback: {one.closed.size:,} entries were signed, {one.found.size:,} are here, "
                f"{one.closed.lost:,} of the signed ones are lost", markup=False,
            )  # fmt: skip
    found = checked[-1].found
    counted = "" if tree_only else f"{found.entries:,} entries in {found.chains:,} chains, "
    waiting = "" if tree_only else f", {found.unsequenced:,} not yet in the log"
    detailed = "" if tree_only else f", {found.details:,} personal details as committed to, {found.details_gone:,} erased"
    console.print(
        f"{counted}{found.size:,} in the log, {found.signed:,} of them signed{waiting}\n"
        f"{found.checkpoints:,} checkpoints, {found.anchors:,} anchors{detailed}", markup=False,
    )  # fmt: skip


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

"""Verifying every log of a ledger: the one that grows, and those closed by an accepted rollback, each against the leaf that closed it."""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from sayso.contracts.ledger import Anchor, Audit, Details, origin_of
from sayso.contracts.verified import Verified
from sayso.flows.verify import Chains, Progress, verify
from sayso.rules.leaves import LeafRefused, parse
from sayso.rules.notes import VerifierKey
from sayso.rules.rollback import Rollback, rollback_of


@dataclass(frozen=True, slots=True)
class Checked:
    """One log: its origin, what was found, and for a closed one what the leaf that closed it says."""

    origin: str
    found: Verified
    closed: Rollback | None = None


async def verify_logs(
    *, audit_of: Callable[[int], Audit], anchor_of: Callable[[int], Anchor], key_of: Callable[[str], VerifierKey], name: str,
    details: Details | None = None, progress: Progress = lambda _done, _all: None, tree_only: bool = False,
    chains: Chains | None = None,
) -> list[Checked]:  # fmt: skip
    """What was found in each log, oldest first. Chains, states and details are checked once, with the newest.

    A log after the first must begin with the leaf that closed the one before it: without that leaf nothing was accepted.
    """
    logs = await audit_of(0).logs()
    checked: list[Checked] = []
    unexplained = False
    for log, after in zip(logs, [*logs[1:], None], strict=True):
        origin = origin_of(name, log)
        closed = await _closed_by(audit_of(after)) if after is not None else None
        found = await verify(
            audit=audit_of(log), anchor=anchor_of(log), key=key_of(origin), closed=closed,
            details=details, progress=progress, tree_only=tree_only or after is not None, chains=chains,
        )  # fmt: skip
        if unexplained:
            found.note("the first leaf of this log does not name the log before it", 0)
        unexplained = after is not None and closed is None
        checked.append(Checked(origin, found, closed))
    return checked


async def _closed_by(audit: Audit) -> Rollback | None:
    """What the first leaf of a log says about the log before it; None where it says nothing."""
    async with aclosing(audit.places()) as places:
        async for batch in places:
            leaf = batch.leaves[0] if batch.seqs[0] == 0 else None
            break
        else:
            leaf = None
    try:
        return rollback_of(parse(leaf)) if leaf is not None else None
    except LeafRefused:
        return None

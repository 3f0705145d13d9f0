"""Verifying chains with every processor there is: shards are independent, so each process of a crew takes some. Changes nothing.

All processes read the snapshot that the audit they help reads; each has a connection of its own, and the keys that open details.
"""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from sayso import keys
from sayso.contracts.verified import Verified
from sayso.crews import Say, parts_of, share, toil
from sayso.flows.verify import Chains
from sayso.flows.verify_chains import verify_chains
from sayso.store.ledger import PostgresAudit, PostgresLog
from sayso.store.pool import open_pool
from sayso.store.vault import Vault


class Task(msgspec.Struct, frozen=True):
    """What a process checks: shards of the store at this DSN, with the keys of this folder, in a snapshot, of a log and its size."""

    dsn: str
    folder: str
    snapshot: str
    log: int
    size: int
    first: int
    upto: int


async def crew(audit: PostgresAudit, dsn: str, folder: Path, *, processes: int | None = None) -> Chains | None:
    """What checks the chains of this audit's ledger with several processes; None where one alone is as quick."""
    _, entries = await audit.counts()
    if not (parts := parts_of(entries, processes)):
        return None
    snapshot = await audit.snapshot()

    async def chains(log: int, size: int, tell: Callable[[int], None]) -> Verified:
        tasks = [Task(dsn, str(folder), snapshot, log, size, part.start, part.stop) for part in parts]
        found = Verified()
        for one in await share("sayso.verifying", tasks, Verified, tell):
            found.take(one)
        return found

    return chains


async def _checked(task: Task, say: Say) -> Verified:
    pool = await open_pool(task.dsn, size=1, application="sayso verify")
    ring = keys.load(Path(task.folder)).kek_ring
    vault = Vault(ring.secrets, ring.current, os.urandom)
    async with PostgresLog(pool, task.log).audit(task.snapshot) as audit:
        return await verify_chains(
            audit=audit, size=task.size, details=audit.details(vault), progress=say, shards=range(task.first, task.upto)
        )


if __name__ == "__main__":
    toil(Task, _checked)

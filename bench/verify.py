"""Verifying a ledger, its tree alone and with replay, beside bare SHA-256 of the same leaves."""

import os
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from hashlib import sha256

import asyncpg

from bench.figures import Figure, in_turn
from bench.hub import Bench
from sayso import keys
from sayso.anchor import AnchorFolder
from sayso.crews import uncollected
from sayso.flows.verify import verify
from sayso.rules.notes import key_of
from sayso.store.ledger import PostgresLog
from sayso.store.pool import open_pool
from sayso.store.vault import Vault
from sayso.verifying import crew

Timed = Callable[[str], AbstractContextManager[None]]
BARE_SECONDS = 1.5
SAMPLE = 100_000
"""Leaves that are hashed over and over: all of a million would not fit beside the database."""


async def verifying(hub: Bench, entries: int, timed: Timed) -> list[Figure]:
    """Entries a second, of a hub's ledger that has so many. `timed` tells how long its parts take."""
    own = keys.load(hub.folder)
    pool = await open_pool(hub.dsn, size=2)
    key = key_of(own.ledger_name, own.ledger_key)
    vault = Vault(own.kek_ring.secrets, own.kek_ring.current, os.urandom)
    connection = await asyncpg.connect(hub.dsn)
    leaves = [row["leaf"] for row in await connection.fetch("SELECT leaf FROM entry LIMIT $1", SAMPLE)]
    await connection.close()

    async def run(*, tree_only: bool) -> float:
        start = time.perf_counter()
        with uncollected():
            async with PostgresLog(pool).audit() as audit:
                chains = await crew(audit, hub.dsn, hub.folder)
                found = await verify(
                    audit=audit, anchor=AnchorFolder.of(hub.folder, own.ledger_name), key=key, details=audit.details(vault),
                    tree_only=tree_only, chains=chains,
                )  # fmt: skip
        if not found.ok or found.size < entries or (found.details < entries and not tree_only):
            raise RuntimeError(f"the ledger does not verify: {found.problems[:3]}")
        return entries / (time.perf_counter() - start)

    async def bare() -> float:
        start, done = time.perf_counter(), 0
        # Not for a moment only: a busy machine lets through what is short.
        while done < entries or time.perf_counter() - start < BARE_SECONDS:
            for leaf in leaves:
                sha256(leaf).digest()
            done += len(leaves)
        return done / (time.perf_counter() - start)

    try:
        with timed("verify: tree only"):
            tree = await _times("tree only", entries, lambda: run(tree_only=True), bare, ("10", "5"))
        with timed("verify: with replay"):
            return [tree, await _times("with replay", entries, lambda: run(tree_only=False), bare, ("60", "30"))]
    finally:
        await pool.close()


async def _times(
    what: str, entries: int, ours: Callable[[], Awaitable[float]], bare: Callable[[], Awaitable[float]], limits: tuple[str, str]
) -> Figure:
    """How many times as long as the bare hashes: here less is better."""
    mine, other = await in_turn(ours, bare)
    return Figure(
        f"sayso verify of {entries:,} entries, {what}: times as long as", "bare SHA-256 of the same leaves", f"≤ {limits[0]}",
        f"≤ {limits[1]}", "×", other, mine,
    )  # fmt: skip

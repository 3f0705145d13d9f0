"""Writes entries as recording does, and shows a log to the tests: real rows in a real database."""

import copy
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sayso.anchor import AnchorFolder
from sayso.contracts.ledger import Details, Stored
from sayso.contracts.verified import Verified
from sayso.flows.sequence import Sequenced, sequence
from sayso.flows.verify import verify
from sayso.rules.entries import Entry, leaf_fields
from sayso.rules.ids import uuid7
from sayso.rules.leaves import build, commitment
from sayso.rules.merkle import leaf_hash
from sayso.rules.notes import VerifierKey, key_of
from sayso.rules.state import EMPTY, State, fold, to_bytes
from sayso.rules.words import Scope
from sayso.store.ledger import PostgresLog

ORIGIN = "sayso.example/test"
PRIVATE = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"the log's key").digest())
MALLORYS = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"another key").digest())
START = 1_700_000_000_000_000


@dataclass(slots=True)
class Ledger:
    """One log with its database and anchor, a clock that tests move, and the entries written so far."""

    pool: Any
    anchor: AnchorFolder
    clock: int = START
    states: dict[bytes, tuple[State, bytes]] = field(default_factory=dict)
    written: list[UUID] = field(default_factory=list)
    details: dict[UUID, tuple[bytes, bytes]] = field(default_factory=dict)

    @property
    def log(self) -> PostgresLog:
        return PostgresLog(self.pool)

    @property
    def key(self) -> VerifierKey:
        return key_of(ORIGIN, PRIVATE)

    async def write(self, count: int, people: int = 7, **changes: Any) -> list[UUID]:
        """So many acknowledged choices of so many people, each in its chain."""
        rows = [self._entry(i % people, changes) for i in range(count)]
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.copy_records_to_table("entry", records=rows)
            await connection.copy_records_to_table("to_sequence", records=[(row[0], row[4], row[1]) for row in rows])
            subjects = [self._subject(sub) for sub in {row[2] for row in rows}]
            await connection.executemany("DELETE FROM subject WHERE shard = $1 AND id = $2", [row[:2] for row in subjects])
            await connection.copy_records_to_table("subject", records=subjects)
        fresh = [row[1] for row in rows]
        self.written += fresh
        return fresh

    def _entry(self, person: int, changes: dict[str, Any]) -> tuple[Any, ...]:
        sub = hashlib.sha256(b"person %d" % person).digest()[:16]
        state, head = self.states.get(sub, (EMPTY, b""))
        self.clock += 1_000
        entry_id = uuid7(self.clock, hashlib.sha256(b"%d" % self.clock).digest()[:10], sub[0])
        scope = Scope("*", "email", "promotional")
        choice = {
            "kind": "choice", "act": "set", "scope": scope, "new": "opted_out" if self.clock % 3 else "opted_in", "strong": True, "own": True
        }  # fmt: skip
        made = Entry(
            id=str(entry_id), sub=sub.hex(), at=self.clock, ts=self.clock, src="one_click", by=sub.hex(), via="link", **(choice | changes)
        )
        salt, detail = hashlib.sha256(entry_id.bytes).digest(), b'{"email":"person%d@example.com"}' % person
        self.details[entry_id] = (salt, detail)
        leaf = build(leaf_fields(made, ver=state.length + 1, prev=head.hex(), commitment=commitment(salt, detail).hex()))
        self.states[sub] = (fold(state, made), leaf_hash(leaf))
        names = (made.scope.brand, made.scope.channel, made.scope.category) if made.scope else (None, None, None)
        return (sub[0], entry_id, sub, state.length + 1, made.at, made.kind, made.act, *names, made.src, made.effect, leaf)

    def _subject(self, sub: bytes) -> tuple[Any, ...]:
        state, head = self.states[sub]
        kept = (state.version, state.length, head, state.last_at, to_bytes(state))
        return (sub[0], sub[:1] + hashlib.sha256(sub).digest()[1:], "address", sub, b"", *kept)

    async def sequence(self, batch: int = 5_000) -> Sequenced:
        """One call of the sequencer, half a second later."""
        self.clock += 500_000
        return await sequence(log=self.log, anchor=self.anchor, origin=ORIGIN, private=PRIVATE, now=self.clock, batch=batch)

    async def verify(self, details: Details | None = None) -> Verified:
        async with self.log.audit() as audit:
            return await verify(audit=audit, anchor=self.anchor, key=key_of(ORIGIN, PRIVATE), details=details)

    async def opened(self, entries: Sequence[Stored]) -> dict[UUID, tuple[bytes, bytes]]:
        return {entry.id: self.details[entry.id] for entry in entries if entry.id in self.details}


TABLES = ("entry", "to_sequence", "subject", "log_entry", "log_tile", "log_checkpoint")


@asynccontextmanager
async def opened_ledger(dsn: str, folder: Path) -> AsyncIterator[Ledger]:
    """An empty ledger in this database, whose tests share it, and whose anchors are in this folder."""
    async with asyncpg.create_pool(dsn, min_size=1, max_size=6) as pool:
        await pool.execute(f"TRUNCATE {', '.join(TABLES)}")
        yield Ledger(pool, AnchorFolder.of(folder, ORIGIN))


class Saved:
    """Ledgers as they were at one moment, to begin many tests with."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[Ledger, dict[str, str]]] = {}

    async def save(self, dsn: str, ledger: Ledger) -> None:
        """Remembers the rows, the anchors and what the tests know of them."""
        for table in TABLES:
            await ledger.pool.execute(f"CREATE TABLE saved_{table} AS TABLE {table}")
        notes = {path.name: path.read_text() for path in ledger.anchor.folder.iterdir()}
        self.known[dsn] = (copy.deepcopy(replace(ledger, pool=None)), notes)

    async def restore(self, dsn: str, ledger: Ledger) -> Ledger:
        """The saved ledger, in the empty database of this one."""
        saved, notes = self.known[dsn]
        for table in TABLES:
            await ledger.pool.execute(f"INSERT INTO {table} TABLE saved_{table}")
        ledger.anchor.folder.mkdir(parents=True, mode=0o700)
        for name, note in notes.items():
            (ledger.anchor.folder / name).write_text(note)
        return replace(copy.deepcopy(saved), pool=ledger.pool, anchor=ledger.anchor)

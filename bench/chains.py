"""Subjects, keys, entries, details and places in the log, as recording and sequencing would have left them; written by COPY.

The rules make every leaf and state, the vault seals every name and detail: what comes out verifies, opens and can be erased.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from sayso.keys import Keys
from sayso.rules.entries import Entry, leaf_fields
from sayso.rules.ids import uuid7
from sayso.rules.leaves import SALT_BYTES, build, commitment
from sayso.rules.merkle import leaf_hash
from sayso.rules.state import EMPTY, State, fold, to_bytes
from sayso.store.rows import bound
from sayso.store.vault import Vault

COLUMNS = {
    "subject": ("shard", "id", "kind", "pseudonym", "sealed", "version", "length", "head", "last_at", "state"),
    "subject_key": ("shard", "pseudonym", "wrapped"),
    "entry": ("shard", "id", "sub", "ver", "at", "kind", "act", "brand", "channel", "category", "src", "effect", "leaf"),
    "detail": ("shard", "entry", "sealed"),
    "log_entry": ("log", "seq", "shard", "entry"),
}
VACUUM = f"VACUUM (ANALYZE) {', '.join(COLUMNS)}, log_tile"


@dataclass(slots=True)
class Chain:
    """One subject while its chain grows: `id` is 32 bytes, the pseudonym has its first one."""

    id: bytes
    kind: str
    pseudonym: bytes
    key: bytes
    wrapped: bytes
    sealed: bytes
    state: State = EMPTY
    head: bytes = b""

    @property
    def sub(self) -> str:
        """Its pseudonym as leaves name it."""
        return self.pseudonym.hex()


@dataclass(slots=True)
class Pen:
    """Writes entries of any chains, in the order of the log, which goes on at place `seq`. `rows` wait to be copied."""

    keys: Keys
    chance: random.Random
    at: int
    seq: int
    hashes: list[bytes] = field(default_factory=list)
    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: {table: [] for table in COLUMNS})
    chains: list[Chain] = field(default_factory=list)

    @property
    def vault(self) -> Vault:
        """What seals, with this pen's chance."""
        return Vault(self.keys.kek_ring.secrets, self.keys.kek_ring.current, self.chance.randbytes)

    def chain(self, subject: bytes, kind: str, name: str, vault: Vault) -> Chain:
        """A subject that nothing is said of yet."""
        pseudonym = subject[:1] + self.chance.randbytes(15)
        key, wrapped = vault.new_key(bound("subject_key", pseudonym))
        made = Chain(subject, kind, pseudonym, key, wrapped, vault.seal(key, name.encode(), bound("subject", pseudonym)))
        self.chains.append(made)
        return made

    def write(self, chain: Chain, entry: Entry, detail: dict[str, str], vault: Vault) -> None:
        """One more entry of a chain: `id`, `sub` and `at` of the one that is given are set here."""
        self.at += 1
        one, shard = uuid7(self.at, self.chance.randbytes(10), chain.id[0]), chain.id[0]
        entry = entry._replace(id=str(one), sub=chain.sub, at=self.at, ts=self.at)
        salt, plain = self.chance.randbytes(SALT_BYTES), json.dumps(detail).encode()
        ver = chain.state.length + 1
        leaf = build(leaf_fields(entry, ver=ver, prev=chain.head.hex(), commitment=commitment(salt, plain).hex()))
        chain.state, chain.head = fold(chain.state, entry), leaf_hash(leaf)
        scope = tuple(entry.scope) if entry.scope else (None, None, None)
        rows = self.rows
        rows["entry"].append((shard, one, chain.pseudonym, ver, self.at, entry.kind, entry.act, *scope, entry.src, entry.effect, leaf))
        rows["detail"].append((shard, one, vault.seal(chain.key, salt + plain, bound("detail", one.bytes))))
        rows["log_entry"].append((0, self.seq, shard, one))
        self.seq += 1
        self.hashes.append(chain.head)

    async def copy(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        """Keeps everything that was written since the last time."""
        for chain in self.chains:
            state, shard = chain.state, chain.id[0]
            row = (shard, chain.id, chain.kind, chain.pseudonym, chain.sealed, state.version, state.length, chain.head, state.last_at)
            self.rows["subject"].append((*row, to_bytes(state)))
            self.rows["subject_key"].append((shard, chain.pseudonym, chain.wrapped))
        for table, rows in self.rows.items():
            await connection.copy_records_to_table(table, records=rows, columns=COLUMNS[table], timeout=600)
            rows.clear()
        self.chains.clear()


def joined(parts: Sequence[bytes]) -> list[bytes]:
    """The hashes in these strings of hashes, one after the other."""
    raw = b"".join(parts)
    return [raw[at : at + 32] for at in range(0, len(raw), 32)]

"""The personal parts of entries, opened for the audit: what `verify` compares with the leaves' commitments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from sayso.contracts.ledger import Stored
from sayso.rules.leaves import SALT_BYTES
from sayso.store.pool import borrowed
from sayso.store.queries import QUERIES
from sayso.store.rows import bound
from sayso.store.vault import Sealed, Vault


@dataclass(frozen=True, slots=True)
class PostgresDetails:
    """Opens details with the subjects' data keys. A destroyed key leaves its details out; so does one this ring cannot unwrap."""

    pool: "asyncpg.Pool[asyncpg.Record]"
    vault: Vault

    async def opened(self, entries: Sequence[Stored]) -> Mapping[UUID, tuple[bytes, bytes] | None]:
        """(salt, detail) of those of these entries whose data key still exists; None where the detail is gone or does not open."""
        subs = sorted({entry.sub for entry in entries})
        async with borrowed(self.pool) as connection:
            wrapped = await connection.fetch(QUERIES["keys_of_subjects"], [sub[0] for sub in subs], subs)
            rows = await connection.fetch(QUERIES["audit_details"], [e.shard for e in entries], [e.id for e in entries])
        sealed = {row["entry"]: row["sealed"] for row in rows}
        keys = {row["pseudonym"]: self._unwrapped(row["pseudonym"], row["wrapped"]) for row in wrapped}
        owned = ((entry.id, keys.get(entry.sub)) for entry in entries)
        return {entry: self._opened(key, entry, sealed.get(entry, b"")) for entry, key in owned if key is not None}

    def _unwrapped(self, sub: bytes, wrapped: bytes) -> bytes | None:
        try:
            return self.vault.unwrap(wrapped, bound("subject_key", sub))
        except Sealed:
            return None

    def _opened(self, key: bytes, entry: UUID, sealed: bytes) -> tuple[bytes, bytes] | None:
        try:
            plain = self.vault.open(key, sealed, bound("detail", entry.bytes))
        except Sealed:
            return None
        return plain[:SALT_BYTES], plain[SALT_BYTES:]

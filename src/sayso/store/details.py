"""The personal parts of entries, opened for the audit: what `verify` compares with the leaves' commitments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sayso.contracts.ledger import Stored
from sayso.rules.leaves import SALT_BYTES
from sayso.store.queries import QUERIES
from sayso.store.rows import bound_before
from sayso.store.vault import Open, Sealed, Unwrap, Vault, opener

_OPEN_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class PostgresDetails:
    """Opens details with the subjects' data keys. A destroyed key leaves its details out; so does one this ring cannot unwrap.

    `connection` may be a pool; that of an audit shows what the audit sees.
    """

    connection: Any
    vault: Vault

    async def opened(self, entries: Sequence[Stored]) -> Mapping[UUID, tuple[bytes, bytes] | None]:
        """(salt, detail) of those of these entries whose data key still exists; None where the detail is gone or does not open."""
        subs = sorted({entry.sub for entry in entries})
        shards = [int.from_bytes(sub[:1]) for sub in subs]
        places = [entry.shard for entry in entries], [entry.id for entry in entries]
        wrapped = await self.connection.fetch(QUERIES["keys_of_subjects"], shards, subs, timeout=_OPEN_SECONDS)
        sealed = dict(await self.connection.fetch(QUERIES["audit_details"], *places, timeout=_OPEN_SECONDS))
        unwrap = self.vault.unwrapper()
        keys = {sub: _key(unwrap, key, sub) for sub, key in wrapped}
        owned = ((entry.id, keys.get(entry.sub)) for entry in entries)
        return {entry: _opened(key, sealed.get(entry, b""), entry) for entry, key in owned if key is not None}


_PLACE: Final = bound_before("detail")
_KEY_PLACE: Final = bound_before("subject_key")


def _key(unwrap: Unwrap, wrapped: bytes, sub: bytes) -> Open | None:
    try:
        return opener(unwrap(wrapped, _KEY_PLACE + sub))
    except Sealed:
        return None


def _opened(key: Open, sealed: bytes, entry: UUID) -> tuple[bytes, bytes] | None:
    try:
        plain = key(sealed, _PLACE + entry.bytes)
    except Sealed:
        return None
    return plain[:SALT_BYTES], plain[SALT_BYTES:]

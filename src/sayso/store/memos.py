"""Answers kept under idempotency keys, in the transaction of the write that they answer; readable for seven days."""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sayso.contracts.book import Act, Memo, Written
from sayso.rules.ids import day_of
from sayso.store.pool import Connection
from sayso.store.queries import QUERIES
from sayso.store.rows import bound
from sayso.store.vault import Sealed, Vault


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer found: the fingerprint of the request it answered, status and bytes."""

    fingerprint: bytes
    answer: tuple[int, bytes]


def _place(memo: Memo) -> tuple[int, str, str]:
    """Where an answer lies. Of the key only a hash is kept: clients make keys of whatever they have, of addresses too."""
    name = hashlib.sha256(f"sayso/idempotency/1\0{memo.client}\0{memo.key}".encode()).hexdigest()
    return zlib.crc32(f"{memo.client}\0{memo.key}".encode()) & 0xFF, memo.client, name


async def find(connection: Connection, memo: Memo, vault: Vault) -> Stored | None:
    """What was answered under this client's key, or None when it is new (or its daily key is gone)."""
    row = await connection.fetchrow(QUERIES["find_memo"], *_place(memo))
    if row is None:
        return None
    try:
        key = await daily_key(connection, row["day"], vault)
        body = vault.open(key, row["sealed"], bound("idempotency", memo.client, memo.key))
    except Sealed:
        return None
    return Stored(row["fingerprint"], (row["status"], body))


async def keep(connection: Connection, answered: Sequence[tuple[Act, Written | Exception]], now: int, vault: Vault) -> None:
    """Keeps the answers of acts that carry a memo; refused acts are not kept, they may be mended and sent again."""
    for act, answer in answered:
        memo = act.memo
        if memo is None or isinstance(answer, Exception):
            continue
        status, body = memo.render(answer)
        day = day_of(now)
        sealed = vault.seal(await daily_key(connection, day, vault), body, bound("idempotency", memo.client, memo.key))
        await connection.execute(QUERIES["keep_memo"], *_place(memo), memo.fingerprint, status, sealed, day)


async def daily_key(connection: Connection, day: date, vault: Vault) -> bytes:
    """The key of a day, made when it is first asked for. Raises Sealed when it was destroyed with its key-encryption key."""
    wrapped = await connection.fetchval(QUERIES["daily_key"], day)
    place = bound("daily_key", day.isoformat())
    if wrapped is None:
        await connection.execute(QUERIES["make_daily_key"], day, vault.new_key(place)[1])
        wrapped = await connection.fetchval(QUERIES["daily_key"], day)
    return vault.unwrap(wrapped, place)

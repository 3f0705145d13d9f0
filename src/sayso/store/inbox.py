"""The inbox on PostgreSQL: calls sealed under the key of their day, which is destroyed after seven days."""

import base64
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid5

import asyncpg

from sayso.contracts.connector import Call
from sayso.contracts.inbox import InboxState, Kept
from sayso.rules.ids import RANDOM_BYTES, day_of, shard_of, uuid7
from sayso.rules.times import HOUR
from sayso.store.memos import daily_key
from sayso.store.pool import borrowed
from sayso.store.queries import QUERIES
from sayso.store.rows import bound
from sayso.store.vault import Sealed
from sayso.store.writing import Tools


class PostgresInbox:
    """Keeps calls and says which ones are left."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", tools: Tools) -> None:
        self._pool, self._tools = pool, tools

    async def keep(self, connection: UUID, call: Call) -> Kept:
        """The call, kept as `new`."""
        chance = self._tools.chance(RANDOM_BYTES + 1)
        call_id = uuid7(call.received_at, chance[1:], chance[0])
        day = day_of(call.received_at)
        async with borrowed(self._pool) as borrow:
            key = await daily_key(borrow, day, self._tools.vault)
            sealed = self._tools.vault.seal(key, _plain(call), bound("inbox", call_id.bytes))
            await borrow.execute(QUERIES["keep_call"], shard_of(call_id), call_id, connection, call.received_at, day, sealed)
        return Kept(call_id, connection, call)

    async def end(self, kept: Kept, state: InboxState, detail: str) -> None:
        """Says what became of a call."""
        async with borrowed(self._pool) as borrow:
            await borrow.execute(QUERIES["end_call"], shard_of(kept.id), kept.id, state, detail[:500] or None)

    async def refuse(self, kept: Kept, reason: str, now: int) -> None:
        """Forgets the bytes; the trace's id is made of connection and hour, so there is one of them."""
        trace = uuid5(kept.connection, f"refused {now // HOUR}")
        async with borrowed(self._pool) as borrow, borrow.transaction():
            await borrow.execute(QUERIES["forget_call"], shard_of(kept.id), kept.id)
            await borrow.execute(QUERIES["trace_refused"], shard_of(trace), trace, kept.connection, now, day_of(now), reason[:500])

    async def left(self, before: int, limit: int) -> Sequence[Kept]:
        """Calls whose facts were never recorded."""
        return await self._read("left_calls", before, limit)

    async def odd(self, connection: UUID, limit: int) -> Sequence[Kept]:
        """Calls that could not be read."""
        return await self._read("odd_calls", connection, limit)

    async def count_odd(self, connection: UUID) -> int:
        """How many calls could not be read."""
        async with borrowed(self._pool) as borrow:
            return int(await borrow.fetchval(QUERIES["count_odd_calls"], connection))

    async def _read(self, query: str, *args: object) -> list[Kept]:
        """Calls that still open; one whose key was destroyed is past helping and left out."""
        vault, found = self._tools.vault, []
        async with borrowed(self._pool) as borrow:
            for record in await borrow.fetch(QUERIES[query], *args):
                try:
                    key = await daily_key(borrow, record["day"], vault)
                    plain = vault.open(key, record["sealed"], bound("inbox", record["id"].bytes))
                except Sealed:
                    continue
                found.append(Kept(record["id"], record["connection"], _call(plain)))
        return found


def _plain(call: Call) -> bytes:
    fields: dict[str, Any] = {
        "method": call.method, "headers": call.headers, "query": call.query, "body": base64.b64encode(call.body).decode(),
        "received_at": call.received_at, "path_secret": call.path_secret,
    }  # fmt: skip
    return json.dumps(fields).encode()


def _call(plain: bytes) -> Call:
    fields = json.loads(plain)
    pairs = {name: tuple((key, value) for key, value in fields[name]) for name in ("headers", "query")}
    return Call(
        fields["method"], pairs["headers"], pairs["query"], base64.b64decode(fields["body"]), fields["received_at"], fields["path_secret"]
    )

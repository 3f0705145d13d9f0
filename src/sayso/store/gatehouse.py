"""The gatehouse on PostgreSQL: concurrent checks share one read, one insert and one commit, and are answered only after it.

A batch closes before its read is sent, so every check in it reads a state that is newer than its own start: strong by construction.
The first read takes every row that a batch names, a second whatever those are linked to; rows only accumulate, so nothing can slip
between the two.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
from asyncpg.pgproto import pgproto

from sayso.contracts.book import Key, Unavailable
from sayso.contracts.gatehouse import Batch, Found, Query
from sayso.rules.answer import Logged, from_log, to_log
from sayso.rules.ids import RANDOM_BYTES, day_of, shard_of, time_of, uuid7, uuid7_bytes
from sayso.rules.state import from_bytes
from sayso.rules.statements import Row
from sayso.store.budgets import open_budgets
from sayso.store.pool import Connection, borrowed
from sayso.store.queries import QUERIES
from sayso.store.rows import place_of
from sayso.store.turns import AT_ONCE, Turns
from sayso.store.writing import read_links

LARGEST: Final = 1_000
BREATH: Final = 50
"""Checks judged at a stretch: those who ask for one must not wait for all of somebody's thousand."""
LOOK: Final = 0.02
"""Seconds between two looks for questions that have waited too long."""
PATIENCE: Final = 0.45
"""Seconds after which an unanswered store counts as down, look-ups before it counted: the caller is told within half a second (G1b)."""


@dataclass(slots=True, eq=False)
class _Waiting:
    queries: Sequence[Query]
    answer: "asyncio.Future[list[tuple[UUID, Logged]]]"
    until: float
    """When it is told that the store did not answer, on the event loop's clock."""

    @property
    def size(self) -> int:
        return len(self.queries)


class PostgresGatehouse:
    """Answers checks. Close it after use; one a process, with a pool of its own."""

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", pepper: bytes, chance: Callable[[int], bytes], patience: float = PATIENCE,
        *, doubt: Callable[[], str] = str,
    ) -> None:  # fmt: skip
        self._pool, self._pepper, self._chance, self._doubt = pool, pepper, chance, doubt
        self.patience = patience
        self._turns = Turns(self._answer, largest=LARGEST, name="gatehouse-batch")
        self._closed = False
        self._open: set[_Waiting] = set()
        self._look: asyncio.TimerHandle | None = None

    async def close(self) -> None:
        """Stops; whoever still waits is told that nothing is known."""
        self._closed = True
        _fail(await self._turns.end(), Unavailable("the hub is shutting down"))
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def ask(self, queries: Sequence[Query], *, waited: float = 0.0) -> "asyncio.Future[list[tuple[UUID, Logged]]]":
        """The verdicts in order, each logged under its id. Raises Unavailable, at the latest when the patience of one read is over.

        Seconds `waited` before count. Also while there is `doubt` (why the store may not be believed, "" for no doubt): an old copy is no better than none.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[tuple[UUID, Logged]]] = loop.create_future()
        if not queries:
            answer.set_result([])
        elif self._closed:
            answer.set_exception(Unavailable("the hub is shutting down"))
        elif why := self._doubt():
            answer.set_exception(Unavailable(f"the store may not be believed: {why}"))
        else:
            # From here, not from when a batch begins: who waits behind a store that does not answer must not wait twice.
            waiting = _Waiting(queries, answer, loop.time() - waited + self.patience + len(queries) / 1_000)
            self._turns.join(waiting)
            self._open.add(waiting)
            if self._look is None:
                self._look = loop.call_later(LOOK, self._give_up)
        return answer

    def _give_up(self) -> None:
        """Tells everybody who has waited too long. One look for all: a timer for each question costs as much as reading it."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        late = [one for one in self._open if one.until <= now]
        _fail(late, Unavailable("the store did not answer in time"))
        self._open.difference_update(late)
        self._look = loop.call_later(LOOK, self._give_up) if self._open else None

    async def warm(self) -> None:
        """Opens the connections that batches use, and plans their statements: the first who asks waits no longer than others.

        Raises Unavailable.
        """
        await asyncio.gather(*[self._warmed() for _ in range(AT_ONCE)])

    async def _warmed(self) -> None:
        async with borrowed(self._pool) as connection:
            turn = connection.transaction()
            await turn.start()
            try:
                now, _ = await self._found(connection, [])
                await self._keep(connection, now, [])
            finally:
                await turn.rollback()  # the pool would do it too, and complain that it had to

    async def logged(self, check: UUID) -> Logged | None:
        """A verdict that was given before, or None."""
        try:
            day = day_of(time_of(check))
        except (ValueError, OverflowError):
            return None
        async with borrowed(self._pool) as connection:
            body = await connection.fetchval(QUERIES["verdict_by_id"], shard_of(check), day, check)
        return from_log(body) if body is not None else None

    async def asked_lately(self) -> bool:
        """Whether anybody asked within the last second, in whatever process."""
        async with borrowed(self._pool) as connection:
            return bool(await connection.fetchval(QUERIES["asked_lately"]))

    async def unsealed(self, limit: int) -> Sequence[Batch]:
        """Batches of verdicts that no ledger entry seals yet."""
        async with borrowed(self._pool) as connection:
            records = await connection.fetch(QUERIES["unsealed_batches"], limit)
        return [Batch(str(record["id"]), record["count"], record["hash"]) for record in records]

    async def sealed(self, batches: Sequence[Batch], entry: str) -> None:
        """Marks batches as sealed by a ledger entry."""
        async with borrowed(self._pool) as connection:
            await connection.execute(QUERIES["seal_batches"], [UUID(batch.id) for batch in batches], UUID(entry))

    async def _answer(self, batch: Sequence[_Waiting]) -> None:
        try:
            await self._settle(batch)
        finally:
            self._open.difference_update(batch)

    async def _settle(self, batch: Sequence[_Waiting]) -> None:
        queries = [query for one in batch for query in one.queries]
        try:
            verdicts = await asyncio.wait_for(self._judged(queries), self.patience + len(queries) / 1_000)
        except asyncio.CancelledError:
            _fail(batch, Unavailable("the hub is shutting down"))
            raise
        except TimeoutError:
            _fail(batch, Unavailable("the store did not answer in time"))
            return
        except Exception as failed:  # noqa: BLE001 - whatever went wrong, nobody may be allowed by it
            _fail(batch, failed if isinstance(failed, Unavailable) else Unavailable(f"checks failed: {type(failed).__name__}"))
            return
        start = 0
        for one in batch:
            if not one.answer.done():
                one.answer.set_result(verdicts[start : start + len(one.queries)])
            start += len(one.queries)

    async def _judged(self, queries: Sequence[Query]) -> list[tuple[UUID, Logged]]:
        async with borrowed(self._pool, self.patience) as connection:
            if not any(query.wanted.back for query in queries):
                return await self._answered(connection, queries)
            async with connection.transaction():
                return await self._answered(connection, queries)

    async def _answered(self, connection: Connection, queries: Sequence[Query]) -> list[tuple[UUID, Logged]]:
        now, founds = await self._found(connection, queries)
        limited = any(query.wanted.back for query in queries)
        budgets = await open_budgets(connection, [query.wanted for query in queries], founds, self._pepper, now) if limited else None
        verdicts = []
        chance = self._chance(RANDOM_BYTES * len(queries))
        for n, (query, found) in enumerate(zip(queries, founds, strict=True)):
            if n % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            row = found.contact or found.address
            drawn = chance[n * RANDOM_BYTES : (n + 1) * RANDOM_BYTES]
            shard = int(row.sub[:2], 16) if row else drawn[0]
            check = pgproto.UUID(uuid7_bytes(now, drawn, shard))  # made and written in a tenth of the time of the other UUID
            logged = query.judge(budgets.found(n, found) if budgets else found, now)
            if budgets:
                budgets.promise(n, query.wanted, check, logged)
            verdicts.append((check, logged, row))
        await self._keep(connection, now, verdicts)
        if budgets:
            await budgets.keep(connection)
        return [(check, logged) for check, logged, _ in verdicts]

    async def _found(self, connection: Connection, queries: Sequence[Query]) -> tuple[int, list[Found]]:
        ids: dict[Key | None, str] = {}
        for query in queries:
            wanted = query.wanted
            for key in (wanted.contact, wanted.address, *wanted.lookalikes):
                if key is not None and key not in ids:
                    ids[key] = place_of(self._pepper, key)[1].hex()
        order = list(ids)
        records = await connection.fetch(QUERIES["rows_for_checks"], ",".join(ids.values()) or "00")
        by_key = {
            order[n - 1]: Row(pseudonym.hex(), kind, from_bytes(state, version=version))
            for n, kind, pseudonym, version, state, _ in records
            if kind is not None
        }
        rows = {row.sub: row for row in by_key.values()}
        if any([row.state.links for row in rows.values()]):
            await read_links(connection, rows)
        founds = [
            Found(
                by_key.get(wanted.contact),
                by_key.get(wanted.address),
                tuple([by_key[key] for key in wanted.lookalikes if key in by_key]) if wanted.lookalikes else (),
                rows,
            )
            for wanted in [query.wanted for query in queries]
        ]
        return records[0]["now"], founds

    async def _keep(self, connection: Connection, now: int, verdicts: Sequence[tuple[UUID, Logged, Row | None]]) -> None:
        bodies = [to_log(logged) for _, logged, _ in verdicts]
        sealed = sorted([check.bytes + hashlib.sha256(body).digest() for (check, _, _), body in zip(verdicts, bodies, strict=True)])
        await connection.execute(
            QUERIES["keep_verdicts"],
            ",".join([str(check) for check, _, _ in verdicts]),
            ",".join([row.sub if row else "" for _, _, row in verdicts]),
            ",".join(["t" if logged.verdict.allowed else "f" for _, logged, _ in verdicts]),
            "\n".join([",".join([reason.code for reason in logged.verdict.reasons]) for _, logged, _ in verdicts]),
            b"\n".join(bodies).decode(),
            uuid7(now, self._chance(RANDOM_BYTES), 0),
            now,
            len(verdicts),
            hashlib.sha256(b"".join(sealed)).digest(),
            day_of(now),
        )


def _fail(batch: Iterable[_Waiting], why: Exception) -> None:
    for one in batch:
        if not one.answer.done():
            one.answer.set_exception(why)

"""The book on PostgreSQL: grouped writes, strong reads."""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final
from uuid import UUID

import asyncpg

from sayso.contracts.book import Act, Key, Noted, Page, Shown, Unavailable, Written
from sayso.rules.statements import Row
from sayso.store.pool import UNREACHABLE, borrowed
from sayso.store.queries import QUERIES
from sayso.store.rows import held, place_of, shards_and_pseudonyms
from sayso.store.shown import noted, read_names, read_shown
from sayso.store.turns import Turns
from sayso.store.writing import Answer, Tools, read_links, write_group

GROUP: Final = 250
"""Acts that share a transaction at most."""
TRIES: Final = 8
RETRIED: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.UniqueViolationError)


@dataclass(slots=True, eq=False)
class _Waiting:
    """Acts that are kept together, and where their answers go."""

    acts: Sequence[Act]
    answer: "asyncio.Future[list[Answer]]"

    @property
    def size(self) -> int:
        return len(self.acts)


class PostgresBook:
    """Keeps acts and reads rows. Close it after use; one a process."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", tools: Tools, *, wake: Callable[[], None] = lambda: None) -> None:
        self._pool, self._tools, self._wake = pool, tools, wake
        self._turns = Turns(self._write_group, largest=GROUP, name="book-group")
        self._closed = False

    async def close(self) -> None:
        """Stops; acts that nobody has kept are answered Unavailable."""
        self._closed = True
        _settle(await self._turns.end())

    async def write(self, act: Act) -> Written:
        """Keeps one act, in one transaction with others that wait at the same time."""
        became = (await self._written([act]))[0]
        if isinstance(became, Exception):
            raise became
        return became

    async def write_all(self, acts: Sequence[Act]) -> list[Answer]:
        """Keeps many acts, each as `write` does; what became of each, in order."""
        parts = [self._written(acts[at : at + GROUP]) for at in range(0, len(acts), GROUP)]
        return [became for part in await asyncio.gather(*parts) for became in part]

    async def _written(self, acts: Sequence[Act]) -> list[Answer]:
        """What became of acts that are kept together, with others that wait at the same time."""
        if self._closed:
            return _closing(acts)
        waiting = _Waiting(acts, asyncio.get_running_loop().create_future())
        self._turns.join(waiting)
        return await waiting.answer

    async def _write_group(self, group: Sequence[_Waiting]) -> None:
        try:
            became = iter(await self._kept([act for one in group for act in one.acts]))
        except asyncio.CancelledError:
            _settle(group)
            raise
        for one in group:
            answers = list(islice(became, one.size))
            if not one.answer.done():
                one.answer.set_result(answers)
        self._wake()

    async def _kept(self, acts: Sequence[Act]) -> list[Answer]:
        """The answers of one group; if it fails together, its members run alone, so that nobody fails for another."""
        try:
            try:
                return await self._transaction(acts)
            except RETRIED:  # mostly somebody whom another transaction made first: now they are there
                return await self._transaction(acts)
        except Unavailable as down:
            return [down for _ in acts]
        except Exception:  # noqa: BLE001 - whatever it was, the next lines find out whose it is
            return [await self._alone(act) for act in acts]

    async def _alone(self, act: Act) -> Answer:
        """One act's answer; deadlocks and races are tried again with jitter and never shown."""
        for attempt in range(TRIES):
            try:
                return (await self._transaction([act]))[0]
            except RETRIED as clash:
                failure: Exception = clash
                await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))
            except Exception as failed:  # noqa: BLE001 - handed to the caller of this very act
                return failed
        return Unavailable(f"the store was too busy with the same people: {type(failure).__name__}")

    async def _transaction(self, acts: Sequence[Act]) -> list[Answer]:
        async with borrowed(self._pool) as connection, connection.transaction():
            return await write_group(connection, acts, self._tools)

    async def read(self, keys: Sequence[Key]) -> Page:
        """The rows of the keys, what they are linked to, and the addresses of linked contacts."""
        places = {key: place_of(self._tools.pepper, key) for key in keys}
        ordered = sorted(set(places.values()))
        async with borrowed(self._pool) as connection:
            records = await connection.fetch(QUERIES["subjects_by_id"], [p[0] for p in ordered], [p[1] for p in ordered])
            found = {(record["shard"], record["id"]): held(record).row for record in records}
            rows = {row.sub: row for row in found.values()}
            await read_links(connection, rows)
        return Page({key: found[place].sub for key, place in places.items() if place in found}, rows)

    async def read_subs(self, subs: Sequence[str]) -> Mapping[str, Row]:
        """The rows of pseudonyms, with what they are linked to."""
        async with borrowed(self._pool) as connection:
            records = await connection.fetch(QUERIES["subjects_by_pseudonym"], *shards_and_pseudonyms(subs))
            rows = {record["pseudonym"].hex(): held(record).row for record in records}
            await read_links(connection, rows)
        return rows

    async def names(self, subs: Sequence[str]) -> Mapping[str, str]:
        """The values of subjects as they were given; a destroyed key leaves its subject out."""
        async with borrowed(self._pool) as connection:
            return await read_names(connection, subs, self._tools.vault)

    async def shown(self, subs: Sequence[str]) -> Shown:
        """Names, and each subject's latest applied choice or pause."""
        async with borrowed(self._pool) as connection:
            return await read_shown(connection, subs, self._tools.vault)

    async def entries(
        self, subs: Sequence[str], *, kinds: Sequence[str] = (), after: str = "", limit: int = 500, newest_first: bool = False
    ) -> list[Noted]:
        """The entries of subjects together, in order of their ids, at most `limit` beginning behind `after`."""
        query = QUERIES["latest_entries_of_subject" if newest_first else "entries_of_subject"]
        edge = UUID(after) if after else None
        shards, pseudonyms = shards_and_pseudonyms(sorted(set(subs)))
        asks = [(shard, sub, list(kinds), edge, limit) for shard, sub in zip(shards, pseudonyms, strict=True)]
        async with borrowed(self._pool) as connection:
            records = [record for ask in asks for record in await connection.fetch(query, *ask)]
            wrapped = await connection.fetch(QUERIES["keys_of_subjects"], shards, pseudonyms)
        keys = {record["pseudonym"]: record["wrapped"] for record in wrapped}
        records.sort(key=lambda record: record["id"].int, reverse=newest_first)
        return [noted(record, keys.get(record["sub"]), self._tools.vault) for record in records[:limit]]


def _settle(waiting: Iterable[_Waiting]) -> None:
    for one in waiting:
        if not one.answer.done():
            one.answer.set_result(_closing(one.acts))


def _closing(acts: Sequence[Act]) -> list[Answer]:
    return [Unavailable("the hub is shutting down") for _ in acts]


__all__ = ["UNREACHABLE", "PostgresBook"]

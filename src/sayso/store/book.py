"""The book on PostgreSQL: grouped writes, strong reads."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Final
from uuid import UUID

import asyncpg

from sayso.contracts.book import Act, Key, Noted, Page, Shown, Unavailable, Written
from sayso.rules.statements import Row
from sayso.store.ending import ended
from sayso.store.pool import UNREACHABLE, borrowed
from sayso.store.queries import QUERIES
from sayso.store.rows import held, place_of, shards_and_pseudonyms
from sayso.store.shown import noted, read_names, read_shown
from sayso.store.writing import Answer, Tools, read_links, write_group

WRITERS: Final = 2
"""Transactions at once in one process: while one waits for its commit the next is being judged."""
GROUP: Final = 250
FEW: Final = 16
"""Acts that begin at once: half of what 64 callers bring to each of two processes. With 32, each waited for nearly everybody it had."""
LINGER: Final = 0.003
LINGERS: Final = 5
"""How often a group of few acts waits three milliseconds for more, as long as more come: a transaction takes as long as judging a dozen of them."""
TRIES: Final = 8
Waiting = tuple[Sequence[Act], "asyncio.Future[list[Answer]]"]
"""Acts that are kept together, and where their answers go."""
RETRIED: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.UniqueViolationError)


class PostgresBook:
    """Keeps acts and reads rows. Open it before use and close it after; one a process."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", tools: Tools, *, wake: Callable[[], None] = lambda: None) -> None:
        self._pool, self._tools, self._wake = pool, tools, wake
        self._waiting: asyncio.Queue[Waiting] = asyncio.Queue()
        self._gathering = asyncio.Lock()
        self._writers: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Starts the writers."""
        self._writers = [asyncio.create_task(self._write_groups(), name=f"book-writer-{n}") for n in range(WRITERS)]

    async def close(self) -> None:
        """Stops the writers; acts that nobody has begun are answered Unavailable."""
        await ended(self._writers)
        while not self._waiting.empty():
            acts, answers = self._waiting.get_nowait()
            _settle(answers, [Unavailable("the hub is shutting down") for _ in acts])

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

    def _written(self, acts: Sequence[Act]) -> "asyncio.Future[list[Answer]]":
        """What will have become of acts that are kept together, with others that wait at the same time."""
        answers: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((acts, answers))
        return answers

    async def _write_groups(self) -> None:
        while True:
            async with self._gathering:
                group = await self._gathered()
            try:
                became = iter(await self._kept([act for acts, _ in group for act in acts]))
            except asyncio.CancelledError:
                for acts, answers in group:
                    _settle(answers, [Unavailable("the hub is shutting down") for _ in acts])
                raise
            for acts, answers in group:
                _settle(answers, list(islice(became, len(acts))))
            self._wake()

    async def _gathered(self) -> list["Waiting"]:
        """Acts that will share a transaction: a few of them wait for more as long as more come."""
        group = [await self._waiting.get()]
        count, come = len(group[0][0]), 0
        for _ in range(LINGERS):
            if count + self._waiting.qsize() >= FEW:
                break
            await asyncio.sleep(LINGER)
            come, before = self._waiting.qsize(), come
            if come == before:
                break
        while count < GROUP and not self._waiting.empty():
            group.append(self._waiting.get_nowait())
            count += len(group[-1][0])
        return [(acts, answers) for acts, answers in group if not answers.cancelled()]

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


def _settle(answers: "asyncio.Future[list[Answer]]", became: list[Answer]) -> None:
    if not answers.done():
        answers.set_result(became)


__all__ = ["UNREACHABLE", "PostgresBook"]

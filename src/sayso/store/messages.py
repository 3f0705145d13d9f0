"""Messages on PostgreSQL: what was sent, the verdicts behind it, and the keys of mailto opt-outs.

Subject lines and the sender's own ids lie under the subject's data key; what is searched by is their HMAC under the pepper. So a
destroyed key leaves nothing readable behind, as with every other personal part.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import asyncpg

from sayso.contracts.messages import Asked, Near, Sending
from sayso.rules.answer import from_log
from sayso.rules.headers import KEY_LENGTH
from sayso.rules.ids import RANDOM_BYTES, day_of, shard_of, time_of, uuid7
from sayso.rules.tokens import Link, pack
from sayso.rules.words import Scope
from sayso.store.pool import Connection, borrowed
from sayso.store.queries import QUERIES
from sayso.store.rows import bound, shards_and_pseudonyms
from sayso.store.vault import Sealed, Vault
from sayso.store.writing import Tools

MARK_BYTES: Final = 16
_LAST: Final = (1 << 62) - 1
"""Every bit behind the time of a UUIDv7 and its variant: the greatest id of a moment."""


class PostgresSent:
    """Keeps and reads what was sent."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", tools: Tools) -> None:
        self._pool, self._tools = pool, tools

    async def keep(self, sendings: Sequence[Sending], now: int) -> list[Sending]:
        """What is held of each."""
        if not sendings:
            return []
        async with borrowed(self._pool) as connection, connection.transaction():
            keys = await _data_keys(connection, {one.sub for one in sendings}, self._tools.vault)
            rows = [self._row(one, keys.get(one.sub)) for one in sendings]
            kept = await connection.fetch(QUERIES["keep_sent"], *map(list, zip(*rows, strict=True)), now)
            new = {record["id"] for record in kept}
            again = [row for row in rows if row[2] not in new]
            before: dict[tuple[bytes, bytes | None], Sending] = {}
            if again:
                places = [list(column) for column in zip(*((row[0], row[1], row[8]) for row in again), strict=True)]
                records = await connection.fetch(QUERIES["sent_before"], *places)
                before = {(record["sub"], record["message"]): replace(self._sending(record, keys), again=True) for record in records}
        return [
            replace(one, id=str(row[2])) if row[2] in new else before[(row[1], row[8])] for one, row in zip(sendings, rows, strict=True)
        ]

    async def read(self, subs: Sequence[str], *, message: str = "", campaign: str = "", after: str = "", limit: int = 100) -> list[Sending]:
        """Messages to these people, newest first."""
        people = sorted(set(subs))
        wanted = self._mark("message", message), self._mark("campaign", campaign)
        async with borrowed(self._pool) as connection:
            places = shards_and_pseudonyms(people)
            records = await connection.fetch(QUERIES["sent_to"], *places, UUID(after) if after else None, *wanted, limit)
            keys = await _data_keys(connection, {record["sub"].hex() for record in records}, self._tools.vault)
        return [self._sending(record, keys) for record in records]

    async def violations(self, subs: Sequence[str] | None = None, *, since: int = 0) -> Mapping[str, int]:
        """How many messages were sent without permission, by code."""
        async with borrowed(self._pool) as connection:
            if subs is None:
                records = await connection.fetch(QUERIES["violations"], since)
            else:
                records = await connection.fetch(QUERIES["violations_of"], *shards_and_pseudonyms(sorted(set(subs))), since)
        return {record["violation"]: record["count"] for record in records}

    async def verdict(self, check: UUID) -> Asked | None:
        """A verdict that was given before."""
        return (await self.verdicts([check])).get(check)

    async def verdicts(self, checks: Sequence[UUID]) -> Mapping[UUID, Asked]:
        """Verdicts by their ids."""
        timed = [check for check in set(checks) if check.version == 7]
        if not timed:
            return {}
        async with borrowed(self._pool) as connection:
            places = [shard_of(check) for check in timed], [day_of(time_of(check)) for check in timed], timed
            records = await connection.fetch(QUERIES["verdicts_by_id"], *places)
        return {record["id"]: _asked(record) for record in records}

    async def nearest(self, nears: Sequence[Near]) -> list[Asked | None]:
        """The newest verdict of each search."""
        rows = [row for n, near in enumerate(nears) for row in _searched(n, near)]
        if not rows:
            return [None] * len(nears)
        async with borrowed(self._pool) as connection:
            records = await connection.fetch(QUERIES["nearest_verdicts"], *map(list, zip(*rows, strict=True)))
        found = {record["search"]: _asked(record) for record in records}
        return [found.get(n) for n in range(len(nears))]

    async def first_words(self, subs: Sequence[str]) -> Mapping[str, int]:
        """When the first entry about each of these people was made."""
        async with borrowed(self._pool) as connection:
            records = await connection.fetch(QUERIES["first_words"], *shards_and_pseudonyms(sorted(set(subs))))
        return {record["sub"].hex(): record["at"] for record in records}

    def _row(self, one: Sending, key: bytes | None) -> tuple[Any, ...]:
        sub = bytes.fromhex(one.sub)
        sending = uuid7(one.at, self._tools.chance(RANDOM_BYTES), sub[0])
        words = json.dumps([one.subject, one.campaign, one.message], ensure_ascii=False, separators=(",", ":")).encode()
        sealed = self._tools.vault.seal(key, words, bound("sent", sending.bytes)) if key else b""
        return (
            sub[0], sub, sending, one.at, one.channel, one.category, one.brand, self._mark("campaign", one.campaign),
            self._mark("message", one.message), sealed, one.check, one.violation or None,
        )  # fmt: skip

    def _sending(self, record: Any, keys: Mapping[str, bytes]) -> Sending:
        sub = record["sub"].hex()
        subject, campaign, message = self._words(keys.get(sub), record)
        return Sending(
            sub, record["at"], record["channel"], record["category"], record["brand"], subject, campaign, message, record["verdict"],
            record["violation"] or "", str(record["id"]),
        )  # fmt: skip

    def _words(self, key: bytes | None, record: Any) -> tuple[str, str, str]:
        """Subject line, campaign and message id; empty where the person's key is gone."""
        if key is None:
            return "", "", ""
        try:
            subject, campaign, message = json.loads(self._tools.vault.open(key, record["sealed"], bound("sent", record["id"].bytes)))
        except Sealed:
            return "", "", ""
        return subject, campaign, message

    def _mark(self, what: str, word: str) -> bytes | None:
        """What one of the sender's ids is found by; None for none."""
        return hmac.digest(self._tools.pepper, pack("sayso/sent/1", what, word), "sha256")[:MARK_BYTES] if word else None


class PostgresMailKeys:
    """Keeps and finds the keys of mailto opt-outs; each is an HMAC of whom and what it stands for."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", pepper: bytes) -> None:
        self._pool, self._pepper = pool, pepper

    async def keep(self, links: Sequence[Link]) -> list[str]:
        """The key of each link's people and scope."""
        keys = [self._key(link) for link in links]
        rows = {
            key: (key[0], key, link.contact, link.address, link.scope.brand, link.scope.channel, link.scope.category)
            for key, link in zip(keys, links, strict=True)
        }
        if rows:
            async with borrowed(self._pool) as connection:
                ordered = [rows[key] for key in sorted(rows)]  # every process in one order, or two batches could wait for each other
                await connection.execute(QUERIES["keep_mail_keys"], *map(list, zip(*ordered, strict=True)))
        return [base64.b32encode(key).decode().lower() for key in keys]

    async def find(self, key: str) -> Link | None:
        """Whom and what a key stands for."""
        if len(key) != KEY_LENGTH or not key.isascii():
            return None
        try:
            raw = base64.b32decode(key.upper())
        except binascii.Error:
            return None
        async with borrowed(self._pool) as connection:
            record = await connection.fetchrow(QUERIES["mail_key"], raw[0], raw)
        if record is None:
            return None
        return Link(record["contact"], record["address"], Scope(record["brand"], record["channel"], record["category"]))

    def _key(self, link: Link) -> bytes:
        people = link.contact or b"", link.address or b""
        shard = (link.contact or link.address or b"\0")[:1]
        about = pack("sayso/mail-key/1", *people, link.scope.brand, link.scope.channel, link.scope.category)
        return shard + hmac.digest(self._pepper, about, "sha256")[:14]


async def _data_keys(connection: Connection, subs: set[str], vault: Vault) -> Mapping[str, bytes]:
    """The data keys of those people who still have one."""
    keys = {}
    for record in await connection.fetch(QUERIES["keys_of_subjects"], *shards_and_pseudonyms(sorted(subs))):
        try:
            keys[record["pseudonym"].hex()] = vault.unwrap(record["wrapped"], bound("subject_key", record["pseudonym"]))
        except Sealed:
            continue
    return keys


def _asked(record: Any) -> Asked:
    return Asked(record["id"], record["sub"].hex() if record["sub"] else "", from_log(record["body"]))


def _searched(n: int, near: Near) -> list[tuple[Any, ...]]:
    """A row for each person and day of a search, with the first and the last id that a verdict of its time can have."""
    since = max(near.since, 0)
    first, last = uuid7(since, bytes(RANDOM_BYTES), 0), UUID(int=uuid7(near.until, bytes(RANDOM_BYTES), 0).int | _LAST)
    days = {day_of(since), day_of(near.until)}
    return [
        (n, int(sub[:2], 16), bytes.fromhex(sub), day, first, last, near.channel, near.category, near.brand)
        for sub in near.subs
        for day in sorted(days)
    ]

"""The versions of people's pages on PostgreSQL. The draft is sealed: it names colleagues by their addresses."""

import json
from typing import Final
from uuid import UUID

import asyncpg

from sayso.contracts.center import DraftMoved, DraftPages, LivePages
from sayso.rules.catalogue import Catalogue, to_text
from sayso.rules.pages import Draft, PageSet, draft_body, draft_of, to_body
from sayso.rules.pages import to_text as canonical
from sayso.store.pool import borrowed
from sayso.store.queries import QUERIES
from sayso.store.vault import Sealed, Vault

PLACE: Final = b"page_draft"
"""Where the draft lies: what its bytes are bound to."""


class PostgresPages:
    """Keeps drafts and versions."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", vault: Vault) -> None:
        self._pool, self._vault = pool, vault

    async def live(self) -> LivePages:
        """The newest version."""
        async with borrowed(self._pool) as connection:
            row = await connection.fetchrow(QUERIES["newest_pages"])
        return LivePages(row["version"], draft_of(json.loads(row["body"]), 0).pages) if row else LivePages(0, PageSet())

    async def draft(self) -> DraftPages | None:
        """The draft."""
        async with borrowed(self._pool) as connection:
            row = await connection.fetchrow(QUERIES["page_draft"])
        if row is None:
            return None
        try:
            body = json.loads(self._vault.unwrap(row["sealed"], PLACE))
        except Sealed:
            return None
        version = (body["catalogue"] or {}).get("version", 0)
        return DraftPages(row["revision"], draft_of(body, version), row["at"])

    async def keep_draft(self, draft: Draft, now: int) -> int:
        """Keeps the draft; gives its revision."""
        sealed = self._vault.wrap(canonical(draft_body(draft)).encode(), PLACE)
        async with borrowed(self._pool) as connection:
            return int(await connection.fetchval(QUERIES["keep_draft"], sealed, now))

    async def drop_draft(self, revision: int = 0) -> bool:
        """Takes the draft away."""
        async with borrowed(self._pool) as connection:
            return await connection.fetchval(QUERIES["drop_draft"], revision) is not None

    async def entries_within(self, shard: int, first: UUID, last: UUID) -> list[tuple[UUID, int]]:
        """The entries of a shard between two ids, with when they were received."""
        async with borrowed(self._pool) as connection:
            return [(record["id"], record["at"]) for record in await connection.fetch(QUERIES["entries_within"], shard, first, last)]

    async def publish(self, version: int, held: DraftPages, catalogue: Catalogue, now: int) -> None:
        """Makes a draft live; `catalogue` is what is in force afterwards."""
        async with borrowed(self._pool) as connection, connection.transaction():
            if await connection.fetchval(QUERIES["drop_draft"], held.revision) is None:
                raise DraftMoved("the draft was changed meanwhile")
            try:
                if held.draft.catalogue is not None:
                    await connection.execute(QUERIES["keep_catalogue"], catalogue.version, to_text(catalogue), now)
                await connection.execute(QUERIES["keep_pages"], version, canonical(to_body(held.draft.pages)), catalogue.version, now)
            except asyncpg.UniqueViolationError as taken:
                raise DraftMoved("another version went live meanwhile") from taken

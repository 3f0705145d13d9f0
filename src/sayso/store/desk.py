"""The desk on PostgreSQL: clients, tokens, the catalogue and campaigns."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg

from sayso.contracts.desk import Campaign, Client, Grant, VersionTaken
from sayso.rules.catalogue import DEFAULT, Catalogue, from_json, to_text
from sayso.store.pool import borrowed
from sayso.store.queries import QUERIES

KEPT_AFTER_END: Final = 86_400_000_000


class PostgresDesk:
    """Reads and keeps what operators set up."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def _row(self, query: str, *args: object) -> Any:
        async with borrowed(self._pool) as connection:
            return await connection.fetchrow(QUERIES[query], *args)

    async def _rows(self, query: str, *args: object) -> list[Any]:
        async with borrowed(self._pool) as connection:
            return list(await connection.fetch(QUERIES[query], *args))

    async def add_client(self, client: Client, secret_hash: bytes) -> None:
        """Keeps a new client."""
        scopes = list(client.scopes)
        await self._row("add_client", client.id, client.name, secret_hash, scopes, client.relay_only, client.created_at)

    async def client(self, client_id: str) -> Client | None:
        """The client of an id."""
        row = await self._row("client", client_id)
        return _client(row) if row else None

    async def secret_hash(self, client_id: str) -> bytes | None:
        """The hash of a client's secret, None once it is revoked."""
        row = await self._row("client_secret", client_id)
        return bytes(row["secret_hash"]) if row else None

    async def clients(self, after: str, limit: int) -> Sequence[Client]:
        """Clients in order of their ids."""
        return [_client(row) for row in await self._rows("clients", after, limit)]

    async def revoke_client(self, client_id: str, now: int) -> bool:
        """Ends a client with its tokens."""
        return await self._row("revoke_client", client_id, now) is not None

    async def keep_token(self, token_hash: bytes, grant: Grant) -> None:
        """Keeps a new token."""
        ended = grant.expires_at - KEPT_AFTER_END
        await self._row("keep_token", token_hash, grant.client, list(grant.scopes), grant.expires_at, ended)

    async def grant(self, token_hash: bytes, now: int) -> Grant | None:
        """What a token stands for now."""
        row = await self._row("grant", token_hash, now)
        return Grant(row["client"], tuple(row["scopes"]), row["relay_only"], row["expires_at"]) if row else None

    async def revoke_token(self, token_hash: bytes, client_id: str, now: int) -> None:
        """Ends a client's token."""
        await self._row("revoke_token", token_hash, client_id, now)

    async def names(self, ids: Sequence[str]) -> Mapping[str, str]:
        """The names of clients and connections."""
        return {row["id"]: row["name"] for row in await self._rows("names_of_actors", sorted(set(ids)))}

    async def catalogue(self) -> Catalogue:
        """The catalogue in force."""
        row = await self._row("newest_catalogue")
        return from_json(json.loads(row["body"]), row["version"]) if row else DEFAULT

    async def keep_catalogue(self, catalogue: Catalogue, now: int) -> None:
        """Keeps a new version."""
        try:
            await self._row("keep_catalogue", catalogue.version, to_text(catalogue), now)
        except asyncpg.UniqueViolationError as taken:
            raise VersionTaken(str(catalogue.version)) from taken

    async def campaign(self, campaign_id: str) -> Campaign | None:
        """The campaign of an id."""
        row = await self._row("campaign", campaign_id)
        return Campaign(row["id"], row["transactional"], row["category"], row["reason"], row["at"]) if row else None

    async def keep_campaign(self, campaign: Campaign) -> None:
        """Keeps a campaign."""
        await self._row("keep_campaign", campaign.id, campaign.transactional, campaign.category, campaign.reason, campaign.at)


def _client(row: Any) -> Client:
    return Client(row["id"], row["name"], tuple(row["scopes"]), row["relay_only"], row["created_at"], row["revoked_at"])

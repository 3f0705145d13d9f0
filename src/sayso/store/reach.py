"""Reaching the server that takes writes. Where a DSN names several, all are asked at once, so that one that stands still delays nobody.

libpq's way of naming several: `postgresql://user:password@a:5432,b:5432/sayso`, or `…@/sayso?host=a,b&port=5432` (also socket folders).
Which of them may be written to is theirs to say, not ours: a server in recovery is passed over until it is promoted.
"""

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg
from asyncpg.connect_utils import SessionAttribute


def servers(dsn: str) -> list[str]:
    """The DSN of each server that this one names. Raises ValueError when it names more ports than hosts, or fewer but not one."""
    parts = urlsplit(dsn)
    user, at, where = parts.netloc.rpartition("@")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "," in where:
        return [urlunsplit(parts._replace(netloc=f"{user}{at}{one}")) for one in where.split(",")]
    hosts = query.get("host", "").split(",")
    if len(hosts) == 1:
        return [dsn]
    ports = query.get("port", "").split(",")
    if len(ports) not in (1, len(hosts)):
        raise ValueError(f"{len(hosts)} hosts of a database URL need one port, or {len(hosts)}")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    each = [{**query, "host": host, **({"port": port} if port else {})} for host, port in zip(hosts, ports, strict=True)]
    return [f"{dsn.partition('?')[0]}?{urlencode(one)}" for one in each]


async def reach(dsn: str, **options: Any) -> "asyncpg.Connection[asyncpg.Record]":
    """A connection to the server that this DSN names; of several to the first that answers and takes writes.

    `options` are those of asyncpg.connect. Raises what it raises; of several servers' failures that of the first named.
    """
    named = servers(dsn)
    if len(named) == 1:
        return await asyncpg.connect(dsn, **options)
    tries = [asyncio.create_task(_writable(one, options)) for one in named]
    found: asyncpg.Connection[asyncpg.Record] | None = None
    try:
        for answered in asyncio.as_completed(tries):
            try:
                found = await answered
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                continue
            return found
        return await tries[0]  # all failed: this raises why
    finally:
        await _dropped(tries, found)


async def _writable(dsn: str, options: dict[str, Any]) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(dsn, target_session_attrs=SessionAttribute.read_write, **options)


async def _dropped(tries: "list[asyncio.Task[asyncpg.Connection[asyncpg.Record]]]", kept: object) -> None:
    """Ends what is still being tried, and every connection but the kept one: two may have answered at once."""
    for one in tries:
        one.cancel()
    for ended in await asyncio.gather(*tries, return_exceptions=True):
        if isinstance(ended, asyncpg.Connection) and ended is not kept:
            ended.terminate()

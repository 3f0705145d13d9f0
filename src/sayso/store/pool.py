"""The pool of connections to PostgreSQL, and how its failures look from above."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from sayso.contracts.book import Unavailable
from sayso.store.reach import reach

Pool = asyncpg.Pool
Connection = asyncpg.pool.PoolConnectionProxy
_REACH: Final[Any] = reach  # its types name every option of asyncpg.connect one by one
WAIT_SECONDS: Final = 10.0
"""How long a statement or a free connection is waited for; a write that takes longer is answered 503."""


async def open_pool(
    dsn: str, *, size: int = 12, application: str = "sayso", admit: Callable[[Any], Coroutine[Any, Any, None]] | None = None
) -> "asyncpg.Pool[asyncpg.Record]":
    """A pool that connects when it is first asked, so that a hub starts (and denies) while its store is down.

    `admit` looks at each new connection, and raises one of UNREACHABLE for one that may not be used.
    """
    return await asyncpg.create_pool(
        dsn,
        connect=_REACH,
        init=admit,
        min_size=0,
        max_size=size,
        command_timeout=WAIT_SECONDS,
        timeout=WAIT_SECONDS,
        reset=_as_it_is,
        server_settings={"application_name": application, "jit": "off"},
    )


async def _as_it_is(_: Any) -> None:
    """Nothing to undo between two users of a connection: whatever is set or locked here ends with its transaction."""


@asynccontextmanager
async def borrowed(pool: "asyncpg.Pool[asyncpg.Record]", seconds: float = WAIT_SECONDS) -> AsyncIterator[Connection]:
    """A connection of the pool; every failure to reach the store or to get an answer in time is raised as Unavailable."""
    try:
        async with pool.acquire(timeout=seconds) as connection:
            try:
                yield connection
            except (TimeoutError, asyncio.CancelledError):
                # A server that does not answer does not take a connection back either: its return would be waited for as long again.
                connection.terminate()
                raise
    except UNREACHABLE as failure:
        raise Unavailable(f"the store cannot be reached: {type(failure).__name__}") from failure


def see_the_same(snapshot: str) -> str:
    """The statement that lets a transaction see what the one sees that shared a snapshot; it takes no parameters."""
    return f"SET TRANSACTION SNAPSHOT '{_OTHER.sub('', snapshot)}'"


_OTHER: Final = re.compile("[^0-9A-F-]")
UNREACHABLE: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # also a database that is closed to connections
    asyncpg.UndefinedTableError,
)
"""Failures that say nothing about the request itself: try again later, and deny until then."""

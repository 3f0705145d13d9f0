"""What every command stands in: settings read, the hub's parts opened, failures told in one form, an exit code.

Exit codes: 0 done; 1 failed, or found unsound; 2 used wrongly, or (dry runs) changes are pending; 130 interrupted.
"""

import gc
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, TypeVar

import typer
import uvloop

from sayso.commands.output import err, print_json
from sayso.contracts.book import Unavailable
from sayso.keys import KeysUnusable
from sayso.opening import Parts, PepperChanged, opened
from sayso.settings import BadConfiguration, Settings, read
from sayso.store import embedded
from sayso.store.embedded_folder import EmbeddedError
from sayso.store.migrate import MigrationError
from sayso.store.pool import UNREACHABLE
from sayso.store.queries import QUERIES
from sayso.store.reach import reach

T = TypeVar("T")

FAILED: Final = 1
PENDING: Final = 2
USAGE: Final = 2
INTERRUPTED: Final = 130
CHECK_SECONDS: Final = 5.0
"""How long a command waits for a check: nobody sends mail while it waits, so it may be longer than a hub's."""
SELDOM: Final = (50_000, 20, 100)
"""Objects between two looks for garbage in circles."""


class Failed(Exception):
    """A command cannot do what it was asked: what is wrong, where, and how to mend it."""

    def __init__(self, what: str, *, where: str = "", fix: str = "", code: int = FAILED) -> None:
        super().__init__(what)
        self.what, self.where, self.fix, self.code = what, where, fix, code


def run(work: Coroutine[Any, Any, T], as_json: bool) -> T:
    """What a command's work came to. Ends the process with its exit code when it fails."""
    with failures(as_json):
        return uvloop.run(work)


@contextmanager
def failures(as_json: bool) -> Iterator[None]:
    """Turns what may go wrong into a message on stderr and an exit code; anything else is a bug and shows itself as one."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:
        failed = explained(error)
        if failed is None:
            raise
        tell(failed, as_json)
        raise typer.Exit(failed.code) from error


def explained(error: Exception) -> Failed | None:
    """The failure as people are told it; None for what nobody foresaw."""
    match error:
        case Failed():
            return error
        case BadConfiguration():
            return Failed("; ".join(error.problems), where="settings", fix="sayso config check", code=USAGE)
        case KeysUnusable():
            return Failed(str(error), where="keys")
        case PepperChanged():
            return Failed(str(error), where="keys/pepper")
        case EmbeddedError():
            return Failed(str(error), where="embedded PostgreSQL")
        case MigrationError():
            return Failed(str(error), where="database schema")
        case Unavailable():
            return Failed(str(error), where="database", fix="sayso doctor")
        case OSError():
            return Failed(error.strerror or str(error), where=str(error.filename or ""))
    return None


def tell(failed: Failed, as_json: bool) -> None:
    """Prints a failure on stderr: what, where, how to mend."""
    if as_json:
        print_json({"error": {"what": failed.what, "where": failed.where or None, "fix": failed.fix or None}}, to_stderr=True)
        return
    console = err()
    console.print("Error:", style="bold red", end=" ")
    console.print(failed.what, markup=False)
    for name, text in (("where:", failed.where), ("fix:  ", failed.fix)):
        if text:
            console.print(f"  {name} {text}", markup=False)


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Looks for garbage seldom until the block ends: whoever reads millions of rows makes many objects, and no circles."""
    before = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def settings() -> Settings:
    """The settings of this environment. Raises BadConfiguration."""
    return read(os.environ)


@asynccontextmanager
async def database(wanted: Settings) -> AsyncIterator[str]:
    """The DSN of the hub's database, whether the hub is being served or not.

    An embedded server that runs is used and left running; one that this command had to start is stopped at its end, unless
    somebody else has come to use it meanwhile.
    """
    if wanted.database_url is not None:
        yield wanted.database_url
        return
    server = await embedded.start(wanted.data_dir)
    try:
        yield server.dsn
    finally:
        if server.started and not await in_use(server.dsn):
            await embedded.stop(wanted.data_dir)


@asynccontextmanager
async def hub(given: Settings | None = None, *, nice: int = 0) -> AsyncIterator[Parts]:
    """The parts of the hub in this data folder. Raises Failed while the database cannot be reached.

    `nice`: how much this process stands back behind the others of the machine, and the embedded server with what it does for it.
    """
    wanted = given or settings()
    async with database(wanted), opened(wanted, patience=CHECK_SECONDS, nice=nice) as parts:
        os.nice(max(0, nice - os.nice(0)))  # not before: a server that this process starts serves others too
        if not parts.ready.is_set():
            raise Failed("the database cannot be reached", where="SAYSO_DATABASE_URL", fix="sayso doctor")
        yield parts


async def in_use(dsn: str) -> bool:
    """Whether anybody but us is connected to this server. One that does not answer counts as used: it is not ours to judge."""
    try:
        connection = await reach(dsn, timeout=5)
    except UNREACHABLE:
        return True
    try:
        return bool(await connection.fetchval(QUERIES["other_clients"]))
    finally:
        await connection.close(timeout=5)

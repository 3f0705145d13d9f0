"""`sayso doctor`: everything that could be wrong with this hub, each with the command that mends it. Changes nothing."""

import errno
import os
import shutil
import socket
import stat
from pathlib import Path
from typing import Final

import asyncpg
import typer
import uvloop

from sayso import keys as key_files
from sayso.commands.frame import CHECK_SECONDS, FAILED, database, explained, failures, settings
from sayso.commands.output import AsJson, out, print_json
from sayso.contracts.book import Unavailable
from sayso.flows.examine import Finding, Queue, examine
from sayso.keys import KeysUnusable
from sayso.mail_wiring import look_at_mail
from sayso.opening import ACCEPT, Parts, microseconds, opened
from sayso.rules.catalogue import Catalogue, warnings_of
from sayso.rules.notes import key_of
from sayso.rules.times import SECOND
from sayso.settings import BadConfiguration, Settings
from sayso.store import embedded, migrate
from sayso.store.pool import UNREACHABLE
from sayso.store.queries import QUERIES
from sayso.store.reach import reach

OLDEST: Final = 150_000
"""The oldest PostgreSQL that is supported, as server_version_num."""
SKEW: Final = 5 * SECOND
SPACE: Final = 1 << 30
STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def examine_hub(as_json: AsJson = False) -> None:
    """Check settings, keys, database, ledger, worker, connections, disk, clock and port. Exit code 1 if anything failed."""
    with failures(as_json):
        findings = uvloop.run(_findings())
    if as_json:
        rows = [{"name": one.name, "level": one.level, "detail": one.detail, "fix": one.fix or None} for one in findings]
        print_json({"ok": all(one.level != "fail" for one in findings), "findings": rows})
    else:
        for one in findings:
            console = out()
            console.print(f"{one.level:<5}", style=STYLES[one.level], end="")
            console.print(f"{one.name}: {one.detail}", markup=False)
            if one.fix and one.level != "ok":
                console.print(f"     fix: {one.fix}", markup=False)
    if any(one.level == "fail" for one in findings):
        raise typer.Exit(FAILED)


async def _findings() -> list[Finding]:
    try:
        wanted = settings()
    except BadConfiguration as bad:
        return [Finding("settings", "fail", problem, "sayso config check") for problem in bad.problems]
    found = [_settings(wanted), _port(wanted)]
    if not wanted.data_dir.is_dir():
        return [*found, Finding("data folder", "warn", f"{wanted.data_dir} does not exist: nothing was ever started here", "sayso serve")]
    found += [_disk(wanted.data_dir), *_keys(wanted)]
    if any(one.level == "fail" and one.name == "keys" for one in found):
        return found
    if wanted.database_url is None and (await embedded.status(wanted.data_dir)).state is embedded.State.ABSENT:
        return [*found, Finding("database", "warn", "there is none in this data folder yet", "sayso serve")]
    return found + await _within(wanted)


async def _within(wanted: Settings) -> list[Finding]:
    """What only the database can tell. Everything that goes wrong is a finding too."""
    found: list[Finding] = []
    try:
        async with database(wanted) as dsn:
            found += await _database(dsn, wanted)
            if all(one.level != "fail" for one in found):
                async with opened(wanted, patience=CHECK_SECONDS) as parts:
                    found += await _inside(parts)
    except Exception as error:
        failed = explained(error)
        if failed is None:
            raise
        found.append(Finding("database", "fail", failed.what, failed.fix))
    return found


def _settings(wanted: Settings) -> Finding:
    if wanted.left_at_demo:
        return Finding(
            "settings", "warn", f"left at values for demonstrations: {', '.join(wanted.left_at_demo)}", "set them; sayso config show"
        )
    return Finding("settings", "ok", "complete")


def _port(wanted: Settings) -> Finding:
    """Whether the port is free, or a hub answers on it."""
    name, place = f"port {wanted.port}", (wanted.host, wanted.port)
    family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(place)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return Finding(name, "fail", f"{wanted.host} cannot be listened on: {error.strerror}", "SAYSO_HOST=127.0.0.1")
        else:
            return Finding(name, "ok", "free")
    if _is_hub(place):
        return Finding(name, "ok", "a hub answers")
    return Finding(name, "warn", f"another program listens on {wanted.host}", f"sayso serve --port {wanted.port + 1}")


def _is_hub(place: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(place, timeout=2) as line:
            line.sendall(f"GET /livez HTTP/1.1\r\nHost: {place[0]}\r\nConnection: close\r\n\r\n".encode())
            return b" 200 " in line.recv(64)
    except OSError:
        return False


def _disk(folder: Path) -> Finding:
    usage = shutil.disk_usage(folder)
    detail = f"{usage.free / SPACE:.1f} GiB free"
    if usage.free < SPACE // 4:
        return Finding("disk", "fail", detail, "make room: writes fail when it is full, and checks deny")
    return Finding("disk", "warn" if usage.free < 2 * SPACE else "ok", detail, "make room soon" if usage.free < 2 * SPACE else "")


def _keys(wanted: Settings) -> list[Finding]:
    folder = wanted.data_dir / "keys"
    if not (folder / key_files.COMPLETE).exists():
        return [Finding("keys", "warn", f"{folder} holds no keys yet", "sayso serve")]
    try:
        key_files.load(wanted.data_dir)
    except KeysUnusable as unusable:
        return [Finding("keys", "fail", str(unusable), f"restore {folder} from its backup, or mend its modes")]
    modes = [stat.S_IMODE(place.stat().st_mode) for place in folder.iterdir() if place.is_file()]
    owner = folder.stat().st_uid == os.geteuid()
    detail = f"{len(modes)} files, readable for their owner only" + ("" if owner else "; they belong to another user")
    return [Finding("keys", "ok" if owner else "warn", detail, "" if owner else "run sayso as the user that owns them")]


async def _database(dsn: str, wanted: Settings) -> list[Finding]:
    """Reachable, new enough, of this version's schema, written with this pepper, and of one time with us."""
    try:
        connection = await reach(dsn, timeout=10)
    except (*UNREACHABLE, asyncpg.InvalidAuthorizationSpecificationError, ValueError) as failure:
        fix = "start PostgreSQL, or mend SAYSO_DATABASE_URL" if wanted.database_url else "sayso serve"
        return [Finding("database", "fail", f"cannot be reached: {type(failure).__name__}: {failure}", fix)]
    try:
        seen = await connection.fetchrow(QUERIES["server_clock"])
        assert seen is not None  # it reads no table
        skew = abs(seen["now"] - microseconds())
        version = f"PostgreSQL {seen['version'] // 10_000}.{seen['version'] % 10_000}"
        if seen["version"] < OLDEST:
            return [Finding("database", "fail", f"{version} is too old", "use PostgreSQL 15 or newer")]
        clock = f"{skew / SECOND:.3f} s apart from the database's"
        found = [
            Finding("database", "ok", f"{version} answers"),
            Finding("clock", "warn" if skew > SKEW else "ok", clock, "set both clocks by NTP" if skew > SKEW else ""),
        ]
        return found + [await one(connection, wanted) for one in (_schema, _pepper)]
    finally:
        await connection.close(timeout=5)


async def _schema(connection: "asyncpg.Connection[asyncpg.Record]", _: Settings) -> Finding:
    try:
        await migrate.require_current(connection)
    except migrate.SchemaTooOld as old:
        return Finding("schema", "fail", str(old), "sayso serve")
    except migrate.MigrationError as wrong:
        return Finding("schema", "fail", str(wrong), "install the version of Sayso that this database belongs to")
    return Finding("schema", "ok", "as this version needs it")


async def _pepper(connection: "asyncpg.Connection[asyncpg.Record]", wanted: Settings) -> Finding:
    fix = "restore the keys folder that belongs to this database"
    try:
        known = await connection.fetchval(QUERIES["known_pepper"])
    except asyncpg.UndefinedTableError:
        known = None
    if known is None:
        return Finding("pepper", "ok", "nothing was written with it yet")
    if not (wanted.data_dir / "keys" / key_files.COMPLETE).exists():
        return Finding("pepper", "fail", "the database was written with keys that are not in this data folder", fix)
    if known != key_files.check_value(key_files.load(wanted.data_dir).pepper):
        return Finding("pepper", "fail", "the database was written with another one: nobody in it could be found", fix)
    return Finding("pepper", "ok", "the one this database was written with")


async def _inside(parts: Parts) -> list[Finding]:
    if not parts.ready.is_set():
        raise Unavailable("the store cannot be reached")
    async with parts.pool.acquire() as connection:
        row = await connection.fetchrow(QUERIES["oldest_unsequenced"])
        assert row is not None  # an aggregate always has a row
        now = await connection.fetchval(QUERIES["server_clock"])
    doubted = [Finding("rollback", "fail", f"every check is denied: {parts.doubt.why}", ACCEPT)] if parts.doubt.why else []
    return [*doubted, *_catalogue(await parts.desk.catalogue()), *await look_at_mail(parts)] + await examine(
        log=parts.log, anchor=parts.anchor, key=key_of(parts.origin, parts.keys.ledger_key),
        queue=Queue(row["waiting"], row["oldest"]), spokes=parts.spokes, connectors=parts.connectors, now=now,
    )  # fmt: skip


def _catalogue(found: Catalogue) -> list[Finding]:
    """Whether people will read what they may choose from."""
    if warnings := warnings_of(found):
        return [Finding("catalogue", "warn", warning, "sayso catalogue show --json, then apply") for warning in warnings]
    return [Finding("catalogue", "ok", f"version {found.version}, {len(found.refusable)} categories to choose from")]

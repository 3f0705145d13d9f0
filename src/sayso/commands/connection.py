"""`sayso connection`: the systems that are told, and that tell."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from sayso.commands.client import OPERATOR
from sayso.commands.frame import FAILED, USAGE, Failed, hub, run
from sayso.commands.output import AsJson, out, print_json, show, show_rows
from sayso.contracts.settings import Value
from sayso.contracts.spokes import Connection
from sayso.flows import connect
from sayso.opening import Parts
from sayso.rules.ids import RANDOM_BYTES, uuid7
from sayso.rules.times import format_time
from sayso.store.connecting import PostgresConnecting

app = typer.Typer(no_args_is_help=True, help="The systems that are told, and that tell.")

SECRET_BYTES: Final = 65_536
Which = Annotated[str, typer.Argument(metavar="CONNECTION", help="Its id, or its name where only one has it.")]


@app.command()
def add(
    connector: Annotated[str, typer.Argument(help="What kind of system: see `sayso connector list`.")],
    name: Annotated[str, typer.Option(help="What people call it.")],
    setting: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting; KEY=@FILE reads it from a file.")
    ] = None,
    brand: Annotated[str | None, typer.Option("--business-unit", "--brand", help="The brand it serves; else all of the company.")] = None,
    as_json: AsJson = False,
) -> None:
    """Connect a system. It is told everybody who ever said something, then every change. Give secrets as KEY=@FILE."""
    made, hook, secret = run(_add(connector, name, setting or [], brand), as_json)
    if as_json:
        print_json({"id": str(made.id), "state": made.state, "hook_url": hook, **({"secret": secret} if secret else {})})
        return
    out().print(f"id        {made.id}\nhook_url  {hook}", markup=False)
    if secret:
        out().print(f"secret    {secret}\nKeep the secret now: it is not shown again.", markup=False)
    out().print(f"\nNext: sayso connection check {made.id}", markup=False)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List all connections and how far each is."""
    rows = run(_list(), as_json)
    columns = ("id", "connector", "name", "business_unit", "state", "pairs", "in_sync", "oldest_lag_ms", "cause")
    show_rows(
        rows, columns, as_json=as_json, empty="There are no connections. Make one: sayso connection add CONNECTOR --name NAME --set …"
    )


@app.command()
def check(connection: Which, as_json: AsJson = False) -> None:
    """Ask the other system whether the settings work. Exit code 1 if they do not."""
    found, health = run(_check(connection), as_json)
    text = f"{'ok' if health.ok else 'fail'}  {found.name}: {health.detail}"
    show({"id": str(found.id), "name": found.name, "ok": health.ok, "detail": health.detail}, text, as_json=as_json)
    if not health.ok:
        raise typer.Exit(FAILED)


@app.command()
def remove(connection: Which, as_json: AsJson = False) -> None:
    """End a connection. Its settings are forgotten, its acknowledgements stay in the ledger."""
    gone = run(_remove(connection), as_json)
    show({"id": str(gone.id), "name": gone.name, "removed": True}, f"{gone.name} ({gone.id}) is removed.", as_json=as_json)


async def _add(connector: str, name: str, given: list[str], brand: str | None) -> tuple[Connection, str, str | None]:
    values = _values(given)
    async with hub() as parts:
        ground = await parts.current.ground()
        place = uuid7(ground.clock(), ground.chance(RANDOM_BYTES), ground.chance(1)[0])
        order = connect.Order(name=name, settings=values, brand=brand)
        try:
            made = await connect.add(connector, order, OPERATOR, setup=_setup(parts), ground=ground, state_id=place)
        except connect.SetupRefused as refused:
            problems = "; ".join(f"{pointer.removeprefix('#/')}: {detail}" for detail, pointer in refused.errors)
            raise Failed(problems, where=connector, fix="sayso connector list", code=USAGE) from refused
        parts.wake.ring()
        secret = made.settings.texts("secrets")[0] if connector == connect.WEBHOOK and not values.get("secrets") else None
        return made, f"{parts.settings.public_url}/hooks/{made.id}", secret


async def _list() -> list[dict[str, Any]]:
    async with hub() as parts:
        far = {one.connection: one for one in await parts.spokes.accuracy()}
        rows = []
        for one in await parts.spokes.connections():
            pairs = far.get(one.id)
            rows.append({
                "id": str(one.id), "connector": one.connector, "name": one.name, "business_unit": one.brand, "state": one.state,
                "pairs": pairs.pairs if pairs else 0, "in_sync": pairs.in_sync if pairs else 0,
                "oldest_lag_ms": pairs.oldest_lag // 1_000 if pairs else 0, "cause": one.cause, "created_at": format_time(one.created_at),
            })  # fmt: skip
        return rows


async def _check(which: str) -> tuple[Connection, Any]:
    async with hub() as parts:
        found = await _found(which, parts)
        return found, await connect.examine(found, setup=_setup(parts), ground=await parts.current.ground())


async def _remove(which: str) -> Connection:
    async with hub() as parts:
        found = await _found(which, parts)
        await connect.remove(found, OPERATOR, setup=_setup(parts), ground=await parts.current.ground())
        return found


async def _found(which: str, parts: Parts) -> Connection:
    """The connection of this id or name. Raises Failed."""
    every = await parts.spokes.connections()
    found = [one for one in every if str(one.id) == which.lower()] or [one for one in every if one.name == which]
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} connections are called {which!r}: name one by its id" if found else f"there is no connection {which[:80]!r}"
    raise Failed(what, where="CONNECTION", fix="sayso connection list")


def _setup(parts: Parts) -> connect.Setup:
    connecting = PostgresConnecting(parts.pool, parts.tools)
    return connect.Setup(connecting, parts.spokes, parts.book, parts.engine, parts.connectors, parts.settings.webhook_allow)


def _values(given: list[str]) -> dict[str, Value]:
    """The settings of the command line; a key given several times is a list, what looks like a JSON table or list is one."""
    found: dict[str, Value] = {}
    for text in given:
        key, sign, raw = text.partition("=")
        if not sign or not key.strip():
            raise Failed(f"{text.partition('=')[0][:40]!r} is no setting: write KEY=VALUE", where="--set", code=USAGE)
        value = _value(raw)
        before = found.get(key.strip())
        if before is not None:
            value = [*(before if isinstance(before, list) else [before]), *(value if isinstance(value, list) else [value])]
        found[key.strip()] = value
    return found


def _value(raw: str) -> Value:
    if raw.startswith("@"):
        with Path(raw[1:]).expanduser().open("rb") as file:
            content = file.read(SECRET_BYTES + 1)
        if len(content) > SECRET_BYTES:
            raise Failed("a setting has at most 64 KiB", where=raw[1:], code=USAGE)
        try:
            raw = content.decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise Failed("the file is not UTF-8", where=raw[1:], code=USAGE) from error
    if raw[:1] in ("{", "["):
        try:
            table: Value = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise Failed(f"not JSON: {error}", where="--set", code=USAGE) from error
        return table
    return raw

"""`sayso client`: programs that may ask for access tokens."""

from typing import Annotated, Any

import typer

from sayso.commands.frame import USAGE, Failed, hub, run
from sayso.commands.output import AsJson, out, print_json, show, show_rows
from sayso.contracts.desk import SCOPES, Client
from sayso.flows.enrol import Enrolled, NotEnrolled, enrol
from sayso.flows.note_config import note_config
from sayso.opening import Parts, microseconds
from sayso.rules.times import format_time

app = typer.Typer(no_args_is_help=True, help="Programs that may ask for access tokens.")

OPERATOR = "c:operator"
"""How the ledger names whoever works at the command line."""
PAGE = 500
SCOPES_HELP = f"What the client may do; give it several times. One of: {', '.join(SCOPES)}."


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What people call the program, for example `shop`.")],
    scope: Annotated[list[str], typer.Option("--scope", "-s", help=SCOPES_HELP)],
    relay_only: Annotated[bool, typer.Option("--relay-only", help="The client can never speak with a person's own voice.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a client and show its secret, this once: only a hash of it is kept."""
    made = run(_create(name, tuple(scope), relay_only), as_json)
    if as_json:
        print_json({"client_id": made.client.id, "client_secret": made.secret})
        return
    out().print(f"client_id      {made.client.id}\nclient_secret  {made.secret}", markup=False)
    out().print("\nKeep the secret now: it is not shown again. Get a token with POST /oauth/token.", markup=False)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List all clients, revoked ones too."""
    rows = run(_list(), as_json)
    columns = ("client_id", "name", "scopes", "relay_only", "created_at", "revoked_at")
    show_rows(rows, columns, as_json=as_json, empty="There are no clients. Make one: sayso client create NAME --scope email_preferences")


@app.command()
def revoke(client_id: Annotated[str, typer.Argument(help="The client's id, `cl_…`.")], as_json: AsJson = False) -> None:
    """End a client and all its tokens; within a second every process refuses them."""
    ended = run(_revoke(client_id), as_json)
    text = f"{client_id} is revoked." if ended else f"{client_id} was revoked before."
    show({"client_id": client_id, "revoked": True, "changed": ended}, text, as_json=as_json)


async def _create(name: str, scopes: tuple[str, ...], relay_only: bool) -> Enrolled:
    async with hub() as parts:
        ground = await parts.current.ground()
        try:
            return await enrol(name, scopes, OPERATOR, relay_only=relay_only, desk=parts.desk, book=parts.book, ground=ground)
        except NotEnrolled as wrong:
            raise Failed(wrong.detail, where=wrong.field, code=USAGE) from wrong


async def _list() -> list[dict[str, Any]]:
    async with hub() as parts:
        return [_shown(client) for client in await _all(parts)]


async def _all(parts: Parts) -> list[Client]:
    found: list[Client] = []
    while page := await parts.desk.clients(found[-1].id if found else "", PAGE):
        found += page
    return found


def _shown(client: Client) -> dict[str, Any]:
    return {
        "client_id": client.id,
        "name": client.name,
        "scopes": list(client.scopes),
        "relay_only": client.relay_only,
        "created_at": format_time(client.created_at),
        "revoked_at": format_time(client.revoked_at) if client.revoked_at else None,
    }


async def _revoke(client_id: str) -> bool:
    async with hub() as parts:
        if "\0" in client_id or await parts.desk.client(client_id) is None:
            raise Failed(f"there is no client {client_id[:80]!r}", where="client_id", fix="sayso client list")
        ended = await parts.desk.revoke_client(client_id, microseconds())
        if ended:
            ground = await parts.current.ground()
            await note_config("client_revoked", {"client_id": client_id}, OPERATOR, book=parts.book, ground=ground)
        return ended

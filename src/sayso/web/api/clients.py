"""Clients: programs that may ask for tokens (wire contract section 2)."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from sayso.contracts.desk import SCOPES, Client
from sayso.flows.enrol import NotEnrolled, enrol
from sayso.flows.note_config import note_config
from sayso.rules.times import format_time
from sayso.web.auth import Caller, require
from sayso.web.describe import door, page_of
from sayso.web.errors import Problem, invalid
from sayso.web.hub import hub_of
from sayso.web.reading import Limit, Strict, fitted, listed, read_object, strict_query
from sayso.web.render import json_answer

router = APIRouter(tags=["clients"], dependencies=[Depends(strict_query)])
Admin = Annotated[Caller, require("admin")]


class ClientIn(Strict):
    """A new client. A relay-only one can never speak with a person's own voice."""

    name: str = Field(max_length=200)
    scopes: list[str] = Field(max_length=len(SCOPES) * 2)
    relay_only: bool = False


_SHOWN: Final[dict[str, Any]] = {
    "client_id": "cl_7f3a9c20d4e1b86a5f02", "name": "Shop", "scopes": ["email_preferences", "events"], "relay_only": False,
    "created_at": "2026-11-22T10:00:00Z", "revoked_at": None,
}  # fmt: skip
_ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "client_id": {"type": "string"}, "name": {"type": "string"}, "scopes": {"type": "array", "items": {"type": "string"}},
        "relay_only": {"type": "boolean"}, "created_at": {"type": "string"}, "revoked_at": {"type": ["string", "null"]},
    },
}  # fmt: skip
_MADE: Final[dict[str, Any]] = {**_ANSWER, "properties": {**_ANSWER["properties"], "client_secret": {"type": "string"}}}
_SENT: Final = {"name": "Shop", "scopes": ["email_preferences", "events"], "relay_only": False}
_PATH: Final = "/api/v2/clients"
_ONE: Final = "/api/v2/clients/{client_id:id}"


@router.post(
    _PATH, **door("Make a client", scopes=("admin",), body=ClientIn, sent=_SENT, answer=_MADE, gives={**_SHOWN, "client_secret": "sss_…"},
                  status=201),
)  # fmt: skip
async def make_client(request: Request, caller: Admin) -> Response:
    """Makes a client; its secret is shown once, here."""
    hub = hub_of(request)
    given = fitted(ClientIn, await read_object(request))
    ground = await hub.current.ground()
    try:
        made = await enrol(
            given.name, tuple(given.scopes), caller.via, relay_only=given.relay_only, desk=hub.desk, book=hub.book, ground=ground
        )
    except NotEnrolled as error:
        raise invalid((error.detail, f"#/{'scopes' if error.field == 'scope' else error.field}")) from None
    headers = {"Location": f"{hub.public_url}{_PATH}/{made.client.id}"}
    return json_answer({**_shown(made.client), "client_secret": made.secret}, 201, headers)


@router.get(_PATH, **door("List clients", scopes=("admin",), answer=page_of(_ANSWER), gives={"items": [_SHOWN], "next": None}))
async def list_clients(
    request: Request, limit: Limit, _: Admin, after: Annotated[str, Query(max_length=64, description="The `next` of the page before.")] = ""
) -> Response:
    """Every client, revoked ones too, without secrets."""
    if not after.isprintable():
        raise invalid(("a cursor is what `next` of the page before said", "query/after"))
    found = list(await hub_of(request).desk.clients(after, limit + 1))
    return json_answer(listed([_shown(one) for one in found[:limit]], found[limit - 1].id if len(found) > limit else None))


@router.get(_ONE, **door("Show a client", scopes=("admin",), answer=_ANSWER, gives=_SHOWN, problems=("not_found",)))
async def show_client(request: Request, client_id: str, _: Admin) -> Response:
    """One client, without its secret."""
    return json_answer(_shown(await _known(request, client_id)))


@router.delete(_ONE, **door("Revoke a client", scopes=("admin",), status=204, problems=("not_found",)))
async def revoke_client(request: Request, client_id: str, caller: Admin) -> Response:
    """Ends a client and, within a second, all its tokens."""
    hub = hub_of(request)
    await _known(request, client_id)
    ground = await hub.current.ground()
    if await hub.desk.revoke_client(client_id, ground.clock()):
        await note_config("client_revoked", {"client_id": client_id}, caller.via, book=hub.book, ground=ground)
    return Response(status_code=204)


async def _known(request: Request, client_id: str) -> Client:
    found = await hub_of(request).desk.client(client_id)
    if found is None:
        raise Problem("not_found", "No client has this id.")
    return found


def _shown(client: Client) -> dict[str, Any]:
    return {
        "client_id": client.id, "name": client.name, "scopes": list(client.scopes), "relay_only": client.relay_only,
        "created_at": format_time(client.created_at), "revoked_at": format_time(client.revoked_at) if client.revoked_at else None,
    }  # fmt: skip

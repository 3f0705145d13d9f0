"""Every described door with every scope: without a token 401, with a scope it does not ask for 403, and nothing changes meanwhile."""

from typing import Any

import pytest
from everywhere import JSON, Door, at_all, doors_of
from stranger import Doors

from sayso.contracts.desk import SCOPES

pytestmark = [pytest.mark.feature("B1"), pytest.mark.slow]
OPEN = {
    "/.well-known/oauth-authorization-server", "/oauth/token", "/oauth/revoke", "/oauth/introspect", "/hooks/{connection_id}", "/livez", "/readyz", "/metrics",
    "/ledger/checkpoint", "/ledger/tile/{path}", "/api/v2/center/{token}",
}  # fmt: skip
"""Doors that ask for no token: they prove their callers otherwise, or say nothing about anybody."""


async def knock(doors: Doors, door: Door, scopes: str, headers: dict[str, str] | None = None, at: str = "") -> Any:
    body = door.sent if door.kind == "application/json" and isinstance(door.sent, dict) else None
    raw = b"email\r\nada@example.com\r\n" if door.kind and body is None else None
    kind = {"Content-Type": door.kind} if door.kind and body is None else {}
    return await doors.call(door.method, at or door.at(), body, scopes=scopes, raw=raw, headers={**kind, **(headers or {})})


async def test_no_door_opens_without_a_token_that_is_good(doors: Doors) -> None:
    guarded = [door for door in await doors_of(doors) if door.scopes]
    assert {door.path for door in await doors_of(doors)} - {door.path for door in guarded} == OPEN
    stale = await doors.token("admin email_preferences")
    await doors.parts.pool.execute("UPDATE token SET expires_at = 1 WHERE scopes = $1", ["admin", "email_preferences"])
    wrong = [None, "Bearer sst_" + "A" * 43, f"Bearer {stale}", f"Basic {stale}", f"bearer  {stale[:-1]}", f"Bearer {stale}x", "Bearer ٣"]
    before = await doors.snapshot()

    async def one(each: tuple[Door, str | None]) -> Any:
        return await knock(doors, each[0], "", {"Authorization": each[1]} if each[1] else None)

    for (door, given), answer in await at_all(one, [(door, given) for door in guarded for given in wrong]):
        assert (answer.status, answer.json["code"]) == (401, "unauthorized"), (str(door), given, answer.raw[:200])
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="sayso"'), str(door)
    assert await doors.snapshot() == before


async def test_no_door_opens_to_a_scope_it_does_not_name(doors: Doors) -> None:
    guarded = [door for door in await doors_of(doors) if door.scopes]
    asked = [(door, scope) for door in guarded for scope in SCOPES if scope not in door.scopes]
    assert len(asked) > 400
    for scope in SCOPES:
        await doors.token(scope)
    before = await doors.snapshot()

    async def one(each: tuple[Door, str]) -> Any:
        return await knock(doors, each[0], each[1])

    for (door, scope), answer in await at_all(one, asked):
        assert (answer.status, answer.json["code"]) == (403, "forbidden_scope"), (str(door), scope, answer.raw[:200])
        challenge = answer.headers["WWW-Authenticate"]
        assert 'error="insufficient_scope"' in challenge and any(named in challenge for named in door.scopes), str(door)
    assert await doors.snapshot() == before


async def test_every_door_opens_to_each_scope_it_names(doors: Doors) -> None:
    asked = [(door, scope) for door in await doors_of(doors) for scope in door.scopes]

    async def one(each: tuple[Door, str]) -> Any:
        return await knock(doors, each[0], each[1])

    for (door, scope), answer in await at_all(one, asked):
        assert answer.status not in (401, 403) and answer.status < 500, (str(door), scope, answer.raw[:200])


async def test_a_refusal_tells_nothing_about_who_is_there(doors: Doors) -> None:
    """The answers for a known id equal those for one that nobody ever heard of, but for the id of the request."""
    said = {"email": "ada@example.com", "email_pref_promotional": "opted_out"}
    assert (await doors.call("POST", "/api/v2/contacts/c-1001/email_preferences", said)).status == 200
    doubles = {"contact_id": "c-1002", "external_id": "c-1002", "address": "eve@example.com", "campaign_id": "spring-27"}
    guarded = [door for door in await doors_of(doors) if door.scopes and set(door.params) & doubles.keys()]
    for scope in SCOPES:
        await doors.token(scope)

    async def one(each: tuple[Door, str]) -> Any:
        door, scope = each
        both = [
            await knock(doors, door, scope, {"X-Request-Id": "same", **({} if door.kind else JSON)}, at) for at in ("", door.at(**doubles))
        ]
        return [(answer.status, {n: v for n, v in answer.headers.items() if n != "Date"}, answer.raw) for answer in both]

    asked = [(door, scope) for door in guarded for scope in ("", *SCOPES) if scope not in door.scopes]
    for (door, scope), (known, unknown) in await at_all(one, asked):
        assert known == unknown, (str(door), scope)

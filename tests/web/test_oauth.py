"""Tokens and scopes over HTTP (wire contract section 2, standards 4.3)."""

import asyncio
import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from hub import Hub as Parts
from running import SECRET, Answer, Api, hub_over, running

ADA = "/api/v2/contacts/c-1001/email_preferences"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def ask(api: Api, path: str, form: Mapping[str, str], *, basic: str | None = None) -> Answer:
    headers = dict(FORM)
    if basic is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(basic.encode()).decode()
    return await api.call("POST", path, raw=urlencode(form).encode(), headers=headers, as_="")


GRANT = {"grant_type": "client_credentials"}
IN_BODY = {**GRANT, "client_id": "cl_shop", "client_secret": SECRET}


@pytest.mark.feature("B3")
async def test_a_client_gets_a_token_by_basic_or_body_and_it_opens_doors(api: Api) -> None:
    for answer in (await ask(api, "/oauth/token", GRANT, basic=f"cl%5Fshop:{SECRET}"), await ask(api, "/oauth/token", IN_BODY)):
        assert answer.status == 200 and answer.headers["Cache-Control"] == "no-store"
        body = answer.json
        assert body["token_type"] == "Bearer" and body["expires_in"] == 3600 and "email_preferences" in body["scope"].split()
        used = await api.call("POST", ADA, {}, as_="", headers={"Authorization": f"Bearer {body['access_token']}"})
        assert used.status == 200


async def test_a_token_may_be_narrower_than_its_client(api: Api) -> None:
    answer = await ask(api, "/oauth/token", {**IN_BODY, "scope": "email_preferences:read"})
    token = {"Authorization": f"Bearer {answer.json['access_token']}"}
    refused = await api.call("POST", ADA, {}, as_="", headers=token)
    assert answer.json["scope"] == "email_preferences:read"
    assert (refused.status, refused.json["code"]) == (403, "forbidden_scope")
    assert (
        'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]
        and 'scope="email_preferences"' in refused.headers["WWW-Authenticate"]
    )


REFUSED: list[tuple[Mapping[str, str], str | None, int, str]] = [
    ({}, f"cl_shop:{SECRET}", 400, "invalid_request"),
    ({"grant_type": "password"}, f"cl_shop:{SECRET}", 400, "unsupported_grant_type"),
    ({**GRANT, "scope": "email_preferences root"}, f"cl_shop:{SECRET}", 400, "invalid_scope"),
    (GRANT, "cl_shop:wrong", 401, "invalid_client"),
    (GRANT, f"cl_nobody:{SECRET}", 401, "invalid_client"),
    (GRANT, "nonsense", 401, "invalid_client"),
    (GRANT, None, 401, "invalid_client"),
    (IN_BODY, f"cl_shop:{SECRET}", 400, "invalid_request"),
    ({**IN_BODY, "client_secret": "\0"}, None, 400, "invalid_request"),
]


async def test_refusals_have_the_form_of_rfc_6749(api: Api) -> None:
    for form, basic, status, error in REFUSED:
        answer = await ask(api, "/oauth/token", form, basic=basic)
        assert (answer.status, answer.json["error"]) == (status, error), (form, basic)
        assert ("WWW-Authenticate" in answer.headers) == (status == 401 and basic is not None)


async def test_without_a_token_the_challenge_has_no_error_code_and_with_a_bad_one_it_has(api: Api) -> None:
    none = await api.get(ADA, as_="")
    assert (none.status, none.headers["WWW-Authenticate"], none.json["code"]) == (401, 'Bearer realm="sayso"', "unauthorized")
    for header in ("Bearer sst_nobody", "Bearer a b", "Basic eDp5", "Bearer", "Bearer " + "x" * 600):
        bad = await api.get(ADA, as_="", headers={"Authorization": header})
        assert bad.status == 401 and 'error="invalid_token"' in bad.headers["WWW-Authenticate"]
    assert (await api.get(f"{ADA}?access_token={await api.token('email_preferences')}", as_="")).status == 401


async def test_an_expired_token_is_refused(api: Api) -> None:
    token = await api.token("events", life=-1)
    assert (await api.post("/events", {}, as_="", headers={"Authorization": f"Bearer {token}"})).status == 401


async def test_revoking_a_token_or_its_client_takes_effect_within_a_second(api: Api) -> None:
    other = await api.token("admin", "cl_admin")
    tokens = [(await ask(api, "/oauth/token", IN_BODY)).json["access_token"] for _ in range(2)]
    headers = [{"Authorization": f"Bearer {token}"} for token in tokens]
    assert [(await api.post(ADA, {}, as_="", headers=one)).status for one in headers] == [200, 200]
    foreign = await ask(api, "/oauth/revoke", {"token": tokens[0]}, basic=f"cl_admin:{SECRET}")
    assert foreign.status == 200 and (await api.post(ADA, {}, as_="", headers=headers[0])).status == 200
    assert (await ask(api, "/oauth/revoke", {"token": tokens[0]}, basic=f"cl_shop:{SECRET}")).status == 200
    assert [(await api.post(ADA, {}, as_="", headers=one)).status for one in headers] == [401, 200]
    gone = await api.call("DELETE", "/api/v2/clients/cl_shop", as_="", headers={"Authorization": f"Bearer {other}"})
    assert gone.status == 204
    await asyncio.sleep(1.0)  # the second that is promised
    assert (await api.post(ADA, {}, as_="", headers=headers[1])).status == 401
    assert (await ask(api, "/oauth/token", IN_BODY)).status == 401


async def test_introspection_tells_a_client_about_its_own_tokens_only(api: Api) -> None:
    token = (await ask(api, "/oauth/token", {**IN_BODY, "scope": "events"})).json["access_token"]
    await api.token("events", "cl_other")
    own = (await ask(api, "/oauth/introspect", {"token": token}, basic=f"cl_shop:{SECRET}")).json
    assert own["active"] and own["scope"] == "events" and own["client_id"] == own["sub"] == "cl_shop"
    assert own["exp"] - own["iat"] == 3600 and own["iss"] == "https://sayso.example"
    for form, basic in (({"token": token}, f"cl_other:{SECRET}"), ({"token": "sst_x"}, f"cl_shop:{SECRET}")):
        assert (await ask(api, "/oauth/introspect", form, basic=basic)).json == {"active": False}
    assert (await ask(api, "/oauth/introspect", {"token": token})).status == 401


async def test_metadata_says_what_there_is(api: Api) -> None:
    body = (await api.get("/.well-known/oauth-authorization-server", as_="")).json
    assert body["issuer"] == "https://sayso.example" and body["token_endpoint"] == "https://sayso.example/oauth/token"
    assert body["grant_types_supported"] == ["client_credentials"] and body["response_types_supported"] == []


async def test_clients_are_made_listed_and_kept_in_the_ledger(api: Api) -> None:
    made = await api.post("/api/v2/clients", {"name": "Shop", "scopes": ["events"], "relay_only": True}, as_="admin")
    assert made.status == 201
    form = {**GRANT, "client_id": made.json["client_id"], "client_secret": made.json["client_secret"]}
    assert (await ask(api, "/oauth/token", form)).json["scope"] == "events"
    listed = (await api.get("/api/v2/clients?limit=1", as_="admin")).json
    assert len(listed["items"]) == 1 and "client_secret" not in listed["items"][0]
    rest = (await api.get(f"/api/v2/clients?after={listed['next']}", as_="admin")).json
    assert rest["next"] is None and len(rest["items"]) == 1
    assert (await api.post("/api/v2/clients", {"name": "x", "scopes": ["root"]}, as_="admin")).status == 422
    assert (await api.post("/api/v2/clients", {"name": "", "scopes": ["events"]}, as_="admin")).status == 422
    assert (await api.get("/api/v2/clients/cl_none", as_="admin")).status == 404
    assert (await api.post("/api/v2/clients", {"name": "Shop", "scopes": ["events"]})).status == 403
    acts = await api.parts.pool.fetch("SELECT act FROM entry WHERE kind = 'config'")
    assert [row["act"] for row in acts] == ["client_created"]


@pytest.mark.feature("R7")
async def test_a_rate_limit_answers_429_with_the_wait(hub: Parts) -> None:
    async with running(hub_over(hub, rate=3), hub) as api:
        answers: list[Any] = [await api.post(ADA, {}) for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert int(answers[3].headers["Retry-After"]) >= 1 and answers[3].json["code"] == "rate_limited"
        left = [answer.headers["RateLimit"].partition(";")[2] for answer in answers]
        assert [one.partition(";")[0] for one in left] == ["r=2", "r=1", "r=0", "r=0"]
        assert all(1 <= int(one.partition("t=")[2]) <= 60 for one in left)
        assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"client";q=3;w=60'}
        assert (await api.post(ADA, {}, client="cl_other")).status == 200

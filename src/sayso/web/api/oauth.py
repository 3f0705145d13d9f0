"""OAuth 2.0 client credentials: token, revocation, introspection, metadata (RFC 6749 section 4.4, 7009, 7662, 8414).

Errors have the form that RFC 6749 section 5.2 asks for, which OAuth libraries read; no other door answers so.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_plus

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from sayso.contracts.desk import SCOPES, Client
from sayso.flows.authorize import TOKEN_LIFE, NotThatClient, ScopeNotGranted, authorize, prove_client
from sayso.rules.tokens import fingerprint
from sayso.web.describe import door
from sayso.web.hub import Hub, hub_of

router = APIRouter(tags=["authorisation"])
_NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_FIELDS: Final = 20


class OAuthError(Exception):
    """A refusal of RFC 6749 section 5.2; `basic` asks for the challenge that HTTP Basic clients expect."""

    def __init__(self, error: str, description: str, *, status: int = 400, basic: bool = False) -> None:
        super().__init__(description)
        self.error, self.description, self.status, self.basic = error, description, status, basic

    def answer(self) -> Response:
        """The refusal as a response."""
        headers = {**_NO_STORE, **({"WWW-Authenticate": 'Basic realm="sayso"'} if self.basic else {})}
        return JSONResponse({"error": self.error, "error_description": self.description}, self.status, headers)


@dataclass(frozen=True, slots=True)
class _Asked:
    client: Client
    form: dict[str, str]


def _form(*names: str, required: tuple[str, ...]) -> dict[str, Any]:
    """The requestBody of a form."""
    known = (*names, "client_id", "client_secret")
    schema = {"type": "object", "required": list(required), "properties": {name: {"type": "string"} for name in known}}
    return {"requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}, "security": []}


def _described(summary: str, gives: Any, form: dict[str, Any]) -> dict[str, Any]:
    error = {"schema": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}}
    said = door(summary, gives=gives, problems=("too_large", "unavailable"))
    for status, text in ((400, "`invalid_request`, `invalid_scope`, `unsupported_grant_type`"), (401, "`invalid_client`")):
        said["responses"][status] = {"description": text, "content": {"application/json": error}}
    return {**said, "openapi_extra": form}


_TOKEN: Final = {"access_token": "sst_…", "token_type": "Bearer", "expires_in": 3600, "scope": "email_preferences events"}


@router.post("/oauth/token", **_described("Get an access token", _TOKEN, _form("grant_type", "scope", required=("grant_type",))))
async def token(request: Request) -> Response:
    """Gives an access token to a client that proves itself by HTTP Basic or in the body. There are no refresh tokens: ask again."""
    hub = hub_of(request)
    try:
        asked = await _proven(request, hub)
        if (kind := asked.form.get("grant_type")) != "client_credentials":
            code = "unsupported_grant_type" if kind else "invalid_request"
            raise OAuthError(code, "grant_type must be client_credentials")
        wanted = tuple(asked.form["scope"].split()) if asked.form.get("scope", "").strip() else None
        issued = await authorize(asked.client, wanted, desk=hub.desk, ground=hub.current.held)
    except ScopeNotGranted:
        return OAuthError("invalid_scope", "the client does not have every scope that was asked for").answer()
    except OAuthError as refusal:
        return refusal.answer()
    body = {"access_token": issued.token, "token_type": "Bearer", "expires_in": issued.seconds, "scope": " ".join(issued.scopes)}
    return JSONResponse(body, headers=_NO_STORE)


@router.post("/oauth/revoke", **_described("Revoke a token", None, _form("token", "token_type_hint", required=("token",))))
async def revoke(request: Request) -> Response:
    """Ends a token of the calling client within a second; one that is unknown already is fine (RFC 7009)."""
    hub = hub_of(request)
    try:
        asked = await _proven(request, hub)
        if not asked.form.get("token"):
            raise OAuthError("invalid_request", "token is missing")
    except OAuthError as refusal:
        return refusal.answer()
    await hub.desk.revoke_token(fingerprint(asked.form["token"]), asked.client.id, hub.current.held.clock())
    hub.callers.forget(asked.form["token"])
    return JSONResponse({}, headers=_NO_STORE)


_ACTIVE: Final = {"active": True, "scope": "events", "client_id": "cl_…", "sub": "cl_…", "token_type": "Bearer", "exp": 1795341600,
                  "iat": 1795338000, "aud": "https://sayso.example", "iss": "https://sayso.example"}  # fmt: skip


@router.post("/oauth/introspect", **_described("Ask about a token", _ACTIVE, _form("token", "token_type_hint", required=("token",))))
async def introspect(request: Request) -> Response:
    """Says what a token of the calling client is good for; anything else is just not active (RFC 7662)."""
    hub = hub_of(request)
    try:
        asked = await _proven(request, hub)
        if not asked.form.get("token"):
            raise OAuthError("invalid_request", "token is missing")
    except OAuthError as refusal:
        return refusal.answer()
    grant = await hub.desk.grant(fingerprint(asked.form["token"]), hub.current.held.clock())
    if grant is None or grant.client != asked.client.id:
        return JSONResponse({"active": False}, headers=_NO_STORE)
    ends, begins = grant.expires_at // 1_000_000, (grant.expires_at - TOKEN_LIFE) // 1_000_000
    body = {
        "active": True, "scope": " ".join(grant.scopes), "client_id": grant.client, "sub": grant.client, "token_type": "Bearer",
        "exp": ends, "iat": begins, "aud": hub.public_url, "iss": hub.public_url,
    }  # fmt: skip
    return JSONResponse(body, headers=_NO_STORE)


_METADATA: Final = {"issuer": "https://sayso.example", "token_endpoint": "https://sayso.example/oauth/token"}


@router.get("/.well-known/oauth-authorization-server", **door("What this authorisation server offers", gives=_METADATA))
@router.get("/.well-known/oauth-authorization-server/{issuer_path:path}", include_in_schema=False)
async def metadata(request: Request) -> Response:
    """The server's metadata (RFC 8414); the path of an issuer that has one stands behind the well-known part."""
    base = hub_of(request).public_url
    methods = ["client_secret_basic", "client_secret_post"]
    body = {
        "issuer": base, "token_endpoint": f"{base}/oauth/token", "response_types_supported": [], "scopes_supported": list(SCOPES),
        "grant_types_supported": ["client_credentials"], "token_endpoint_auth_methods_supported": methods,
        "introspection_endpoint": f"{base}/oauth/introspect", "introspection_endpoint_auth_methods_supported": methods,
        "revocation_endpoint": f"{base}/oauth/revoke", "revocation_endpoint_auth_methods_supported": methods,
        "service_documentation": f"{base}/docs",
    }  # fmt: skip
    return JSONResponse(body)


async def _proven(request: Request, hub: Hub) -> _Asked:
    """The client behind a request and its form. Raises OAuthError."""
    form = await _read_form(request)
    basic = _basic(request.headers.get("authorization"))
    in_body = form.get("client_id"), form.get("client_secret")
    if basic is not None and in_body[1] is not None:
        raise OAuthError("invalid_request", "prove the client by HTTP Basic or in the body, not both")
    if basic is not None and in_body[0] not in (None, basic[0]):
        raise OAuthError("invalid_request", "the client_id of the body is another than that of HTTP Basic")
    client_id, secret = basic or in_body
    if not client_id or not secret:
        raise OAuthError(
            "invalid_client", "prove the client by HTTP Basic or client_id and client_secret", status=401, basic=basic is not None
        )
    try:
        return _Asked(await prove_client(client_id, secret, desk=hub.desk), form)
    except NotThatClient:
        raise OAuthError("invalid_client", "unknown client or wrong secret", status=401, basic=basic is not None) from None


async def _read_form(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "send a form: application/x-www-form-urlencoded")
    try:
        text = (await request.body()).decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=_FIELDS)
    except ValueError:
        raise OAuthError("invalid_request", "the body is not a form") from None
    form = dict(pairs)
    if len(form) != len(pairs) or any("\0" in value for value in form.values()):
        raise OAuthError("invalid_request", "a parameter stands twice or holds a NUL")
    return form


def _basic(header: str | None) -> tuple[str, str] | None:
    """Client id and secret of HTTP Basic, each form-urlencoded inside (RFC 6749 section 2.3.1); None without the header."""
    if header is None:
        return None
    refusal = OAuthError("invalid_client", "the Authorization header is not HTTP Basic", status=401, basic=True)
    scheme, _, text = header.strip().partition(" ")
    if scheme.lower() != "basic":
        raise refusal
    try:
        client_id, colon, secret = base64.b64decode(text.strip(), validate=True).decode("utf-8").partition(":")
        found = unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError):
        raise refusal from None
    if not colon or any("\0" in part for part in found):
        raise refusal
    return found

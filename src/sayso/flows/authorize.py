"""Authorize: a client proves who it is and is given an access token (RFC 6749 section 4.4)."""

import hmac
from dataclasses import dataclass
from typing import Final

from sayso.contracts.desk import Client, Desk, Grant
from sayso.contracts.ground import Ground
from sayso.rules.tokens import SECRET_BYTES, access_token, fingerprint

TOKEN_LIFE: Final = 3_600_000_000
"""Microseconds that an access token is good for."""


class NotThatClient(Exception):
    """The client is unknown or revoked, or the secret is another; nobody is told which."""


class ScopeNotGranted(Exception):
    """A scope was asked for that the client does not have."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token, and what it is good for."""

    token: str
    scopes: tuple[str, ...]
    seconds: int


async def prove_client(client_id: str, secret: str, *, desk: Desk) -> Client:
    """The client that this secret belongs to. Raises NotThatClient.

    Secrets are 256 random bits, so their SHA-256 is stored: a slow hash protects only what could be guessed.
    """
    stored = await desk.secret_hash(client_id)
    client = await desk.client(client_id) if stored is not None else None
    if not hmac.compare_digest(stored or bytes(32), fingerprint(secret)) or client is None:
        raise NotThatClient(client_id)
    return client


async def authorize(client: Client, wanted: tuple[str, ...] | None, *, desk: Desk, ground: Ground) -> Issued:
    """A token for a client that proved itself, for the scopes wanted (None: all it has). Raises ScopeNotGranted."""
    scopes = client.scopes if wanted is None else tuple(dict.fromkeys(wanted))
    if not scopes or not set(scopes) <= set(client.scopes):
        raise ScopeNotGranted(" ".join(scopes))
    token = access_token(ground.chance(SECRET_BYTES))
    now = ground.begins()
    await desk.keep_token(fingerprint(token), Grant(client.id, scopes, client.relay_only, now + TOKEN_LIFE))
    return Issued(token, scopes, TOKEN_LIFE // 1_000_000)

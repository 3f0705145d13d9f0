"""The desk: what an operator sets up. Clients and their tokens, the catalogue, campaigns; the port that flows and doors ask it by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sayso.rules.catalogue import Catalogue

SCOPES: Final[Mapping[str, str]] = {
    "email_preferences": "Read and write preferences, opt-out status and the blacklist.",
    "email_preferences:read": "Read preferences.",
    "events": "Send events.",
    "send_checks": "Ask whether a message may be sent.",
    "messages": "Make links for messages and tell what was sent.",
    "changes:read": "Read the feed of changes.",
    "reports:read": "Read reports and segments.",
    "audit:read": "Read histories and proofs.",
    "privacy": "Export and erase a person's data.",
    "admin": "Set up connections, clients, the catalogue and campaigns.",
}
"""What a token may be good for (wire contract section 2)."""


@dataclass(frozen=True, slots=True)
class Client:
    """A program that may ask for tokens. A relay-only one can never speak with a person's own voice."""

    id: str
    name: str
    scopes: tuple[str, ...]
    relay_only: bool
    created_at: int
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a valid access token stands for; times in microseconds."""

    client: str
    scopes: tuple[str, ...]
    relay_only: bool
    expires_at: int


@dataclass(frozen=True, slots=True)
class Campaign:
    """What a campaign's messages are: transactional (an operator said so, with a reason), or of a category."""

    id: str
    transactional: bool
    category: str | None
    reason: str | None
    at: int


class VersionTaken(Exception):
    """Another operator stored a catalogue first; read it and try again."""


class Desk(Protocol):
    """Everything here raises book.Unavailable when the store cannot be reached."""

    async def add_client(self, client: Client, secret_hash: bytes) -> None:
        """Keeps a new client; of its secret only the hash."""

    async def client(self, client_id: str) -> Client | None:
        """The client of this id, revoked ones too."""

    async def secret_hash(self, client_id: str) -> bytes | None:
        """The hash of the secret of a client that is not revoked."""

    async def clients(self, after: str, limit: int) -> Sequence[Client]:
        """Clients in order of their ids, beginning behind `after`."""

    async def revoke_client(self, client_id: str, now: int) -> bool:
        """Ends a client and all its tokens; False when there was none to end."""

    async def keep_token(self, token_hash: bytes, grant: Grant) -> None:
        """Keeps what a new token stands for."""

    async def grant(self, token_hash: bytes, now: int) -> Grant | None:
        """What a token stands for; None when it is unknown, expired or revoked, or its client is."""

    async def revoke_token(self, token_hash: bytes, client_id: str, now: int) -> None:
        """Ends a token of this client; nothing happens to another's."""

    async def names(self, ids: Sequence[str]) -> Mapping[str, str]:
        """The names of clients and connections by their ids, for showing who did something."""

    async def catalogue(self) -> Catalogue:
        """The newest catalogue; the default one when none was stored."""

    async def keep_catalogue(self, catalogue: Catalogue, now: int) -> None:
        """Keeps a new version. Raises VersionTaken when another was faster."""

    async def campaign(self, campaign_id: str) -> Campaign | None:
        """The campaign of this id."""

    async def keep_campaign(self, campaign: Campaign) -> None:
        """Keeps a campaign, in place of an earlier one of its id."""

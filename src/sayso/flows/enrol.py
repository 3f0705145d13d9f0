"""Enrol: a program becomes a client that may ask for tokens."""

from dataclasses import dataclass, field
from typing import Final

from sayso.contracts.book import Book
from sayso.contracts.desk import SCOPES, Client, Desk
from sayso.contracts.ground import Ground
from sayso.flows.note_config import note_config
from sayso.rules.tokens import SECRET_BYTES, client_secret, fingerprint

ID_BYTES: Final = 10
LONGEST_NAME: Final = 200


class NotEnrolled(ValueError):
    """The client cannot be made as asked; `field` names what is wrong with it."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field, self.detail = field, detail


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A new client with its secret, which is shown once: only its hash is kept."""

    client: Client
    secret: str = field(repr=False)


async def enrol(name: str, scopes: tuple[str, ...], caller: str, *, relay_only: bool, desk: Desk, book: Book, ground: Ground) -> Enrolled:
    """The new client; that it was made, by whom and for what is in the ledger. Raises NotEnrolled and Unavailable."""
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise NotEnrolled("name", f"a name has 1 to {LONGEST_NAME} characters and no control characters")
    wanted = tuple(dict.fromkeys(scopes))
    if not wanted:
        raise NotEnrolled("scope", f"name at least one scope of {', '.join(SCOPES)}")
    if unknown := [scope for scope in wanted if scope not in SCOPES]:
        raise NotEnrolled("scope", f"{unknown[0][:64]!r} is not a scope; known are {', '.join(SCOPES)}")
    secret = client_secret(ground.chance(SECRET_BYTES))
    client = Client(f"cl_{ground.chance(ID_BYTES).hex()}", name, wanted, relay_only, ground.clock())
    await desk.add_client(client, fingerprint(secret))
    detail = {"client_id": client.id, "name": name, "scopes": list(wanted), "relay_only": relay_only}
    await note_config("client_created", detail, caller, book=book, ground=ground)
    return Enrolled(client, secret)

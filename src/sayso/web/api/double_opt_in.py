"""Double opt-in: the owner of an address is mailed whether they want it; only their click makes the consent.

Not in the wire contract beyond its source `double_opt_in`. Until the click nothing is opted in; after seven days the sign-up is over.
"""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field, JsonValue

from sayso.contracts.book import Book, Key
from sayso.contracts.ground import Ground
from sayso.contracts.letters import Letters, Pending, state_of
from sayso.flows.ask_double import NotMailed, TooMany, Wanted, ask_double
from sayso.flows.open_link import opened
from sayso.flows.record import ChangeRefused
from sayso.rules.catalogue import Catalogue
from sayso.rules.times import SECOND, format_time
from sayso.rules.tokens import Link
from sayso.rules.words import ANY, Scope
from sayso.web.api.wanted import AddressOfNet, Brand, Channel
from sayso.web.auth import Caller, require
from sayso.web.describe import door
from sayso.web.errors import Problem, invalid
from sayso.web.hub import hub_of
from sayso.web.reading import Strict, address_key, contact_key, fitted, one_brand, read_object, strict_query
from sayso.web.render import json_answer

router = APIRouter(prefix="/api/v2/double_opt_in", tags=["double opt-in"], dependencies=[Depends(strict_query)])
Writer = Annotated[Caller, require("email_preferences")]
Reader = Annotated[Caller, require("email_preferences", "email_preferences:read")]
_MOST: Final = 50
_CHOICE: Final = {"channel": "email", "category": "promotional", "business_unit": "*"}
_GIVES: Final[dict[str, Any]] = {
    "id": "019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e00", "state": "pending", "captured_at": "2026-11-22T10:00:00.1Z",
    "confirmed_at": None, "expires_at": "2026-11-29T10:00:00.1Z", "choices": [_CHOICE],
}  # fmt: skip
_TIME: Final = {"type": ["string", "null"], "format": "date-time"}
_ANSWER: Final[dict[str, Any]] = {
    "type": "object", "required": ["id", "state", "captured_at", "confirmed_at", "expires_at", "choices"],
    "properties": {
        "id": {"type": "string"}, "state": {"type": "string", "enum": ["pending", "confirmed", "expired"]},
        "captured_at": {**_TIME, "description": "When it was asked for."},
        "confirmed_at": {**_TIME, "description": "When the person clicked; null until then."},
        "expires_at": _TIME, "choices": {"type": "array", "items": {"type": "object"}},
    },
}  # fmt: skip
_SENT: Final = {
    "contact_id": "c-1001", "address": "ada@example.com", "category": "promotional", "language": "de",
    "email_pref_consent_ip": "203.0.113.7", "proof": "sign-up form, version 3",
}  # fmt: skip


class WantedIn(Strict):
    """One thing that is to be confirmed."""

    category: str
    channel: Channel = "email"
    business_unit: Brand | None = None
    unit: Brand | None = Field(None, alias="businessUnit")


class DoubleIn(Strict):
    """Who is to confirm what. `category` or `choices`; `contact_id`, `address` or both; what else is kept with the consent."""

    contact_id: str | None = None
    address: str | None = Field(None, max_length=2048)
    category: str | None = None
    choices: list[WantedIn] = Field(default_factory=list, max_length=_MOST)
    business_unit: Brand | None = None
    unit: Brand | None = Field(None, alias="businessUnit")
    language: str | None = Field(None, max_length=35, pattern=r"^[A-Za-z0-9_-]+$")
    email_pref_consent_ip: AddressOfNet | None = None
    user_agent: str | None = Field(None, max_length=1024)
    proof: Annotated[str, Field(max_length=2000)] | None = None
    metadata: dict[str, JsonValue] | None = None


def letters_of(request: Request) -> Letters:
    """Where letters and sign-ups are kept, of the process that a request came to."""
    letters: Letters = request.app.state.letters
    return letters


@router.post(
    "", **door("Ask for a double opt-in", scopes=("email_preferences",), body=DoubleIn, sent=_SENT, answer=_ANSWER, gives=_GIVES, status=202,
               problems=("change_refused",))
)  # fmt: skip
async def ask(request: Request, caller: Writer) -> Response:
    """Mails the owner of the address. The same sign-up asked for again while it is pending is the same one, mailed again within limits."""
    hub, given = hub_of(request), fitted(DoubleIn, await read_object(request))
    ground = await hub.current.ground()
    scopes = _scopes(given, ground.catalogue)
    contact = contact_key(given.contact_id, "#/contact_id") if given.contact_id is not None else None
    address = await _address(given, contact, hub.book, ground)
    personal = {
        "ip": given.email_pref_consent_ip, "user_agent": given.user_agent, "language": given.language, "proof": given.proof,
        "metadata": given.metadata, "client": caller.client_id,
    }  # fmt: skip
    kept = {name: value for name, value in personal.items() if value}
    try:
        pending = await ask_double(
            Wanted(contact, address, scopes, given.language or "", kept), letters=letters_of(request), book=hub.book, ground=ground
        )
    except NotMailed as stopped:
        raise ChangeRefused(stopped.rule, f"Nothing may be mailed to this address: {stopped.rule}.", ("#/address",)) from None
    except TooMany as often:
        wait = {"Retry-After": str(often.wait // SECOND)}
        raise Problem("rate_limited", "This address was asked often enough lately; nobody is buried in mail.", headers=wait) from None
    return json_answer(_shown(pending, ground.clock()), 202)


@router.get(
    "/{sign_up:id}", **door("Read a double opt-in", scopes=("email_preferences", "email_preferences:read"), answer=_ANSWER, gives=_GIVES,
                            problems=("not_found",))
)  # fmt: skip
async def read(request: Request, sign_up: str, _: Reader) -> Response:
    """How a sign-up stands. It is kept for ninety days after its end."""
    try:
        pending = await letters_of(request).pending(UUID(sign_up))
    except ValueError:
        pending = None
    if pending is None:
        raise Problem("not_found", "There is no double opt-in of this id.")
    ground = await hub_of(request).current.ground()
    return json_answer(_shown(pending, ground.clock()))


def _scopes(given: DoubleIn, catalogue: Catalogue) -> tuple[Scope, ...]:
    """What is to be confirmed, each once. Raises Problem and ChangeRefused."""
    if (given.category is None) == (not given.choices):
        raise invalid(("name either one category or a list of choices", "#/category"))
    brand = one_brand(given.business_unit, given.unit, "#") or ANY
    wanted = [(given.category, "email", brand, "#/category")] if given.category is not None else []
    for n, one in enumerate(given.choices):
        at = f"#/choices/{n}"
        wanted.append((one.category, one.channel, one_brand(one.business_unit, one.unit, at) or brand, f"{at}/category"))
    return tuple(dict.fromkeys(_scope(*one, catalogue) for one in wanted))


def _scope(category: str, channel: str, brand: str, at: str, catalogue: Catalogue) -> Scope:
    found = catalogue.get(category)
    if found is None:
        raise invalid((f"no such category; the catalogue has {', '.join(one.key for one in catalogue.refusable)}", at))
    if not found.refusable:
        raise ChangeRefused("transactional_needs_no_consent", f"{category} is always sent; nobody has to agree to it.", (at,))
    if channel != "email":
        raise invalid(("a mail confirms e-mail only", at.replace("/category", "/channel")))
    return Scope(brand, channel, category)


async def _address(given: DoubleIn, contact: Key | None, book: Book, ground: Ground) -> Key:
    """The address that is asked: the one named, else the contact's primary one. Raises Problem."""
    if given.address is not None:
        return address_key("email", given.address, ground.default_country, "#")[1]
    if contact is None:
        raise invalid(("name a contact_id or an address", "#/address"))
    row = (await book.read([contact])).row(contact)
    if row is not None:
        link = Link(bytes.fromhex(row.sub), None, Scope(ANY, "email", ANY))
        at = (await opened(link, "", fresh=False, book=book, ground=ground)).email
        if at is not None:
            return Key(at.kind, at.value, at.given)
    raise invalid(("this contact has no e-mail address; name one", "#/address"))


def _shown(pending: Pending, now: int) -> dict[str, Any]:
    return {
        "id": str(pending.id),
        "state": state_of(pending, now),
        "captured_at": format_time(pending.asked_at),
        "confirmed_at": format_time(pending.confirmed_at) if pending.confirmed_at is not None else None,
        "expires_at": format_time(pending.expires_at),
        "choices": [{"channel": one.channel, "category": one.category, "business_unit": one.brand} for one in pending.scopes],
    }

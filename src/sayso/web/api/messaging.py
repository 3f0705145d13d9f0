"""What the doors about messages share: their parts, and reading from a body to whom a message goes and what it is about."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from fastapi import Request
from pydantic import Field

from sayso.contracts.book import Key
from sayso.contracts.desk import Campaign
from sayso.contracts.messages import MailKeys, Sent
from sayso.rules.catalogue import Catalogue, Category
from sayso.rules.footer import Sender
from sayso.rules.tokens import Ring
from sayso.rules.words import ANY, UnknownChannel, channel_named
from sayso.web.asking import Campaigns
from sayso.web.checks import category_of
from sayso.web.errors import Problem, body_of, from_exception, invalid
from sayso.web.hub import Hub
from sayso.web.reading import Strict, address_key, contact_key, escaped, fitted, one_brand

LARGEST: Final = 1_000
LONGEST: Final = 255


@dataclass(frozen=True, slots=True)
class Messaging:
    """What these doors need besides the hub. `mailbox` takes opt-outs by mail (None: nobody does), `sender` says who a brand is."""

    sent: Sent
    mail_keys: MailKeys
    mailbox: str | None
    permits: Ring = field(repr=False)
    campaigns: Campaigns
    sender: Callable[[str], Sender]


class MessageIn(Strict):
    """To whom a message goes and what it is about."""

    contact_id: str | None = None
    address: str | None = None
    channel: str = "email"
    category: str | None = None
    campaign_id: str | None = Field(None, min_length=1, max_length=LONGEST)
    message_id: str | None = Field(None, min_length=1, max_length=LONGEST)
    business_unit: str | None = None
    unit: str | None = Field(None, alias="businessUnit")


@dataclass(frozen=True, slots=True)
class About:
    """A message's people, channel and category (None: every category of the channel), its brand (``*``: none), and the sender's ids."""

    contact: Key | None
    address: Key | None
    channel: str
    category: Category | None
    brand: str
    campaign: str
    message: str


M = TypeVar("M", bound=MessageIn)
Read = Callable[[Any, str], Any]


def messaging_of(request: Request) -> Messaging:
    """The parts that the wiring gave these doors."""
    found: Messaging = request.app.state.messaging
    return found


def items_of(body: Mapping[str, Any]) -> list[Any] | None:
    """The items of a body, None for a single one. Raises Problem."""
    if "items" not in body:
        return None
    if unknown := [name for name in body if name != "items"]:
        raise invalid(*(("unknown field; a batch has nothing but items", f"#/{escaped(name)}") for name in unknown))
    items = body["items"]
    if not isinstance(items, list) or len(items) > LARGEST:
        raise invalid((f"a list of at most {LARGEST:,} items is needed", "#/items"))
    return items


def read_each(items: Sequence[Any], read: Read) -> list[Any]:
    """What each item is read as, or the Problem that it has."""
    found: list[Any] = []
    for n, item in enumerate(items):
        try:
            found.append(read(item, f"#/items/{n}"))
        except Problem as refused:
            found.append(refused)
    return found


def refused(problem: Exception, hub: Hub, request: Request) -> dict[str, Any]:
    """A problem as it stands among the items of a batch."""
    return body_of(from_exception(problem), base=hub.public_url, request_id=str(request.state.request_id))


def fitted_item(model: type[M], item: Any, at: str) -> M:
    """One item as a value of the model. Raises Problem."""
    if not isinstance(item, dict):
        raise invalid(("an item is an object", at))
    return fitted(model, item, at)


async def campaigns_in(items: Sequence[Any], campaigns: Campaigns) -> Mapping[str, Campaign]:
    """The campaigns that items name in place of a category. Raises Unavailable."""
    named = [item.get("campaign_id") for item in items if isinstance(item, dict) and item.get("category") is None]
    wanted = {one for one in named if isinstance(one, str) and 0 < len(one) <= LONGEST and one.isprintable()}
    return await campaigns.named(wanted) if wanted else {}


def about(given: MessageIn, *, catalogue: Catalogue, campaigns: Mapping[str, Campaign], region: str | None, at: str) -> About:
    """Whom a message goes to and what it is about. Raises Problem naming every flaw."""
    brand = one_brand(given.business_unit, given.unit, at) or ANY
    flaws = [
        ("no control characters", f"{at}/{name}")
        for name in ("campaign_id", "message_id")
        if not (getattr(given, name) or "").isprintable()
    ]
    channel = _channel(given.channel, flaws, at)
    if given.contact_id is None and given.address is None:
        flaws.append(("name a contact_id or an address", at))
    category = _category(given, catalogue, campaigns, flaws, at)
    if flaws:
        raise invalid(*flaws)
    contact = contact_key(given.contact_id, f"{at}/contact_id") if given.contact_id is not None else None
    address = address_key(channel, given.address, region, at)[1] if given.address is not None else None
    return About(contact, address, channel, category, brand, given.campaign_id or "", given.message_id or "")


def _channel(raw: str, flaws: list[tuple[str, str]], at: str) -> str:
    try:
        channel = channel_named(raw)
    except UnknownChannel as unknown:
        flaws.append((str(unknown), f"{at}/channel"))
        return ""
    if channel == ANY:
        flaws.append(("a message goes out on one channel", f"{at}/channel"))
    return channel


def _category(
    given: MessageIn, catalogue: Catalogue, campaigns: Mapping[str, Campaign], flaws: list[tuple[str, str]], at: str
) -> Category | None:
    if given.category == ANY:
        return None
    if given.category is None and given.campaign_id is None:
        flaws.append(("say what the message is about: category, or a campaign_id that was declared", f"{at}/category"))
        return None
    texts = {"category": given.category} if given.category is not None else {"campaign_id": given.campaign_id or ""}
    found = category_of(texts, catalogue, campaigns)
    if found is None:
        known = ", ".join(category.key for category in catalogue.categories)
        what = f"no such category; the catalogue has {known}" if given.category is not None else "no campaign of this id was declared"
        flaws.append((what, f"{at}/{'category' if given.category is not None else 'campaign_id'}"))
    return found

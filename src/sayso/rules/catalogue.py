"""The catalogue: what messages are about. Categories with class and wording, and the message types that belong to them."""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sayso.rules import caps
from sayso.rules.caps import Cap

Class = Literal["transactional", "relationship", "marketing"]
CLASSES: Final = ("transactional", "relationship", "marketing")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
MOST_PEOPLE_READ: Final = 5
"""More refusable categories than this and people stop reading (brief: 3-5 meaningful categories)."""


class InvalidCatalogue(ValueError):
    """A catalogue that cannot be used; `pointer` is a JSON Pointer to the place."""

    def __init__(self, detail: str, pointer: str) -> None:
        super().__init__(f"{pointer}: {detail}")
        self.detail = detail
        self.pointer = pointer


@dataclass(frozen=True, slots=True)
class Category:
    """One thing that messages are about. `sends` says what comes, `often` how often, in words for people."""

    key: str
    kind: Class
    title: str
    sends: str
    often: str
    reason: str = ""
    """Why it cannot be refused; only for transactional ones."""

    @property
    def refusable(self) -> bool:
        """Whether people may say no to it."""
        return self.kind != "transactional"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A version of all categories, in the order that people see them."""

    version: int
    categories: tuple[Category, ...]
    message_types: dict[str, str] = field(default_factory=dict)
    caps: tuple[Cap, ...] = ()
    refusable: tuple[Category, ...] = field(init=False, repr=False, compare=False)
    """The categories that people may say no to, in their order."""
    refusable_keys: tuple[str, ...] = field(init=False, repr=False, compare=False)
    always_sent: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """The keys of what is always sent."""

    def __post_init__(self) -> None:
        """Sorts the categories once: every document asks for them."""
        refusable = tuple(category for category in self.categories if category.refusable)
        object.__setattr__(self, "refusable", refusable)
        object.__setattr__(self, "refusable_keys", tuple(category.key for category in refusable))
        object.__setattr__(self, "always_sent", tuple(category.key for category in self.categories if not category.refusable))

    def get(self, key: str) -> Category | None:
        """The category of this key, or None."""
        for category in self.categories:
            if category.key == key:
                return category
        return None

    def category_of(self, message_type: str) -> Category | None:
        """The category that a message type belongs to; singular and plural, spaces, hyphens and case make no difference."""
        wanted = _folded(message_type)
        return next((self.get(key) for name, key in self.message_types.items() if _folded(name) == wanted), None)


def warnings_of(catalogue: Catalogue) -> tuple[str, ...]:
    """What an operator is told about a catalogue that can be used but will not be read."""
    count = len(catalogue.refusable)
    if count <= MOST_PEOPLE_READ:
        return ()
    return (f"{count} categories to choose from: people stop reading at {MOST_PEOPLE_READ}; join some that people see as one.",)


def _folded(name: str) -> str:
    return re.sub(r"[\s\-_/]+", "_", name.strip().lower()).removesuffix("s")


def _transactional(key: str, title: str, sends: str, reason: str) -> Category:
    return Category(key, "transactional", title, sends, "When it happens", reason)


DEFAULT: Final = Catalogue(
    version=1,
    categories=(
        _transactional("order_confirmations", "Order confirmations", "Receipts, shipping and delivery.", "You need them to follow an order."),
        _transactional("account_security", "Account security", "Sign-ins, passwords, changes to your account.", "They protect your account."),
        _transactional("service_alerts", "Service alerts", "Disruptions of a service you use.", "They tell you when something you use fails."),
        _transactional("legal_notices", "Legal notices", "Changes of terms, recalls, privacy notices.", "The law asks us to send them."),
        Category("product_updates", "relationship", "Product updates", "New releases and reviews of your account.", "About once a month"),
        Category("educational", "relationship", "Tips and webinars", "How to get more out of what you have.", "About twice a month"),
        Category("promotional", "marketing", "Offers and news", "Discounts, the newsletter, and offers from partners.", "Up to once a week"),
        Category("events", "marketing", "Events", "Invitations to shops, fairs and online events.", "A few times a year"),
    ),
    message_types={
        "order_confirmation": "order_confirmations",
        "account_security": "account_security",
        "account_security_notification": "account_security",
        "service_disruption": "service_alerts",
        "service_disruption_alert": "service_alerts",
        "legal_notice": "legal_notices",
        "legal": "legal_notices",
        "legal_compliance_notice": "legal_notices",
        "product_update": "product_updates",
        "product_updates_and_releases": "product_updates",
        "release": "product_updates",
        "account_review": "product_updates",
        "account_review_invitation": "product_updates",
        "educational_webinar": "educational",
        "success_check_in": "educational",
        "customer_success_check_in": "educational",
        "promotional_offer": "promotional",
        "newsletter": "promotional",
        "newsletter_subscription": "promotional",
        "third_party_partnership": "promotional",
        "event_invitation": "events",
    },
)  # fmt: skip
"""The default catalogue of the wire contract (section 3) with every message type of the brief."""


def to_json(catalogue: Catalogue) -> dict[str, Any]:
    """The catalogue as the wire shows it."""
    return {
        "version": catalogue.version,
        "categories": [
            {"key": c.key, "class": c.kind, "title": c.title, "sends": c.sends, "often": c.often, "reason": c.reason or None}
            for c in catalogue.categories
        ],
        "message_types": dict(sorted(catalogue.message_types.items())),
        "caps": caps.shown(catalogue.caps),
    }


def from_json(body: Any, version: int) -> Catalogue:
    """The catalogue that a JSON document describes, as `version`. Raises InvalidCatalogue naming the place and the mend."""
    if not isinstance(body, dict):
        raise InvalidCatalogue("a catalogue is an object with `categories` and `message_types`", "#")
    unknown = sorted(set(body) - {"version", "categories", "message_types", "caps"})
    if unknown:
        raise InvalidCatalogue(f"unknown field {unknown[0]!r}; known are categories, message_types, caps", f"#/{_escaped(unknown[0])}")
    rows = body.get("categories")
    if not isinstance(rows, list) or not rows:
        raise InvalidCatalogue("needs a list of at least one category", "#/categories")
    categories = tuple(_category(row, f"#/categories/{n}") for n, row in enumerate(rows))
    keys = [category.key for category in categories]
    for n, key in enumerate(keys):
        if key in keys[:n]:
            raise InvalidCatalogue(f"the key {key!r} stands twice", f"#/categories/{n}/key")
    types = body.get("message_types", {})
    if not isinstance(types, dict):
        raise InvalidCatalogue("needs an object of message type to category key", "#/message_types")
    named: dict[str, str] = {}
    for name, key in types.items():
        if key not in keys:
            raise InvalidCatalogue(f"{key!r} is not a category of this catalogue", f"#/message_types/{_escaped(name)}")
        if named.setdefault(_folded(name), key) != key:
            raise InvalidCatalogue(
                f"{name!r} already belongs to {named[_folded(name)]!r} in another spelling", f"#/message_types/{_escaped(name)}"
            )
    return Catalogue(version, categories, dict(types), _caps(body.get("caps", []), [c.key for c in categories if c.refusable]))


def _escaped(name: str) -> str:
    """The name as a part of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _caps(rows: Any, refusable: list[str]) -> tuple[Cap, ...]:
    if not isinstance(rows, list):
        raise InvalidCatalogue("needs a list of caps, or nothing", "#/caps")
    found: list[Cap] = []
    for n, row in enumerate(rows):
        try:
            found.append(caps.read_cap(row, refusable))
        except caps.InvalidCap as wrong:
            raise InvalidCatalogue(wrong.detail, f"#/caps/{n}{wrong.pointer}") from None
    return tuple(found)


def _category(row: Any, pointer: str) -> Category:
    if not isinstance(row, dict):
        raise InvalidCatalogue("a category is an object", pointer)
    unknown = sorted(set(row) - {"key", "class", "title", "sends", "often", "reason"})
    if unknown:
        raise InvalidCatalogue(f"unknown field {unknown[0]!r}", f"{pointer}/{_escaped(unknown[0])}")
    for name in ("key", "class", "title", "sends", "often"):
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise InvalidCatalogue(f"{name} is needed, as text", f"{pointer}/{name}")
    if not _KEY.match(row["key"]):
        raise InvalidCatalogue("a key is lower-case letters, digits and _, at most 63", f"{pointer}/key")
    if row["class"] not in CLASSES:
        raise InvalidCatalogue(f"class is one of {', '.join(CLASSES)}", f"{pointer}/class")
    reason = row.get("reason") or ""
    if not isinstance(reason, str) or (row["class"] == "transactional" and not reason):
        raise InvalidCatalogue("a transactional category needs the reason people are shown", f"{pointer}/reason")
    return Category(row["key"], row["class"], row["title"], row["sends"], row["often"], reason)


def to_text(catalogue: Catalogue) -> str:
    """Canonical JSON text, as it is stored."""
    return json.dumps(to_json(catalogue), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

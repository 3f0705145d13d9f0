"""What the headless twin answers, as schemas and examples for the description."""

from typing import Any, Final

_TEXT: Final = {"type": "string"}
_TIME: Final = {"type": ["string", "null"], "format": "date-time"}
_TEXTS: Final = {"type": "array", "items": _TEXT}


def _rows(**properties: Any) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "object", "required": list(properties), "properties": properties}}


_PROPERTIES: Final[dict[str, Any]] = {
    "brand": _TEXT, "channel": _TEXT, "company": _TEXT, "address": {"type": "string", "description": "Masked: c•••@example.com."},
    "language": _TEXT, "fresh": {"type": "boolean"}, "gone": {"type": "boolean"}, "version": {"type": "integer"},
    "categories": _rows(
        key=_TEXT, title=_TEXT, sends=_TEXT, often=_TEXT, on={"type": "boolean"},
        said={"type": "string", "enum": ["opted_in", "opted_out", "not_set"]}, pending={"type": "boolean"}, except_brands=_TEXTS,
    ),
    "always": _rows(key=_TEXT, title=_TEXT, sends=_TEXT, reason=_TEXT),
    "stopped_all": {"type": "boolean"}, "paused_until": _TIME, "held": _TEXTS,
    "systems": _rows(
        name=_TEXT, state={"type": "string", "enum": ["told", "waiting", "cannot"]}, at=_TIME, milliseconds={"type": ["integer", "null"]},
    ),
    "history": _rows(at=_TIME, about=_TEXT, old={"type": ["string", "null"]}, new={"type": ["string", "null"]}, source=_TEXT, reference=_TEXT),
    "mailed": _rows(at=_TIME, category=_TEXT, subject=_TEXT, campaign={"type": ["string", "null"]}),
    "privacy_url": _TEXT, "postal_address": _TEXT, "wording": _TEXT,
}  # fmt: skip
PRESENTED: Final[dict[str, Any]] = {"type": "object", "required": list(_PROPERTIES), "properties": _PROPERTIES}
_RESULT: Final[dict[str, Any]] = {
    "type": ["object", "null"],
    "properties": {
        "at": _TIME, "reference": {"type": ["string", "null"]}, "entries": _TEXTS, "changed": _TEXTS, "refused": _TEXTS, "to_confirm": _TEXTS,
        "undo": {"type": ["string", "null"]},
    },
}  # fmt: skip
ANSWER: Final[dict[str, Any]] = {
    "type": "object", "required": [*_PROPERTIES, "result"], "properties": {**_PROPERTIES, "result": _RESULT},
}  # fmt: skip

SHOWN: Final[dict[str, Any]] = {
    "brand": "*", "channel": "email", "company": "Northwind Outfitters", "address": "a•••@example.com", "language": "en", "fresh": False,
    "gone": False, "version": 8,
    "categories": [
        {"key": "promotional", "title": "Offers and news", "sends": "Discounts, the newsletter, and offers from partners.",
         "often": "Up to once a week", "on": False, "said": "opted_out", "pending": False, "except_brands": []},
    ],
    "always": [
        {"key": "order_confirmations", "title": "Order confirmations", "sends": "Receipts, shipping and delivery.",
         "reason": "You need them to follow an order."},
    ],
    "stopped_all": False, "paused_until": None, "held": [],
    "systems": [{"name": "Mailchimp EU", "state": "told", "at": "2026-11-22T10:00:00.412Z", "milliseconds": 291}],
    "history": [], "mailed": [], "privacy_url": "https://northwind.example/privacy", "postal_address": "1 Harbour Way, Example City",
    "wording": "pages 0, catalogue 1, en",
}  # fmt: skip
EXAMPLE: Final[dict[str, Any]] = {
    "choices": {"promotional": "opted_out"}, "reason": "too_many", "language": "en",
}  # fmt: skip

"""Caps: what an operator lets be sent to one person in a period, written in the catalogue beside the categories it limits."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sayso.rules.times import DAY, HOUR, format_duration, parse_duration
from sayso.rules.words import ANY, Scope, UnknownChannel, channel_named

LONGEST: Final = 90 * DAY
SHORTEST: Final = HOUR
MOST: Final = 10_000
FIELDS: Final = ("business_unit", "channel", "category", "messages", "per")


class InvalidCap(ValueError):
    """A cap that cannot be used; `pointer` leads to the part of it (JSON Pointer, relative)."""

    def __init__(self, detail: str, pointer: str) -> None:
        super().__init__(detail)
        self.detail, self.pointer = detail, pointer


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many messages in any `period` (microseconds) that lie inside a scope; each part of the scope may be ``*``."""

    scope: Scope
    messages: int
    period: int


def shown(caps: Sequence[Cap]) -> list[dict[str, Any]]:
    """Caps as the wire shows them."""
    return [
        {
            "business_unit": cap.scope.brand, "channel": cap.scope.channel, "category": cap.scope.category, "messages": cap.messages,
            "per": format_duration(cap.period),
        }
        for cap in caps
    ]  # fmt: skip


def read_cap(row: Any, refusable: Collection[str]) -> Cap:
    """The cap that a JSON object describes. Raises InvalidCap, naming the part and the mend.

    `refusable` are the categories that can be limited: mail that cannot be refused is never held back.
    """
    if not isinstance(row, dict):
        raise InvalidCap('a cap is an object such as {"messages": 3, "per": "7d"}', "")
    if unknown := sorted(str(name) for name in row.keys() - set(FIELDS)):
        raise InvalidCap(f"unknown field; known are {', '.join(FIELDS)}", f"/{unknown[0]}")
    messages = row.get("messages")
    if type(messages) is not int or not 1 <= messages <= MOST:
        raise InvalidCap(f"messages is a whole number from 1 to {MOST:,}", "/messages")
    category = row.get("category", ANY)
    if category != ANY and category not in refusable:
        raise InvalidCap(f"category is * or one that people may refuse: {', '.join(refusable)}", "/category")
    brand = row.get("business_unit", ANY)
    if not isinstance(brand, str) or not 0 < len(brand) <= 255 or not brand.isprintable():
        raise InvalidCap("business_unit is the name of one, or *", "/business_unit")
    return Cap(Scope(brand, _channel(row.get("channel", ANY)), category), messages, _period(row.get("per")))


def _channel(raw: Any) -> str:
    try:
        return channel_named(raw if isinstance(raw, str) else "")
    except UnknownChannel as unknown:
        raise InvalidCap(str(unknown), "/channel") from None


def _period(raw: Any) -> int:
    try:
        period = parse_duration(raw if isinstance(raw, str) else "")
    except ValueError as wrong:
        raise InvalidCap(str(wrong), "/per") from None
    if not SHORTEST <= period <= LONGEST:
        raise InvalidCap(f"a period is {format_duration(SHORTEST)} to {format_duration(LONGEST)} long", "/per")
    return period

"""What an event means: the words it stands for (wire contract section 4). Names that nobody defined are stored and change nothing."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sayso.rules.statements import Block, Choose, Happen, Word
from sayso.rules.words import ANY, WIRE_CHANNELS, Scope

OPT_OUT: Final = "Opt Out"
OPT_IN: Final = "Opt In"
KNOWN: Final = (
    OPT_OUT, OPT_IN, "mail.unsubscribe", "mail.complaint", "mail.bounce", "mail.delivered", "mail.open", "mail.click", "not_relevant",
)  # fmt: skip
ACTS: Final = ("preference_reason",)
"""Names of events that the hub itself records."""
ABOUT_ADDRESS: Final = frozenset({"mail.unsubscribe", "mail.complaint", "mail.bounce", "mail.delivered"})
"""Events that are about the e-mail address a message went to."""
PERSON_ACTED: Final = frozenset({"mail.unsubscribe", "mail.complaint"})
"""Events in which the person acted, whoever reports them."""
NAME_LENGTH: Final = 64
HIDDEN: Final = "~"
"""Begins what stands for a custom name where everybody's entries are searched: the name itself could hold anything."""


class InvalidEvent(ValueError):
    """An event that cannot be understood; `part` names which member of it."""

    def __init__(self, detail: str, part: str) -> None:
        super().__init__(detail)
        self.detail, self.part = detail, part


@dataclass(frozen=True, slots=True)
class Meaning:
    """The words of an event, and what its sender should know ("" when all is well)."""

    words: tuple[Word, ...]
    warning: str = ""


def meaning_of(name: str, channel: str | None, brand: str, properties: Mapping[str, Any]) -> Meaning:
    """What an event means for a brand (`*`: the whole company); `channel` is ours, None when the sender named none.

    Raises InvalidEvent.
    """
    if not 1 <= len(name) <= NAME_LENGTH or not name.isprintable() or name != name.strip():
        raise InvalidEvent(f"an event has a name of 1 to {NAME_LENGTH} printable characters", "event")
    happened = Happen(name)
    match name:
        case "Opt Out" | "Opt In" if channel is None:
            return Meaning((happened,), _no_channel(name))
        case "Opt Out" | "Opt In":
            return Meaning((Choose(Scope(brand, channel or ANY, ANY), out=name == OPT_OUT),))
        case "mail.unsubscribe":
            return Meaning((happened, Choose(Scope(brand, "email", ANY), out=True)))
        case "mail.complaint":
            return Meaning((happened, Block("complaint", on=True), Choose(Scope(ANY, "email", ANY), out=True)))
        case "mail.bounce":
            return Meaning((happened, Block(_bounce(properties), on=True)))
    return Meaning((happened,), _near(name))


def event_column(name: str) -> str:
    """What an event is found by: its name where it is defined, else a hash of it. The name of a custom one is a personal part."""
    if name in KNOWN or name in ACTS:
        return name
    return HIDDEN + hashlib.sha256(f"sayso/event/1\0{name}".encode()).hexdigest()[:32]


def _no_channel(name: str) -> str:
    return (
        f'{name} came without "channel.type": it was stored, and no status changed. Send "channel.type": "MAIL" (or ALL, SMS, …) with it.'
    )


def _bounce(properties: Mapping[str, Any]) -> str:
    kind = properties.get("bounce_type")
    if kind not in ("hard", "soft"):
        raise InvalidEvent("a bounce is hard or soft: say which in properties.bounce_type", "properties/bounce_type")
    return f"{kind}_bounce"


def _near(name: str) -> str:
    """A hint for names that look like a defined one: an opt-out that is only stored must not go unnoticed."""
    folded = re.sub(r"[\W_]+", "", name.casefold())
    twin = next((known for known in KNOWN if known != name and re.sub(r"[\W_]+", "", known.casefold()) == folded), None)
    return f"{name!r} is a custom event: it was stored, and no status changed. If you meant {twin!r}, write it like that." if twin else ""


def wire_channel(channel: str) -> str:
    """The other systems' first name of one of our channels: `email` is `MAIL`, `*` is `ALL`."""
    return next(wire for wire, ours in WIRE_CHANNELS.items() if ours == channel)

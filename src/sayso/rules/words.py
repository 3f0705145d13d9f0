"""The words of the field as values: scopes, channels, choices, sources and methods (glossary: docs/glossary.md)."""

from functools import lru_cache
from typing import Final, Literal, NamedTuple

ANY: Final = "*"

Choice = Literal["opted_in", "opted_out", "not_set"]
Method = Literal["explicit", "implicit", "grandfathered"]
Effect = Literal["applied", "unchanged", "superseded", "quarantined", "stored", "refused"]

CHANNELS: Final = ("email", "sms", "push", "web_push", "onsite", "app", "voice", "post", "social", "ads")

WIRE_CHANNELS: Final = {
    "MAIL": "email",
    "EMAIL": "email",
    "SMS": "sms",
    "PUSH_NOTIFICATION": "push",
    "PUSH": "push",
    "BROWSER_NOTIFICATION": "web_push",
    "ONSITE_DISPLAY": "onsite",
    "EXIT_INTENT": "onsite",
    "ALL": ANY,
    "DIRECT_MAIL": "post",
    "VOICE": "voice",
    "SOCIAL": "social",
    "ADS": "ads",
    "IN_APP": "app",
}
"""Names of other systems for our channels (wire contract section 4)."""

OWN_SOURCES: Final = frozenset({"preference_center", "one_click", "email_link", "double_opt_in", "support_request", "manual"})
"""Sources in which the person acted, or support did at their request: their own voice."""

RELAYED_SOURCES: Final = frozenset({"api", "import", "connection"})
SECOND_HAND: Final = frozenset({"import", "connection"})
"""Sources that pass on what lay somewhere: nothing of theirs begins anything anew with a person who was erased."""
SOURCES: Final = tuple(sorted(OWN_SOURCES | RELAYED_SOURCES))
METHODS: Final = ("explicit", "implicit", "grandfathered")


class UnknownChannel(ValueError):
    """A channel name that nobody defined; the message lists the valid ones."""


class Scope(NamedTuple):
    """What a choice is about: brand, channel and category, each a name or ``*``. A tuple: every register is looked up by it."""

    brand: str
    channel: str
    category: str

    def covers(self, narrow: "Scope") -> bool:
        """Whether every message of the narrow scope lies inside this one."""
        return self.brand in (ANY, narrow.brand) and self.channel in (ANY, narrow.channel) and self.category in (ANY, narrow.category)


@lru_cache(maxsize=256)
def channel_named(raw: str) -> str:
    """Our name of a channel given in either vocabulary, in any case; ``*`` for all.

    Raises UnknownChannel for anything else, naming the valid ones.
    """
    folded = raw.strip()
    if folded == ANY:
        return ANY
    if folded.lower() in CHANNELS:
        return folded.lower()
    named = WIRE_CHANNELS.get(folded.upper())
    if named is None:
        valid = ", ".join([*WIRE_CHANNELS, *CHANNELS])
        raise UnknownChannel(f"{raw[:64]!r} is not a channel; valid are: {valid}")
    return named


def method_of(given: Method | None, *, out: bool, own: bool, outright: bool) -> Method:
    """The consent method of a statement; a missing one is explicit for opt-outs, own voices and outright words, else implicit.

    `outright` marks ``Opt In`` events and ``optOut:false``, which say in so many words what they mean.
    """
    if given is not None:
        return given
    return "explicit" if out or own or outright else "implicit"


def is_strong(*, out: bool, method: Method, source: str, granted: bool, relay_only: bool) -> bool:
    """Whether a statement may answer opt-outs: every opt-out, and opt-ins that are explicit and come from a source that may speak.

    Imports never may; connections only when their sync profile grants it; a relay-only client never.
    """
    if out:
        return True
    if method != "explicit" or relay_only or source == "import":
        return False
    return source != "connection" or granted

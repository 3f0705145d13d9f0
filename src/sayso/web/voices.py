"""Whose voice a call speaks with (design section 3): the person's own, or relayed by the client."""

from typing import Final

from sayso.rules.statements import Voice
from sayso.rules.words import OWN_SOURCES, Method
from sayso.web.auth import Caller

ON_REQUEST: Final = frozenset({"support_request", "manual"})
"""Sources in which somebody acts for the person: their own voice only with a reason."""


def voice_of(caller: Caller, source: str, *, method: Method | None = None, reason: str | None = None, outright: bool = False) -> Voice:
    """The voice of a call through this client; a relay-only client never speaks with a person's own."""
    own = source in OWN_SOURCES and not caller.relay_only and (source not in ON_REQUEST or bool(reason and reason.strip()))
    actor = f"{caller.via}:{source}"
    return Voice(source, own, actor, caller.via, method, outright=outright, relay_only=caller.relay_only)

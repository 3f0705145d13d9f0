"""What a connection is told about a subject: its standing per channel and category, and how that differs from what it knows."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from sayso.rules import view
from sayso.rules.view import Reading
from sayso.rules.words import ANY, Scope

FIELDS: Final = ("email_opt_out_global", "paused_until", "blacklisted", "channels")


def word_for(readings: tuple[Reading, ...], brand: str, channel: str, category: str, window: int) -> view.Word:
    """How a subject stands towards one system. One that serves all brands (``*``) cannot tell them apart: any brand's opt-out counts."""
    brands = (ANY, *view.brands_of(readings)) if brand == ANY else (brand,)
    words = [view.word_at(readings, Scope(each, channel, category), window) for each in brands]
    return "out" if "out" in words else words[0] if brand == ANY else words[-1]


def remembered(document: Mapping[str, Any]) -> str:
    """The part of a document that a later difference is taken against: choices only, nothing personal. Canonical JSON text."""
    return msgspec.json.encode(_kept(document), order="deterministic").decode()


def difference(told: str | None, document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields whose value differs from what was last acknowledged, as ``{field: {"old": …, "new": …}}``."""
    before = msgspec.json.decode(told) if told else {}
    after = _kept(document)
    names = sorted(before.keys() | after.keys())
    return {n: {"old": before.get(n), "new": after.get(n)} for n in names if before.get(n) != after.get(n)}


def _kept(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name in FIELDS or _is_choice(name)}


@lru_cache(maxsize=1_024)
def _is_choice(name: str) -> bool:
    governance = ("last_updated", "update_source", "update_reason", "consent_ip", "consent_method")
    return name.startswith("email_pref_") and name.removeprefix("email_pref_") not in governance

"""Tidings: what an entry of the ledger is called when it is told event by event, and what is said about it."""

from collections.abc import Mapping
from typing import Any, Final

from sayso.rules.happenings import OPT_IN, OPT_OUT, wire_channel
from sayso.rules.times import format_time
from sayso.rules.words import ANY

BLOCKING: Final = frozenset({"hard_bounce", "complaint", "blacklist", "carrier_stop"})
"""Blocks that each stop something at once; a single soft bounce does not, only a streak of them."""
BURST_FOUND: Final = "burst_found"
"""The hub noticed opt-outs that look like a machine's."""
_TYPES: Final = {
    "choice": "preferences.changed",
    "pause": "preferences.paused",
    "link": "contact.linked",
    "place": "contact.located",
    "event": "event.received",
}


def feed_type(fields: Mapping[str, Any]) -> str | None:
    """The type of an entry in the feed of changes; None for entries that are about nobody (acknowledgements, configuration, seals)."""
    if erases(fields):
        return "contact.erased"
    if fields["t"] == "block":
        return "address.unblocked" if fields.get("x", {}).get("new") == "lifted" else "address.blocked"
    return _TYPES.get(fields["t"])


def event_name(fields: Mapping[str, Any], act: str) -> str | None:
    """The event that an entry is: its own name, or `Opt Out` / `Opt In` for a choice that took effect; None for everything else."""
    if fields["t"] == "event":
        return act
    if fields["t"] == "choice" and fields["effect"] == "applied":
        return OPT_OUT if fields.get("x", {}).get("new") == "opted_out" else OPT_IN
    return None


def blocks(fields: Mapping[str, Any]) -> bool:
    """Whether an entry set a block that was not there before and that stops something by itself."""
    x = fields.get("x", {})
    return fields["t"] == "block" and fields["act"] in BLOCKING and x.get("new") == "set" and x.get("old") != "set"


def erases(fields: Mapping[str, Any]) -> bool:
    """Whether an entry accepts that somebody is to be forgotten: whoever holds anything of them has to forget it too."""
    return bool(fields["t"] == "block" and fields["act"] == "erasing")


def alerts(fields: Mapping[str, Any]) -> bool:
    """Whether an entry is something that a person should look at."""
    return bool(fields["t"] == "config" and fields["act"] == BURST_FOUND)


def is_copy(fields: Mapping[str, Any]) -> bool:
    """Whether the entry repeats another one in a second row: of such pairs only the first is an event."""
    return "twin" in fields.get("x", {})


def concerns(fields: Mapping[str, Any], brand: str) -> bool:
    """Whether whoever serves one brand must hear of an entry: it is about that brand, about all, or about no scope at all."""
    scope = fields.get("scope")
    return brand == ANY or scope is None or scope[0] in (ANY, brand)


def event_data(fields: Mapping[str, Any], detail: Mapping[str, Any] | None, name: str) -> dict[str, Any]:
    """What an event says besides whom it is about; properties are those of the statement it came with."""
    scope, said = fields.get("scope"), detail or {}
    properties = dict(said.get("properties") or {})
    if scope is not None and scope[2] != ANY:
        properties.setdefault("category", scope[2])
    data: dict[str, Any] = {
        "event": name,
        "timestamp": format_time(fields["ts"]),
        "source": fields["src"],
        "reason": said.get("reason"),
        "properties": properties,
        "entry": fields["id"],
    }
    if scope is not None:
        data["channel.type"] = wire_channel(scope[1])
        data["business_unit"] = scope[0]
    return data


def change_data(fields: Mapping[str, Any], detail: Mapping[str, Any] | None, act: str) -> dict[str, Any]:
    """What the feed says of one entry besides whom it is about and where it stands in the log."""
    x, scope, said = fields.get("x", {}), fields.get("scope"), detail or {}
    data: dict[str, Any] = {
        "entry": fields["id"],
        "kind": fields["t"],
        "act": act,
        "effect": fields["effect"],
        "via": fields["via"],
        "rule": fields.get("rule"),
        "source": fields["src"],
        "own": bool(fields.get("own")),
        "occurred_at": format_time(fields["ts"]),
        "version": fields["ver"],
        "scope": dict(zip(("brand", "channel", "category"), scope, strict=True)) if scope else None,
        "old": x.get("old") or None,
        "new": x.get("new") or None,
        "reason": said.get("reason"),
        "copy_of": x.get("twin"),
    }
    if fields["t"] == "pause":
        data["paused_until"] = format_time(x["until"]) if x.get("until") else None
    if fields["t"] == "event":
        data["properties"] = said.get("properties") or {}
    return data

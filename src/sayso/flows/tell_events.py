"""Tell events: what happened to somebody, custom events too, and `Opt Out` or `Opt In` for every change of status by whichever door."""

from typing import Any

from sayso.contracts.book import Book, Key, Noted
from sayso.flows.tell_history import read_chain
from sayso.rules.happenings import OPT_IN, OPT_OUT, wire_channel
from sayso.rules.times import format_time
from sayso.rules.words import ANY


async def tell_events(key: Key, *, after: str, limit: int, book: Book) -> tuple[list[dict[str, Any]], str | None] | None:
    """One page of events, oldest first, and the cursor of the next; None when nothing is known about the subject."""
    chain = await read_chain(key, after=after, limit=limit, book=book, kinds=("choice", "event"), wanted=is_event)
    if chain is None:
        return None
    return [event_of(one) for one in chain.entries], chain.next


def is_event(noted: Noted) -> bool:
    """Whether an entry is told as an event: one that was sent to us, whatever became of it, or a choice that changed what stands."""
    fields = noted.fields
    x = fields.get("x", {})
    sent = fields["t"] == "event" or ((noted.detail or {}).get("channel") is not None and fields.get("rule") != "spread_from_email")
    return bool(sent or (fields["effect"] == "applied" and x.get("old") != x.get("new")))


def event_of(noted: Noted) -> dict[str, Any]:
    """An entry as an event of the wire contract."""
    fields, detail = noted.fields, noted.detail or {}
    body: dict[str, Any] = {"entry": noted.id, "timestamp": format_time(fields["ts"]), "source": fields["src"]}
    properties = dict(detail.get("properties") or {})
    if fields["t"] == "event":
        channel = detail.get("channel")
        named = wire_channel(channel) if channel else None
        return {**body, "event": noted.act or fields["act"], "channel.type": named, "properties": properties}
    brand, channel, category = fields["scope"]
    reason = None if properties else detail.get("reason")  # what was sent stays as it was sent
    derived = {"category": category, "businessUnit": brand, "reason": reason, "rule": fields.get("rule")}
    properties |= {name: value for name, value in derived.items() if value not in (None, ANY)}
    event = OPT_OUT if fields["x"]["new"] == "opted_out" else OPT_IN
    return {**body, "event": event, "channel.type": wire_channel(channel), "properties": properties}

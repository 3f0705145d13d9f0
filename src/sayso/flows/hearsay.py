"""Hearsay: what a vendor's fact means as a statement of ours. Doubt restricts: what cannot be placed exactly counts for more, not less."""

from typing import Any, Final

from sayso.contracts.book import Key
from sayso.contracts.connector import Heard
from sayso.contracts.ground import Ground
from sayso.contracts.spokes import Connection
from sayso.flows.record import Said, key_of
from sayso.rules.catalogue import Catalogue
from sayso.rules.statements import Block, Choose, Happen, Voice, Word
from sayso.rules.subjects import parse_address, parse_contact_id
from sayso.rules.times import SECOND
from sayso.rules.words import ANY, CHANNELS, Scope

GRANT: Final = "grants_opt_in"
"""The setting of a connection that lets its explicit opt-ins answer opt-outs; absent is never permission."""
NAME_LENGTH: Final = 64
_RESTRICTING: Final = ("opt_out", "complaint", "hard_bounce", "soft_bounce")
_HAPPENED: Final = {"delivered": "delivered", "open": "open", "click": "click", "hard_bounce": "bounce", "soft_bounce": "bounce"}


class Unplaced(ValueError):
    """A fact about nobody, or on a channel nobody knows."""


def said_of(fact: Heard, connection: Connection, ground: Ground, *, seen: str) -> Said:
    """The statement to record for one fact; `seen` makes it count once. Raises InvalidAddress and Unplaced."""
    if fact.channel not in CHANNELS:
        raise Unplaced(f"there is no channel {fact.channel[:40]!r}")
    address = key_of(parse_address(fact.channel, fact.address, default_region=ground.default_country)) if fact.address else None
    contact = None
    if fact.contact_id:
        name = parse_contact_id(fact.contact_id)
        contact = Key("contact", name, name)
    if address is None and contact is None:
        raise Unplaced("it names nobody")
    me = f"k:{connection.id}"
    granted = connection.settings.flag(GRANT)
    method: Any = "explicit" if fact.kind == "opt_in" and granted else None
    return Said(
        voice=Voice("connection", fact.own, me, me, method=method, granted=granted),
        words=words_of(fact, connection.brand, ground.catalogue),
        contact=contact,
        address=address,
        ties=((address, False),) if contact and address else (),
        given_ts=_said_at(fact),
        personal=_personal(fact, connection),
        origin=str(connection.id),
        seen=seen,
    )


def _said_at(fact: Heard) -> int | None:
    """The latest moment that the vendor's time allows for what restricts, as it gave it for all else (ADR 0023).

    A time in whole seconds has lost its fraction: without this, somebody who says yes here and clicks unsubscribe there within one
    second would have said no before yes. A time that is not here yet counts as now, like every other.
    """
    if fact.ts is None or fact.ts % SECOND or fact.kind not in _RESTRICTING:
        return fact.ts
    return fact.ts + SECOND - 1


def words_of(fact: Heard, brand: str, catalogue: Catalogue) -> tuple[Word, ...]:
    """What a fact says. An opt-out from a category nobody knows stops the channel; an opt-in to one changes nothing."""
    known = fact.category == ANY or ((found := catalogue.get(fact.category)) is not None and found.refusable)
    prefix = "mail" if fact.channel == "email" else fact.channel
    name = _storable(fact.event_name)[:NAME_LENGTH] or fact.kind
    match fact.kind:
        case "opt_out":
            scope = Scope(brand, fact.channel, fact.category if known else ANY)
            return (Choose(scope, out=True, rule="" if known else "unknown_category_counts_for_all"),)
        case "opt_in":
            return (Choose(Scope(brand, fact.channel, fact.category), out=False),) if known else (Happen(name),)
        case "complaint":
            stop = Choose(Scope(ANY, fact.channel, ANY), out=True)
            return (Happen(f"{prefix}.complaint"), Block("complaint", on=True), stop)
        case "hard_bounce" | "soft_bounce":
            return (Happen(f"{prefix}.bounce"), Block(fact.kind, on=True))
        case "delivered" | "open" | "click":
            return (Happen(f"{prefix}.{_HAPPENED[fact.kind]}"),)
        case "seen":
            return (Happen(name),)


def _personal(fact: Heard, connection: Connection) -> dict[str, Any]:
    """What is kept apart from the ledger: the vendor's own words."""
    properties = {_storable(key): _storable(value) for key, value in fact.properties}
    if fact.kind in ("hard_bounce", "soft_bounce"):
        properties["bounce_type"] = fact.kind.removesuffix("_bounce")
    return {
        "event": _storable(fact.event_name),
        "reason": _storable(fact.reason) or None,
        "connection": connection.name,
        "ip": properties.get("ip"),
        "user_agent": properties.get("useragent"),
        "properties": properties or None,
    }


def _storable(text: str) -> str:
    """Text that UTF-8 and PostgreSQL can hold."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")

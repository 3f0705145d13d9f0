"""Opt-out lists: which column holds what, and whom one row says no longer wants what.

Every row is an opt-out, unless it says itself that the person is not out: such a row is refused, never read as an opt-in. What is left
open is read the restrictive way; a row that cannot be read at all is refused with a reason, so that somebody can mend it.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sayso.rules.catalogue import Catalogue
from sayso.rules.countries import COUNTRIES
from sayso.rules.loose_times import latest_time
from sayso.rules.subjects import ADDRESS_KIND, Address, InvalidAddress, parse_address, parse_contact_id
from sayso.rules.words import ANY, Scope, UnknownChannel, channel_named

NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "email": ("email", "e_mail", "email_address", "e_mail_address", "emailaddress", "mail", "email_id"),
        "phone": ("phone", "phone_number", "mobile", "mobile_number", "mobile_phone", "cell_phone", "telephone", "tel", "msisdn"),
        "contact_id": ("contact_id", "contactid", "customer_id", "customerid", "external_id", "externalid"),
        "address": ("address",),
        "channel": ("channel", "channel_type"),
        "category": ("category", "topic"),
        "business_unit": ("business_unit", "businessunit", "brand"),
        "reason": ("reason", "unsubscribe_reason", "unsub_reason", "opt_out_reason"),
        "occurred_at": (
            "occurred_at", "unsubscribed_at", "opted_out_at", "opt_out_at", "unsub_time", "unsubscribe_time", "unsubscribe_date",
            "unsubscribed_date", "opt_out_date", "optout_date", "opt_out_time", "date", "time", "timestamp",
        ),
        "country": ("country", "country_code"),
        "status": ("status", "subscription_status", "email_status"),
        "opted_out": (
            "opt_out", "optout", "opted_out", "unsubscribed", "is_unsubscribed", "unsubscribe", "email_opt_out", "hasoptedoutofemail",
            "has_opted_out_of_email", "do_not_email", "donotemail", "unsubscribed_from_all_email", "suppressed",
        ),
        "opted_in": ("subscribed", "is_subscribed", "opt_in", "optin", "opted_in", "email_opt_in", "accepts_marketing"),
    }
)  # fmt: skip
"""What a list calls things: the field, and the headers it is known by (letters and digits only, joined by _)."""
WHO: Final = ("email", "phone", "contact_id", "address")
BRAND_LENGTH: Final = 64
REASON_LENGTH: Final = 1_000

_YES: Final = frozenset({"1", "true", "t", "yes", "y", "x", "on", "ja", "oui", "si"})
_NO: Final = frozenset({"", "0", "false", "f", "no", "n", "off", "nein", "non"})
_SAYS_OUT: Final = frozenset(
    {
        "unsubscribed", "unsubscribe", "opted_out", "opt_out", "optout", "optedout", "out", "suppressed", "cleaned", "complained", "complaint",
        "spam", "bounced", "blocked", "blacklisted", "do_not_contact", "inactive", "removed", "none", "revoked", "withdrawn",
    }
)  # fmt: skip
_SAYS_IN: Final = frozenset(
    {
        "subscribed", "subscribe", "opted_in", "opt_in", "optin", "optedin", "in", "active", "confirmed", "pending", "unconfirmed", "enabled",
        "non_subscribed", "nonsubscribed", "never_subscribed", "not_subscribed", "transactional", "single_opt_in", "double_opt_in", "consented",
    }
)  # fmt: skip


class BadRow(ValueError):
    """The row is no opt-out that could be kept; the text tells how to mend it."""


class BadColumns(ValueError):
    """The columns cannot be used; the text tells what to name."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which place of a row holds which field, and the headers that mean nothing here."""

    places: Mapping[str, int]
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """How rows are read: what stands where they say nothing (`channel`, `category`, `brand`), and the region of phone numbers."""

    catalogue: Catalogue
    channel: str = ""
    category: str = ""
    brand: str = ANY
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """One statement of a row: whom it is about (a contact, one of their addresses, or both) and the scopes that are stopped."""

    contact: str | None
    address: Address | None
    scopes: tuple[Scope, ...]


@dataclass(frozen=True, slots=True)
class OptOut:
    """What one row says. `at` is None where it names no time that could be read; `notes` say what was read the restrictive way."""

    stops: tuple[Stop, ...]
    at: int | None = None
    country: str | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()


def columns_of(header: Sequence[str], chosen: Mapping[str, str]) -> Columns:
    """Where each field stands. `chosen` names columns by their header (or place, from 1) and wins; "" leaves a field out.

    Raises BadColumns when nothing says who the rows are about, or a chosen column does not exist.
    """
    folded = [_folded(name) for name in header]
    places: dict[str, int] = {}
    for field, name in chosen.items():
        if field not in NAMES:
            raise BadColumns(f"{field!r} is not a field of an opt-out list; known are {', '.join(NAMES)}")
        if name:
            places[field] = _place(name, header, folded)
    for field, names in NAMES.items():
        found = next((folded.index(name) for name in names if name in folded), None)
        if field not in chosen and found is not None and found not in places.values():
            places[field] = found
    if "address" not in chosen and places.keys() & {"email", "phone"}:
        places.pop("address", None)  # beside those two it is a street
    if not places.keys() & set(WHO):
        shown = ", ".join(name.strip() for name in header[:20]) or "nothing"
        raise BadColumns(f"no column says who the rows are about ({', '.join(WHO)}); the file has: {shown}")
    return Columns(places, tuple(name for n, name in enumerate(header) if n not in places.values() and name.strip()))


def is_header(cells: Sequence[str]) -> bool:
    """Whether a first row names columns: one of them is known."""
    known = {name for names in NAMES.values() for name in names}
    return any(_folded(cell) in known for cell in cells)


def guessed_header(cells: Sequence[str]) -> tuple[str, ...]:
    """Headers for a list without any, from its first row: the first cell that is an e-mail address or an international number."""
    for n, cell in enumerate(cells):
        for field, channel in (("email", "email"), ("phone", "sms")):
            try:
                parse_address(channel, cell, default_region=None)
            except InvalidAddress:
                continue
            return tuple(field if place == n else "" for place in range(len(cells)))
    return ()


def read_row(cells: Sequence[str], columns: Columns, reading: Reading) -> OptOut:
    """What a row says. Raises BadRow."""
    texts = {field: cells[place].strip() for field, place in columns.places.items() if place < len(cells)}
    notes: list[str] = []
    _refuse_unless_out(texts, columns, notes)
    country = texts.get("country", "").upper() or None
    if country is not None and country not in COUNTRIES:
        notes.append("country not understood, left out")
        country = None
    stops = _stops(texts, reading, country or reading.region)
    at = None
    if texts.get("occurred_at"):
        at = latest_time(texts["occurred_at"])
        if at is None:
            notes.append("time not understood, taken as now")
    reason = " ".join(_printable(texts.get("reason", "")).split())[:REASON_LENGTH]
    return OptOut(stops, at, country, reason, tuple(notes))


def _refuse_unless_out(texts: Mapping[str, str], columns: Columns, notes: list[str]) -> None:
    """One column that says out settles it; without one, a column that says in refuses the row; what nobody understands is out."""
    said: list[bool | None] = []
    if "opted_out" in columns.places:
        said.append(texts.get("opted_out", "").lower() not in _NO)
    if "opted_in" in columns.places:
        word = texts.get("opted_in", "").lower()
        said.append(False if word in _YES else True if word in _NO - {""} else None)
    if "status" in columns.places:
        word = _folded(texts.get("status", ""))
        said.append(True if word in _SAYS_OUT else False if word in _SAYS_IN else None)
    if not said or True in said:
        return
    if False in said:
        raise BadRow("the row says that the person is not opted out; opt-ins are never imported from an opt-out list")
    notes.append("status not understood, taken as opted out")


def _stops(texts: Mapping[str, str], reading: Reading, region: str | None) -> tuple[Stop, ...]:
    contact = _contact(texts.get("contact_id", ""))
    channel = _channel(texts.get("channel") or reading.channel)
    category = _category(texts.get("category") or reading.category, reading.catalogue)
    brand = _brand(texts.get("business_unit") or reading.brand)
    given = _addresses(texts, channel, region)
    if not given and contact is None:
        raise BadRow("the row names nobody: fill in one of " + ", ".join(WHO))
    if channel not in ("", ANY):
        fitting = [address for address in given if address.kind == ADDRESS_KIND[channel]]
        if given and not fitting and contact is None:
            raise BadRow(f"channel {channel} needs {_article(ADDRESS_KIND[channel])}, the row has {_article(given[0].kind)}")
        given = fitting
    if not given:
        return (Stop(contact, None, (Scope(brand, channel or ANY, category),)),)
    scopes = {address: tuple(Scope(brand, name, category) for name in _channels(address, channel)) for address in given}
    return tuple(Stop(contact, address, scopes[address]) for address in given)


def _channels(address: Address, channel: str) -> tuple[str, ...]:
    """The channels a row without any stops: all those that its address serves."""
    return (channel,) if channel else _SERVED[address.kind]


_SERVED: Final = {kind: tuple(name for name, one in ADDRESS_KIND.items() if one == kind) for kind in ADDRESS_KIND.values()}


def _addresses(texts: Mapping[str, str], channel: str, region: str | None) -> list[Address]:
    found: dict[Address, None] = {}
    for field, on in (("email", "email"), ("phone", "sms")):
        if texts.get(field):
            found[_address(on, texts[field], region, field)] = None
    if texts.get("address"):
        found[_any_address(texts["address"], channel, region)] = None
    return list(found)


def _any_address(raw: str, channel: str, region: str | None) -> Address:
    if channel not in ("", ANY):
        return _address(channel, raw, region, "address")
    for guess in ("email", "sms"):
        try:
            return parse_address(guess, raw, default_region=region)
        except InvalidAddress:
            continue
    raise BadRow("address: neither an e-mail address nor a phone number: fill in a channel column, or give --channel")


def _address(channel: str, raw: str, region: str | None, field: str) -> Address:
    # Spreadsheets keep a number from being reckoned with by a quotation mark in front of it.
    text = raw.lstrip("'") if ADDRESS_KIND[channel] == "phone" else raw
    try:
        return parse_address(channel, text, default_region=region)
    except InvalidAddress as bad:
        raise BadRow(f"{field}: {bad.detail}") from bad


def _contact(raw: str) -> str | None:
    if not raw:
        return None
    try:
        return parse_contact_id(raw)
    except InvalidAddress as bad:
        raise BadRow(f"contact_id: {bad.detail}") from bad


def _channel(raw: str) -> str:
    if not raw:
        return ""
    try:
        return channel_named(raw)
    except UnknownChannel as bad:
        raise BadRow(f"channel: {bad}") from bad


def _category(raw: str, catalogue: Catalogue) -> str:
    if _folded(raw) in ("", "all") or raw == ANY:
        return ANY
    found = catalogue.get(_folded(raw)) or catalogue.category_of(raw)
    found = found or next((one for one in catalogue.categories if one.title.casefold() == raw.casefold()), None)
    if found is None:
        keys = [one.key for one in catalogue.refusable]
        near = difflib.get_close_matches(_folded(raw), keys, n=1)
        raise BadRow(
            f"category: {_printable(raw)[:64]!r} is not in the catalogue; "
            + (f"did you mean {near[0]}?" if near else f"known are {', '.join(keys)}")
        )
    if not found.refusable:
        raise BadRow(f"category: {found.key} cannot be refused: {found.reason}")
    return found.key


def _brand(raw: str) -> str:
    if len(raw) > BRAND_LENGTH or not raw.isprintable():
        raise BadRow(f"business_unit: at most {BRAND_LENGTH} characters, no control characters")
    return raw


def _place(name: str, header: Sequence[str], folded: Sequence[str]) -> int:
    if name in header:
        return header.index(name)
    if _folded(name) in folded:
        return folded.index(_folded(name))
    if name.isascii() and name.isdigit() and 1 <= int(name) <= len(header):
        return int(name) - 1
    near = difflib.get_close_matches(name, header, n=1)
    raise BadColumns(
        f"there is no column {name!r}" + (f": did you mean {near[0]!r}?" if near else f"; the file has: {', '.join(header[:20])}")
    )


def _article(kind: str) -> str:
    return {"email": "an e-mail address", "phone": "a phone number"}.get(kind, f"an address of kind {kind}")


def _folded(name: str) -> str:
    return re.sub(r"[^0-9a-z]+", "_", name.strip().lower()).strip("_")


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)

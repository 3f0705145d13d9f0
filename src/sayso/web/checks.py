"""Reads a pre-send check from its JSON (wire contract section 5) and writes its answer. Shared by the hot lane and the documentation."""

import re
from collections.abc import Mapping
from typing import Any, Final

from sayso.contracts.book import Key
from sayso.contracts.desk import Campaign
from sayso.flows.check import Question
from sayso.rules.catalogue import Catalogue, Category
from sayso.rules.gate import Ask
from sayso.rules.subjects import InvalidAddress, address_or_fault, parse_contact_id
from sayso.rules.words import ANY, UnknownChannel, channel_named
from sayso.web.errors import invalid

FIELDS: Final = frozenset(
    {
        "contact_id", "address", "channel", "category", "message_type", "business_unit", "businessUnit", "campaign_id", "message_id",
        "sender", "country", "reserve",
    }
)  # fmt: skip
LONGEST: Final = 255
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\ud800-\udfff]")
_PLAIN: Final = FIELDS - {"reserve"}
_TEXTS: Final = tuple(sorted(_PLAIN))


Flaw = tuple[str, str]
"""What is wrong with one part of a request, and where (JSON Pointer)."""


def read_check(
    body: Any, *, catalogue: Catalogue, campaigns: Mapping[str, Campaign], countries: frozenset[str], region: str | None, at: str = "#"
) -> Question:
    """The question that a JSON object asks. Raises Problem naming every flaw; what is only undeliverable becomes a denial, not a flaw."""
    if not isinstance(body, dict):
        raise invalid(("a check is a JSON object", at))
    texts, flaws = _texts(body, at)
    if not isinstance(body.get("reserve", False), bool):
        flaws.append(("reserve is true or false", f"{at}/reserve"))
    contact = _contact(texts, flaws, at)
    channel = _channel(texts, body, flaws, at)
    country = texts.get("country", "").upper() or None
    if country and country not in countries:
        flaws.append(("country is an ISO 3166 code of two letters, such as DE", f"{at}/country"))
    if "business_unit" in texts and texts.get("businessUnit", texts["business_unit"]) != texts["business_unit"]:
        flaws.append(("business_unit and businessUnit name two different brands", f"{at}/businessUnit"))
    if not flaws and contact is None and "address" not in texts:
        flaws.append(("name a contact_id or an address", at))
    if not flaws and "category" not in texts and "message_type" not in texts and "campaign_id" not in texts:
        flaws.append(("say what the message is about: category, message_type or campaign_id", at))
    if flaws:
        raise invalid(*flaws)
    address, fault = address_or_fault(channel, texts["address"], country or region) if "address" in texts else (None, "")
    brand = texts.get("business_unit") or texts.get("businessUnit")
    ask = Ask(channel, category_of(texts, catalogue, campaigns), None if brand in (None, ANY) else brand, country, fault)
    return Question(
        ask, contact, address, texts.get("campaign_id", ""), texts.get("message_id", ""), texts.get("sender", ""),
        body.get("reserve", False),
    )  # fmt: skip


def _texts(body: Mapping[str, Any], at: str) -> tuple[dict[str, str], list[Flaw]]:
    """The text fields that can be read, and what is wrong with the others."""
    texts: dict[str, str] = {}
    for name, value in body.items():
        # What is as it should be, and nearly everything is; the rest is looked at one by one, for an error that says what is wrong.
        if name in _PLAIN and value.__class__ is str and 0 < len(value) <= LONGEST and value.isprintable():
            texts[name] = value
        elif name != "reserve":
            break
    else:
        return texts, []
    unknown = body.keys() - FIELDS
    flaws = [(f"unknown field; known are {', '.join(sorted(FIELDS))}", f"{at}/{name}") for name in sorted(unknown)] if unknown else []
    texts = {}
    for name in _TEXTS:
        value = body.get(name)
        if value is None:
            continue
        problem = _text_problem(name, value)
        if problem:
            flaws.append((problem, f"{at}/{name}"))
        else:
            texts[name] = value
    return texts, flaws


def _text_problem(name: str, value: Any) -> str:
    if not isinstance(value, str):
        return f"{name} is text"
    if not value and name != "address":
        return f"{name} is empty; leave it out instead"
    if name != "address" and (len(value) > LONGEST or _UNPRINTABLE.search(value)):
        return f"{name} has at most {LONGEST} characters and no control characters"
    return ""


def _contact(texts: Mapping[str, str], flaws: list[Flaw], at: str) -> Key | None:
    if "contact_id" not in texts:
        return None
    try:
        value = parse_contact_id(texts["contact_id"])
    except InvalidAddress as invalid:
        flaws.append((invalid.detail, f"{at}/contact_id"))
        return None
    return Key("contact", value, value)


def _channel(texts: Mapping[str, str], body: Mapping[str, Any], flaws: list[Flaw], at: str) -> str:
    if "channel" not in texts:
        if "channel" not in body or body["channel"] is None:
            flaws.append(("channel is needed: a verdict for mail says nothing about SMS", f"{at}/channel"))
        return ""
    try:
        channel = channel_named(texts["channel"])
    except UnknownChannel as unknown:
        flaws.append((str(unknown), f"{at}/channel"))
        return ""
    if channel == ANY:
        flaws.append(("a message goes out on one channel; ask once for each", f"{at}/channel"))
    return channel


def category_of(texts: Mapping[str, str], catalogue: Catalogue, campaigns: Mapping[str, Campaign]) -> Category | None:
    """The category a message belongs to: named, by its message type, or by its campaign; None when nobody knows it."""
    if "category" in texts:
        return catalogue.get(texts["category"])
    if "message_type" in texts:
        return catalogue.category_of(texts["message_type"])
    campaign = campaigns.get(texts.get("campaign_id", ""))
    if campaign is None:
        return None
    named = catalogue.get(campaign.category) if campaign.category else None
    if not campaign.transactional:
        return named
    if named is not None and not named.refusable:
        return named
    return Category(campaign.category or "transactional", "transactional", "Transactional campaign", "", "", "An operator declared it.")

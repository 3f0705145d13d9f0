"""The preferences document: every field of the wire contract, for the company, a brand, and somebody nobody knows yet."""

from typing import Any

import pytest
from strategies import (
    ADA,
    DAY,
    EMAIL,
    EVENTS,
    EVERYTHING,
    LOUD,
    MAIL,
    NOON,
    OUTLET_EMAIL,
    OUTLET_PROMO,
    PROMO,
    SMS,
    WINDOW,
    World,
    person,
    shop,
)  # fmt: skip

from sayso.rules.catalogue import DEFAULT
from sayso.rules.document import Latest, Who, document, traits
from sayso.rules.statements import Block, Choose, Suspend, Tie
from sayso.rules.times import format_time
from sayso.rules.words import Scope

ME = Who("c-1001", "ada@example.com", "US")
LATEST = Latest(NOON, "email_link", "explicit", "too many", "203.0.113.7")


@pytest.fixture
def world() -> World:
    world = World()
    world.say(shop(), Tie(MAIL, primary=True), contact=ADA)
    return world


def shown(world: World, brand: str | None = None, latest: Latest | None = LATEST) -> dict[str, Any]:
    return document(ME, world.read(ADA), DEFAULT, brand=brand, version=7, latest=latest, now=NOON, window=WINDOW)


@pytest.mark.feature("A2", "A3", "A11", "A12", "A13", "A14", "A15", "A17")
def test_the_document_is_the_wire_contracts(world: World) -> None:
    world.say(shop(**LOUD), Choose(Scope("*", "email", "product_updates"), out=False), contact=ADA)
    world.say(person(), Choose(PROMO, out=True), contact=ADA, address=MAIL)
    assert shown(world) == {
        "contact_id": "c-1001", "email": "ada@example.com", "email_opt_out_global": False,
        "email_pref_product_updates": "opted_in", "email_pref_educational": "not_set", "email_pref_promotional": "opted_out",
        "email_pref_events": "not_set", "email_pref_last_updated": format_time(NOON), "email_pref_update_source": "email_link",
        "email_pref_update_reason": "too many", "email_pref_consent_ip": "203.0.113.7", "email_pref_consent_method": "explicit",
        "paused_until": None, "blacklisted": False, "country": "US",
        "always_sent": ["order_confirmations", "account_security", "service_alerts", "legal_notices"],
        "channels": {"email": {"opt_out": False}, "sms": {"opt_out": False}}, "brands": {}, "version": 7, "catalogue_version": 1,
    }  # fmt: skip


def test_before_the_first_entry_the_governance_fields_are_empty(world: World) -> None:
    body = shown(world, latest=None)
    assert [name for name, value in body.items() if value is None] == [
        "email_pref_last_updated", "email_pref_update_source", "email_pref_update_reason", "email_pref_consent_ip",
        "email_pref_consent_method", "paused_until",
    ]  # fmt: skip
    assert shown(world, latest=Latest(NOON, "api", "", None, None))["email_pref_consent_method"] is None


@pytest.mark.feature("A3", "A18")
@pytest.mark.parametrize("scope", [EMAIL, EVERYTHING])
def test_the_master_flag_reads_true_for_mail_and_for_everything(world: World, scope: Scope) -> None:
    world.say(person(), Choose(scope, out=True), contact=ADA)
    body = shown(world)
    assert body["email_opt_out_global"] is True
    assert body["channels"]["email"] == {"opt_out": True}
    assert body["channels"]["sms"] == {"opt_out": scope == EVERYTHING}
    assert body["email_pref_promotional"] == "not_set"


@pytest.mark.feature("A21")
def test_brands_have_a_part_of_their_own_or_the_whole_document(world: World) -> None:
    world.say(shop(), Choose(OUTLET_PROMO, out=True), Suspend("outlet", NOON + DAY), contact=ADA)
    world.say(shop(), Choose(Scope("alpha", "sms", "events"), out=True), contact=ADA)
    body = shown(world)
    assert body["email_pref_promotional"] == "not_set" and body["paused_until"] is None
    assert list(body["brands"]) == ["alpha", "outlet"]
    outlet = body["brands"]["outlet"]
    assert outlet["email_pref_promotional"] == "opted_out" and outlet["paused_until"] == format_time(NOON + DAY)
    assert outlet["email_opt_out_global"] is False and outlet["channels"]["sms"] == {"opt_out": False}
    assert body["brands"]["alpha"]["channels"]["sms"] == {"opt_out": False, "choices": {"events": "opted_out"}}
    whole = shown(world, brand="outlet")
    assert whole["email_pref_promotional"] == "opted_out" and whole["brands"] == {} and whole["paused_until"] == format_time(NOON + DAY)


@pytest.mark.feature("A21")
def test_what_the_company_was_told_counts_for_each_brand(world: World) -> None:
    world.say(shop(), Choose(OUTLET_EMAIL, out=False), Choose(EMAIL, out=True), Suspend("*", NOON + DAY), contact=ADA)
    outlet = shown(world)["brands"]["outlet"]
    assert outlet["email_opt_out_global"] is True and outlet["paused_until"] == format_time(NOON + DAY)


def test_a_blacklisted_address_shows(world: World) -> None:
    world.say(shop(), Block("blacklist", on=True), address=MAIL)
    assert shown(world)["blacklisted"] is True


def test_choices_on_other_channels_show_below_the_channel(world: World) -> None:
    world.say(shop(), Choose(Scope("*", "sms", "promotional"), out=True), Choose(Scope("*", "push", "events"), out=True), contact=ADA)
    channels = shown(world)["channels"]
    assert channels["sms"] == {"opt_out": False, "choices": {"promotional": "opted_out"}}
    assert channels["push"] == {"opt_out": False, "choices": {"events": "opted_out"}}
    assert channels["email"] == {"opt_out": False}


@pytest.mark.feature("A23", "A24", "P5")
def test_traits_say_out_or_came_back_and_nothing_of_who_never_left(world: World) -> None:
    assert traits(world.read(ADA), WINDOW) == {}
    world.say(person(), Choose(EMAIL, out=True), Choose(PROMO, out=True), contact=ADA)
    assert traits(world.read(ADA), WINDOW) == {"email": "true", "social": "true", "ads": "true"}
    world.say(person(), Choose(EMAIL, out=False), contact=ADA)
    assert traits(world.read(ADA), WINDOW) == {"email": "false", "social": "false", "ads": "false"}
    world.say(person(), Choose(EVERYTHING, out=True), contact=ADA)
    assert traits(world.read(ADA), WINDOW) == {"email": "true", "sms": "true", "social": "true", "ads": "true"}
    world.say(person(), Choose(SMS, out=False), Choose(EVENTS, out=False), contact=ADA)
    assert traits(world.read(ADA), WINDOW)["sms"] == "false"

"""Who is asked before a send: a contact with each of its addresses, everybody at an address, and look-alikes."""

import pytest
from strategies import (
    ADA,
    DAY,
    EMAIL,
    MAIL,
    NOON,
    OLD_MAIL,
    PROMO,
    QUINN,
    SECOND,
    TWIN_MAIL,
    World,
    answer,
    ask,
    at,
    choice,
    codes,
    folded,
    paused,
    person,
    shop,
    verdict,
)

from sayso.rules.gate import Person
from sayso.rules.state import EMPTY
from sayso.rules.statements import Choose, Tie

CONSENT = choice(1, PROMO, out=False)


@pytest.fixture
def world() -> World:
    return World()


def loud(world: World, **where: str) -> None:
    world.say(person(), Choose(EMAIL, out=False), **where)


def test_a_new_address_never_lifts_what_an_old_one_said(world: World) -> None:
    world.say(shop(), Tie(OLD_MAIL, primary=True), contact=ADA)
    world.say(person(), Choose(EMAIL, out=True), address=OLD_MAIL)
    world.say(shop(), Tie(MAIL, primary=True), contact=ADA)
    assert answer(world.person()) == ["global_opt_out"]
    loud(world, address=MAIL)
    assert answer(world.person()) == ["global_opt_out"], "another address is not who said stop"
    loud(world, contact=ADA)
    assert answer(world.person()) == ["allowed_by_regime"]


def test_an_opt_in_through_the_address_answers_an_older_stop_of_the_contact_who_has_another_address(world: World) -> None:
    for address in (OLD_MAIL, MAIL):
        world.say(shop(), Tie(address, primary=True), contact=ADA)
    world.say(shop(), Choose(EMAIL, out=True), contact=ADA)
    world.say(person(), Choose(EMAIL, out=False), address=MAIL, after=60 * SECOND)
    assert answer(world.person()) == ["allowed_by_regime"]
    assert answer(world.person(address=OLD_MAIL)) == ["global_opt_out"]


def test_an_address_without_a_contacts_row_is_still_judged_with_what_is_linked() -> None:
    other = folded([choice(1, EMAIL, out=True), paused(NOON + DAY)])
    assert answer(Person(ADA, None, EMPTY, linked=(other,))) == ["global_opt_out", "paused"]


def test_any_contact_of_an_address_who_said_stop_stops_it(world: World) -> None:
    for contact in (ADA, QUINN):
        world.say(shop(), Tie(MAIL, primary=True), contact=contact)
    world.say(shop(), Choose(PROMO, out=True), contact=QUINN)
    people = [world.person(ADA), world.person(QUINN)]
    assert codes(verdict(ask(PROMO), *people)) == ["category_opted_out"]
    assert codes(verdict(ask(PROMO), people[0])) == ["allowed_by_regime"]


def test_allowing_needs_a_reason_from_everybody_and_names_each_once() -> None:
    consent = at(CONSENT)
    assert codes(verdict(ask(PROMO, country="DE"), consent, at())) == ["no_consent"]
    assert codes(verdict(ask(PROMO), consent, at())) == ["opted_in", "allowed_by_regime"]
    assert codes(verdict(ask(PROMO), consent, consent)) == ["opted_in"]


def test_look_alikes_deny_and_never_allow(world: World) -> None:
    world.lookalikes = (TWIN_MAIL,)
    world.say(shop(), Choose(PROMO, out=True), address=MAIL)
    twin = Person("", None, world.state(TWIN_MAIL), lookalikes=(world.state(MAIL),))
    assert answer(twin) == ["category_opted_out"]
    world.lookalikes = ()
    world.say(person(), Choose(PROMO, out=False), address=TWIN_MAIL)
    assert answer(world.person("", MAIL, [TWIN_MAIL]), country="DE") == ["category_opted_out"]
    consent = Person("", None, EMPTY, lookalikes=(folded([CONSENT]),))
    assert answer(consent, country="DE") == ["no_consent"]

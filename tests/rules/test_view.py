"""What is shown of a state: the choice per category, the flag per channel, who came back, what still blocks."""

import pytest
from strategies import (
    ADA,
    DAY,
    EMAIL,
    EVENTS,
    EVERYTHING,
    MAIL,
    NOON,
    OLD_MAIL,
    OUTLET_EMAIL,
    OUTLET_PROMO,
    PROMO,
    QUINN,
    SMS,
    WINDOW,
    World,
    choice,
    entry,
    folded,
    person,
    shop,
)  # fmt: skip

from sayso.rules import view
from sayso.rules.catalogue import DEFAULT
from sayso.rules.statements import Block, Choose, Suspend, Tie, Word
from sayso.rules.view import Reading
from sayso.rules.words import Scope


def one(*entries: object) -> tuple[Reading, ...]:
    return (Reading("", (folded(entries),)),)  # type: ignore[arg-type]  # entries of strategies.choice


@pytest.fixture
def world() -> World:
    world = World()
    for address in (OLD_MAIL, MAIL):
        world.say(shop(), Tie(address, primary=True), contact=ADA)
    return world


@pytest.mark.feature("A2")
def test_nobody_starts_with_a_choice() -> None:
    for readings in ((), (Reading("", ()),), one()):
        assert view.choices_shown(readings, DEFAULT, "*", "email", WINDOW) == dict.fromkeys(
            ["product_updates", "educational", "promotional", "events"], "not_set"
        )
        assert not view.is_out(readings, "*", "email", WINDOW)
        assert view.word_at(readings, EMAIL, WINDOW) == "silent"
        assert view.paused_until(readings, "*", NOON) is None
        assert not view.is_blacklisted(readings)


@pytest.mark.feature("A2", "A3")
def test_a_category_shows_its_own_choice_and_the_flag_shows_the_broader_one() -> None:
    said = one(choice(1, EMAIL, out=True), choice(2, EVENTS, out=False))
    assert view.is_out(said, "*", "email", WINDOW)
    assert view.choice_at(said, EVENTS, WINDOW) == "opted_in"
    assert view.choice_at(said, PROMO, WINDOW) == "not_set"
    assert view.choice_at(said, EMAIL, WINDOW) == "opted_out"
    assert view.choice_at(one(choice(1, EMAIL, out=False)), PROMO, WINDOW) == "not_set", "lifting is no consent"


@pytest.mark.feature("A3", "A17", "A18")
def test_the_flag_is_true_when_either_the_channel_or_everything_is_out() -> None:
    for scope, email, sms in ((EMAIL, True, False), (EVERYTHING, True, True), (PROMO, False, False), (OUTLET_EMAIL, False, False)):
        said = one(choice(1, scope, out=True))
        assert (view.is_out(said, "*", "email", WINDOW), view.is_out(said, "*", "sms", WINDOW)) == (email, sms)
        assert view.is_out(said, "*", "*", WINDOW) is (scope == EVERYTHING)


@pytest.mark.feature("A21")
def test_a_brand_shows_the_more_restrictive_of_itself_and_the_company() -> None:
    assert view.choice_at(one(choice(1, PROMO, out=True)), OUTLET_PROMO, WINDOW) == "opted_out"
    assert view.choice_at(one(choice(1, OUTLET_PROMO, out=True)), PROMO, WINDOW) == "not_set"
    both = one(choice(1, PROMO, out=True), choice(2, OUTLET_PROMO, out=False, by="y"))
    assert view.choice_at(both, OUTLET_PROMO, WINDOW) == "opted_out"
    assert view.is_out(one(choice(1, EMAIL, out=True)), "outlet", "email", WINDOW)


def test_a_weak_opt_in_shows_until_somebody_speaks_up() -> None:
    weak = choice(5, PROMO, out=False, strong=False)
    assert view.choice_at(one(weak), PROMO, WINDOW) == "opted_in"
    assert view.choice_at(one(weak, choice(1, PROMO, out=True)), PROMO, WINDOW) == "opted_out"


@pytest.mark.feature("A23", "P5")
def test_who_came_back_differs_from_who_never_left() -> None:
    out, back = choice(1, EMAIL, out=True), choice(2, EMAIL, out=False)
    words = [view.word_at(one(*said), EMAIL, WINDOW) for said in ([], [back], [out], [out, back])]
    assert words == ["silent", "silent", "out", "back"]
    assert view.word_at(one(choice(1, PROMO, out=True), choice(2, PROMO, out=False)), EMAIL, WINDOW) == "silent"
    everything = one(choice(1, EVERYTHING, out=True), choice(2, EVERYTHING, out=False))
    assert view.word_at(everything, SMS, WINDOW) == "back"


def test_any_reading_that_is_out_shows_as_out(world: World) -> None:
    world.say(person(), Choose(PROMO, out=False), contact=ADA)
    world.say(person(), Choose(PROMO, out=True), address=OLD_MAIL)
    assert view.choice_at(world.read(ADA), PROMO, WINDOW) == "opted_out"
    assert view.choice_at(world.read(MAIL), PROMO, WINDOW) == "opted_in"
    [(reading, out)] = view.standing_at(world.read(ADA), PROMO, WINDOW)
    assert reading.contact == ADA and out.at.scope == PROMO


def test_an_address_of_two_shows_out_while_either_is(world: World) -> None:
    world.say(shop(), Tie(MAIL, primary=False), contact=QUINN)
    world.say(shop(), Choose(PROMO, out=True), contact=QUINN)
    assert view.choice_at(world.read(MAIL), PROMO, WINDOW) == "opted_out"
    assert view.choice_at(world.read(ADA), PROMO, WINDOW) == "not_set"


@pytest.mark.feature("A21")
def test_brands_are_those_that_somebody_named() -> None:
    said = one(
        choice(1, OUTLET_PROMO, out=True), choice(2, Scope("alpha", "sms", "*"), out=False, strong=False), choice(3, EMAIL, out=True),
        entry(4, "pause", scope=Scope("zeta", "*", "*"), until=5),
    )  # fmt: skip
    assert view.brands_of(said) == ("alpha", "outlet", "zeta")


def test_the_longest_pause_of_a_brand_or_of_all_is_shown_until_it_ends(world: World) -> None:
    world.say(person(), Suspend("outlet", NOON + 2 * DAY), Suspend("*", NOON + DAY), contact=ADA)
    read = world.read(ADA)
    assert view.paused_until(read, "*", NOON) == NOON + DAY
    assert view.paused_until(read, "outlet", NOON) == NOON + 2 * DAY
    assert view.paused_until(read, "main", NOON + DAY - 1) == NOON + DAY
    assert view.paused_until(read, "main", NOON + DAY) is None


def test_a_pause_ended_about_the_contact_is_shown_as_ended_though_it_was_said_at_an_address(world: World) -> None:
    world.say(person(), Suspend("*", NOON + DAY), address=MAIL)
    assert view.paused_until(world.read(ADA), "*", NOON) == NOON + DAY
    world.say(shop(), Suspend("*", None), contact=ADA)
    assert view.paused_until(world.read(ADA), "*", NOON) is None


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ([], ()), ([Block("blacklist", on=True)], ("blacklist",)), ([Block("complaint", on=True), Block("hard_bounce", on=True)], ("complaint", "hard_bounce")),
        ([Block("blacklist", on=True), Block("blacklist", on=False)], ()), ([Block("soft_bounce", on=True)] * 4, ()),
        ([Block("soft_bounce", on=True)] * 5, ("soft_bounce_streak",)), ([*[Block("soft_bounce", on=True)] * 5, Block("soft_bounce", on=False)], ()),
        ([Block("hard_bounce", on=True), Block("hard_bounce", on=False)], ()),
    ],
)  # fmt: skip
def test_the_blocks_in_force_are_named(world: World, words: list[Word], shown: tuple[str, ...]) -> None:
    world.say(shop(), *words, address=MAIL)
    assert view.blocks_of(world.state(MAIL)) == shown
    assert view.is_blacklisted(world.read(ADA)) is ("blacklist" in shown)


@pytest.mark.feature("A19")
def test_e_mail_and_texts_are_always_shown_and_other_channels_once_somebody_spoke_of_them() -> None:
    assert view.channels_shown(()) == ("email", "sms")
    said = one(choice(1, Scope("*", "post", "*"), out=True), choice(2, Scope("*", "push", "events"), out=False, strong=False))
    assert view.channels_shown(said) == ("email", "sms", "push", "post")
    assert view.channels_shown(one(choice(1, EVERYTHING, out=True))) == ("email", "sms")

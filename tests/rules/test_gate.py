"""May this be sent? Every reason, its order, what passes transactional mail, and that nothing allows after an opt-out."""

from itertools import product

import pytest
from hypothesis import given, settings
from oracle import Link, Spoken, stopped
from strategies import (
    ADA,
    DAY,
    EMAIL,
    EVENTS,
    EVERYTHING,
    MAIL,
    MESSAGES,
    NOON,
    OLD_MAIL,
    OUTLET_PROMO,
    PROMO,
    QUINN,
    SMS,
    World,
    answer,
    ask,
    at,
    blocked,
    choice,
    codes,
    delivered,
    entries_of,
    entry,
    folded,
    links,
    paused,
    people_at,
    person,
    rows_of,
    shop,
    soft_bounces,
    talks,
    verdict,
)  # fmt: skip

from sayso.rules import gate
from sayso.rules.catalogue import DEFAULT
from sayso.rules.gate import ALLOWING, BLOCKING, Ask, Person
from sayso.rules.state import EMPTY, SOFT_KEPT, State
from sayso.rules.statements import Block, Suspend, Tie
from sayso.rules.values import altered
from sayso.rules.words import Scope

SCOPE_OF_RECEIPT = Scope("*", "email", "order_confirmations")
CONSENT = choice(1, PROMO, out=False)


@pytest.fixture
def world() -> World:
    return World()


# What stops which mail: code → (marketing blocked, transactional blocked)
STOPS: dict[str, tuple[Person, bool]] = {
    "blacklisted": (at(CONSENT, blocked("blacklist")), True),
    "hard_bounce": (at(CONSENT, blocked("hard_bounce")), True),
    "address_undeliverable": (Person(missing="address_undeliverable"), True),
    "unknown_state": (Person(missing="unknown_state"), True),
    "complaint": (at(CONSENT, blocked("complaint")), False),
    "soft_bounce_streak": (at(CONSENT, *soft_bounces(*range(NOON, NOON + 5))), False),
    "global_opt_out": (at(CONSENT, choice(2, EMAIL, out=True)), False),
    "category_opted_out": (at(CONSENT, choice(2, PROMO, out=True, by="y")), False),
    "paused": (at(CONSENT, entry(3, "pause", until=NOON + DAY)), False),
    "no_consent": (at(), False),
}  # fmt: skip


@pytest.mark.feature("A5", "I2", "I3", "I4", "I5", "I6", "I9", "I10", "P1")
@pytest.mark.parametrize("code", STOPS)
def test_what_stops_marketing_and_what_stops_transactional_mail_too(code: str) -> None:
    who, stops_all = STOPS[code]
    assert answer(who, country="DE") == [code]
    assert answer(who, SCOPE_OF_RECEIPT, country="DE") == ([code] if stops_all else ["transactional"])


@pytest.mark.feature("A4", "A5", "I9")
@pytest.mark.parametrize("key", DEFAULT.always_sent)
def test_transactional_mail_passes_everything_that_people_may_say(key: str) -> None:
    said = [choice(1, EVERYTHING, out=True), choice(2, Scope("*", "email", key), out=True), entry(3, "pause", until=NOON + DAY)]
    said += [blocked("complaint"), *soft_bounces(*range(NOON, NOON + 9))]
    assert answer(at(*said), Scope("*", "email", key)) == ["transactional"]


@pytest.mark.parametrize(("channel", "stopped"), [("sms", True), ("voice", True), ("email", False), ("push", False)])
def test_a_carriers_stop_holds_on_that_number_only_for_transactional_texts_too(channel: str, stopped: bool) -> None:
    who = at(blocked("carrier_stop"))
    assert ("carrier_stop" in answer(who, Scope("*", channel, "promotional"))) is stopped
    assert answer(who, Scope("*", channel, "order_confirmations")) == (["carrier_stop"] if stopped else ["transactional"])
    assert answer(at(blocked("carrier_stop", 1), blocked("carrier_stop", 2, 8, "lifted")), Scope("*", channel, "legal_notices")) == [
        "transactional"
    ]


@pytest.mark.parametrize("fault", ["invalid_address", "channel_mismatch"])
def test_a_malformed_question_is_never_answered_with_yes(fault: str) -> None:
    for message in (PROMO, SCOPE_OF_RECEIPT):
        found = verdict(altered(ask(message), fault=fault), at(CONSENT))
        assert (found.allowed, codes(found)) == (False, [fault])


def test_an_unknown_category_is_never_allowed_whatever_else_is_wrong() -> None:
    question = Ask("email", None, None, "US")
    assert codes(verdict(question, at(CONSENT))) == ["category_unknown"]
    found = verdict(altered(question, fault="invalid_address"), at(blocked("blacklist")))
    assert codes(found) == ["invalid_address", "category_unknown", "blacklisted"]


@pytest.mark.feature("I6")
def test_nobody_to_judge_means_unknown() -> None:
    assert (found := verdict(ask(PROMO))).allowed is False and codes(found) == ["unknown_state"]
    assert found.version == 1
    assert codes(gate.UNREADABLE) == ["unknown_state"] and not gate.UNREADABLE.allowed


def test_whoever_said_no_is_not_also_reported_as_not_having_said_yes() -> None:
    assert answer(at(choice(20, PROMO, out=True)), country="DE") == ["category_opted_out"]
    assert answer(at(entry(22, "pause", until=NOON + DAY)), country="DE") == ["paused", "no_consent"]


@pytest.mark.feature("I6")
def test_all_reasons_are_collected_in_the_order_of_the_verdict() -> None:
    said = [
        blocked("blacklist"), blocked("hard_bounce", NOON, 8), blocked("carrier_stop", NOON, 9), blocked("complaint", NOON, 10),
        *soft_bounces(*range(NOON, NOON + 5)), choice(20, PROMO_SMS, out=True), choice(21, SMS, out=True),
        entry(22, "pause", until=NOON + DAY),
    ]  # fmt: skip
    found = answer(at(*said), PROMO_SMS)
    assert found == [
        "blacklisted", "hard_bounce", "carrier_stop", "complaint", "soft_bounce_streak", "global_opt_out", "category_opted_out", "paused",
    ]  # fmt: skip
    assert sorted(found, key=BLOCKING.index) == found
    assert not set(BLOCKING) & set(ALLOWING)


PROMO_SMS = Scope("*", "sms", "promotional")


def test_a_reason_names_scope_time_entry_and_source() -> None:
    [reason] = verdict(ask(PROMO), at(choice(5, EMAIL, out=True, src="one_click"))).reasons
    assert (reason.code, reason.scope, reason.since, reason.src) == ("global_opt_out", EMAIL, 5, "one_click")
    assert reason.entry == choice(5, EMAIL, out=True).id
    [reason] = verdict(ask(PROMO), at(CONSENT)).reasons
    assert (reason.code, reason.scope, reason.entry) == ("opted_in", PROMO, CONSENT.id)
    [reason] = verdict(ask(PROMO), at(blocked("complaint", NOON))).reasons
    assert (reason.since, reason.entry) == (NOON, blocked("complaint").id)


# Blocks and what lifts them


@pytest.mark.feature("I4", "I5")
def test_a_hard_bounce_is_lifted_by_a_later_delivery_only() -> None:
    bounce = blocked("hard_bounce", NOON)
    for ts, stands in ((NOON - 1, True), (NOON, True), (NOON + 1, False)):
        for order in ([bounce, delivered(ts)], [delivered(ts), bounce]):
            assert ("hard_bounce" in answer(at(*order))) is stands
    assert answer(at(bounce, delivered(NOON + 1), blocked("hard_bounce", NOON + 2, 8))) == ["hard_bounce"]
    assert answer(at(bounce, choice(9, PROMO, out=False, own=True, ts=NOON + 5))) == ["hard_bounce"]


@pytest.mark.feature("I5")
@pytest.mark.parametrize(
    ("times", "streak"),
    [
        ([], False), ([0] * 4, False), ([0, 1, 2, 3, 4], True), ([0, 3, 7, 10, 14], True), ([0, 3, 7, 10, 15], False),
        ([0, 20, 21, 22, 23], False), ([0, 20, 21, 22, 23, 24], True), ([0, 0, 0, 0, 0], True), (list(range(0, 60, 4)), False),
    ],
)  # fmt: skip
def test_five_soft_bounces_in_fourteen_days_make_a_streak(times: list[int], streak: bool) -> None:
    bounces = soft_bounces(*(NOON + day * DAY for day in times))
    for order in (bounces, bounces[::-1]):
        assert answer(at(*order)) == (["soft_bounce_streak"] if streak else ["allowed_by_regime"])


@pytest.mark.feature("I5")
def test_a_delivery_or_an_operator_ends_a_streak_and_the_count_begins_anew() -> None:
    bounces = soft_bounces(*range(NOON, NOON + SOFT_KEPT))
    for end in (delivered(NOON + 6), blocked("soft_bounce", NOON + 6, 60, "lifted")):
        assert answer(at(*bounces, end)) == ["allowed_by_regime"]
        again = [blocked("soft_bounce", NOON + 10 + n, 70 + n) for n in range(5)]
        assert answer(at(*bounces, end, *again[:4])) == ["allowed_by_regime"]
        assert answer(at(*bounces, end, *again)) == ["soft_bounce_streak"]
    early = blocked("soft_bounce", NOON - 1, 60, "lifted")
    assert answer(at(early, *bounces)) == ["soft_bounce_streak"]


@pytest.mark.feature("I5", "I10", "P1")
@pytest.mark.parametrize("name", ["complaint", "blacklist"])
def test_complaints_and_the_blacklist_are_lifted_by_nothing_but_an_operator(name: str) -> None:
    code = {"complaint": "complaint", "blacklist": "blacklisted"}[name]
    back = choice(50, PROMO, out=False, own=True, ts=NOON + 50)
    assert answer(at(blocked(name), delivered(NOON + 9), back)) == [code]
    assert answer(at(blocked(name), back, blocked(name, NOON + 60, 60, "lifted"))) == ["opted_in"]
    assert answer(at(blocked(name, NOON + 60), blocked(name, NOON + 60, 60, "lifted"))) == [code, *answer(at())][:1]


def test_blocks_on_the_contact_or_a_look_alike_count() -> None:
    for name in ("complaint", "blacklist"):
        row = folded([blocked(name)])
        for who in (Person(ADA, row, EMPTY), Person(ADA, EMPTY, EMPTY, lookalikes=(row,))):
            assert answer(who) == [{"complaint": "complaint", "blacklist": "blacklisted"}[name]]


@pytest.mark.feature("P1")
def test_a_new_address_is_no_way_around_the_blacklist_or_a_pause(world: World) -> None:
    world.say(shop(), Tie(OLD_MAIL, primary=True), contact=ADA)
    world.say(shop(), Suspend("*", NOON + DAY), Block("blacklist", on=True), address=OLD_MAIL)
    world.say(shop(), Tie(MAIL, primary=True), contact=ADA)
    assert answer(world.person()) == ["blacklisted", "paused"]
    assert answer(world.person(), SCOPE_OF_RECEIPT) == ["blacklisted"]


# Pauses


@pytest.mark.feature("A21")
def test_a_pause_holds_for_its_brand_until_its_end() -> None:
    for brand, asked, holds in (
        ("*", "outlet", True), ("*", None, True), ("outlet", "outlet", True), ("outlet", "main", False), ("outlet", None, True),
    ):  # fmt: skip
        who = at(paused(NOON + DAY, brand))
        assert (answer(who, brand=asked) == ["paused"]) is holds
    assert answer(at(paused(NOON + 1))) == ["paused"]
    assert answer(at(paused(NOON))) == ["allowed_by_regime"]


def test_retry_is_told_only_when_nothing_but_pauses_stands() -> None:
    two = at(paused(NOON + DAY), paused(NOON + 2 * DAY, "outlet", 4))
    assert verdict(ask(PROMO, brand=None), two).retry_at == NOON + 2 * DAY
    assert verdict(ask(OUTLET_PROMO), two).retry_at == NOON + 2 * DAY
    assert verdict(ask(PROMO, brand="main"), two).retry_at == NOON + DAY
    also = at(paused(NOON + DAY), choice(5, PROMO, out=True))
    assert verdict(ask(PROMO), also).retry_at is None
    assert verdict(ask(PROMO), at()).retry_at is None
    assert verdict(ask(PROMO), two, also).retry_at is None
    assert verdict(ask(PROMO), at(paused(NOON + DAY)), at(paused(NOON + 9 * DAY)), at()).retry_at == NOON + 9 * DAY
    assert verdict(ask(PROMO), at(paused(NOON + DAY))).reasons[0].until == NOON + DAY


def test_a_later_word_about_the_contact_ends_a_pause_at_its_address_and_the_other_way_round(world: World) -> None:
    world.say(shop(), Tie(MAIL, primary=True), contact=ADA)
    for there, here in (({"address": MAIL}, {"contact": ADA}), ({"contact": ADA}, {"address": MAIL})):
        world.say(person(), Suspend("*", NOON + DAY), **there)
        assert answer(world.person()) == ["paused"]
        world.say(person(), Suspend("*", None), **here)
        assert answer(world.person()) == ["allowed_by_regime"]


def test_a_pause_at_an_address_of_two_stays_for_the_other(world: World) -> None:
    for contact in (ADA, QUINN):
        world.say(shop(), Tie(MAIL, primary=True), contact=contact)
    world.say(person(), Suspend("*", NOON + DAY), address=MAIL)
    world.say(person(), Suspend("*", None), contact=ADA)
    assert answer(world.person(ADA)) == ["allowed_by_regime"]
    assert answer(world.person(QUINN)) == ["paused"]
    assert codes(verdict(ask(PROMO), world.person(ADA), world.person(QUINN))) == ["paused"]


def test_a_look_alikes_pause_holds_and_its_end_ends_nothing() -> None:
    off, on = folded([paused(0, ts=9)]), folded([paused(NOON + DAY, ts=1)])
    assert answer(Person("", None, on, lookalikes=(off,))) == ["paused"]
    assert answer(Person("", None, EMPTY, lookalikes=(on,))) == ["paused"]


# Regimes and consent


@pytest.mark.feature("A9", "A25", "I2")
@pytest.mark.parametrize(
    ("countries", "default", "channel", "silent"),
    [
        (("US", None), None, "email", "allowed_by_regime"), (("US", None), None, "sms", "no_consent"), (("US", None), None, "push", "no_consent"),
        (("DE", None), None, "email", "no_consent"), (("CA", None), None, "email", "no_consent"), (("GB", None), None, "email", "no_consent"),
        (("ZZ", None), None, "email", "no_consent"), ((None, None), None, "email", "no_consent"), ((None, None), "US", "email", "allowed_by_regime"),
        ((None, None), "FR", "email", "no_consent"), ((None, "US"), None, "email", "allowed_by_regime"), (("US", "DE"), None, "email", "no_consent"),
        (("DE", "US"), "US", "email", "no_consent"), (("US", "US"), "DE", "email", "allowed_by_regime"),
    ],
)  # fmt: skip
def test_where_nobody_said_anything_the_recipients_place_decides(
    countries: tuple[str | None, str | None], default: str | None, channel: str, silent: str
) -> None:
    asked, known = countries
    who = at(*([entry(1, "place", new=known)] if known else []))
    for key in ("promotional", "product_updates"):
        found = verdict(ask(Scope("*", channel, key), country=asked), who, default=default)
        assert codes(found) == [silent]
        assert found.allowed is (silent == "allowed_by_regime")


@pytest.mark.feature("A2", "A9", "A15", "I2")
@pytest.mark.parametrize(("method", "strong"), [("explicit", True), ("explicit", False), ("implicit", False), ("grandfathered", False)])
def test_only_explicit_consent_counts_where_consent_is_needed(method: str, strong: bool) -> None:
    who = at(choice(1, PROMO, out=False, method=method, strong=strong))
    assert answer(who, country="US") == ["opted_in"]
    assert answer(who, country="DE") == (["opted_in"] if method == "explicit" else ["no_consent"])
    assert answer(who, EVENTS, country="DE") == ["no_consent"]


def test_the_verdict_names_the_regime_that_judged() -> None:
    named = {country: verdict(ask(PROMO, country=country), at()).regime for country in ("US", "DE", None)}
    assert named == {"US": "us_can_spam", "DE": "eu_eprivacy_gdpr", None: "eu_eprivacy_gdpr"}
    us, de = at(entry(1, "place", new="US")), at(entry(1, "place", new="DE"))
    assert verdict(ask(PROMO, country=None), us, de).regime == "eu_eprivacy_gdpr"


# Brands and channels


@pytest.mark.feature("A21", "I11")
def test_a_question_without_a_brand_is_judged_against_every_brand() -> None:
    who = at(choice(1, OUTLET_PROMO, out=True))
    assert answer(who, brand=None) == ["category_opted_out"]
    assert answer(who, brand="outlet") == ["category_opted_out"]
    assert answer(who, brand="main") == ["allowed_by_regime"]
    consent = at(choice(1, OUTLET_PROMO, out=False))
    assert answer(consent, brand=None, country="DE") == ["no_consent"]
    assert answer(consent, brand="outlet", country="DE") == ["opted_in"]


@pytest.mark.feature("A17", "A18", "I11")
def test_each_channel_is_judged_by_itself_and_everything_by_all() -> None:
    said = {"email": at(choice(1, EMAIL, out=True)), "sms": at(choice(1, SMS, out=True)), "*": at(choice(1, EVERYTHING, out=True))}
    for (scope, who), channel in product(said.items(), ("email", "sms", "push", "post")):
        stopped_here = "global_opt_out" in answer(who, Scope("*", channel, "promotional"))
        assert stopped_here is (scope in ("*", channel))


# All together


@pytest.mark.feature("F1", "I1", "I2", "I3", "I6")
@settings(max_examples=100)
@given(talks(), links)
def test_the_gate_stops_exactly_what_choice_stops_where_no_consent_is_needed(said: tuple[Spoken, ...], linked: set[Link]) -> None:
    rows = rows_of(entries_of(said))
    for message, contact in product([m for m in MESSAGES if m.channel == "email"], (ADA, QUINN, "")):
        found = verdict(ask(message), *people_at(rows, linked, contact, MAIL), window=10)
        assert found.allowed is not stopped(said, linked, contact, MAIL, message, 10)
        assert found.allowed is set(codes(found)).issubset(ALLOWING)


@pytest.mark.feature("I6")
@given(talks(), links)
def test_the_stricter_place_never_allows_what_the_laxer_stops(said: tuple[Spoken, ...], linked: set[Link]) -> None:
    rows = rows_of(entries_of(said))
    for message in MESSAGES:
        people = people_at(rows, linked, "", MAIL)
        strict, lax = (verdict(ask(message, country=country), *people, window=10) for country in ("DE", "US"))
        every_brand = verdict(ask(message, brand=None), *people, window=10)
        assert lax.allowed or not strict.allowed
        assert lax.allowed or not every_brand.allowed


def test_state_that_says_nothing_is_no_state() -> None:
    assert Person(ADA, State(), None).rows == (EMPTY,)
    assert Person().rows == ()

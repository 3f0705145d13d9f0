"""Words: which scope covers which, what channels are called, and whose word counts as strong."""

from itertools import product

import pytest

from sayso.rules.words import (
    ANY,
    CHANNELS,
    OWN_SOURCES,
    RELAYED_SOURCES,
    SOURCES,
    WIRE_CHANNELS,
    Method,
    Scope,
    UnknownChannel,
    channel_named,
    is_strong,
    method_of,
)  # fmt: skip


@pytest.mark.feature("A17", "A18", "A21")
def test_a_scope_covers_exactly_the_messages_inside_it() -> None:
    parts = ("*", "a", "b")
    for wide, narrow in product(product(parts, repeat=3), repeat=2):
        rows = [{("*", "*"), ("*", "a"), ("*", "b"), ("a", "a"), ("b", "b")}] * 3
        expected = all((w, n) in row for w, n, row in zip(wide, narrow, rows, strict=True))
        assert Scope(*wide).covers(Scope(*narrow)) is expected, (wide, narrow)


WIRE = {
    "MAIL": "email", "EMAIL": "email", "SMS": "sms", "PUSH_NOTIFICATION": "push", "PUSH": "push", "BROWSER_NOTIFICATION": "web_push",
    "ONSITE_DISPLAY": "onsite", "EXIT_INTENT": "onsite", "ALL": "*", "DIRECT_MAIL": "post", "VOICE": "voice", "SOCIAL": "social",
    "ADS": "ads", "IN_APP": "app",
}  # fmt: skip


@pytest.mark.feature("A19")
@pytest.mark.parametrize(("theirs", "ours"), [*WIRE.items(), *((channel, channel) for channel in CHANNELS), ("*", "*")])
def test_every_channel_is_known_by_both_names_in_any_case(theirs: str, ours: str) -> None:
    assert {channel_named(each) for each in (theirs, theirs.lower(), theirs.title(), theirs.swapcase(), f" {theirs}\n")} == {ours}


def test_the_table_of_channel_names_is_the_wire_contracts() -> None:
    assert WIRE_CHANNELS == WIRE
    assert set(WIRE.values()) - {ANY} == set(CHANNELS)


@pytest.mark.parametrize("name", ["", " ", "fax", "E-MAIL", "mails", "**", "email,sms", "\0", "x" * 10_000])
def test_any_other_channel_is_refused_with_the_valid_ones(name: str) -> None:
    with pytest.raises(UnknownChannel, match="MAIL.*DIRECT_MAIL.*web_push") as refused:
        channel_named(name)
    assert len(str(refused.value)) < 400


def test_sources_are_the_persons_own_or_relayed() -> None:
    assert not OWN_SOURCES & RELAYED_SOURCES
    assert set(SOURCES) == {
        "email_link", "preference_center", "support_request", "api", "manual", "one_click", "double_opt_in", "import", "connection",
    }  # fmt: skip


@pytest.mark.parametrize("given", ["explicit", "implicit", "grandfathered"])
def test_a_method_that_is_given_stays(given: Method) -> None:
    for out, own, outright in product([True, False], repeat=3):
        assert method_of(given, out=out, own=own, outright=outright) == given


def test_a_missing_method_is_explicit_for_opt_outs_own_voices_and_outright_words() -> None:
    for out, own, outright in product([True, False], repeat=3):
        expected = "implicit" if (out, own, outright) == (False, False, False) else "explicit"
        assert method_of(None, out=out, own=own, outright=outright) == expected


METHODS: tuple[Method, ...] = ("explicit", "implicit", "grandfathered")


def test_every_opt_out_is_strong() -> None:
    for method, source, granted, relay_only in product(METHODS, SOURCES, [True, False], [True, False]):
        assert is_strong(out=True, method=method, source=source, granted=granted, relay_only=relay_only)


def test_an_opt_in_is_strong_only_when_explicit_and_from_one_who_may_speak() -> None:
    strong = {
        (source, granted)
        for method, source, granted, relay_only in product(METHODS, SOURCES, [True, False], [True, False])
        if is_strong(out=False, method=method, source=source, granted=granted, relay_only=relay_only)
        and (method, relay_only) == ("explicit", False)
    }
    may = set(SOURCES) - {"import", "connection"}
    assert strong == {*product(may, [True, False]), ("connection", True)}
    assert not any(
        is_strong(out=False, method=method, source=source, granted=True, relay_only=relay_only)
        for method, source, relay_only in product(METHODS, SOURCES, [True, False])
        if method != "explicit" or relay_only
    )

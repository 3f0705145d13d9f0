"""Whatever JSON a body holds, its reader gives a value or a problem with a place: nothing else is ever raised, and nothing hangs."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_values import broken, cut, spoilt, texts, values, written

from sayso.contracts.book import Key
from sayso.rules.catalogue import DEFAULT, InvalidCatalogue, from_json, to_json
from sayso.rules.countries import COUNTRIES
from sayso.rules.happenings import InvalidEvent, meaning_of
from sayso.web.api.batch import _key, _subjects, _without_id
from sayso.web.api.events import EventsIn, _meanings
from sayso.web.api.wanted import read_wanted
from sayso.web.asking import batch_of
from sayso.web.checks import read_check
from sayso.web.errors import Problem, body_of
from sayso.web.reading import _closely, address_key, contact_key, fitted, object_of

pytestmark = pytest.mark.feature("B1", "E1")
fuzz = settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
NOW = 1_795_341_600_000_000
CONTACT, ADDRESS = Key("contact", "c-1", "c-1"), Key("email", "ada@example.com", "ada@example.com")
EVENTS = {
    "id": "c-1001", "email": "ada@example.com", "businessUnit": "outlet",
    "events": [{"event": "Opt Out", "channel.type": "MAIL", "timestamp": "2026-11-22T10:00:00Z", "properties": {"status": ["x"]}},
               {"event": "mail.bounce", "properties": {"bounce_type": "hard"}}],
}  # fmt: skip
PREFERENCES = {
    "email_opt_out_global": True, "email_pref_promotional": "opted_in", "paused_until": "2027-01-01T00:00:00Z", "email": "ada@example.com",
    "addresses": [{"channel": "sms", "address": "+4915112345678"}], "email_pref_consent_ip": "203.0.113.7", "user_agent": "x", "country": "DE",
    "choices": [{"channel": "MAIL", "category": "promotional", "business_unit": "outlet", "choice": "opted_out"}], "version": 7,
    "email_pref_update_source": "api", "email_pref_update_reason": "too many", "email_pref_consent_method": "explicit", "business_unit": "outlet",
    "occurred_at": "2026-11-22T10:00:00Z", "proof": {"a": [1]}, "metadata": {"b": {"c": None}}, "brands": {},
}  # fmt: skip
CHECK = {
    "contact_id": "c-1001", "address": "ada@example.com", "channel": "email", "category": "promotional", "business_unit": "outlet",
    "campaign_id": "spring-26", "message_id": "m-77", "sender": "mailchimp-eu", "country": "DE", "reserve": False,
}  # fmt: skip
BATCH = {"defaults": {"channel": "email", "category": "promotional"}, "items": [CHECK, {"address": "ben@example.com", "channel": "sms"}]}


def told(read: Callable[[], Any]) -> Any:
    """What a reader gives; None where it refuses with a problem that can be sent."""
    try:
        return read()
    except Problem as problem:
        assert 400 <= problem.status < 500
        assert problem.detail and (problem.code != "invalid_input" or problem.errors)
        written(body_of(problem, base="https://sayso.example", request_id="r"))
        return None


def both(raw: bytes) -> list[Any]:
    """What the close look at JSON and the quick one make of the same bytes."""
    return [told(lambda: _closely(raw)), told(lambda: object_of(raw))]


@fuzz
@given(st.binary(max_size=60) | st.builds(broken, values.map(written) | st.just(written(PREFERENCES)), cut))
def test_bytes_are_json_or_a_problem(raw: bytes) -> None:
    strict, quick = both(raw)
    assert strict == quick, "two readers read different things"


@fuzz
@given(spoilt(CHECK, BATCH).map(written), st.booleans())
def test_a_name_that_stands_twice_is_never_passed_over(raw: bytes, again: bool) -> None:
    twice = raw[:-1] + b',"channel":"sms","channel":"sms"}' if raw.endswith(b"}") and len(raw) > 2 else b'{"a":"","\\u0061":""}'
    assert both(twice) == [None, None]


@fuzz
@given(spoilt(EVENTS))
def test_events(body: Any) -> None:
    found = told(lambda: object_of(written(body)))
    fit = told(lambda: fitted(EventsIn, found)) if found is not None else None
    if fit is not None:
        told(lambda: _meanings(fit, "*"))
        told(lambda: address_key("email", fit.email or "", "US"))
        told(lambda: contact_key(fit.id or ""))


@fuzz
@given(texts, texts | st.none(), texts, st.dictionaries(texts | st.just("bounce_type"), values, max_size=3))
def test_event_names(name: str, channel: str | None, brand: str, properties: dict[str, Any]) -> None:
    try:
        meaning_of(name, channel, brand, properties)
    except InvalidEvent as refused:
        assert refused.detail and refused.part


@fuzz
@given(spoilt(PREFERENCES), st.sampled_from([CONTACT, ADDRESS]))
def test_preferences(body: Any, key: Key) -> None:
    found = told(lambda: object_of(written(body)))
    if found is not None:
        told(lambda: read_wanted(found, key, catalogue=DEFAULT, region=None, now=NOW))


@fuzz
@given(spoilt({**PREFERENCES, "contact_id": "c-1001"}) | values)
def test_items_of_a_batch(item: Any) -> None:
    found = told(lambda: object_of(written({"items": [item]})))
    for one in found["items"] if found else ():
        _subjects(one)
        plain = told(lambda one=one: _without_id(one, 0))
        if plain is not None:
            told(lambda one=one: _key(one, 0))
            told(lambda plain=plain: read_wanted(plain, CONTACT, catalogue=DEFAULT, region="DE", now=NOW, at="#/items/0"))


@fuzz
@given(spoilt(CHECK, BATCH))
def test_checks(body: Any) -> None:
    found = told(lambda: object_of(written(body)))
    for one in [found, *(told(lambda: batch_of(found)) or [])]:
        told(lambda one=one: read_check(one, catalogue=DEFAULT, campaigns={}, countries=COUNTRIES, region=None))


@fuzz
@given(spoilt(to_json(DEFAULT)))
def test_catalogues(body: Any) -> None:
    found = told(lambda: object_of(written(body)))
    if found is not None:
        try:
            made = from_json(found, 2)
        except InvalidCatalogue as refused:
            assert refused.detail and refused.pointer.startswith("#")
        else:
            assert from_json(to_json(made), 2) == made


@fuzz
@given(texts, texts)
def test_addresses_and_ids(channel: str, address: str) -> None:
    for name in (channel, "MAIL", "sms", "post", "ads"):
        told(lambda name=name: address_key(name, address, "DE"))
    told(lambda: contact_key(address))


def test_the_longest_bodies_are_read_at_once() -> None:
    longest = [
        b'{"a":' * 170_000 + b"1", b"[" * 1_000_000, b'{"a":"' + b"\\u0000" * 170_000 + b'"}', b'{"a":' + b"9" * 1_000_000 + b"}",
        b'{"a":"' + b"\\" * 1_000_000 + b'"}', b'{"items":[' + b"{}," * 340_000 + b"{}]}", b'{"' + b'":1,"'.join(b"%d" % n for n in range(90_000)) + b'":1}',
        b'{"email":"' + b"a." * 500_000 + b'@example.com"}', b'{"email":"a@' + b"a." * 500_000 + b'com"}', b'{"email":"' + b"(" * 1_000_000 + b'"}',
        b'{"email":"' + "ß".encode() * 500_000 + b'"}', b'{"email_pref_' + b"x" * 1_000_000 + b'":"opted_out"}', b'{"country":"' + b"\xef\xac\x83" * 300_000 + b'"}',
        b'{"email_pref_consent_ip":"' + b"1." * 500_000 + b'"}', b'{"occurred_at":"' + b"1" * 1_000_000 + b'"}',
    ]  # fmt: skip
    for raw in longest:
        for found in both(raw):
            if found is not None:
                told(lambda found=found: read_wanted(found, CONTACT, catalogue=DEFAULT, region="DE", now=NOW))
                told(lambda found=found: read_check(found, catalogue=DEFAULT, campaigns={}, countries=COUNTRIES, region=None))
                told(lambda found=found: fitted(EventsIn, found))

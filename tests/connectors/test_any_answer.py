"""Whatever a vendor answers, a push ends with one outcome per change, and nothing but a real yes is an acknowledgement."""

from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.connectors import mailchimp, sendgrid, webhook
from sayso.contracts.answers import combined, judged, parsed, rows, storable, table, text
from sayso.contracts.connector import (
    BadCall,
    BadSignature,
    Call,
    Change,
    Connector,
    Flow,
    Outcome,
    Page,
    Request,
    Response,
    Settings,
    UnknownEvent,
    Wait,
)
from sayso.testing.connector_suite import NOW, change

T = TypeVar("T")
GIVEN = Settings(
    {
        "api_key": "k-us21",
        "list_id": "1",
        "webhook_secret": "s",
        "groups": {"promotional": 1},
        "url": "https://example.com/in",
        "secrets": "whsec_" + "QUFB" * 10,
    }
)
CONNECTORS: list[Any] = [mailchimp, sendgrid, webhook]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["status", "members", "errors", "new_members", "email_address", "error", "recipient_emails", "title"]), inner
        )
    ),
    max_leaves=8,
)
bodies = st.binary(max_size=40) | json_values.map(lambda value: __import__("json").dumps(value).encode())
responses = st.builds(
    Response,
    status=st.sampled_from([200, 201, 204, 301, 400, 401, 403, 404, 409, 410, 418, 429, 500, 503]),
    headers=st.just(()) | st.just((("Retry-After", "soon"),)),
    body=bodies,
) | st.sampled_from([Response(0, failure="no_answer"), Response(0, failure="not_sent"), Response(0, failure="forbidden")])
changes = st.lists(
    st.builds(
        change,
        st.sampled_from(["out", "back", "silent"]),
        address=st.sampled_from(["ada@example.com", "ADA@example.com", "ben@example.com", None]),
        category=st.sampled_from(["*", "promotional", "educational"]),
        blacklisted=st.booleans(),
        lifted_blacklist=st.booleans(),
    ),
    max_size=4,
)


def played(flow: Flow[T], answers: list[Response]) -> tuple[T, list[Request]]:
    """What the flow comes to when the vendor answers so, again and again."""
    asked: list[Request] = []
    try:
        step = next(flow)
        while True:
            assert not isinstance(step, Wait)
            asked.append(step)
            assert len(asked) < 200
            step = flow.send(answers[(len(asked) - 1) % len(answers)])
    except StopIteration as finished:
        value: T = finished.value
        return value, asked


@pytest.mark.parametrize("connector", CONNECTORS, ids=lambda one: one.about.name)
@settings(max_examples=300, deadline=None)
@given(told=changes, answers=st.lists(responses, min_size=1, max_size=5))
def test_one_outcome_per_change_whatever_is_answered(connector: Connector, told: list[Change], answers: list[Response]) -> None:
    outcomes, asked = played(connector.push(GIVEN, told, NOW), answers)
    assert len(outcomes) == len(told)
    if not any(answer.ok or answer.status == 404 for answer in answers) and not any(b"ompliance" in answer.body for answer in answers):
        assert asked == [] or not all(outcome.acknowledged for outcome in outcomes)
    page, _ = played(connector.pull(GIVEN, None, NOW), answers)
    assert isinstance(page, Page)
    health, _ = played(connector.check(GIVEN), answers)
    assert health.detail


@pytest.mark.parametrize("connector", [mailchimp, sendgrid], ids=lambda one: one.about.name)
@settings(max_examples=300, deadline=None)
@given(told=changes, answers=st.lists(responses, min_size=1, max_size=5))
def test_reading_back_never_guesses(connector: Any, told: list[Change], answers: list[Response]) -> None:
    found, _ = played(connector.read_back(GIVEN, told), answers)
    assert len(found) == len(told)


@pytest.mark.parametrize("connector", CONNECTORS, ids=lambda one: one.about.name)
@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200), method=st.sampled_from(["POST", "PUT", "PATCH"]), header=st.text(max_size=80))
def test_an_unproven_call_says_nothing(connector: Connector, body: bytes, method: str, header: str) -> None:
    headers = (
        ("X-Mailchimp-Signature", header),
        ("X-Twilio-Email-Event-Webhook-Signature", header),
        ("X-Twilio-Email-Event-Webhook-Timestamp", header),
    )
    try:
        assert connector.hear(GIVEN, Call(method, headers, (), body, NOW)) == []
        assert body == b""
    except BadSignature:
        pass


@settings(max_examples=500, deadline=None)
@given(body=st.binary(max_size=120) | st.text(alphabet="type=unsubcrie&data[]%0", max_size=80).map(str.encode))
def test_any_proven_form_is_facts_or_a_named_refusal(body: bytes) -> None:
    try:
        for fact in mailchimp.hear(GIVEN, Call("POST", (), (("secret", "s"),), body, NOW)):
            assert fact.address
            repr(fact).encode()
    except (BadCall, UnknownEvent) as error:
        assert str(error)


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (Response(204), None),
        (Response(0, failure="no_answer"), "unknown"),
        (Response(0, failure="not_sent"), "later"),
        (Response(0, failure="forbidden"), "refused"),
        (Response(301), "refused"),
        (Response(401), "broken_auth"),
        (Response(403), "broken_auth"),
        (Response(404), "refused"),
        (Response(408), "later"),
        (Response(425), "later"),
        (Response(429), "later"),
        (Response(500), "later"),
        (Response(504), "later"),
        (Response(599), "later"),
    ],
)
def test_what_an_answer_means(response: Response, kind: str | None) -> None:
    outcome = judged(response)
    assert (outcome and outcome.kind) == kind


def test_the_worst_outcome_speaks_for_all_and_no_reason_is_lost() -> None:
    several = [Outcome("applied", "a"), Outcome("later", "b", retry_after="5"), Outcome("cannot_express", "c"), Outcome("applied", "a")]
    assert combined(several) == Outcome("later", "b; c; a", retry_after="5")
    assert combined([]) == Outcome("already_so")
    assert combined([Outcome("refused", "gone", permanent=True), Outcome("applied")]).permanent


def test_strange_json_is_read_without_surprise() -> None:
    assert parsed(b"[" * 100_000) is None and parsed(b"\xff") is None and parsed(b"{}") == {}
    assert table([1]) == {} and rows({"a": 1}) == [] and rows([1, {"a": 2}]) == [{"a": 2}]
    assert (text(True), text(5), text(None), text("x"), text(1.5)) == ("", "5", "", "x", "")
    assert storable("a\0\ud800") == "a\ufffd?"

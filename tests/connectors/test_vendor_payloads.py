"""What the vendors themselves published: signatures, webhook examples and suppression lists, where they lie beside the project."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from sayso.connectors import mailchimp, sendgrid, webhook
from sayso.connectors.sendgrid.bounces import classify
from sayso.contracts.connector import BadSignature, Call, Heard, Settings
from sayso.testing.fake_mailchimp import form
from sayso.testing.fake_sendgrid import FakeSendGrid
from shared_files import shared

NOW = 1_795_341_700_000_000
pytestmark = pytest.mark.feature("C11", "D6")


def sendgrid_vector() -> dict[str, str]:
    found: dict[str, str] = json.loads(shared("vendor-apis/sendgrid/webhooks/signature-test-vector.json").read_text())
    return found


@pytest.mark.vendor
def test_the_signature_of_sendgrid_s_own_library_verifies_at_its_time() -> None:
    vector = sendgrid_vector()
    settings = Settings({"api_key": "k", "webhook_public_key": vector["public_key_base64_der"]})
    headers = ((vector["header_signature"], vector["signature"]), (vector["header_timestamp"], vector["timestamp"]))
    call = Call("POST", headers, (), vector["raw_body"].encode(), int(vector["timestamp"]) * 1_000_000)
    (fact,) = sendgrid.hear(settings, call)
    assert (fact.kind, fact.address, fact.ts) == ("hard_bounce", "hello@world.com", 1_600_112_492_000_000)
    for broken in (
        replace(call, body=call.body.rstrip()),
        replace(call, received_at=NOW),
        replace(call, headers=((headers[0][0], headers[0][1][:-4] + "AAAA"), headers[1])),
        replace(call, headers=(headers[0], (headers[1][0], str(int(vector["timestamp"]) + 1)))),
    ):
        with pytest.raises(BadSignature):
            sendgrid.hear(settings, broken)


SENDGRID = {
    "bounce-2.json": [("soft_bounce", "*")],
    "bounce.json": [("hard_bounce", "*")],
    "delivered.json": [("delivered", "*")],
    "dropped.json": [("hard_bounce", "*")],
    "group-resubscribe.json": [("opt_in", "promotional")],
    "group-unsubscribe.json": [("opt_out", "promotional")],
    "spamreport.json": [("complaint", "*")],
    "unsubscribe-2.json": [("opt_out", "*")],
    "unsubscribe.json": [("opt_out", "*")],
    "event-webhook-batch.json": [
        ("seen", "*"),
        ("seen", "*"),
        ("delivered", "*"),
        ("open", "*"),
        ("click", "*"),
        ("hard_bounce", "*"),
        ("hard_bounce", "*"),
        ("complaint", "*"),
        ("opt_out", "*"),
        ("opt_out", "promotional"),
        ("opt_in", "promotional"),
    ],
}


@pytest.mark.vendor
@pytest.mark.parametrize("name", sorted(SENDGRID))
def test_sendgrid_s_published_examples(name: str) -> None:
    content = json.loads(shared(f"vendor-apis/sendgrid/webhooks/{name}").read_text())
    fake = FakeSendGrid(lambda: NOW)
    settings = Settings({"api_key": "k", "webhook_public_key": fake.public_key, "groups": {"promotional": 10}})
    headers, body = fake.signed(content)
    heard = sendgrid.hear(settings, Call("POST", headers, (), body, NOW))
    assert [(fact.kind, fact.category) for fact in heard] == SENDGRID[name]
    assert all(fact.address for fact in heard)


MAILCHIMP = {
    "unsubscribe.form.json": ("opt_out", "api+unsub@mailchimp.com", True),
    "subscribe.form.json": ("opt_in", "api@mailchimp.com", False),
    "cleaned.form.json": ("hard_bounce", "api+cleaned@mailchimp.com", False),
    "upemail.form.json": ("seen", "api+new@mailchimp.com", False),
}


@pytest.mark.vendor
@pytest.mark.parametrize("name", sorted(MAILCHIMP))
def test_mailchimp_s_published_examples(name: str) -> None:
    content = json.loads(shared(f"vendor-apis/mailchimp/webhooks/{name}").read_text())
    settings = Settings({"api_key": "k-us21", "list_id": "another", "webhook_secret": "s"})
    (fact,) = mailchimp.hear(settings, Call("POST", (), (("secret", "s"),), form(content["fields"]), NOW))
    assert (fact.kind, fact.address, fact.own) == MAILCHIMP[name]
    assert fact.ts is not None and fact.ts < NOW


@pytest.mark.vendor
def test_standard_webhooks_vectors_are_signed_the_same_way() -> None:
    vectors: list[dict[str, Any]] = json.loads(shared("corpora/standard-webhooks/vectors.json").read_text())
    accepted = [vector for vector in vectors if vector["accept"]]
    compared = 0
    for vector in accepted:
        given = vector["headers"]
        body = base64.b64decode(vector["body_base64"])
        key = base64.b64decode(vector["secret"].removeprefix("whsec_"))
        names = {name.lower(): value for name, value in given.items()}
        delivery, moment = names.get("webhook-id"), names.get("webhook-timestamp")
        if delivery and moment and moment.isdigit():
            made = dict(webhook.signed([key], delivery, int(moment), body))["webhook-signature"]
            assert made in names["webhook-signature"].split(), vector["name"]
            compared += 1
    assert compared >= 2


@pytest.mark.vendor
def test_recorded_bounce_lists_are_read_address_by_address() -> None:
    expected: dict[str, list[dict[str, Any]]] = json.loads(shared("corpora/esp-event-payloads/expected.json").read_text())
    kinds: dict[str, list[str]] = {}
    for name in sorted(one for one in expected if "sendgrid" in one):
        heard = list(pulled(json.loads(shared(f"corpora/esp-event-payloads/{name}").read_text())))
        assert [fact.address for fact in heard] == [one["email"] for one in expected[name]], name
        kinds[name] = [fact.kind for fact in heard]
    assert kinds["json-sendgrid-02.json"] == ["hard_bounce", "soft_bounce"]
    assert kinds["json-sendgrid-03.json"] == kinds["json-sendgrid-04.json"] == kinds["json-sendgrid-05.json"] == ["hard_bounce"]
    assert classify("550", "550 Unknown user kijitora@example.ne.jp ") == "hard"


def pulled(document: object) -> tuple[Heard, ...]:
    """The facts of a recorded bounce list."""
    from sayso.contracts.connector import Response

    flow = sendgrid.pull(Settings({"api_key": "k"}), '{"list":2,"offset":0,"since":0,"began":1}', NOW)
    next(flow)
    try:
        flow.send(Response(200, body=json.dumps(document).encode()))
    except StopIteration as finished:
        page = finished.value
        return tuple(page.heard)
    raise AssertionError("one page is one request")

"""Every request a connector makes is valid against the vendor's own API description, where that lies beside the project.

The descriptions are not all strictly valid themselves, so only requests are judged, not the documents.
"""

import json
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest

from sayso.connectors import mailchimp, sendgrid
from sayso.connectors.mailchimp import tests as mailchimp_tests
from sayso.connectors.sendgrid import tests as sendgrid_tests
from sayso.contracts.connector import Settings, Standing
from sayso.testing.connector_suite import Seen, change, pull_all, push, talk
from shared_files import shared

pytestmark = [pytest.mark.vendor, pytest.mark.feature("E1", "E12")]


def description(relative: str) -> OpenAPI:
    """The vendor's description, read without judging the description itself."""
    path: Path = shared(relative)
    return OpenAPI.from_dict(json.loads(path.read_text(encoding="utf-8")), config=Config(spec_validator_cls=None))


def validate(api: OpenAPI, seen: Seen, host: str, prefix: str = "") -> None:
    """Raises what the description holds against the request."""
    parts = urlsplit(seen.target)
    path = parts.path if parts.path.startswith(prefix) else prefix + parts.path
    api.validate_request(
        MockRequest(
            host_url=host,
            method=seen.method.lower(),
            path=path,
            args=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers=dict(seen.headers),
            data=seen.body or None,
            content_type=seen.header("content-type") or "application/json",
        )
    )


async def test_mailchimp_requests(capsys: pytest.CaptureFixture[str]) -> None:
    api = description("vendor-apis/mailchimp/openapi3.json")
    seen: list[Seen] = []
    for category in (None, "promotional"):
        async with mailchimp_tests.audience(**({"category": category} if category else {})) as (here, fake, clock):
            case = mailchimp_tests.CASE
            await talk(mailchimp, here.settings, mailchimp.check(here.settings))
            told = [change(), change("back", address="chris@example.com"), change("silent", address="ben@example.com")]
            await push(case, here, *told)
            await push(case, here, change(address="plus+tag%/ü@example.com"))
            await push(case, here, *[change(address=f"p{number}@example.com", key=str(number)) for number in range(1_001)])
            await push(case, here, change("silent", blacklisted=True), change("back"), change("silent", lifted_blacklist=True))
            await push(case, here, change(category="promotional", address="ben@example.com"))
            await talk(mailchimp, here.settings, mailchimp.read_back(here.settings, told))
            _, page = await pull_all(case, here)
            clock.now += 120_000_000
            fake.add("late@example.com")
            await pull_all(case, here, page.next)
            seen += fake.server.seen
    assert {one.method for one in seen} == {"GET", "PUT", "POST", "PATCH"}
    for one in seen:
        validate(api, one, "https://server.api.mailchimp.com", "/3.0")
    with capsys.disabled():
        print(f"\n{len(seen)} Mailchimp requests are valid against the vendor's description")


async def test_sendgrid_requests(capsys: pytest.CaptureFixture[str]) -> None:
    api = description("vendor-apis/sendgrid/openapi.json")
    seen: list[Seen] = []
    for more in ({}, {"marketing_only": True}, {"groups": {}, "marketing_only": True}):
        async with sendgrid_tests.account(**more) as (here, fake):
            case = sendgrid_tests.CASE
            await talk(sendgrid, here.settings, sendgrid.check(here.settings))
            told = [change(), change("back", address="chris@example.com"), change("silent", address="ben@example.com")]
            await push(case, here, *told)
            await push(case, here, change(address="plus+tag@example.com"), change("back", address="o'neil/x@example.com"))
            await push(case, here, *[change(address=f"p{number}@example.com", key=str(number)) for number in range(1_001)])
            await push(case, here, change("silent", blacklisted=True), change("silent", lifted_blacklist=True))
            await push(case, here, change(category="promotional"), change("back", category="events"))
            await talk(sendgrid, here.settings, sendgrid.read_back(here.settings, told))
            await pull_all(case, here)
            seen += fake.server.seen
    assert {one.method for one in seen} == {"GET", "POST", "DELETE"}
    for one in seen:
        validate(api, one, "https://api.sendgrid.com")
    with capsys.disabled():
        print(f"\n{len(seen)} SendGrid requests are valid against the vendor's description")


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("PUT", "/lists/1/members/x", {"email_address": "a@example.com"}),
        ("PATCH", "/lists/1/members/x", {"status": "gone"}),
        ("POST", "/lists/1", {"update_existing": True}),
        ("GET", "/lists/1/members?count=5000", None),
        ("GET", "/no/such/path", None),
    ],
)
def test_a_wrong_request_is_found_wrong(method: str, target: str, body: object) -> None:
    api = description("vendor-apis/mailchimp/openapi3.json")
    headers = (("Authorization", "Basic eDp5"), ("Content-Type", "application/json"))
    with pytest.raises(Exception, match="."):
        validate(api, Seen(method, target, headers, json.dumps(body).encode() if body else b""), "https://server.api.mailchimp.com", "/3.0")


def test_nobody_signs_in_without_a_key() -> None:
    with pytest.raises(Exception, match="api_key"):
        next(sendgrid.push(Settings({}), [change("silent", standings=(Standing("email", "*", "out"),))], 0))

"""Every link that is handed out is followed to its end: one click stops the mail, and what is sent after it is a violation."""

import aiohttp
import pytest
from office import BASE, Office

ADA = {"contact_id": "c-1001", "address": "ada@example.com"}
IN = {"email_pref_promotional": "opted_in", "email_pref_events": "opted_in", "email_pref_consent_method": "explicit"}
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.mark.feature("H1", "H2", "S1")
async def test_the_header_that_a_sender_gets_stops_what_it_sends(office: Office) -> None:
    await office.prefer("c-1001", email="ada@example.com", country="DE", **IN)
    found = await office.links(**ADA, campaign_id="spring-26", message_id="m-77")
    permit = (await office.check(**ADA))["permit"]
    assert await office.violation(**ADA, permit=permit, campaign_id="spring-26", message_id="m-77", subject="Spring") is None
    place = office.base + found["unsubscribe_url"].removeprefix(BASE)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as mailbox_provider:
        for name in ("preferences_url", "why_url", "unsubscribe_url"):
            async with mailbox_provider.get(office.base + found[name].removeprefix(BASE), allow_redirects=False) as page:
                assert page.status == 200, name
        assert (await office.check(**ADA))["allowed"]
        for _ in range(2):
            async with mailbox_provider.post(place, data=ONE_CLICK, allow_redirects=False) as answer:
                assert answer.status == 200 and "set-cookie" not in answer.headers
    said = await office.check(**ADA)
    assert not said["allowed"] and said["reasons"][0]["code"] == "category_opted_out"
    assert (await office.check(**ADA, category="events"))["allowed"]
    assert await office.violation(**ADA) == "sent_against_choice"


@pytest.mark.feature("H1", "A4")
async def test_a_link_of_an_order_mail_leads_to_the_page(office: Office) -> None:
    found = await office.links(**ADA, category="order_confirmations")
    for name in ("preferences_url", "why_url"):
        async with office.session.get(office.base + found[name].removeprefix(BASE), allow_redirects=False) as page:
            assert page.status == 200, name

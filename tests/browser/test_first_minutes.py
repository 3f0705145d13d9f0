"""The first five minutes, as the card on the start page leads through them, in a real browser."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from demo_process import PEOPLE, pasted
from sayso.demo.gateway import victims

Visit = Callable[..., AbstractContextManager[Page]]
IMAGES = Path(__file__).parents[2] / "docs" / "images"
LARGEST_IMAGE = 300_000
PAGES = (
    "/",
    "/people?q=c-1002",
    "/people?q=lars@example.org",
    "/people?q=nobody@example.com",
    "/people",
    "/check",
    "/check?id=x",
    "/proof/x",
    "/bursts",
    "/inbox/x",
)


def clean(page: Page) -> None:
    """Axe finds nothing on the page (all its rules, WCAG AA among them)."""
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"


def keep(page: Page, name: str) -> None:
    """Keeps a picture for the documents where there is none: remove one to have it taken anew. All must be light."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    picture = page.screenshot()
    assert len(picture) <= LARGEST_IMAGE
    if not (IMAGES / name).exists():
        (IMAGES / name).write_bytes(picture)


@pytest.mark.feature("D1", "J1", "I1", "G1", "G5", "N2", "S2")
def test_the_tour_leads_from_her_own_page_to_the_proof_and_the_mail(visit: Visit) -> None:
    with visit("/") as page:
        steps = page.locator(".steps > li")
        expect(page.get_by_role("heading", level=1)).to_have_text("Who may be contacted, about what, and why.")
        page.get_by_role("link", name="her record").click()
        expect(page.locator(".sentence")).to_contain_text("Everything may be sent by e-mail.")
        page.get_by_role("link", name="Sayso").click()

        with page.expect_popup() as opening:
            page.get_by_role("link", name="Open Ada’s preference page").click()
        hers = opening.value
        hers.get_by_role("checkbox", name=re.compile("Offers and news")).uncheck()
        hers.get_by_role("button", name=re.compile("Save")).click()
        expect(hers.get_by_role("heading", level=1)).to_have_text("Saved")
        hers.close()
        page.bring_to_front()

        expect(steps.nth(1)).to_contain_text("Recorded", timeout=30_000)
        for system in ("Mailchimp", "SendGrid", "Shop"):
            expect(steps.nth(2).locator(".told")).to_contain_text(re.compile(rf"{system}\s+acknowledged\s+[\d,]+ ms"), timeout=15_000)
        expect(page.locator(".seen")).to_contain_text("ada@example.com is unsubscribed now", timeout=15_000)
        expect(steps.nth(5)).to_contain_text("Her confirmation", timeout=15_000)
        expect(page.locator("#inbox")).to_contain_text("ada@example.com")
        clean(page)

        page.get_by_role("button", name="Check a send to Ada").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Blocked")
        expect(page.locator(".because")).to_contain_text("“Offers and news” was stopped on")
        clean(page)

        page.locator(".because a").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Proven", timeout=15_000)
        clean(page)

        page.goto(page.url.partition("/proof")[0])
        page.get_by_role("link", name="Her confirmation").click()
        expect(page.locator(".facts")).to_contain_text("List-Unsubscribe=One-Click")
        expect(page.locator(".letter")).to_contain_text("Offers and news: stopped")
        clean(page)

        page.goto(page.url.partition("/inbox")[0] + "/people?q=c-1001")
        expect(page.locator(".sentence")).to_contain_text("but not “Offers and news”")
        newest = page.locator(".line > li").first
        expect(newest).to_contain_text("Offers and news: yes → no")
        expect(newest).to_contain_text("on the preference page")

        page.get_by_label("Reason").fill("to take the tour again")
        page.get_by_role("button", name="Switch on: Offers and news").click()
        page.get_by_role("link", name="Sayso").click()
        page.get_by_role("button", name="Click unsubscribe for Ada").click()
        expect(steps.nth(1)).to_contain_text("Recorded", timeout=15_000)
        expect(steps.nth(2).locator(".told")).to_contain_text("said it", timeout=15_000)


@pytest.mark.feature("B1")
def test_support_has_a_fresh_link_mailed_and_says_why(visit: Visit) -> None:
    with visit("/people?q=c-1004", scripts=False) as page:
        page.get_by_label("Reason").fill("cannot find the mail")
        page.get_by_role("button", name="Resend link").click()
        expect(page.locator(".flash")).to_contain_text("Had a fresh link to the preference page mailed")
        expect(page.locator(".line > li").first).to_contain_text("“cannot find the mail”")
        start = page.url.partition("/people")[0]
        for _ in range(40):
            page.goto(start)
            if "mei@example.com" in page.locator("#inbox").inner_text():
                break
            page.wait_for_timeout(250)
        page.locator("#inbox li", has_text="mei@example.com").get_by_role("link").first.click()
        page.locator(".letter a").first.click()
        expect(page.get_by_role("checkbox").first).to_be_visible()
        expect(page.locator("main")).to_contain_text("m•••@example.com")


@pytest.mark.feature("S4")
def test_an_operator_sees_a_burst_and_asks_its_people_once(visit: Visit) -> None:
    with visit("/bursts", scripts=False) as page:
        for _ in range(40):
            if page.locator(".burst").count():
                break
            page.wait_for_timeout(250)
            page.reload()
        burst = page.locator(".burst").first
        expect(burst).to_contain_text("198.51.100.0/24 × 6")
        expect(burst).to_contain_text("LinkScan/2.1")
        page.get_by_label("Reason").fill("their mail gateway pressed every link")
        page.get_by_role("button", name="Ask these 6 people").click()
        expect(burst).to_contain_text("were mailed whether they meant it")
        expect(page.get_by_role("button", name=re.compile("Ask these"))).to_have_count(0)
        page.goto(f"{page.url.partition('/bursts')[0]}/people?q={victims(PEOPLE)[0].id}")
        expect(page.locator(".line > li").first).to_contain_text("6 people from one network with one browser")
        expect(page.locator(".line > li").first).to_contain_text(
            "It was honoured at once all the same. They were asked whether it was meant."
        )


@pytest.mark.parametrize("scripts", [True, False], ids=["with-scripts", "without-scripts"])
@pytest.mark.feature("B1")
def test_support_stops_pauses_and_undoes_with_a_reason(visit: Visit, *, scripts: bool) -> None:
    with visit("/", scripts=scripts) as page:
        page.get_by_label("Find a person").fill("c-2003")
        page.get_by_role("button", name="Find").click()
        for button, outcome, undo in (
            ("Stop all", "Everything was stopped on", "Undo: stop all"),
            ("Pause 30 days", "Mail is paused until", "Resume"),
        ):
            page.get_by_label("Reason").fill("asked on the phone")
            page.get_by_role("button", name=button).click()
            expect(page.locator(".flash")).to_contain_text("Recorded:")
            expect(page.locator(".choices")).to_contain_text(outcome)
            expect(page.locator(".line > li").first).to_contain_text("“asked on the phone”")
            if scripts:
                clean(page)
            page.get_by_label("Reason").fill("changed their mind")
            page.get_by_role("button", name=undo).click()
            expect(page.locator(".choices")).not_to_contain_text(outcome)
        was = page.locator(".choices > li").first.locator(".status").inner_text()
        page.get_by_label("Reason").fill("asked on the phone")
        page.get_by_role("button", name=re.compile("Switch o(n|ff): Product updates")).click()
        expect(page.locator(".choices > li").first.locator(".status")).not_to_have_text(was)


def test_without_a_reason_nothing_happens_and_the_page_says_so(visit: Visit) -> None:
    with visit("/people?q=c-2004", scripts=False) as page:
        before = page.locator(".ids").inner_text()
        page.get_by_label("Reason").fill("   ")
        page.get_by_role("button", name="Stop all").click()
        expect(page.get_by_role("alert")).to_contain_text("Say why")
        assert page.title().startswith("Error: ")
        assert page.locator(".ids").inner_text() == before


def test_the_api_calls_on_a_page_are_the_same_acts(visit: Visit) -> None:
    with visit("/people?q=c-2005") as page:
        calls = {call.locator("figcaption").text_content(): call.locator("code").text_content() for call in page.locator(".call").all()}
        document = pasted(calls["Stop all"])
        assert document["email_opt_out_global"] is True
        assert document["email_pref_update_source"] == "support_request"
        paused = pasted(calls["Pause 30 days"])
        assert paused["paused_until"]
        page.reload()
        expect(page.locator(".choices")).to_contain_text("Everything was stopped on")
        expect(page.get_by_role("button", name="Undo: stop all")).to_be_visible()


def test_a_bad_question_is_answered_with_what_to_mend(visit: Visit) -> None:
    with visit("/check", scripts=False) as page:
        page.get_by_label("To whom").fill("ada@example.com")
        page.get_by_label("Country").fill("XX")
        page.get_by_role("button", name="Check").click()
        expect(page.get_by_role("alert")).to_contain_text("ISO 3166")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(visit: Visit, path: str, scheme: str, width: int) -> None:
    with visit(path, scheme=scheme, width=width) as page:
        fits(page)
        for summary in page.locator("summary").all():
            summary.click()
        fits(page)
        clean(page)


def test_the_keyboard_reaches_everything_and_shows_where_it_is(visit: Visit) -> None:
    with visit("/people?q=c-1002") as page:
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        page.keyboard.press("/")
        expect(page.get_by_label("Find a person")).to_be_focused()
        assert page.evaluate(
            "[...document.querySelectorAll('button, .button, input:not([type=hidden]), select, summary')]"
            ".every(one => { const box = one.getBoundingClientRect(); return box.width >= 24 && box.height >= 24 })"
        )


def test_pictures_for_the_documents(visit: Visit) -> None:
    for path, scheme, name in (
        ("/", "light", "start-light.png"),
        ("/", "dark", "start-dark.png"),
        ("/people?q=c-1002", "light", "person-light.png"),
    ):
        with visit(path, scheme=scheme) as page:
            page.set_viewport_size({"width": 1280, "height": 1000})
            keep(page, name)

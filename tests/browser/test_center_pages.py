"""People's own pages in a real browser: by keyboard, without scripts, small, enlarged, dark, from right to left; and under scanners.

Pictures of all of them for the documents: ``make pictures``.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

sys.path.insert(0, str(Path(__file__).parents[1] / "center"))

from people import ANY, Scope, Town, town

from page_states import ADA, NORTHERN, STATES, State
from sayso.web.center.languages import TEXTS
from sayso.web.center.render import LANGUAGES, PAGES

IMAGES = Path(__file__).parents[2] / "docs" / "images"
LARGEST_IMAGE = 200_000
TYPED = "does not conform to the required format"
"""Said of a day that somebody typed wrong, and that is shown to them again as they typed it."""
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}
"""What can be different in the dark."""
PRETEND = "http://localhost:9/"
PICTURED = (
    "preferences", "saved", "one_button", "why", "undo", "undone", "confirm", "confirmed", "link", "link_sent", "gone", "unknown",
    "forget", "trouble-down",
)  # fmt: skip

ALIKE = {
    "preferences-fresh", "preferences-stale", "preferences-sms", "preferences-stopped", "saved-resumed", "saved-same", "saved-no-reason",
    "one_button-all", "one_button-all-off", "why-always", "why-undated", "why-soft", "undo-over", "undone-before", "confirm-over", "confirmed-over",
    "forget", "forget-ordinary", *(f"trouble-{kind}" for kind in ("too_large", "broken", "stale_form", "late", "")),
}  # fmt: skip
"""States that differ in nothing but words from one that axe looks at."""
DARK = {"preferences-brand", "preferences-error", "saved-asked", "why", "link-error", "forget-error", "undone"}

Look = Callable[..., Any]


@pytest.fixture
def look(browser: Browser) -> Look:
    """Shows pages in a state, each behind the headers its door sends; fails when a page complains or asks for anything else."""

    @contextmanager
    def looking(*, width: int = 1280, height: int = 900, scheme: str = "light", scripts: bool = True) -> Iterator[Callable[..., Page]]:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=scripts, reduced_motion="reduce"
        )
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if TYPED not in said.text else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        shown: dict[str, Any] = {}

        def answered(route: Route) -> None:
            if route.request.url == PRETEND:
                route.fulfill(status=200, headers=dict(shown["answer"].headers), body=bytes(shown["answer"].body))
            else:
                complaints.append(route.request.url)
                route.abort()

        page.route("**/*", answered)

        def show(state: State, language: str = "en", **more: Any) -> Page:
            shown["answer"] = state.answer(language, **more)
            page.goto(PRETEND)
            return page

        try:
            yield show
            assert complaints == []
        finally:
            context.close()

    return looking


def clean(page: Page, what: str, options: dict[str, Any] | None = None) -> None:
    """Axe finds nothing on the page (all its rules, WCAG AA among them)."""
    found = Axe().run(page, options=options).response["violations"]
    assert [(what, one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []


def fits(page: Page, what: str) -> None:
    wide = page.evaluate(
        "[document.documentElement.scrollWidth > innerWidth, [...document.querySelectorAll('body *:not(.away):not(.away *)')]"
        ".filter(one => one.getBoundingClientRect().right > innerWidth + 1 || one.getBoundingClientRect().left < -1).map(one => one.outerHTML.slice(0, 90))]"
    )
    assert wide == [False, []], what


SMALL = (
    "[...document.querySelectorAll('button, .button, summary, label:has(input), input:not([type=hidden]):not([type=radio]), nav a, textarea')]"
    ".filter(one => one.checkVisibility()).filter(one => { const box = one.getBoundingClientRect(); return box.width < 24 || box.height < 24 })"
    ".map(one => one.outerHTML.slice(0, 90))"
)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.feature("R10", "N3")
def test_axe_finds_nothing_and_everything_fits_in_every_state(look: Look, name: str) -> None:
    states = {key: state for key, state in STATES.items() if state.name == name}
    with look() as show:
        for key, state in states.items():
            if key in ALIKE:
                continue
            page = show(state)
            page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            clean(page, key)
            assert page.evaluate(SMALL) == [], key
    with look(width=320, scheme="dark") as show:
        for key, state in states.items():
            page = show(state, "ar")
            assert page.evaluate("getComputedStyle(document.querySelector('h1')).direction") == "rtl"
            fits(page, key)
            if key in DARK:
                page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
                clean(page, key, COLOURS)


@pytest.mark.feature("R10")
def test_longer_words_and_larger_letters_fit_on_a_small_screen(look: Look) -> None:
    longer = {
        key: " ".join(word if word.startswith("{") else word + "ßä"[: len(word) // 3] * 2 for word in text.split())
        for key, text in TEXTS["en"].items()
    }
    with look(width=320) as show:
        for key in STATES.keys() - ALIKE:
            fits(show(STATES[key], own=longer), key)
        for language in LANGUAGES:
            page = show(STATES["preferences-brand"], language)
            fits(page, language)
            page.evaluate("document.documentElement.style.fontSize = '200%'")
            fits(page, f"{language} at 200 %")


@pytest.mark.feature("R10")
def test_focus_is_seen_everywhere_and_an_error_is_read_first(look: Look) -> None:
    with look(width=320) as show:
        page = show(STATES["preferences"])
        stops = page.locator("a, button, summary, input:not([type=hidden])").count()
        seen = set()
        for _ in range(stops):
            page.keyboard.press("Tab")
            mark = page.evaluate(
                "(() => { const at = document.activeElement, own = getComputedStyle(at), next = at.nextElementSibling;"
                " const box = at.type === 'checkbox' ? getComputedStyle(next) : own; return [at.outerHTML.slice(0, 60), box.outlineStyle, box.outlineWidth] })()"
            )
            if "<body" not in mark[0]:
                assert mark[1:] == ["solid", "3px"], mark
                seen.add(mark[0])
        assert len(seen) >= 12
        page = show(STATES["preferences-error"])
        expect(page.get_by_role("alert")).to_be_focused()
        page.get_by_role("alert").get_by_role("link").click()
        expect(page.get_by_label("Last day of the break")).to_be_focused()
        assert page.title().startswith("Error: ")


class Knocked:
    """A hub on a loopback port, lived by a thread of its own: playwright keeps the loop of this one."""

    def __init__(self, database: str, folder: Path) -> None:
        self.dsn = database
        self._loop = asyncio.new_event_loop()
        self._ready, self._over = threading.Event(), asyncio.Event()
        self.town: Town
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._live(folder),), daemon=True)
        self._thread.start()
        assert self._ready.wait(60)

    async def _live(self, folder: Path) -> None:
        async with town(self.dsn, folder) as self.town:
            self._ready.set()
            await self._over.wait()

    def do(self, work: Any) -> Any:
        """The result of something that the hub's people do."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(60)
        self._loop.close()

    def rows(self) -> dict[str, Any]:
        """How many rows every table has, and a sum over the transactions that wrote them."""

        async def counted() -> dict[str, Any]:
            connection = await asyncpg.connect(self.dsn)
            try:
                names = await connection.fetch("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
                return {
                    name: tuple(
                        await connection.fetchrow(
                            f'SELECT count(*), coalesce(sum(xmin::text::bigint + xmax::text::bigint), 0) FROM "{name}"'
                        )
                    )
                    for (name,) in names
                }
            finally:
                await connection.close()

        return dict(self.do(counted()))


@pytest.fixture(scope="module")
def knocked(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knocked]:
    hub = Knocked(module_database, tmp_path_factory.mktemp("center"))
    yield hub
    hub.close()


def _pressed(page: Page, name: str) -> None:
    """Goes to a button by Tab and presses Enter there."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == name:
            page.keyboard.press("Enter")
            return
    pytest.fail(f"no way to {name!r} by Tab")


@pytest.mark.feature("G1", "G2", "G3", "G4", "G8", "G12", "N2", "N3", "N4", "S8")
def test_a_person_chooses_pauses_stops_and_undoes_by_keyboard_without_scripts(browser: Browser, knocked: Knocked) -> None:
    hub = knocked.town
    token = knocked.do(hub.link())
    knocked.do(hub.opts_in("promotional", "events"))
    context = browser.new_context(viewport={"width": 320, "height": 640}, java_script_enabled=False)
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda asked: requests.append(asked.url))

    page.goto(f"{hub.base}/preferences/{token}")
    offers, events = page.get_by_label("Offers and news"), page.get_by_label("Events")
    expect(offers).to_be_checked()
    offers.focus()
    page.keyboard.press("Space")
    page.get_by_label("60 days").focus()
    page.keyboard.press("Space")
    _pressed(page, "Save my choices")
    expect(page.get_by_role("heading", level=1)).to_have_text("Saved")
    expect(page.locator(".became")).to_contain_text("Offers and news: no")
    expect(page.locator(".became")).to_contain_text("We send nothing until")
    expect(page.locator(".facts")).to_contain_text("UTC")
    expect(page.locator(".facts code")).not_to_be_empty()
    expect(page.locator(".now > li").filter(has_text="Offers and news")).to_contain_text("No")

    _pressed(page, "Undo this")
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Saved")
    if page.get_by_role("heading", level=1).inner_text() != "Taken back":
        _pressed(page, "Take it back")
    expect(page.get_by_role("heading", level=1)).to_have_text("Taken back")

    page.goto(f"{hub.base}/preferences/{token}")
    expect(offers).to_be_checked()
    expect(page.locator("main")).not_to_contain_text("Paused until")
    _pressed(page, "Stop everything")
    expect(page.get_by_role("heading", level=1)).to_have_text("Stopped")
    page.get_by_label("Too many messages").focus()
    page.keyboard.press("Space")
    _pressed(page, "Send")
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    _pressed(page, "Change something")
    for box in (offers, events):
        expect(box).not_to_be_checked()

    assert context.cookies() == []
    assert {urlsplit(url).netloc for url in requests} == {urlsplit(hub.base).netloc}
    context.close()


@pytest.mark.feature("G12", "N3", "H5", "N5")
def test_one_button_and_why_lead_where_they_say_in_the_persons_language(browser: Browser, knocked: Knocked) -> None:
    hub = knocked.town
    token = knocked.do(hub.link("chris@example.com", "c-3003"))
    knocked.do(hub.opts_in("promotional", "events", email="chris@example.com", contact="c-3003"))
    context = browser.new_context(viewport={"width": 390, "height": 700}, locale="de-AT")
    page = context.new_page()
    page.goto(f"{hub.base}/u/{token}")
    expect(page.get_by_role("heading", level=1)).to_have_text("„Angebote und Neuigkeiten“ abbestellen?")
    page.get_by_role("button", name="„Angebote und Neuigkeiten“ abbestellen").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Gespeichert")
    page.get_by_role("link", name="Warum bekomme ich diese Nachrichten?").click()
    expect(page.locator("main")).to_contain_text("„Angebote und Neuigkeiten“ ist schon abbestellt.")
    page.get_by_role("button", name="Das betrifft mich nicht").click()
    expect(page.locator("main")).to_contain_text("Vermerkt")
    page.get_by_role("link", name="Alle Einstellungen").click()
    page.locator(".lang summary").click()
    page.get_by_role("link", name="العربية").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("ماذا تريد أن نرسل إليك؟")
    assert page.evaluate("document.documentElement.dir") == "rtl"
    assert context.cookies() == []
    context.close()


@pytest.mark.feature("G7", "S4")
def test_a_scanner_that_runs_scripts_and_follows_every_link_changes_nothing(browser: Browser, knocked: Knocked) -> None:
    hub = knocked.town
    ordinary = knocked.do(hub.link(scope=Scope("outlet", "email", "promotional")))
    fresh = knocked.do(hub.link(scope=Scope(ANY, "email", ANY), fresh=True))
    undo = knocked.do(hub.save(ordinary)).undo
    before = knocked.rows()
    context = browser.new_context(user_agent="Mozilla/5.0 (Windows NT 10.0) SafeLinks")
    page = context.new_page()
    ahead = [f"{hub.base}/u/{ordinary}", f"{hub.base}/preferences/{fresh}", f"{hub.base}/preferences/{ordinary}/form", hub.base + undo]
    seen: set[str] = set()
    while ahead and len(seen) < 40:
        url = ahead.pop()
        if url in seen or not url.startswith(hub.base):
            continue
        seen.add(url)
        page.goto(url, wait_until="load")
        ahead += page.evaluate("[...document.querySelectorAll('a[href]')].map(one => one.href.split('#')[0])")
        page.mouse.wheel(0, 5_000)
    assert len(seen) >= 25
    assert knocked.rows() == before
    context.close()


@pytest.mark.skipif(not os.environ.get("SAYSO_SCREENSHOTS"), reason="not run: SAYSO_SCREENSHOTS is not set (make pictures sets it)")
def test_pictures_for_the_documents(look: Look) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        with look(width=480, height=320, scheme=scheme) as show:
            for key in PICTURED:
                _keep(show(STATES[key]), f"center-{key}-{scheme}.png")
    with look(width=480, height=320) as show:
        _keep(show(STATES["preferences"], "ar"), "center-preferences-arabic.png")
        outlet = replace(ADA, brand="outlet", company="Outlet by Northwind")
        _keep(show(State("preferences", outlet), look=NORTHERN), "center-preferences-brand.png")
    with look(width=320, height=320) as show:
        _keep(show(STATES["preferences"], "de"), "center-preferences-small.png")


def _keep(page: Page, name: str) -> None:
    picture = page.screenshot(full_page=True)
    assert len(picture) <= LARGEST_IMAGE, (name, len(picture))
    (IMAGES / name).write_bytes(picture)

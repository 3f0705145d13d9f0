"""A real browser before a running demo."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from demo_process import Demo, demo

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

Visit = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="session")
def running() -> Iterator[Demo]:
    with demo() as here:
        here.start()
        yield here


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium; where there is none, the one that playwright brought.

    It ends with its module: while playwright runs, this thread counts as having a running event loop, and no asynchronous test
    that the same worker takes on later could start one.
    """
    found = next((place for name in NAMES if (place := shutil.which(name))), None)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield started
        started.close()


def _is_complaint(said: ConsoleMessage) -> bool:
    """An error or warning, but not the note that a page itself was answered with 404 or 422: that is what it is for."""
    answered = said.text.startswith("Failed to load resource") and re.search(r"status of (404|422|409)", said.text)
    own_page = "/static/" not in said.location.get("url", "")
    return said.type in ("error", "warning") and not (answered and own_page)


@pytest.fixture
def visit(browser: Browser, running: Demo) -> Visit:
    """Opens a page in a context of its own; fails when the page complains, or asks anything of another host."""

    @contextmanager
    def opened(path: str, *, width: int = 1280, scheme: str = "light", scripts: bool = True) -> Iterator[Page]:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts, reduced_motion="reduce"
        )
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if _is_complaint(said) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: complaints.append(asked.url) if not asked.url.startswith(running.url) else None)
        try:
            page.goto(running.url + path)
            yield page
            assert complaints == []
        finally:
            context.close()

    return opened

"""What every page's door does alike: opens the link, chooses language and version, and says in plain words what went wrong."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from sayso.contracts.book import Unavailable
from sayso.contracts.center import Pages, Presented
from sayso.contracts.ground import Ground
from sayso.contracts.people import Opened
from sayso.flows.choose import Manner, NobodyHere
from sayso.flows.open_link import open_link
from sayso.flows.present import present, wording_of
from sayso.rules.catalogue import Catalogue
from sayso.rules.tokens import BadToken
from sayso.rules.words import ANY
from sayso.web.center.draw import nothing, page
from sayso.web.center.forms import BadForm, Bound, Form, form_token
from sayso.web.center.languages import LANGUAGES, Texts, texts_for
from sayso.web.center.parts import CenterParts, caller_of, center_parts
from sayso.web.errors import Problem

METHODS: Final = ("GET", "HEAD", "OPTIONS", "POST")
READ_ONLY: Final = ("GET", "HEAD", "OPTIONS")
RETRY: Final = {"Retry-After": "5"}
BEHIND: Final = 2
"""How many of the latest statements are asked for the language they were made in."""

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request behind a link: who it is about, in which language, and which version of texts and categories they are shown."""

    request: Request
    parts: CenterParts
    ground: Ground
    opened: Opened
    pages: Pages
    catalogue: Catalogue
    texts: Texts
    embedded: bool = False

    @property
    def token(self) -> str:
        """The link's own text."""
        return self.opened.token

    @property
    def framed_by(self) -> tuple[str, ...] | None:
        """The origins that may show this page inside theirs; None for a whole page."""
        return self.parts.embed_origins(self.opened.brand) if self.embedded else None

    async def presented(self) -> Presented:
        """What the page shows now."""
        house = self.parts.house(self.opened.brand)
        return await present(
            self.opened, self.pages, self.catalogue, house, self.texts.language, sources=self.parts.sources, ground=self.ground
        )

    def manner(self, source: str = "preference_center", wording: str = "", **more: Any) -> Manner:
        """How something is said through this request: what is kept, encrypted, beside the statement."""
        return Manner(source, {**personal(self.request), "language": self.texts.language, "wording": wording or self.wording, **more})

    @property
    def wording(self) -> str:
        """The version of the texts shown."""
        return wording_of(self.pages, self.catalogue, self.texts.language)

    def draw(self, name: str, presented: Presented | None, *, status: int = 200, reason_for: Sequence[str] = (), **values: Any) -> Response:
        """One page of this visit."""
        ring = self.parts.ring
        drawn = {
            **blank(self.pages, self.opened.brand), "links": links_of(self.token, self.opened.brand, embedded=self.embedded),
            "form": form_token(ring, self.token, Bound(self.wording)), "embedded": self.embedded,
            "reason_form": form_token(ring, self.token, Bound(self.wording, tuple(reason_for))), **values,
        }  # fmt: skip
        return page(name, presented, drawn, self.texts, status=status, framed_by=self.framed_by)


async def visit(request: Request, form: Form | None = None, *, embedded: bool = False, said: str = "") -> Visit:
    """The visit that a request behind a link is; `said` is the language it names itself. Raises BadToken and Unavailable."""
    parts = center_parts(request)
    ground = await parts.ground()
    opened = await open_link(request.path_params["token"], book=parts.book, ring=parts.ring, ground=ground)
    opened = replace(opened, language=await last_language(opened, parts))
    pages, catalogue = await parts.showing.shown_to(opened)
    texts = spoken(request, pages, opened.brand, form, said or opened.language)
    return Visit(request, parts, replace(ground, catalogue=catalogue), opened, pages, catalogue, texts, embedded)


async def last_language(opened: Opened, parts: CenterParts) -> str:
    """The language this person last used on a page, "" when they never did."""
    subs = [row.sub for key in (opened.contact, opened.address) if (row := opened.page.row(key))]
    if not subs:
        return ""
    for noted in await parts.book.entries(subs, kinds=("choice", "pause"), after="", limit=BEHIND, newest_first=True):
        if noted.detail and isinstance(noted.detail.get("language"), str):
            return str(noted.detail["language"])
    return ""


def spoken(request: Request, pages: Pages, brand: str, form: Form | None = None, last: str = "") -> Texts:
    """The texts of the language that fits: asked for, sent with the form, used last, wished by the browser, English."""
    asked = (request.query_params.get("lang", ""), form.one("lang") if form else "", last)
    return texts_for(asked, request.headers.get("accept-language", ""), own=lambda language: pages.own(brand, language))


def personal(request: Request) -> Mapping[str, Any]:
    """What a request tells of itself."""
    agent = request.headers.get("user-agent", "")[:500]
    return {
        "ip": caller_of(request) or None,
        "user_agent": "".join(c if c.isprintable() else " " for c in agent) or None,
    }


def fresh_url(brand: str) -> str:
    """Where somebody without a link asks for one."""
    return "/preferences/link" if brand == ANY else f"/preferences/link?{urlencode({'brand': brand})}"


def links_of(token: str, brand: str, *, embedded: bool = False) -> dict[str, str]:
    """Where the forms and links of a page lead."""
    at = f"/preferences/{token}"
    return {
        "save": f"{at}/form" if embedded else at, "page": at, "why": f"/why/{token}", "fresh": fresh_url(brand), "data": f"{at}/data",
        "forget": f"{at}/data", "undo": "", "confirm": "",
    }  # fmt: skip


def blank(pages: Pages, brand: str) -> dict[str, Any]:
    """The values that every page has, before anything is known."""
    return {
        "links": {"save": "", "page": "", "why": "", "fresh": fresh_url(brand), "data": "", "forget": "", "undo": "", "confirm": ""},
        "form": "", "reason_form": "", "look": pages.look(brand), "languages": [(code, f"?lang={code}") for code in LANGUAGES],
        "errors": (), "given": {}, "embedded": False, "chosen": None, "category": None, "why": None, "undone": None, "asked": (),
        "expired": False, "kind": "", "undo_url": "", "undo_form": "",
    }  # fmt: skip


def apart(parts: CenterParts, pages: Pages, catalogue: Catalogue, brand: str) -> dict[str, Any]:
    """The values of a page that shows nobody's choices: who it is from, and what its categories are called."""
    house = parts.house(brand)
    named = {one.key: one.title for one in catalogue.categories}
    return {**blank(pages, brand), "company": house.company, "privacy_url": house.privacy_url, "named": named}


def stranger(request: Request, name: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any) -> Response:
    """A page for somebody nobody knows: nothing in it depends on who they are."""
    texts = spoken(request, Pages(), ANY)
    house = center_parts(request).house(ANY)
    return page(name, None, {**blank(Pages(), ANY), "company": house.company, **values}, texts, status=status, headers=headers)


def guarded(handle: Handler, methods: Sequence[str] = METHODS) -> Handler:
    """A door that answers OPTIONS with what it has, and every failure with a page that says what it means."""

    async def answer(request: Request) -> Response:
        if request.method == "OPTIONS":
            return nothing(methods)
        try:
            return await handle(request)
        except BadToken:
            return stranger(request, "unknown", status=404)
        except NobodyHere:
            return stranger(request, "gone")
        except Unavailable:
            return stranger(request, "trouble", status=503, headers=RETRY, kind="down")
        except BadForm as bad:
            return stranger(request, "trouble", status=413 if bad.kind == "too_large" else 400, kind=bad.kind)
        except Problem as problem:
            return stranger(request, "trouble", status=problem.status, kind="too_large" if problem.status == 413 else "broken")

    return answer

"""Pages as text: from values and a language to HTML that needs nothing else. No request, clock or store is known here."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from sayso.contracts.center import REASONS, Always, Choosable, Look, Presented
from sayso.rules.catalogue import DEFAULT
from sayso.rules.center import PAUSE
from sayso.rules.colours import palette
from sayso.rules.words import ANY
from sayso.web.center.languages import LANGUAGES, PLACE, Texts, flaws_of, texts_for

__all__ = ["LANGUAGES", "Texts", "flaws_of", "render_page", "texts_for"]

HERE: Final = Path(__file__).parent
PAGES: Final = (
    "preferences", "saved", "one_button", "why", "undo", "undone", "confirm", "confirmed", "link", "link_sent", "gone", "unknown",
    "forget", "trouble",
)  # fmt: skip
PAUSE_DAYS: Final = (30, 60, 90)
LINES: Final = 15
"""How many lines of a history a page shows: it stays small; the download has all of them."""
_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_UNSAID: Final[Mapping[str, Any]] = {
    "links": {}, "form": "", "reason_form": "", "look": Look(), "languages": (), "errors": (), "given": {}, "kept": None,
    "embedded": False, "company": "", "chosen": None, "category": None, "why": None, "undone": None, "asked": (), "expired": False,
    "kind": "", "undo_url": "", "undo_form": "", "named": {}, "reasons": REASONS, "thanked": False, "accepted_at": None, "reference": "", "privacy_url": "",
}  # fmt: skip
"""What a page that is not told otherwise goes by."""


_NOWHERE: Final = dict.fromkeys(("save", "page", "why", "fresh", "data", "forget", "undo", "confirm"), "")


def render_page(name: str, presented: Presented | None, values: Mapping[str, Any], texts: Texts) -> str:
    """A page's HTML. `values` are those of contracts/center.py; raises BadColours for a look that cannot be read."""
    said = {**_UNSAID, **values}
    words = _Words(texts, said["named"])
    known = {
        "links": {**_NOWHERE, **said["links"]}, "p": presented, "name": name, "lang": texts.language, "dir": texts.direction, "texts": texts, "t": words.t, "plain": texts.t,
        "has": texts.has, "moment": texts.moment, "day": texts.day, "seconds": texts.seconds, "of": _of_catalogue(texts), "called": words.called,
        "titles": words.titles, "company": (presented.company if presented else "") or said["company"], "styles": _styles(),
        "colours": _colours(said["look"]), "LANGUAGES": LANGUAGES, "PAUSE_DAYS": PAUSE_DAYS, "LINES": LINES, "ANY": ANY, "PAUSE": PAUSE,
    }  # fmt: skip
    return _ENVIRONMENT.get_template(f"{name}.html").render({**said, **known})


class _Words:
    """Texts as HTML: what is filled in is escaped, and isolated, so that it may run in another direction than the text around it."""

    def __init__(self, texts: Texts, named: Mapping[str, str]) -> None:
        self._texts, self._named = texts, named

    def t(self, key: str, **given: object) -> Markup:
        """A text with its places filled in."""
        parts = PLACE.split(self._texts.text(key))
        return Markup("").join(_isolated(given.get(part, "")) if n % 2 else part for n, part in enumerate(parts))

    def called(self, about: str, presented: Presented | None) -> str:
        """What people call a category's key, ``*`` or a pause."""
        if about in (ANY, PAUSE):
            return self._texts.t("common_everything" if about == ANY else "common_pauses")
        rows: tuple[Choosable | Always, ...] = (*presented.categories, *presented.always) if presented else ()
        known = {**self._named, **{one.key: one.title for one in rows}}
        written = known.get(about, _BUILT_IN.get((about, "title"), about))
        return self._texts.category(about, "title", written, _BUILT_IN.get((about, "title"), ""))

    def titles(self, abouts: Sequence[str], presented: Presented | None) -> str:
        """Several of them, one behind the other."""
        comma = "، " if self._texts.language == "ar" else ", "
        return comma.join(dict.fromkeys(self.called(about, presented) for about in abouts if about))


_BUILT_IN: Final = {
    (one.key, part): getattr(one, part) for one in DEFAULT.categories for part in ("title", "sends", "often", "reason")
}  # fmt: skip


def _of_catalogue(texts: Texts) -> Callable[[Any, str], str]:
    def of(one: Any, part: str) -> str:
        """A part (title, sends, often, reason) of a category that is shown, in the language of the page."""
        return texts.category(one.key, part, getattr(one, part), _BUILT_IN.get((one.key, part), ""))

    return of


def _isolated(given: object) -> Markup:
    return Markup("<bdi>{}</bdi>").format(given)


@lru_cache(maxsize=1)
def _styles() -> Markup:
    """The sheet of every page without what only its readers need; the policy of the page names it by its hash."""
    text = re.sub(r"/\*.*?\*/", "", (HERE / "center.css").read_text("utf-8"), flags=re.DOTALL)
    return Markup(re.sub(r"\s*([{}])\s*|([;:,])\s+", r"\1\2", text).replace(";}", "}").strip())  # noqa: S704 - our own file


def _colours(look: Look) -> Markup:
    """A brand's colours as variables; nothing but colours gets in, as palette refuses everything else."""
    light, dark = palette(look.colours)
    light_text, dark_text = (";".join(f"--brand-{name}:{value}" for name, value in one.items()) for one in (light, dark))
    return Markup(":root{{{}}}@media screen and (prefers-color-scheme:dark){{:root{{{}}}}}").format(escape(light_text), escape(dark_text))

"""What pages say, in a person's language: choosing the language, texts by key, days and times as they are written there."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal

from sayso.rules.times import SECOND

LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "de": "Deutsch", "fr": "Français", "es": "Español", "ar": "العربية"}
"""The languages that pages speak, each in its own word."""
ENGLISH: Final = "en"
LOCALES: Final = {"en": "en_GB", "de": "de", "fr": "fr", "es": "es", "ar": "ar"}
PLACE: Final = re.compile(r"\{([a-z_]+)\}")
LONGEST: Final = 1_000
_HEADER: Final = 500
"""How much of a header is read: browsers send a handful of languages."""
_WISH: Final = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]{1,40})?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?))?\s*\Z")
_CATEGORY: Final = re.compile(r"category_[a-z][a-z0-9_]*_(title|sends|often|reason)\Z")


def _flat(table: Mapping[str, Any], above: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in table.items():
        found.update(_flat(value, f"{above}{name}_") if isinstance(value, Mapping) else {above + name: value})
    return found


def _read(language: str) -> Mapping[str, str]:
    return _flat(tomllib.loads((files("sayso.web.center") / "texts" / f"{language}.toml").read_text("utf-8")))


TEXTS: Final[Mapping[str, Mapping[str, str]]] = {language: _read(language) for language in LANGUAGES}
"""The built-in texts by language and key; a key is the names of its tables joined by ``_``."""


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one language, an operator's own before the built-in ones."""

    language: str
    own: Mapping[str, str] = field(default_factory=dict)

    @property
    def direction(self) -> str:
        """``rtl`` or ``ltr``."""
        return "rtl" if self.language == "ar" else "ltr"

    def text(self, key: str) -> str:
        """The text of a key as it is written, with its ``{places}``. Raises KeyError for a key that no page has."""
        return self.own.get(key) or TEXTS[self.language][key]

    def has(self, key: str) -> bool:
        """Whether there is such a text."""
        return key in self.own or key in TEXTS[self.language]

    def t(self, key: str, **given: object) -> str:
        """The text of a key with its places filled in; a place that nothing is given for stays empty."""
        return PLACE.sub(lambda place: str(given.get(place[1], "")), self.text(key))

    def category(self, key: str, part: str, written: str, built_in: str) -> str:
        """What a category's `part` (title, sends, often, reason) is called here.

        An operator's own text wins; the built-in translation is only shown while the catalogue still says what was `built_in`.
        """
        name = f"category_{key}_{part}"
        if name in self.own:
            return self.own[name]
        return TEXTS[self.language].get(name, written) if written == built_in else written

    def day(self, at: int) -> str:
        """A day (UTC) as it is written here: 22 November 2026."""
        return format_date(_moment(at).date(), "long", locale=_locale(self.language))

    def moment(self, at: int) -> str:
        """A time to the minute, which says that it is UTC."""
        moment = _moment(at)
        clock = format_datetime(moment, "HH:mm", locale=_locale(self.language))
        return self.t("common_moment", day=self.day(at), time=clock)

    def seconds(self, milliseconds: int) -> str:
        """A short time in seconds, "" from two minutes on: nobody wants to read that in seconds."""
        if milliseconds >= 120_000:
            return ""
        shown = max(round(milliseconds / 1_000, 0 if milliseconds >= 10_000 else 1), 0.1)
        return self.t("common_seconds", count=format_decimal(shown, locale=_locale(self.language)))


def texts_for(asked: Sequence[str], accept_language: str = "", own: Callable[[str], Mapping[str, str]] = lambda _: {}) -> Texts:
    """The texts of the first language asked for that pages speak, else of the one the browser likes best, else English."""
    spoken = (tag.strip().lower().partition("-")[0] for tag in asked)
    language = next((tag for tag in spoken if tag in LANGUAGES), None) or negotiated(accept_language)
    return Texts(language, own(language))


def negotiated(header: str) -> str:
    """The language that an ``Accept-Language`` header likes best of ours (RFC 9110 section 12.5.4); English where it likes none."""
    liked: list[tuple[float, int, str]] = []
    for n, part in enumerate(header[:_HEADER].split(",")):
        wish = _WISH.match(part)
        if wish and wish[1].lower() in LANGUAGES:
            liked.append((-float(wish[2] or 1), n, wish[1].lower()))
    best = min(liked, default=(0.0, 0, ENGLISH))
    return best[2] if best[0] < 0 else ENGLISH


def flaws_of(own: Mapping[str, str], language: str) -> tuple[str, ...]:
    """What is wrong with an operator's own texts in a language, one sentence each: unknown keys, places that do not exist, length."""
    if language not in LANGUAGES:
        return (f"{language!r} is no language of the pages; they speak {', '.join(LANGUAGES)}",)
    found = []
    for key, text in own.items():
        there = TEXTS[ENGLISH].get(key)
        if there is None and not _CATEGORY.match(key):
            found.append(f"{key!r} is no text of the pages")
            continue
        strange = sorted(set(PLACE.findall(text)) - set(PLACE.findall(there or "")))
        if strange:
            found.append(f"{key}: there is no place {{{strange[0]}}} in this text")
        if not text.strip() or len(text) > LONGEST:
            found.append(f"{key}: a text has 1 to {LONGEST} characters")
    return tuple(found)


@lru_cache(maxsize=8)
def _locale(language: str) -> Locale:
    return Locale.parse(LOCALES[language])


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at // SECOND, UTC)

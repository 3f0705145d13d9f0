"""Pages: what an operator changes of people's own pages. Texts by language, looks by brand; read from JSON, checked, written back.

Colours that nobody could read are refused (rules/colours.py).
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sayso.rules.catalogue import Catalogue, InvalidCatalogue, from_json, to_json
from sayso.rules.colours import LIGHT, problems_of

BUILT_IN: Final = LIGHT
"""What a colour is that no brand names."""
LOGO_KINDS: Final = ("image/png", "image/svg+xml", "image/jpeg", "image/webp")
LARGEST_LOGO: Final = 65_536
LONGEST: Final = 1_000
MOST_TEXTS: Final = 500
MOST: Final = 200
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?")
_KEY: Final = re.compile(r"[a-z][a-z0-9_.-]{0,79}")
_BRAND: Final = re.compile(r"\*|[^\s*/]{1,64}")
_DATA: Final = re.compile(r"data:([a-z/+]{1,20});base64,([A-Za-z0-9+/=]*)")

_SHOWN_ONLY: Final = ("version", "revision", "at")
"""What documents are shown with; read back, it is passed over."""

Texts = Mapping[str, Mapping[str, str]]
"""Texts by language and key."""


class InvalidPages(ValueError):
    """Pages that cannot be used; `pointer` is a JSON Pointer to the place."""

    def __init__(self, detail: str, pointer: str) -> None:
        super().__init__(f"{pointer}: {detail}")
        self.detail, self.pointer = detail, pointer


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture: its media type and its bytes. It is served under the hash of them."""

    kind: str
    data: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """The name it is served under: it changes with the picture."""
        return hashlib.sha256(self.data).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Style:
    """How a brand's pages look: colours by name and a logo."""

    colours: Mapping[str, str] = field(default_factory=dict)
    logo: Logo | None = None


@dataclass(frozen=True, slots=True)
class PageSet:
    """Everything an operator changed: texts for all, texts by brand, styles by brand (``*``: the company)."""

    texts: Texts = field(default_factory=dict)
    brand_texts: Mapping[str, Texts] = field(default_factory=dict)
    styles: Mapping[str, Style] = field(default_factory=dict)

    def logo(self, name: str) -> Logo | None:
        """The logo of this name."""
        return next((one.logo for one in self.styles.values() if one.logo and one.logo.name == name), None)


@dataclass(frozen=True, slots=True)
class Draft:
    """Pages before they are for everybody: `catalogue` None leaves the categories as they are.

    `shown_to` are e-mail addresses and domains (``@example.com``) of colleagues who see it already.
    """

    pages: PageSet
    catalogue: Catalogue | None = None
    shown_to: tuple[str, ...] = ()


def draft_of(body: Any, catalogue_version: int) -> Draft:
    """The draft that a JSON document describes; its catalogue would be of this version. Raises InvalidPages naming place and mend."""
    _object(body, "#", ("texts", "brands", "catalogue", "shown_to", *_SHOWN_ONLY))
    brands = _object(body.get("brands", {}), "#/brands")
    texts, styles = {}, {}
    for brand, held in brands.items():
        at = f"#/brands/{_escaped(brand)}"
        if not _BRAND.fullmatch(brand):
            raise InvalidPages("a brand is * or its key without white space, at most 64 characters", at)
        _object(held, at, ("texts", "colours", "logo"))
        texts[brand] = _texts(held.get("texts", {}), f"{at}/texts")
        styles[brand] = Style(_colours(held.get("colours", {}), f"{at}/colours"), _logo(held.get("logo"), f"{at}/logo"))
    catalogue = None
    if body.get("catalogue") is not None:
        try:
            catalogue = from_json(body["catalogue"], catalogue_version)
        except InvalidCatalogue as wrong:
            raise InvalidPages(wrong.detail, "#/catalogue" + wrong.pointer[1:]) from None
    return Draft(
        PageSet(
            _texts(body.get("texts", {}), "#/texts"),
            {brand: found for brand, found in texts.items() if found},
            {brand: style for brand, style in styles.items() if style != Style()},
        ),
        catalogue, _shown_to(body.get("shown_to", [])),
    )  # fmt: skip


def to_body(pages: PageSet) -> dict[str, Any]:
    """The JSON document of pages, as `draft_of` reads it."""
    brands: dict[str, Any] = {}
    for brand in sorted({*pages.brand_texts, *pages.styles}):
        style = pages.styles.get(brand, Style())
        logo = f"data:{style.logo.kind};base64,{base64.b64encode(style.logo.data).decode()}" if style.logo else None
        brands[brand] = {"texts": _plain(pages.brand_texts.get(brand, {})), "colours": dict(style.colours), "logo": logo}
    return {"texts": _plain(pages.texts), "brands": brands}


def draft_body(draft: Draft) -> dict[str, Any]:
    """The JSON document of a draft."""
    catalogue = to_json(draft.catalogue) if draft.catalogue else None
    return {**to_body(draft.pages), "catalogue": catalogue, "shown_to": list(draft.shown_to)}


def to_text(body: Mapping[str, Any]) -> str:
    """Canonical JSON text, as it is stored."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def is_shown(draft: Draft, address: str) -> bool:
    """Whether the owner of a normalised e-mail address sees the draft already."""
    return address in draft.shown_to or f"@{address.rpartition('@')[2]}" in draft.shown_to


def _colours(held: Any, at: str) -> Mapping[str, str]:
    found = _object(held, at)
    for name, colour in found.items():
        if not isinstance(colour, str):
            raise InvalidPages("a colour is written #rrggbb", f"{at}/{_escaped(name)}")
    if problems := problems_of(found):
        raise InvalidPages("; ".join(problems), at)
    return {name: colour.lower() for name, colour in found.items()}


def _logo(held: Any, at: str) -> Logo | None:
    if held is None:
        return None
    found = _DATA.fullmatch(held) if isinstance(held, str) and len(held) <= 2 * LARGEST_LOGO else None
    if found is None or found[1] not in LOGO_KINDS:
        raise InvalidPages(f"a logo is a data: URI in base64 of {', '.join(LOGO_KINDS)}", at)
    try:
        data = base64.b64decode(found[2], validate=True)
    except binascii.Error:
        raise InvalidPages("the base64 of the logo cannot be read", at) from None
    if not 0 < len(data) <= LARGEST_LOGO:
        raise InvalidPages(f"a logo has at most {LARGEST_LOGO:,} bytes", at)
    return Logo(found[1], data)


def _texts(held: Any, at: str) -> Texts:
    found = {}
    for language, texts in _object(held, at).items():
        if not _LANGUAGE.fullmatch(language):
            raise InvalidPages("a language is written en, de or pt-BR", f"{at}/{_escaped(language)}")
        inner = _object(texts, f"{at}/{language}")
        if len(inner) > MOST_TEXTS:
            raise InvalidPages(f"at most {MOST_TEXTS} texts a language", f"{at}/{language}")
        for key, text in inner.items():
            place = f"{at}/{language}/{_escaped(key)}"
            if not _KEY.fullmatch(key):
                raise InvalidPages("a text's key is lower-case letters, digits and _ . -", place)
            if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
                raise InvalidPages(f"a text of 1 to {LONGEST} characters is needed", place)
        if inner:
            found[language] = dict(inner)
    return found


def _shown_to(held: Any) -> tuple[str, ...]:
    if not isinstance(held, list) or len(held) > MOST or not all(isinstance(one, str) for one in held):
        raise InvalidPages(f"a list of at most {MOST} e-mail addresses and domains like @example.com", "#/shown_to")
    for n, one in enumerate(held):
        local, at, domain = one.strip().lower().rpartition("@")
        if not at or not domain or "@" in local or any(letter.isspace() for letter in one.strip()):
            raise InvalidPages("an e-mail address, or a domain like @example.com", f"#/shown_to/{n}")
    return tuple(dict.fromkeys(one.strip().lower() for one in held))


def _object(held: Any, at: str, known: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(held, dict) or len(held) > MOST_TEXTS:
        raise InvalidPages("an object is needed here", at)
    if known and (unknown := sorted(set(held) - set(known))):
        raise InvalidPages(f"unknown field {unknown[0]!r}; known are {', '.join(known)}", f"{at}/{_escaped(unknown[0])}")
    return held


def _plain(texts: Texts) -> dict[str, dict[str, str]]:
    return {language: dict(inner) for language, inner in texts.items()}


def _escaped(name: str) -> str:
    """The name as a part of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")

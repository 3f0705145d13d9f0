"""The footer under a message: how to stop it, where to choose, why it came, who sends it, and where they live.

The law asks for most of it (standards section 7: a visible way out, the sender's name and postal address); a sample that senders may
use as it is. Links open our pages; nothing is loaded from anywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Final

DEFAULT_LANGUAGE: Final = "en"
RIGHT_TO_LEFT: Final = frozenset({"ar"})

_WORDS: Final[Mapping[str, tuple[str, str, str, str]]] = {
    "en": ("Unsubscribe", "Choose what you get", "Why you got this", "Privacy"),
    "de": ("Abbestellen", "Auswählen, was kommt", "Warum Sie das bekommen", "Datenschutz"),
    "fr": ("Se désabonner", "Choisir ce que vous recevez", "Pourquoi ce message", "Confidentialité"),
    "es": ("Darse de baja", "Elegir lo que recibe", "Por qué lo recibe", "Privacidad"),
    "ar": ("إلغاء الاشتراك", "اختر ما يصلك", "لماذا وصلتك هذه الرسالة", "الخصوصية"),
}
"""What the links are called: to stop, to choose, to see why, and the privacy policy."""

LANGUAGES: Final = tuple(_WORDS)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: the name and the postal address that the law asks for, and where the privacy policy is."""

    company: str
    postal_address: str
    privacy_url: str


@dataclass(frozen=True, slots=True)
class Places:
    """Where the links of one message lead; `unsubscribe` None for what nobody can refuse."""

    unsubscribe: str | None
    preferences: str
    why: str


@dataclass(frozen=True, slots=True)
class Footer:
    """The same words twice: for the plain part of a message, and for its HTML part."""

    language: str
    text: str
    html: str


def language_of(asked: str | None) -> str:
    """The language that is spoken here for the one asked for (``de-AT`` → ``de``); English where we speak none of it."""
    primary = (asked or "").replace("_", "-").partition("-")[0].lower()
    return primary if primary in _WORDS else DEFAULT_LANGUAGE


def footer(sender: Sender, places: Places, language: str) -> Footer:
    """The footer of one message in one of LANGUAGES."""
    stop, choose, why, privacy = _WORDS[language]
    links = [(stop, places.unsubscribe), (choose, places.preferences), (why, places.why), (privacy, sender.privacy_url)]
    shown = [(word, place) for word, place in links if place]
    text = "\n".join(["-- ", *(f"{word}: {place}" for word, place in shown), "", sender.company, sender.postal_address, ""])
    way = "rtl" if language in RIGHT_TO_LEFT else "ltr"
    joined = " · ".join(f'<a href="{escape(place)}" style="color:inherit">{escape(word)}</a>' for word, place in shown)
    html = (
        f'<div lang="{language}" dir="{way}" style="margin-top:24px;font-size:13px;line-height:1.6;color:#595959">'
        f"<p>{joined}</p><p>{escape(sender.company)}<br>{escape(sender.postal_address)}</p></div>"
    )
    return Footer(language, text, html)

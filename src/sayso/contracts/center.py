"""The preference page as values: what it shows and what a person may ask of it. Pages, the headless twin and mails draw these.

Pages are drawn by name from `Presented` (None where nobody is known) and these values, all of them always there:
`links` (URLs by name: save, page, why, fresh, data, forget, undo, confirm), `form` (the hidden field
`form` of every form), `reason_form` (the same for the reason's form), `look` (Look), `languages` (code, URL), `errors` (pairs of
field and text key), `given` (what was typed, by field), `embedded` (draw the form alone), and by page: `chosen` (Chosen) on `saved`,
`category` (Choosable or None) on `one_button`, `why` (Why), `undone` (Undone), `asked` (titles) and `expired` on `undo`, `confirm` and
`confirmed`, `kind` on `trouble` (down, too_large, broken, stale_form, late).
Fields that forms send: `form`, `lang`, `shown` (each category shown), `keep` (each one ticked), `pause` ("", 30, 60, 90, date, end),
`pause_date` (YYYY-MM-DD), `stop` (brand, company), `action` (save, category, reason, not_relevant, forget, download), `reason` (a key of
REASONS), `words` (free text, at most 500 characters), `email` (on `link`), `sure` (on `forget`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from sayso.rules.catalogue import Catalogue
from sayso.rules.pages import Draft, PageSet
from sayso.rules.words import Choice

Stop = Literal["", "brand", "company"]
SystemState = Literal["told", "waiting", "cannot"]

REASONS: Final = ("too_many", "not_relevant", "never_asked", "privacy", "other")
"""Why people leave, as they may choose it afterwards; nobody has to."""
REASON_LENGTH: Final = 500


@dataclass(frozen=True, slots=True)
class Choosable:
    """A category people may refuse. `on`: nobody's choice stops it; `said`: their own word; `pending`: an opt-in waits for its mail."""

    key: str
    title: str
    sends: str
    often: str
    on: bool
    said: Choice
    pending: bool = False
    except_brands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Always:
    """A category that is always sent, with the reason why it cannot be refused."""

    key: str
    title: str
    sends: str
    reason: str


@dataclass(frozen=True, slots=True)
class System:
    """A connected system: whether it knows the present state already, since when (microseconds), and after how many milliseconds."""

    name: str
    state: SystemState
    at: int | None = None
    milliseconds: int | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """One line of the history of choices: when, what (a category's key, ``*`` or ``pause``), what it became, through what.

    `old` and `new` are choices; of a pause `new` is its end in microseconds as text ("" when it was ended).
    """

    at: int
    about: str
    old: str
    new: str
    source: str
    reference: str


@dataclass(frozen=True, slots=True)
class Mailed:
    """One message that was sent to this person."""

    at: int
    category: str
    subject: str
    campaign: str


@dataclass(frozen=True, slots=True)
class Presented:
    """Everything one page shows. Times are microseconds; history and mail are empty unless the link is fresh.

    `held` are codes of what else keeps mail away (blacklisted, hard_bounce, complaint, soft_bounce_streak, carrier_stop): no choice
    lifts these. `wording` names the version of every text shown, as it is kept with each choice.
    """

    brand: str
    company: str
    masked: str
    language: str
    fresh: bool
    gone: bool
    version: int
    categories: tuple[Choosable, ...]
    always: tuple[Always, ...]
    stopped_all: bool
    paused_until: int | None
    systems: tuple[System, ...] = ()
    history: tuple[Past, ...] = ()
    mailed: tuple[Mailed, ...] = ()
    privacy_url: str = ""
    postal_address: str = ""
    held: tuple[str, ...] = ()
    wording: str = ""
    channel: str = "email"


@dataclass(frozen=True, slots=True)
class Look:
    """How a brand's pages look: its colours by name (none: the built-in ones) and the path of its logo ("": none)."""

    colours: Mapping[str, str] = field(default_factory=dict)
    logo: str = ""


@dataclass(frozen=True, slots=True)
class Pages:
    """A version of what pages say and how they look. Version 0 is built in.

    `texts` are an operator's own, by language and key; `brand_texts` the same by brand, which win; `looks` by brand (``*``: the company).
    """

    version: int = 0
    draft: bool = False
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    brand_texts: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    looks: Mapping[str, Look] = field(default_factory=dict)

    def look(self, brand: str) -> Look:
        """How the pages of a brand look."""
        return self.looks.get(brand) or self.looks.get("*") or Look()

    def own(self, brand: str, language: str) -> Mapping[str, str]:
        """The operator's texts for a brand in a language, by key."""
        return {**self.texts.get(language, {}), **self.brand_texts.get(brand, {}).get(language, {})}


@dataclass(frozen=True, slots=True)
class House:
    """What pages of a brand say of the company: its name, its privacy policy and its postal address."""

    company: str
    privacy_url: str
    postal_address: str


@dataclass(frozen=True, slots=True)
class Why:
    """Why somebody received a message. `subject` and `sent_at` are empty where nobody told us of the message.

    `category` is what it was sent as, `code` what allowed it (opted_in, allowed_by_regime, soft_opt_in, transactional, "" when no record
    is left), `said_at`, `source` and `reference` the very record, `check` the id of the verdict, `place` the law that was applied.
    """

    subject: str
    sent_at: int | None
    campaign: str
    category: str
    title: str
    code: str
    said_at: int | None
    source: str
    reference: str
    check: str
    place: str
    refusable: bool


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo restored, and what it left alone because something newer was said (category keys, ``*``, ``pause``)."""

    at: int
    reference: str
    restored: tuple[str, ...]
    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for on a page. `choices` by category key (True: keep sending), `pause_until` None leaves pauses alone, 0 ends them."""

    choices: Mapping[str, bool] = field(default_factory=dict)
    stop: Stop = ""
    pause_until: int | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What became of a wish: when, under which reference, which categories wait for a mailed confirmation, and the token that undoes it.

    `undo` is empty where nothing changed. `changed` and `refused` are category keys (``*`` for everything, ``pause`` for pauses).
    """

    at: int
    reference: str
    entries: tuple[str, ...]
    changed: tuple[str, ...]
    refused: tuple[str, ...] = ()
    to_confirm: tuple[str, ...] = ()
    undo: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class LivePages:
    """The pages that everybody is shown."""

    version: int
    pages: PageSet


@dataclass(frozen=True, slots=True)
class DraftPages:
    """The draft as it is kept; `revision` counts its changes."""

    revision: int
    draft: Draft
    at: int


class DraftMoved(Exception):
    """The draft, or what is live, is not what the caller saw any more: read it and decide again."""


class PageStore(Protocol):
    """Everything here raises book.Unavailable when the store cannot be reached."""

    async def live(self) -> LivePages:
        """The newest version; version 0 when nothing was ever published."""

    async def draft(self) -> DraftPages | None:
        """The draft, None when there is none (or its key is gone)."""

    async def keep_draft(self, draft: Draft, now: int) -> int:
        """Keeps the draft in place of an earlier one; gives its revision."""

    async def drop_draft(self, revision: int = 0) -> bool:
        """Takes the draft away (0: whichever it is); False when it was not there."""

    async def publish(self, version: int, held: DraftPages, catalogue: Catalogue, now: int) -> None:
        """Makes a draft live as `version`, with its catalogue where it has one, and takes it away, all or nothing. Raises DraftMoved."""

"""The preference page as values: what it shows and what a person may ask of it. Pages, the headless twin and mails draw these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sayso.rules.words import Choice

Stop = Literal["", "brand", "company"]
SystemState = Literal["told", "waiting", "cannot"]


@dataclass(frozen=True, slots=True)
class Choosable:
    """A category people may refuse. `on`: such mail may come now; `said`: their own word; `pending`: an opt-in waits for its mail."""

    key: str
    title: str
    sends: str
    often: str
    on: bool
    said: Choice
    pending: bool = False


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
    """One line of the history of choices: when, what (a category's key, ``*`` or ``pause``), what it became, through what."""

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
    """Everything one page shows. Times are microseconds; history and mail are empty unless the link is fresh."""

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

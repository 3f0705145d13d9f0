"""Mail as values: what is to be written, what is handed to a mail server, and what came in."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from sayso.contracts.letters import Changed, LetterKind
from sayso.rules.catalogue import Catalogue
from sayso.rules.words import Scope


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a mail is from: the brand's name, its mailbox (``Name <address>``), postal address, privacy policy, and colours of buttons."""

    company: str
    mailbox: str
    postal_address: str
    privacy_url: str
    accent: str = "#1f4e5f"
    on_accent: str = "#ffffff"


@dataclass(frozen=True, slots=True)
class Draft:
    """Everything a letter says, before it is words. `to` is the address as given; URLs are absolute, "" where there is none.

    `act_url` is where its one button leads (undo, the page, confirm); `until` is when that ends. `headers` are List-Unsubscribe and its Post.
    """

    id: UUID
    kind: LetterKind
    to: str = field(repr=False)
    language: str
    sender: Sender
    catalogue: Catalogue
    now: int
    act_url: str = field(repr=False)
    preferences_url: str = field(repr=False)
    until: int
    changes: tuple[Changed, ...] = ()
    scopes: tuple[Scope, ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it goes over the wire; `envelope_from` is empty, so that no machine ever answers it."""

    id: UUID
    to: str = field(repr=False)
    raw: bytes = field(repr=False)
    envelope_from: str = ""


class NotNow(Exception):
    """The mail was not taken, or nobody knows whether it was: try again later."""


class NeverTaken(Exception):
    """The mail server says that this address, or this mail, will never be taken."""


Compose = Callable[[Draft], Mail]
"""The mail that says a draft in its language. Raises ValueError for text that no header may hold."""
Submit = Callable[[Mail], Awaitable[None]]
"""Hands a mail over; when this returns somebody else is answerable for it. Raises NotNow and NeverTaken."""

Automatic = Literal["", "auto_submitted", "empty_return_path", "precedence", "auto_response_suppress", "list"]


@dataclass(frozen=True, slots=True)
class Arrived:
    """One mail that came in, as far as it matters: the keys and tokens it names, in the order found, and why it is a machine's."""

    keys: tuple[str, ...] = field(repr=False)
    tokens: tuple[str, ...] = field(repr=False)
    automatic: Automatic
    raw: bytes = field(repr=False)

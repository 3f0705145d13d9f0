"""Messages: what was sent to whom by which permission, and the keys that opt-outs by mail carry. The ports for both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from sayso.rules.answer import Logged
from sayso.rules.tokens import Link


@dataclass(frozen=True, slots=True)
class Sending:
    """One message that was sent: to whom (pseudonym in hex: the contact's where one was named), when (microseconds), and as what.

    `subject`, `campaign` and `message` are the sender's words, "" where none were given or the person was erased. `check` is the
    verdict that allowed it (or forbade it), `violation` a code of rules/sends.CODES, "" for a message that was allowed. `id` is "" before it is kept,
    `again` says that it had been told before.
    """

    sub: str
    at: int
    channel: str
    category: str
    brand: str = "*"
    subject: str = field(default="", repr=False)
    campaign: str = ""
    message: str = ""
    check: UUID | None = None
    violation: str = ""
    id: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A verdict as it was logged: its id, whom it was about (pseudonym; "" where nobody was known), and what it said."""

    check: UUID
    sub: str
    logged: Logged


@dataclass(frozen=True, slots=True)
class Near:
    """Which verdicts to look for: about any of these people, for this channel and category, given from `since` up to `until`.

    A verdict without a brand speaks for all of them; `brand` ``*`` looks for those alone.
    """

    subs: tuple[str, ...]
    channel: str
    category: str
    brand: str
    since: int
    until: int


class Sent(Protocol):
    """Everything here raises book.Unavailable when the store cannot be reached."""

    async def keep(self, sendings: Sequence[Sending], now: int) -> list[Sending]:
        """What is held of each, in order, with its id: of one that was told before (same person and message id) the first telling."""

    async def read(self, subs: Sequence[str], *, message: str = "", campaign: str = "", after: str = "", limit: int = 100) -> list[Sending]:
        """Messages to these people, newest first, beginning behind the id `after`; only those of a message or campaign id if one is given."""

    async def violations(self, subs: Sequence[str] | None = None, *, since: int = 0) -> Mapping[str, int]:
        """How many messages were sent without permission, by code: to these people, or (None) to anybody; sent at `since` or later."""

    async def verdict(self, check: UUID) -> Asked | None:
        """A verdict that was given before; its reasons name the entries that decided. None once its day is no longer kept."""

    async def verdicts(self, checks: Sequence[UUID]) -> Mapping[UUID, Asked]:
        """Verdicts by their ids; those nobody knows are missing."""

    async def nearest(self, nears: Sequence[Near]) -> list[Asked | None]:
        """The newest verdict of each search, in order."""

    async def first_words(self, subs: Sequence[str]) -> Mapping[str, int]:
        """When the first entry about each of these people was made; those about whom nothing was ever said are missing."""


class MailKeys(Protocol):
    """Short keys for the local part of a mailbox: they survive folding of case, and name one person and scope for ever."""

    async def keep(self, links: Sequence[Link]) -> list[str]:
        """The key of each link's people and scope, in order (24 letters and digits, lower case); the same ones always get the same."""

    async def find(self, key: str) -> Link | None:
        """Whom and what a key stands for, in any case of letters (campaign and message are not kept); None for any other text."""

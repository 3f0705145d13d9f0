"""What a link opens: whom it is about, how they stand, and what its holder may do."""

from dataclasses import dataclass, field

from sayso.contracts.book import Key, Page
from sayso.rules.erasure import is_erasing
from sayso.rules.statements import Row
from sayso.rules.subjects import Address
from sayso.rules.tokens import Link
from sayso.rules.view import Reading


@dataclass(frozen=True, slots=True)
class Opened:
    """A link of ours, read and resolved.

    `contact` and `address` are the keys that a statement through it names (None where the link names none or it was erased), `fresh`
    whether it was mailed within the hour: only then may its holder opt in, see history and reach other addresses. `email` is where
    mails to this person go. `gone` says that nothing is held about them any more: everything is denied, nothing can be changed.
    """

    link: Link
    token: str = field(repr=False)
    fresh: bool
    contact: Key | None
    address: Key | None
    email: Address | None
    page: Page = field(repr=False)
    about: Row | None
    readings: tuple[Reading, ...] = ()
    language: str = ""

    @property
    def gone(self) -> bool:
        """Whether the person was erased, or is about to be: from its acceptance on there is nothing to choose any more."""
        return self.about is None or is_erasing(self.about.state)

    @property
    def brand(self) -> str:
        """The brand whose page this is (``*``: the company)."""
        return self.link.scope.brand

    @property
    def channel(self) -> str:
        """The channel that the page is about: the link's, e-mail where it names all."""
        return "email" if self.link.scope.channel == "*" else self.link.scope.channel

"""Asking by mail what a page may not take at its word: the owner of the address says whether they want it."""

from starlette.requests import Request

from sayso.contracts.book import Key
from sayso.contracts.ground import Ground
from sayso.contracts.people import Opened
from sayso.flows.ask_double import NotMailed, TooMany, Wanted, ask_double
from sayso.flows.choose import Ask, Manner
from sayso.rules.forwarding import network
from sayso.rules.words import Scope
from sayso.web.center.parts import CenterParts, caller_of


def asker(parts: CenterParts, manner: Manner, language: str, ground: Ground) -> Ask:
    """Sends the mail of a double opt-in; False where none may go: no address of e-mail, a block, or too many lately."""

    async def ask(opened: Opened, scopes: tuple[Scope, ...]) -> bool:
        if opened.email is None or opened.channel != "email":
            return False
        at = Key(opened.email.kind, opened.email.value, opened.email.given)
        wanted = Wanted(opened.contact, at, scopes, language, manner.personal or {})
        try:
            await ask_double(wanted, letters=parts.sources.letters, book=parts.book, ground=ground)
        except (NotMailed, TooMany):
            return False
        return True

    return ask


def network_of(request: Request) -> str:
    """The network a request came from, as limits count."""
    return network(caller_of(request))

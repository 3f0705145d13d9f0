"""Unsubscribe: one act that stops what a link names, however it came: one click, or a mail to the mailbox of a message's header."""

from sayso.contracts.book import Book
from sayso.contracts.ground import Ground
from sayso.contracts.people import Opened
from sayso.flows.choose import Manner
from sayso.flows.record import Recorded, Said, record
from sayso.rules.statements import Choose
from sayso.rules.words import ANY, Scope


async def unsubscribe(opened: Opened, manner: Manner, *, book: Book, ground: Ground) -> Recorded | None:
    """What was kept; None for somebody erased, to whom nothing is sent anyway. Doing it again changes nothing. Raises Unavailable.

    A category that cannot be refused any more (the catalogue changed since) stops the whole channel of the brand: whoever asked for less
    mail gets less.
    """
    if opened.gone:
        return None
    scope = opened.link.scope
    category = ground.catalogue.get(scope.category)
    if category is not None and not category.refusable:
        scope = Scope(scope.brand, scope.channel, ANY)
    said = Said(
        manner.voice(), (Choose(scope, out=True, field=scope.category),), opened.contact, opened.address, personal=manner.personal or {}
    )
    return await record(said, book=book, ground=ground)

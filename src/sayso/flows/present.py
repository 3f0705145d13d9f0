"""Present: everything the preference page shows of one person. Reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sayso.contracts.book import Book, Noted
from sayso.contracts.center import Always, Choosable, House, Mailed, Pages, Past, Presented, System
from sayso.contracts.ground import Ground
from sayso.contracts.letters import Letters
from sayso.contracts.messages import Sent
from sayso.contracts.people import Opened
from sayso.contracts.spokes import Spokes, Told
from sayso.flows.weigh import Weighed, weigh
from sayso.rules.catalogue import Catalogue
from sayso.rules.center import PAUSE
from sayso.rules.references import reference
from sayso.rules.subjects import Address, mask
from sayso.rules.words import ANY, Scope

HISTORY = 100
MAILED = 50


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a page is read from."""

    book: Book
    spokes: Spokes
    sent: Sent
    letters: Letters


async def present(
    opened: Opened, pages: Pages, catalogue: Catalogue, house: House, language: str, *, sources: Sources, ground: Ground
) -> Presented:
    """What the page behind a link shows now. Of somebody erased it shows that nothing is held. Raises Unavailable."""
    wording = wording_of(pages, catalogue, language)
    if opened.gone or opened.about is None:
        return Presented(
            brand=opened.brand, company=house.company, masked="", language=language, fresh=False, gone=True, version=0, categories=(),
            always=(), stopped_all=True, paused_until=None, privacy_url=house.privacy_url, postal_address=house.postal_address,
            wording=wording, channel=opened.channel,
        )  # fmt: skip
    weighed = await weigh(opened, catalogue, book=sources.book, ground=ground)
    subs = [row.sub for key in (opened.contact, opened.address) if (row := opened.page.row(key))]
    waiting = await sources.letters.open_pending(subs, ground.clock())
    pending = {scope for one in waiting for scope in one.scopes}
    at = opened.email or (Address(opened.address.kind, opened.address.value, opened.address.given) if opened.address else None)
    return Presented(
        brand=opened.brand,
        company=house.company,
        masked=mask(at) if at else "",
        language=language,
        fresh=opened.fresh,
        gone=False,
        version=weighed.version,
        categories=_choosable(catalogue, weighed, pending, opened),
        always=tuple(Always(c.key, c.title, c.sends, c.reason) for c in catalogue.categories if not c.refusable),
        stopped_all=weighed.stopped,
        paused_until=weighed.paused_until,
        systems=await _systems([opened.about.sub, *opened.about.state.links], sources.spokes),
        history=await _history(subs, opened.channel, sources.book) if opened.fresh else (),
        mailed=await _mailed(subs, opened.channel, sources.sent) if opened.fresh else (),
        privacy_url=house.privacy_url,
        postal_address=house.postal_address,
        held=weighed.held,
        wording=wording,
        channel=opened.channel,
    )


def wording_of(pages: Pages, catalogue: Catalogue, language: str) -> str:
    """The version of every text that a page shows: of the pages' texts (a draft's is marked), of the catalogue, and the language."""
    return f"pages {pages.version}{' draft' if pages.draft else ''}, catalogue {catalogue.version}, {language}"


def _choosable(catalogue: Catalogue, weighed: Weighed, pending: set[Scope], opened: Opened) -> tuple[Choosable, ...]:
    # A box of a fresh link is ticked by its owner's hand or not at all, whoever asked for it before (CJEU C-673/17).
    return tuple(
        Choosable(
            one.key, one.title, one.sends, one.often, weighed.on[one.key], weighed.said[one.key],
            Scope(opened.brand, opened.channel, one.key) in pending and not weighed.on[one.key] and not opened.fresh, weighed.except_brands.get(one.key, ()),
        )
        for one in catalogue.refusable
    )  # fmt: skip


async def _systems(subs: Sequence[str], spokes: Spokes) -> tuple[System, ...]:
    """How far each connected system is with this person: told only once it acknowledged everything about all they are known by."""
    told = await spokes.told(list(dict.fromkeys(subs)))
    found = []
    for connection in await spokes.connections():
        about = [one for one in told if one.connection == connection.id]
        if about:
            found.append(_system(connection.name, about))
    return tuple(found)


def _system(name: str, about: Sequence[Told]) -> System:
    open_ones = [one for one in about if one.acknowledged < one.wanted]
    if open_ones:
        return System(name, "cannot" if all(one.parked for one in open_ones) else "waiting")
    last = max(about, key=lambda one: one.acknowledged_at or 0)
    waited = (last.acknowledged_at - last.wanted_at) // 1_000 if last.acknowledged_at else None
    return System(name, "told", last.acknowledged_at, max(0, waited) if waited is not None else None)


async def _history(subs: Sequence[str], channel: str, book: Book) -> tuple[Past, ...]:
    noted = await book.entries(subs, kinds=("choice", "pause"), after="", limit=HISTORY * 2, newest_first=True)
    shown = [one for one in noted if one.fields["effect"] == "applied" and _is_told(one.fields, channel, subs)]
    return tuple(_past(one) for one in shown[:HISTORY])


def _is_told(fields: Mapping[str, object], channel: str, subs: Sequence[str]) -> bool:
    """Whether an entry is a statement of its own about the page's channel: no copy in another row, nothing that policy spread."""
    x, scope = fields.get("x"), fields.get("scope")
    copied = isinstance(x, Mapping) and "twin" in x and fields.get("about") in set(subs) - {fields["sub"]}
    reaches = isinstance(scope, Sequence) and scope[1] in (channel, ANY)
    return reaches and not copied and fields.get("rule") != "spread_from_email"


def _past(noted: Noted) -> Past:
    fields = noted.fields
    x = fields.get("x", {})
    if fields["t"] == "pause":
        return Past(fields["ts"], PAUSE, "", str(x.get("until") or ""), fields["src"], reference(noted.id))
    return Past(fields["ts"], fields["scope"][2], x.get("old", ""), x.get("new", ""), fields["src"], reference(noted.id))


async def _mailed(subs: Sequence[str], channel: str, sent: Sent) -> tuple[Mailed, ...]:
    found = await sent.read(subs, limit=MAILED)
    return tuple(Mailed(one.at, one.category, one.subject, one.campaign) for one in found if one.channel == channel)

"""Weigh: how a person stands for each category of a page, by the gate's own rules. Reads only, and logs no verdict: nothing is sent."""

from collections.abc import Mapping
from dataclasses import dataclass

from sayso.contracts.book import Book, Key, Page, version_of
from sayso.contracts.gatehouse import Found
from sayso.contracts.ground import Ground
from sayso.contracts.people import Opened
from sayso.flows.check import Question, people_of
from sayso.rules import gate, view
from sayso.rules.catalogue import Catalogue
from sayso.rules.center import HELD_BY, is_on
from sayso.rules.gate import Ask, Person
from sayso.rules.subjects import ADDRESS_KIND, Address, aliases
from sayso.rules.values import altered
from sayso.rules.view import Reading
from sayso.rules.words import ANY, Choice, Scope


@dataclass(frozen=True, slots=True)
class Weighed:
    """`on` and `said` by category key; `held` codes of facts that keep mail away; pauses in microseconds, `paused_here` this brand's.

    `page` is what was read, `stopped` says that the whole channel is opted out at this brand.
    """

    on: Mapping[str, bool]
    said: Mapping[str, Choice]
    except_brands: Mapping[str, tuple[str, ...]]
    held: tuple[str, ...]
    stopped: bool
    paused_until: int | None
    paused_here: int | None
    version: int
    page: Page


async def weigh(opened: Opened, catalogue: Catalogue, *, book: Book, ground: Ground) -> Weighed:
    """How the person behind a link stands now. Raises Unavailable; nobody may be weighed who is gone."""
    address = _judged(opened)
    others = tuple(Key(one.kind, one.value) for one in aliases(address)[1:]) if address else ()
    key = Key(address.kind, address.value) if address else None
    page = await book.read([one for one in (opened.contact, key, *others) if one])
    found = Found(page.row(opened.contact), page.row(key), tuple(row for one in others if (row := page.row(one))), dict(page.rows))
    ask = Ask(opened.channel, None, opened.brand)
    # A contact without an address on the channel is denied by the gate for that alone; here its choices are asked for.
    people = tuple(altered(one, missing="") for one in people_of(Question(ask, opened.contact, address), found))
    now = ground.clock()
    return _weighed(opened, catalogue, _Scales(people, now, ground), page)


def _judged(opened: Opened) -> Address | None:
    """The address that mails of the page's channel reach."""
    if opened.address is not None and opened.address.kind == ADDRESS_KIND.get(opened.channel):
        return Address(opened.address.kind, opened.address.value, opened.address.given)
    return opened.email if opened.channel == "email" else None


@dataclass(frozen=True, slots=True)
class _Scales:
    people: tuple[Person, ...]
    now: int
    ground: Ground

    def reasons(self, ask: Ask) -> tuple[gate.Reason, ...]:
        """Why a message may or may not be sent; all of it when it may not."""
        window, country = self.ground.window, self.ground.default_country
        return gate.may_send(ask, self.people, version=0, now=self.now, window=window, default_country=country).reasons

    @property
    def readings(self) -> tuple[Reading, ...]:
        return tuple(Reading(one.contact, one.rows) for one in self.people)


def _weighed(opened: Opened, catalogue: Catalogue, scales: _Scales, page: Page) -> Weighed:
    brand, channel, window = opened.brand, opened.channel, scales.ground.window
    reasons = {one.key: scales.reasons(Ask(channel, one, brand)) for one in catalogue.refusable}
    on = {key: is_on(why) for key, why in reasons.items()}
    said = {key: view.choice_at(scales.readings, Scope(brand, channel, key), window) for key in on}
    every = [reason for why in reasons.values() for reason in why]
    others = view.brands_of(scales.readings) if brand == ANY else ()
    stays = {
        one.key: tuple(b for b in others if not is_on(scales.reasons(Ask(channel, one, b)))) for one in catalogue.refusable if on[one.key]
    }
    here = [pause.until for pause in (gate.pauses_of(one.rows).get(brand) for one in scales.people) if pause]
    about = page.row(opened.contact or opened.address)
    return Weighed(
        on=on,
        said=said,
        except_brands=stays,
        held=tuple(sorted({reason.code for reason in every} & HELD_BY)),
        stopped=view.is_out(scales.readings, brand, channel, window) and not any(on.values()),
        paused_until=max((reason.until for reason in every if reason.code == "paused" and reason.until), default=None),
        paused_here=max((until for until in here if until > scales.now), default=None),
        version=version_of(about, page.linked(about)) if about else 0,
        page=page,
    )

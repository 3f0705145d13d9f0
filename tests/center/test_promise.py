"""The promise of the page: what it shows on is what the gate lets through, after whatever was saved, stopped, clicked and taken back."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from sayso.center_wiring import center_parts_of
from sayso.contracts.book import Key
from sayso.contracts.center import Chosen, House, Pages, Presented, Wish
from sayso.contracts.ground import Ground
from sayso.contracts.people import Opened
from sayso.flows.check import Question, check
from sayso.flows.choose import Manner, choose
from sayso.flows.open_link import opened as people_of
from sayso.flows.present import present
from sayso.flows.record import Said, record
from sayso.flows.undo import undo
from sayso.flows.unsubscribe import unsubscribe
from sayso.opening import Parts, opened
from sayso.rules.catalogue import DEFAULT
from sayso.rules.center import Place, Planned, is_on, planned
from sayso.rules.gate import Ask
from sayso.rules.statements import Choose, Voice
from sayso.rules.subjects import CONTACT, Address
from sayso.rules.tokens import Link, read, read_undo
from sayso.rules.words import ANY, Scope
from sayso.settings import read as read_settings

KEYS = tuple(one.key for one in DEFAULT.refusable)
BRANDS = (ANY, "outlet")
COUNT = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Save:
    """Somebody saves a page with these boxes ticked; or presses stop on it."""

    brand: str
    fresh: bool
    keep: frozenset[str]
    stop: str = ""


@dataclass(frozen=True, slots=True)
class Click:
    """A mail program's button."""

    scope: Scope


@dataclass(frozen=True, slots=True)
class Relay:
    """Another system passes a word on."""

    scope: Scope
    out: bool


@dataclass(frozen=True, slots=True)
class TakeBack:
    """The undo of the latest save."""


saves = st.builds(
    Save, st.sampled_from(BRANDS), st.booleans(), st.frozensets(st.sampled_from(KEYS)), st.sampled_from(["", "", "brand", "company"])
)
scopes = st.builds(Scope, st.sampled_from(BRANDS), st.sampled_from(["email", ANY]), st.sampled_from([*KEYS, ANY]))
steps = st.lists(
    saves | saves | st.builds(Click, scopes) | st.builds(Relay, scopes, st.booleans()) | st.builds(TakeBack), min_size=1, max_size=6
)


class Story:
    """One new person, and what happens to them."""

    def __init__(self, parts: Parts, ground: Ground, country: str) -> None:
        n = next(COUNT)
        self.parts, self.ground, self.country = parts, ground, country
        self.center = center_parts_of(parts)
        self.contact, self.address = Key(CONTACT, f"c-{n}", f"c-{n}"), Key("email", f"p{n}@example.com", f"p{n}@example.com")
        self.subs = ("", "")
        self.last: Chosen | None = None

    async def meet(self) -> None:
        said = Said(Voice("api", False, "c:shop:api", "c:shop"), (), self.contact, self.address, ties=((self.address, True),))
        page = (await record(said, book=self.parts.book, ground=self.ground)).page
        self.subs = (page.keys[self.contact], page.keys[self.address])

    async def open(self, brand: str, *, fresh: bool = True, category: str = ANY, channel: str = "email") -> Opened:
        link = Link(*(bytes.fromhex(sub) for sub in self.subs), Scope(brand, channel, category))
        return await people_of(link, "t", fresh=fresh, book=self.parts.book, ground=self.ground)

    async def page(self, brand: str) -> Presented:
        found = await self.open(brand)
        return await present(found, Pages(), DEFAULT, House("N", "", ""), "en", sources=self.center.sources, ground=self.ground)

    async def shown(self, brand: str) -> frozenset[str]:
        return frozenset(one.key for one in (await self.page(brand)).categories if one.on)

    async def let_through(self, brand: str) -> frozenset[str]:
        at = Address(self.address.kind, self.address.value, self.address.given)
        asked = [Question(Ask("email", one, brand), self.contact, at) for one in DEFAULT.refusable]
        verdicts = await check(asked, gatehouse=self.parts.gatehouse, ground=self.ground)
        return frozenset(one.key for one, (_, logged) in zip(DEFAULT.refusable, verdicts, strict=True) if is_on(logged.verdict.reasons))

    async def save(self, step: Save) -> None:
        before = {brand: await self.shown(brand) for brand in BRANDS}
        wish = Wish({key: key in step.keep for key in KEYS}, "company" if step.stop == "company" else "brand" if step.stop else "")
        found = await self.open(step.brand, fresh=step.fresh)

        async def ask(_: Opened, __: object) -> bool:
            return True

        parts = self.parts
        self.last = await choose(found, wish, DEFAULT, Manner(), book=parts.book, ring=parts.keys.token_ring, ground=self.ground, ask=ask)
        shown = await self.shown(step.brand)
        if step.stop:
            assert shown == frozenset()
        elif step.fresh:
            assert shown == step.keep
        else:
            assert shown == before[step.brand] & step.keep
            assert set(self.last.to_confirm) == step.keep - before[step.brand]
        if not step.fresh or step.stop:
            for brand in BRANDS:
                assert await self.shown(brand) <= before[brand], "an ordinary link let something through"
        if self.last.undo and len(shown) % 2:  # now and then it is taken back at once: then everything is as it was
            await self.take_back()
            assert {brand: await self.shown(brand) for brand in BRANDS} == before
            event("taken back at once")

    async def take_back(self) -> None:
        if self.last is None or not self.last.undo:
            return
        right = read_undo(read(self.parts.keys.token_ring, self.last.undo, kinds=["undo"], now=self.ground.clock()))
        first = await undo(right, Manner(), book=self.parts.book, ground=self.ground)
        stands = {brand: await self.shown(brand) for brand in BRANDS}
        await undo(right, Manner(), book=self.parts.book, ground=self.ground)
        assert {brand: await self.shown(brand) for brand in BRANDS} == stands, f"twice is not once: {first}"

    async def step(self, step: object) -> None:
        parts = self.parts
        match step:
            case Save():
                await self.save(step)
            case Click(scope):
                found = await self.open(scope.brand, fresh=False, category=scope.category, channel=scope.channel)
                await unsubscribe(found, Manner("one_click"), book=parts.book, ground=self.ground)
            case Relay(scope, out):
                voice = Voice("api", False, "c:shop:api", "c:shop", method="explicit")
                said = Said(voice, (Choose(scope, out=out),), self.contact)
                await record(said, book=parts.book, ground=self.ground)
            case TakeBack():
                await self.take_back()

    async def tell(self, plan: list[object]) -> None:
        await self.meet()
        for step in plan:
            await self.step(step)
            for brand in BRANDS:
                page = await self.page(brand)
                on = frozenset(one.key for one in page.categories if one.on)
                assert on == await self.let_through(brand), (brand, step)
                assert not (page.stopped_all and on)


@pytest.fixture(scope="module")
def told(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[list[object], str], None]]:
    """Tells one story after the other on one hub, in a loop of its own."""
    loop = asyncio.new_event_loop()
    folder: Path = tmp_path_factory.mktemp("promise")
    env = {"SAYSO_DATA_DIR": str(folder / "data"), "SAYSO_DATABASE_URL": module_database}
    stack = AsyncExitStack()

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return loop.run_until_complete(work)

    parts: Parts = run(stack.enter_async_context(opened(read_settings(env, cwd=folder), patience=10.0)))
    ground: Ground = run(parts.current.ground())

    def tell(plan: list[object], country: str) -> None:
        run(Story(parts, replace(ground, default_country=country), country).tell(plan))

    yield tell
    run(stack.aclose())
    loop.close()


@pytest.mark.feature("G3", "G8", "S8", "I3")
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(plan=steps, country=st.sampled_from(["US", "DE"]))
def test_the_page_shows_what_the_gate_lets_through(told: Callable[[list[object], str], None], plan: list[object], country: str) -> None:
    told(plan, country)


BACK = [
    Save(ANY, fresh=True, keep=frozenset(KEYS)),
    Save(ANY, fresh=True, keep=frozenset(), stop="company"),
    Save(ANY, fresh=True, keep=frozenset(KEYS)),
]


def test_the_promise_notices_a_page_that_forgets_the_way_back(
    told: Callable[[list[object], str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    told(BACK, "DE")

    def forgetful(*asked: Any) -> Planned:
        plan = planned(*asked)
        return replace(plan, words=tuple(word for word in plan.words if not isinstance(word, Choose) or word.out))

    monkeypatch.setattr("sayso.flows.choose.planned", forgetful)
    with pytest.raises(AssertionError):
        told(BACK, "DE")


def test_the_promise_notices_a_page_that_takes_a_ticked_box_for_consent(
    told: Callable[[list[object], str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def eager(choices: Any, until: Any, on: Any, place: Place) -> Planned:
        return planned(choices, until, on, replace(place, fresh=True))

    monkeypatch.setattr("sayso.flows.choose.planned", eager)
    with pytest.raises(AssertionError):
        told([Save(ANY, fresh=False, keep=frozenset(KEYS))], "DE")

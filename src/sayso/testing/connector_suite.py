"""The tests every connector passes, built in or not: `contract_of(case)` gives a class for pytest to collect.

A case says how to open a world: settings that work, a fake vendor that can misbehave, and calls as the vendor would make them.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from sayso.connectors.drive import Engine
from sayso.connectors.registry import find
from sayso.connectors.transport import Transport
from sayso.contracts.connector import (
    BadCall,
    BadSettings,
    BadSignature,
    Call,
    Change,
    Connector,
    Driven,
    Flow,
    Heard,
    MessageClass,
    Outcome,
    Page,
    Settings,
    Standing,
    TargetAddress,
    UnknownEvent,
    Word,
)
from sayso.rules.destinations import parse_networks
from sayso.testing.fake_server import FakeServer, Seen, Trouble

T = TypeVar("T")

NOW = 1_795_341_700_000_000
"""2026-11-22T10:01:40Z, the moment of every test."""

STATUSES = (301, 400, 401, 403, 404, 408, 409, 410, 418, 422, 429, 500, 502, 503, 504)
TROUBLES: tuple[Trouble, ...] = ("garbage", "reset", "reset_after", "dropped", "echo")
LOOPBACK = parse_networks("127.0.0.0/8")
CATEGORIES: tuple[tuple[str, MessageClass], ...] = (
    ("promotional", "marketing"),
    ("events", "marketing"),
    ("product_updates", "relationship"),
    ("educational", "relationship"),
)


@dataclass(frozen=True, slots=True)
class World:
    """A connector's surroundings: `state` shows what the vendor holds, `call` makes the vendor's call out of a fixture's content."""

    settings: Settings
    server: FakeServer
    state: Callable[[], object]
    call: Callable[[Any], Call] | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One connector under test. `content` is the fixture key that calls are made of, `unknown` content with an event nobody knows."""

    connector: Connector
    world: Callable[[], AbstractAsyncContextManager[World]]
    fixtures: Path
    content: str = ""
    unknown: Any = None


def change(word: Word = "out", *, address: str | None = "ada@example.com", category: str = "*", key: str = "k", **more: Any) -> Change:
    """A change about one person: for `*` every category follows the word, else only the one named."""
    wide: Word = word if category == "*" else "silent"
    standings = [Standing("email", "*", wide)]
    for name, message_class in CATEGORIES:
        standings.append(Standing("email", name, word if category in ("*", name) else "silent", message_class))
    plain: dict[str, Any] = {
        "key": key,
        "contact_id": "c-1001",
        "addresses": (TargetAddress("email", address),) if address else (),
        "version": 7,
        "standings": tuple(standings),
        "document": json.dumps({"contact_id": "c-1001", "email": address, "email_opt_out_global": wide == "out"}),
        "changed": json.dumps({"email_opt_out_global": wide == "out"}),
        "delivery_id": f"msg_{key}_7",
        "event_type": "preferences.changed",
        "occurred_at": NOW - 1_000_000,
        "origin": "api",
    }
    return Change(**{**plain, **more})


async def talk(connector: Connector, settings: Settings, flow: Flow[T], seconds: float = 5.0) -> Driven[T]:
    """What a flow comes to over real HTTP on the loopback, as fast as it goes."""
    about = replace(connector.about, pace=replace(connector.about.pace, per_second=0.0))
    async with Transport(LOOPBACK) as transport:
        engine = Engine(transport, clock=lambda: NOW, monotonic=time.monotonic)
        return await engine(flow, connection="c", about=about, settings=settings, deadline=NOW + round(seconds * 1_000_000))


async def push(case: Case, world: World, *changes: Change, seconds: float = 5.0) -> list[Outcome]:
    """The outcomes of pushing these changes."""
    flow = case.connector.push(world.settings, changes, NOW)
    return (await talk(case.connector, world.settings, flow, seconds)).value


async def pull_all(case: Case, world: World, since: str | None = None) -> tuple[list[Heard], Page]:
    """Everything one round of pulling gives, and its last page."""
    heard: list[Heard] = []
    for _ in range(100):
        page = (await talk(case.connector, world.settings, case.connector.pull(world.settings, since, NOW))).value
        heard.extend(page.heard)
        since = page.next
        if not page.more:
            return heard, page
    raise AssertionError("the round does not end")


def fixtures(case: Case) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and content of every recorded call."""
    for path in sorted(case.fixtures.glob("*.json")):
        yield path.name, json.loads(path.read_text(encoding="utf-8"))


def described(heard: list[Heard], wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The facts, cut down to the fields a fixture names."""
    return [{name: getattr(fact, name) for name in want} for fact, want in zip(heard, wanted, strict=True)]


def contract_of(case: Case) -> type:
    """The class of tests for one connector."""
    parts: tuple[type, ...] = (_Telling, _Pulling)
    return type("TestContract", (*parts, _Hearing) if case.connector.about.hears else parts, {"case": case})


class _Telling:
    case: Case

    def test_says_what_it_is(self) -> None:
        about = self.case.connector.about
        assert about.name == about.name.lower() and about.title and about.docs.startswith("https://") and about.channels and about.states
        assert all(setting.help for setting in about.settings)
        assert about.batch >= 1 and about.pace.concurrency >= 1
        assert find().connectors[about.name] is self.case.connector

    async def test_check_finds_working_settings_healthy(self) -> None:
        async with self.case.world() as world:
            health = (await talk(self.case.connector, world.settings, self.case.connector.check(world.settings))).value
        assert health.ok and health.detail

    async def test_every_missing_setting_is_named(self) -> None:
        async with self.case.world() as world:
            for setting in self.case.connector.about.settings:
                if setting.required:
                    without = Settings({key: value for key, value in world.settings.values.items() if key != setting.key})
                    with pytest.raises(BadSettings) as raised:
                        next(self.case.connector.push(without, [change()], NOW))
                    assert raised.value.key == setting.key

    async def test_one_outcome_per_change_in_order(self) -> None:
        told = [
            change("out", address="ada@example.com", key="1"),
            change("silent", address="ben@example.com", key="2"),
            change("out", address=None, key="3"),
            change("back", address="chris@example.com", key="4"),
            change("out", address="dora@example.com", key="5", blacklisted=True),
        ]
        async with self.case.world() as world:
            assert all(outcome.acknowledged for outcome in await push(self.case, world, *told))
            assert await push(self.case, world) == []

    async def test_replay_changes_nothing_more(self) -> None:
        told = [change("out", key="1"), change("back", address="ben@example.com", key="2")]
        async with self.case.world() as world:
            first = await push(self.case, world, *told)
            after = repr(world.state())
            second = await push(self.case, world, *told)
            assert [outcome.acknowledged for outcome in first + second] == [True] * 4
            assert repr(world.state()) == after

    @pytest.mark.parametrize("status", STATUSES)
    async def test_no_status_is_taken_for_success_or_raises(self, status: int) -> None:
        async with self.case.world() as world:
            world.server.plan("status", 50, status=status, retry_after="7")
            outcomes = await push(self.case, world, change("out", key="1"), change("out", address="ben@example.com", key="2"))
            assert len(outcomes) == 2
            assert not any(outcome.acknowledged for outcome in outcomes)
            assert all(outcome.reason for outcome in outcomes)
            if status in (429, 503):
                assert [(outcome.kind, outcome.retry_after) for outcome in outcomes] == [("later", "7")] * 2
            health = (await talk(self.case.connector, world.settings, self.case.connector.check(world.settings))).value
            assert health.detail

    @pytest.mark.parametrize("trouble", TROUBLES)
    async def test_every_trouble_heals_into_the_wanted_state(self, trouble: Trouble) -> None:
        told = [change("out", key="1"), change("out", address="ben@example.com", key="2")]
        async with self.case.world() as world:
            calm = await push(self.case, world, *told)
            wanted = repr(world.state())
        async with self.case.world() as world:
            world.server.plan(trouble, 50)
            troubled = await push(self.case, world, *told)
            assert len(troubled) == 2
            if trouble in ("reset", "reset_after"):
                assert {outcome.kind for outcome in troubled} == {"unknown"}
            world.server.heal()
            assert [outcome.acknowledged for outcome in await push(self.case, world, *told)] == [one.acknowledged for one in calm]
            assert repr(world.state()) == wanted

    async def test_a_silent_server_ends_unknown_before_the_deadline(self) -> None:
        async with self.case.world() as world:
            world.server.plan("hang", 50)
            outcomes = await push(self.case, world, change(key="1"), change(key="2", address="ben@example.com"), seconds=0.3)
            assert {outcome.kind for outcome in outcomes} <= {"unknown", "later"} and outcomes[0].kind == "unknown"

    async def test_nobody_is_touched_who_never_left(self) -> None:
        async with self.case.world() as world:
            before = repr(world.state())
            await push(self.case, world, change("silent"))
            if self.case.connector.about.grain == "address":
                assert repr(world.state()) == before
                assert not [seen for seen in world.server.seen if seen.method != "GET"]

    async def test_no_secret_reaches_the_log(self) -> None:
        connector = self.case.connector
        async with self.case.world() as world:
            secrets = world.settings.secrets(connector.about.settings)
            assert secrets
            for trouble in (None, "echo"):
                if trouble:
                    world.server.plan("echo", 50)
                for flow in (connector.push(world.settings, [change()], NOW), connector.check(world.settings)):
                    driven = await talk(connector, world.settings, flow)
                    assert not [secret for secret in secrets if secret in repr(driven)]
            assert any("@example.com" in one.request_excerpt for one in driven.attempts) or world.server.seen
            assert not [secret for secret in secrets if secret in repr(world.settings)]

    async def test_requests_go_to_the_settings_server_only(self) -> None:
        async with self.case.world() as world:
            base = str(world.settings.values.get("base_url") or world.settings.values.get("url"))
            driven = await talk(
                self.case.connector, world.settings, self.case.connector.push(world.settings, [change("out"), change("back")], NOW)
            )
            assert driven.attempts and all(one.request_line.partition(" ")[2].startswith(base) for one in driven.attempts)


class _Pulling:
    case: Case

    async def test_a_round_ends_and_its_cursor_begins_the_next(self) -> None:
        async with self.case.world() as world:
            await push(self.case, world, change("out"))
            heard, page = await pull_all(self.case, world)
            if self.case.connector.about.pulls:
                assert [fact for fact in heard if fact.kind == "opt_out" and fact.address == "ada@example.com"]
            again, _ = await pull_all(self.case, world, page.next)
            assert {fact.event_id for fact in again} <= {fact.event_id for fact in heard}

    @pytest.mark.parametrize("status", STATUSES)
    async def test_a_failed_page_keeps_its_place(self, status: int) -> None:
        if not self.case.connector.about.pulls:
            return
        async with self.case.world() as world:
            _, page = await pull_all(self.case, world)
            troubles: tuple[Trouble, ...] = ("status", "garbage", "reset")
            for trouble in troubles:
                # a client may repeat a GET by itself once when its connection breaks
                world.server.plan(trouble, 2, status=status)
                flow = self.case.connector.pull(world.settings, page.next, NOW)
                failed = (await talk(self.case.connector, world.settings, flow)).value
                assert failed.heard == () and failed.next == page.next and not failed.outcome.acknowledged
                world.server.heal()

    @pytest.mark.parametrize("cursor", ["[]", '{"since":-1}', '{"since":"x"}', '{"offset":1e999}', '{"list":99}'])
    async def test_a_foreign_cursor_is_refused_or_begins_anew(self, cursor: str) -> None:
        async with self.case.world() as world:
            try:
                flow = self.case.connector.pull(world.settings, cursor, NOW)
                assert (await talk(self.case.connector, world.settings, flow)).value is not None
            except BadSettings as error:
                assert error.key == "since"


class _Hearing:
    case: Case

    async def _hear(self, world: World, content: Any, **twist: Any) -> list[Heard]:
        assert world.call is not None
        return self.case.connector.hear(world.settings, replace(world.call(content), **twist))

    async def test_every_fixture_says_what_it_means(self) -> None:
        found = list(fixtures(self.case))
        assert found
        async with self.case.world() as world:
            for name, fixture in found:
                heard = await self._hear(world, fixture[self.case.content])
                assert described(heard, fixture["heard"]) == fixture["heard"], name
                assert all(fact.event_id for fact in heard), name

    async def test_the_same_call_has_the_same_event_ids(self) -> None:
        async with self.case.world() as world:
            for _, fixture in fixtures(self.case):
                first = await self._hear(world, fixture[self.case.content])
                second = await self._hear(world, fixture[self.case.content], received_at=NOW + 1)
                assert [fact.event_id for fact in first] == [fact.event_id for fact in second]

    async def test_an_unproven_call_is_refused(self) -> None:
        async with self.case.world() as world:
            for _, fixture in fixtures(self.case):
                with pytest.raises(BadSignature):
                    await self._hear(world, fixture[self.case.content], headers=(), query=(), path_secret=None)

    async def test_without_anything_to_prove_with_nothing_passes(self) -> None:
        known = {"api_key", "base_url", "list_id", "groups"}
        async with self.case.world() as world:
            bare = Settings({key: value for key, value in world.settings.values.items() if key in known})
            assert world.call is not None
            for _, fixture in fixtures(self.case):
                with pytest.raises(BadSignature):
                    self.case.connector.hear(bare, world.call(fixture[self.case.content]))

    async def test_an_unknown_event_is_loud(self) -> None:
        async with self.case.world() as world:
            with pytest.raises(UnknownEvent) as raised:
                await self._hear(world, self.case.unknown)
            assert raised.value.names

    async def test_a_proven_call_that_cannot_be_read_is_refused(self) -> None:
        async with self.case.world() as world:
            assert world.call is not None
            for body in (b"\xff\xfe\x00", b"[" * 100_000, b"null", b"=", b"nothing"):
                with pytest.raises(BadCall):
                    self.case.connector.hear(world.settings, world.call(body))


__all__ = ["NOW", "Case", "Seen", "World", "change", "contract_of", "described", "fixtures", "pull_all", "push", "talk"]

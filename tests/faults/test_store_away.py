"""A store that is not there, dies or stands still: checks answer unknown_state without an id and never allow; then all goes on by itself."""

import asyncio
import itertools
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from standing import Hub, clear, family, receiving, signal_all, standing, until

from database import reachable_folder
from running import served
from sayso.app import web_app
from sayso.opening import opened
from sayso.settings import read
from sayso.store import embedded

PROMISE = 0.5
"""Seconds within which a check answers although the store does not (G1b). Tests allow ten times that, on whatever machine."""


async def denied_without_an_id(hub: Hub, contact: str) -> bool:
    """Whether a check says, in time, that nothing is known; fails the test for anything that allows or is no answer."""
    status, verdict = await hub.check(contact, seconds=10 * PROMISE)
    assert status == 200, verdict
    assert verdict["allowed"] is False and verdict["permit"] is None
    return verdict["id"] is None and [reason["code"] for reason in verdict["reasons"]] == ["unknown_state"]


async def answers_again(hub: Hub, contact: str, *, allowed: bool) -> bool:
    status, verdict = await hub.check(contact)
    assert status == 200, verdict
    return verdict["id"] is not None and verdict["allowed"] is allowed


@pytest.mark.slow
@pytest.mark.feature("I6")
async def test_a_hub_without_its_store_starts_denies_refuses_to_write_and_goes_on_when_the_store_comes() -> None:
    place = reachable_folder()
    try:
        url = (await embedded.start(place)).dsn
        await embedded.stop(place)
        async with standing(environment={"SAYSO_DATABASE_URL": url}, start=False) as hub:
            hub.start()
            await until(lambda: says(hub, "/livez", 200), what="the hub to live")
            assert (await hub.ask("GET", "/readyz"))[0] == 503
            hub.token = "sst_nobody_can_look_this_up"
            assert await denied_without_an_id(hub, "ada")
            items = {"items": [{"contact_id": "ada", "channel": "email", "category": "promotional"}] * 3}
            status, answer = await hub.ask("POST", "/api/v2/send_checks:batch", items, seconds=10 * PROMISE)
            assert status == 200 and [(one["allowed"], one["id"]) for one in answer["items"]] == [(False, None)] * 3
            status, problem = await hub.prefer("ada", email_opt_out_global=True)
            assert (status, problem["code"], problem["status"]) == (503, "unavailable", 503)

            await embedded.start(place)
            await hub.ready()
            await hub.enrol()
            assert (await hub.prefer("ada", email_opt_out_global=False))[0] == 200
            assert await answers_again(hub, "ada", allowed=True)

            await embedded.stop(place)
            assert await until(lambda: denied_without_an_id(hub, "ada"), what="the denial")
            assert (await hub.prefer("ada", email_opt_out_global=True))[0] == 503
            await until(lambda: says(hub, "/readyz", 503), what="the hub to say that it is not ready")
            await embedded.start(place)
            await until(lambda: answers_again(hub, "ada", allowed=True), what="checks to be answered")
    finally:
        clear(place)


@pytest.mark.slow
@pytest.mark.feature("I6", "D8")
async def test_a_database_that_is_killed_or_halted_under_load_loses_nothing_and_allows_nothing() -> None:
    async with standing() as hub, receiving() as receiver:
        await hub.tell(receiver.url)
        assert (await hub.prefer("ada", email_opt_out_global=False))[0] == 200
        assert await answers_again(hub, "ada", allowed=True)
        acked: dict[str, bool] = {}
        doubtful: set[str] = set()
        stop = asyncio.Event()

        async def write(who: str) -> None:
            for n in itertools.count():
                if stop.is_set():
                    return
                contact, out = f"{who}-{n}", n % 2 == 0
                status, answer = await hub.prefer(contact, email_opt_out_global=out)
                assert status in (200, 503), answer
                if status == 200:
                    acked[contact] = out
                else:
                    assert answer["code"] == "unavailable"
                    doubtful.add(contact)

        async def acked_more() -> None:
            goal = len(acked) + 20
            await until(lambda: reached(acked, goal), what="writes to be acknowledged")

        async with asyncio.TaskGroup() as writers:
            for who in ("ben", "chris", "dora"):
                writers.create_task(write(who))
            await acked_more()
            signal_all(family(hub.database_pid()), signal.SIGKILL)
            await until(lambda: denied_without_an_id(hub, "ada"), what="a check to be denied while the database is dead")
            await until(lambda: answers_again(hub, "ada", allowed=True), what="the hub to start the database again")
            await acked_more()

            halted = family(hub.database_pid())
            signal_all(halted, signal.SIGSTOP)
            try:
                await until(lambda: denied_without_an_id(hub, "ada"), what="a check to be denied while the database stands still")
                for _ in range(3):
                    assert await denied_without_an_id(hub, "ada")
            finally:
                signal_all(halted, signal.SIGCONT)
            await until(lambda: answers_again(hub, "ada", allowed=True), what="checks to be answered after the halt")
            await acked_more()
            stop.set()

        await until(hub.all_told, what="everything to be told")
        for contact, out in acked.items():
            assert receiver.last(contact) is out
            status, shown = await hub.ask("GET", f"/api/v2/contacts/{contact}/email_preferences")
            assert (status, shown["email_opt_out_global"]) == (200, out)
        assert (await hub.verified()).problems == []


async def test_a_caller_whom_nobody_could_look_up_learns_nothing(database: str, tmp_path: Path) -> None:
    settings = read({"SAYSO_DATA_DIR": str(tmp_path / "data"), "SAYSO_DATABASE_URL": database})
    async with opened(settings) as parts, served(web_app(parts)) as base, aiohttp.ClientSession() as session:
        hub = Hub(tmp_path, int(base.rpartition(":")[2]), session, token="sst_mallory_made_this_up")
        assert (await hub.check("ada"))[0] == 401
        async with AsyncExitStack() as busy:
            for _ in range(parts.pool.get_max_size()):
                await busy.enter_async_context(parts.pool.acquire())
            assert await denied_without_an_id(hub, "ada")
        assert (await hub.check("ada"))[0] == 401


async def says(hub: Hub, path: str, wanted: int) -> bool:
    return (await hub.ask("GET", path))[0] == wanted


async def reached(found: dict[str, bool], goal: int) -> bool:
    return len(found) >= goal

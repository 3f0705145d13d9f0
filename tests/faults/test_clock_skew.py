"""Hubs whose clocks are a day wrong, either way, on one database: order is the database's, so no denial ever turns into leave."""

from pathlib import Path

import pytest
from standing import Hub, clear, standing

from database import reachable_folder
from sayso import keys
from sayso.store import embedded

HUB = str(Path(__file__).with_name("skewed_hub.py"))


@pytest.mark.slow
@pytest.mark.feature("Q4")
async def test_a_hub_a_day_behind_and_one_a_day_ahead_never_allow_what_was_denied() -> None:
    place = reachable_folder()
    try:
        url = (await embedded.start(place)).dsn
        keys.load(place)
        environment = {"SAYSO_DATABASE_URL": url, "SAYSO_DATA_DIR": str(place)}
        async with (
            standing("-24", program=(HUB,), environment=environment, start=False) as behind,
            standing("24", program=(HUB,), environment=environment, start=False) as ahead,
        ):
            for hub, hours in ((behind, "-24"), (ahead, "24")):
                hub.start(hours, program=(HUB,))
            for hub in (behind, ahead):
                await hub.ready()
            await behind.enrol()
            ahead.token = behind.token
            for turn in range(6):
                who, writers = f"c{turn}", (behind, ahead) if turn % 2 else (ahead, behind)
                await writes(writers[0], who, out=False)
                permits = [(await hub.check(who))[1]["permit"] for hub in (behind, ahead)]
                assert all(permits)
                await writes(writers[1], who, out=True)
                assert [await allowed(hub, who) for hub in (behind, ahead)] == [False, False]
                await writes(writers[0], who, out=False)
                assert [await allowed(hub, who) for hub in (behind, ahead)] == [True, True]
                await writes(writers[0], who, out=True)
                assert [await allowed(hub, who) for hub in (behind, ahead)] == [False, False]
    finally:
        clear(place)


async def writes(hub: Hub, who: str, *, out: bool) -> None:
    status, answer = await hub.prefer(who, email_opt_out_global=out)
    assert status == 200 and answer["result"][0]["effect"] == "applied", answer


async def allowed(hub: Hub, who: str) -> bool:
    status, verdict = await hub.check(who)
    assert status == 200 and verdict["id"] is not None, verdict
    return bool(verdict["allowed"])

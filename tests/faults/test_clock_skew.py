"""Hubs whose clocks are a day wrong, either way, on one database: order is the database's, so no denial ever turns into leave."""

import os
import time
from pathlib import Path
from uuid import uuid4

import pytest
from standing import Hub, clear, pool_of, standing

from database import reachable_folder
from sayso import keys
from sayso.contracts.desk import SCOPES, Client, Grant
from sayso.rules.tokens import access_token, fingerprint, sign_permit
from sayso.store import embedded
from sayso.store.desk import PostgresDesk

HOUR = 3_600_000_000
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
            for hub in (behind, ahead):
                await nothing_that_ran_out_is_good(hub)
            await no_token_lives_longer_for_a_clock_that_is_ahead(ahead)
    finally:
        clear(place)


async def nothing_that_ran_out_is_good(hub: Hub) -> None:
    """A token and a permit that ended an hour ago by everybody else's clock."""
    ended = time.time_ns() // 1_000 - HOUR
    permit = sign_permit(keys.load(Path(hub.environment["SAYSO_DATA_DIR"])).permit_ring, uuid4(), "email", "promotional", expires_at=ended)
    status, answer = await hub.ask("POST", "/api/v2/permits:verify", {"permit": permit})
    assert (status, answer["valid"], answer["reason"]) == (200, False, "expired")
    good, hub.token = hub.token, access_token(os.urandom(32))
    async with pool_of(hub) as pool:
        await PostgresDesk(pool).keep_token(fingerprint(hub.token), Grant("cl_faults", tuple(SCOPES), False, ended))
    assert (await hub.check("c0"))[0] == 401
    hub.token = good


async def no_token_lives_longer_for_a_clock_that_is_ahead(ahead: Hub) -> None:
    secret = "sss_" + "k" * 43
    async with pool_of(ahead) as pool:
        client = Client("cl_ahead", "Ahead", tuple(SCOPES), False, 0)
        await PostgresDesk(pool).add_client(client, fingerprint(secret))
    form = {"grant_type": "client_credentials", "client_id": "cl_ahead", "client_secret": secret}
    async with ahead.session.post(f"http://127.0.0.1:{ahead.port}/oauth/token", data=form) as answer:
        assert answer.status == 200
    ends = await ahead.value("SELECT max(expires_at) FROM token WHERE client = 'cl_ahead'")
    assert ends < time.time_ns() // 1_000 + 2 * HOUR


async def writes(hub: Hub, who: str, *, out: bool) -> None:
    status, answer = await hub.prefer(who, email_opt_out_global=out)
    assert status == 200 and answer["result"][0]["effect"] == "applied", answer


async def allowed(hub: Hub, who: str) -> bool:
    status, verdict = await hub.check(who)
    assert status == 200 and verdict["id"] is not None, verdict
    return bool(verdict["allowed"])

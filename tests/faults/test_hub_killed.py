"""kill -9 of the hub between a commit and its push loses nothing: what was acknowledged is told after the restart."""

import asyncio

import pytest
from standing import Receiver, is_running, receiving, standing, until

pytestmark = pytest.mark.slow


@pytest.mark.feature("D8")
async def test_a_hub_killed_between_commit_and_push_tells_after_its_restart_and_a_signal_ends_all_of_it() -> None:
    async with standing() as hub, receiving() as receiver:
        await hub.tell(receiver.url)
        receiver.open.clear()
        status, written = await hub.prefer("ada", email_opt_out_global=True)
        assert (status, written["email_opt_out_global"]) == (200, True)
        await until(lambda: begun(receiver), what="the push whose answer nobody will hear")
        hub.kill()
        receiver.came.clear()
        receiver.open.set()

        hub.start()
        await hub.ready()
        status, shown = await hub.ask("GET", "/api/v2/contacts/ada/email_preferences")
        assert (status, shown["email_opt_out_global"]) == (200, True)
        status, verdict = await hub.check("ada")
        assert (status, verdict["allowed"], verdict["reasons"][0]["code"]) == (200, False, "global_opt_out")
        await hub.end_leases()
        await until(hub.all_told, what="everything to be told")
        assert [came for came in receiver.came if came[1] == "ada"] == [(200, "ada", True)] * 2, "nobody knows what the first push did"

        receiver.status = 503
        assert (await hub.prefer("ben", email_opt_out_global=True))[0] == 200
        hub.kill()
        receiver.status = 200
        hub.start()
        await hub.ready()
        await hub.end_leases()
        await until(hub.all_told, what="everything to be told")
        assert receiver.last("ben") is True
        assert (await hub.verified()).problems == []

        assert hub.process is not None
        database = hub.database_pid()
        hub.process.terminate()
        assert await asyncio.to_thread(hub.process.wait, 60) == 0, hub.log
        assert "Traceback" not in hub.log
        assert not is_running(database)


async def begun(receiver: Receiver) -> bool:
    return bool(receiver.came)

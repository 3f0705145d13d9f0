"""A receiver that answers 503 for a while is told the current state once it is back, not the states it missed."""

import pytest
from standing import Receiver, receiving, standing, until

pytestmark = pytest.mark.slow


@pytest.mark.feature("D8")
async def test_a_receiver_that_was_down_gets_the_current_state_soon_after_it_is_back() -> None:
    async with standing() as hub, receiving() as receiver:
        await hub.tell(receiver.url)
        receiver.status = 503
        for stopped in (False, True, False):
            assert (await hub.prefer("ada", email_opt_out_global=stopped))[0] == 200
        assert (await hub.prefer("ben", email_opt_out_global=True))[0] == 200
        await until(lambda: refused(receiver, 2), what="two refused attempts")
        assert (await hub.prefer("ada", email_opt_out_global=True))[0] == 200

        status, accuracy = await hub.ask("GET", "/api/v2/sync/accuracy")
        assert (status, accuracy["pairs"], accuracy["in_sync"]) == (200, 2, 0)
        receiver.status = 200
        await until(hub.all_told, what="everything to be told")
        taken = [(contact, stopped) for status, contact, stopped in receiver.came if status == 200]
        assert sorted(taken) == [("ada", True), ("ben", True)]
        status, accuracy = await hub.ask("GET", "/api/v2/sync/accuracy")
        assert (accuracy["accuracy"], accuracy["in_sync"]) == (1.0, 2)


async def refused(receiver: Receiver, count: int) -> bool:
    return len([status for status, _, _ in receiver.came if status == 503]) >= count

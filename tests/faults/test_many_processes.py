"""Several web processes with one worker: what one acknowledged every other one knows, and none is missed for long."""

import asyncio
import signal
from pathlib import Path

import pytest
from standing import Hub, family, receiving, signal_all, standing, until

pytestmark = pytest.mark.slow


async def web_processes(hub: Hub) -> list[int]:
    """The children that hold the hub's port: neither the worker nor multiprocessing's own helper does."""
    assert hub.process is not None
    return sorted(pid for pid in family(hub.process.pid)[1:] if is_web(pid, hub.port))


def is_web(pid: int, port: int) -> bool:
    wanted = f":{port:04X} 00000000:0000 0A"
    inodes = {line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines() if wanted in line}
    try:
        links = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return False
    return any(f"socket:[{inode}]" in links for inode in inodes)


@pytest.mark.feature("I6")
async def test_what_one_web_process_acknowledged_every_other_one_denies_and_whoever_is_killed_is_replaced() -> None:
    async with standing("--processes", "2") as hub, receiving() as receiver:
        await until(lambda: exactly(hub, 2), what="two web processes")
        await hub.tell(receiver.url)
        for turn in range(8):
            who = f"c{turn}"
            assert (await hub.prefer(who, email_opt_out_global=False))[0] == 200
            assert (await hub.prefer(who, email_opt_out_global=True))[0] == 200
            answers = await asyncio.gather(*(hub.check(who) for _ in range(8)))
            assert [(status, answer["allowed"]) for status, answer in answers] == [(200, False)] * 8
            assert all(answer["id"] for _, answer in answers)
        await until(hub.all_told, what="everything to be told by the one worker")

        before = await web_processes(hub)
        signal_all(before[:1], signal.SIGKILL)
        await until(lambda: replaced(hub, before[0]), what="the killed web process to be replaced")
        status, answer = await hub.check("c0")
        assert (status, answer["allowed"]) == (200, False)

        assert hub.process is not None
        children = family(hub.process.pid)[1:]
        hub.kill()
        hub.start("--processes", "2")
        await until(lambda: gone(children), what="the children of the killed supervisor to end")
        await hub.ready()
        status, answer = await hub.check("c1")
        assert (status, answer["allowed"], answer["id"] is None) == (200, False, False)


async def exactly(hub: Hub, count: int) -> bool:
    return len(await web_processes(hub)) == count


async def replaced(hub: Hub, dead: int) -> bool:
    found = await web_processes(hub)
    return len(found) == 2 and dead not in found


async def gone(pids: list[int]) -> bool:
    return not any(family(pid) for pid in pids)

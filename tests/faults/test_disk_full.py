"""A disk without room: writes are refused with 503, none that was acknowledged is lost, and with room all goes on by itself."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from standing import Hub, clear, standing, until

from database import reachable_folder

SIZE = "160m"


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A data folder on a disk of its own that is soon full."""
    place = reachable_folder()
    mounted = os.geteuid() == 0 and shutil.which("mount") is not None
    if mounted:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=711", "none", str(place)], capture_output=True, check=False)
        mounted = done.returncode == 0
    if not mounted:
        place.rmdir()
        pytest.skip("not run: needs to mount a small disk")
    try:
        yield place
    finally:
        clear_contents(place)
        subprocess.run(["umount", "-l", str(place)], check=True)
        place.rmdir()


def clear_contents(place: Path) -> None:
    """Stops the server in the folder and empties it; the folder itself is a mount and stays."""
    (place / "ballast").unlink(missing_ok=True)
    clear(place)


@pytest.mark.slow
@pytest.mark.feature("I6")
async def test_a_full_disk_refuses_writes_and_loses_none_that_was_acknowledged(small_disk: Path) -> None:
    (small_disk / "postgres").mkdir(mode=0o711)
    (small_disk / "postgres" / "local.conf").write_text(
        "max_wal_size = '32MB'\nmin_wal_size = '32MB'\nwal_recycle = off\nwal_init_zero = on\n"
    )
    (small_disk / "postgres" / "local.conf").chmod(0o644)
    async with standing(folder=small_disk) as hub:
        acked = [who for who in (f"early{n}" for n in range(5)) if (await hub.prefer(who, email_opt_out_global=True))[0] == 200]
        assert len(acked) == 5
        fill(small_disk)
        refused = 0
        for n in range(4_000):
            who = f"c{n}"
            status, answer = await hub.prefer(who, email_opt_out_global=True, email_pref_update_reason="x" * 900)
            assert status in (200, 503), answer
            if status == 200:
                acked.append(who)
            else:
                assert answer["code"] == "unavailable"
                refused += 1
            if refused >= 3:
                break
        assert refused, "the disk never became full: this shows nothing"
        status, verdict = await hub.check("early0", seconds=5)
        assert status == 200 and verdict["allowed"] is False

        (small_disk / "ballast").unlink()
        await hub.ready()
        await until(lambda: taken(hub), what="writes to be taken again")
        for who in acked:
            status, shown = await hub.ask("GET", f"/api/v2/contacts/{who}/email_preferences")
            assert (status, shown["email_opt_out_global"]) == (200, True)
        assert (await hub.verified()).problems == []


def fill(place: Path) -> None:
    """Takes nearly all the room that is left."""
    free = shutil.disk_usage(place).free
    with (place / "ballast").open("wb") as ballast:
        left = max(0, free - 400_000)
        while left > 0:
            left -= ballast.write(b"\0" * min(left, 1 << 20))


async def taken(hub: Hub) -> bool:
    return (await hub.prefer("late", email_opt_out_global=True))[0] == 200

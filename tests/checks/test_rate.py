"""A limited client reads from every answer how many calls are left."""

from pathlib import Path

import aiohttp
import pytest

from running import UNHURRIED, served
from sayso.app import web_app
from sayso.opening import opened
from sayso.settings import read
from town import Town

ASKED = {"address": "ada@example.com", "channel": "email", "category": "promotional"}


@pytest.mark.feature("R7")
async def test_checks_tell_what_is_left_as_every_door_does(database: str, tmp_path: Path) -> None:
    env = {"SAYSO_DATA_DIR": str(tmp_path / "data"), "SAYSO_DATABASE_URL": database, "SAYSO_RATE_LIMIT": "2"}
    async with opened(read(env), patience=UNHURRIED) as parts, served(web_app(parts)) as base, aiohttp.ClientSession() as session:
        token = await Town(parts, base, session, None).token("send_checks")
        found = []
        for _ in range(3):
            headers = {"Authorization": f"Bearer {token}"}
            async with session.post(f"{base}/api/v2/send_checks", json=ASKED, headers=headers) as answer:
                found.append((answer.status, answer.headers["RateLimit"].rpartition(";")[0], answer.headers["RateLimit-Policy"]))
    policy = '"client";q=2;w=60'
    assert found == [(200, '"client";r=1', policy), (200, '"client";r=0', policy), (429, '"client";r=0', policy)]

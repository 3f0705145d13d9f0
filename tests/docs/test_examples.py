"""The examples are run as a reader would run them."""

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from standardwebhooks import Webhook
from whole_hub import Whole

from sayso.rules.tokens import webhook_secret

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


async def run(*command: str, env: dict[str, str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one program."""
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **env}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), err.decode()


async def until(found: Callable[[], Awaitable[bool]]) -> None:
    """Returns when a condition holds, which takes at most half a minute."""
    async with asyncio.timeout(30):
        while not await found():
            await asyncio.sleep(0.05)


@pytest.mark.skipif(shutil.which("curl") is None, reason="not run: curl is not installed")
@pytest.mark.feature("B1")
async def test_opt_out_with_curl_is_recorded_and_the_history_is_shown(whole: Whole) -> None:
    code, out, err = await run(str(EXAMPLES / "opt_out.sh"), "c-1001", "promotional", env=whole.env)
    assert code == 0, err
    document, history = (json.loads(line) for line in out.splitlines())
    assert document["email_pref_promotional"] == "opted_out"
    assert document["receipt"]["entries"] == [document["result"][0]["entry"]]
    assert [one["new_value"] for one in history["items"]] == ["opted_out"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="not run: curl is not installed")
async def test_opt_out_with_curl_may_be_repeated_under_its_key(whole: Whole) -> None:
    env = {**whole.env, "IDEMPOTENCY_KEY": "retry-7"}
    first = await run(str(EXAMPLES / "opt_out.sh"), "c-1001", "promotional", env=env)
    again = await run(str(EXAMPLES / "opt_out.sh"), "c-1001", "promotional", env=env)
    assert first[1].splitlines()[0] == again[1].splitlines()[0]


@pytest.mark.feature("I1")
async def test_the_check_says_send_only_when_it_may(whole: Whole) -> None:
    check = (sys.executable, str(EXAMPLES / "check_before_send.py"))
    path = "/api/v2/addresses/email/ada%40example.com/preferences"
    await whole.call("POST", path, {"country": "US", "email_pref_update_source": "preference_center"})
    assert (await run(*check, "ada@example.com", "promotional", env=whole.env))[0] == 0
    await whole.call("POST", path, {"email_pref_promotional": "opted_out", "email_pref_update_source": "one_click"})
    code, out, _ = await run(*check, "ada@example.com", "promotional", env=whole.env)
    assert (code, out.startswith("do not send")) == (1, True)
    assert "was stopped on" in out
    nobody = {**whole.env, "SAYSO_URL": "http://127.0.0.1:9"}
    code, out, _ = await run(*check, "ada@example.com", "promotional", env=nobody)
    assert (code, "nothing may be sent" in out) == (1, True)


async def test_the_receiver_believes_only_what_is_signed_lately() -> None:
    secret = webhook_secret(os.urandom(32))
    body = '{"type":"preferences.changed","timestamp":"2026-11-22T10:00:00Z","data":{}}'
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / "receive_webhook.py"), "0", env={**os.environ, "SAYSO_WEBHOOK_SECRET": secret},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        assert process.stdout is not None
        url = (await asyncio.wait_for(process.stderr.readline(), 30)).decode().split()[-1]
        async with aiohttp.ClientSession() as session:

            async def post(at: float, *, with_: str = secret, text: str = body) -> int:
                from datetime import UTC, datetime

                signature = Webhook(with_).sign("msg_1", datetime.fromtimestamp(at, UTC), body)
                headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(at)), "webhook-signature": signature}
                async with session.post(url, data=text.encode(), headers=headers) as answer:
                    return answer.status

            now = time.time()
            assert await post(now) == 204
            assert await post(now) == 204  # a repeat is fine, and acted on once
            assert await post(now, with_=webhook_secret(os.urandom(32))) == 401
            assert await post(now, text=body + " ") == 401
            assert await post(now - 3600) == 401
        assert json.loads(await asyncio.wait_for(process.stdout.readline(), 30)) == json.loads(body)
    finally:
        process.kill()
        rest, _ = await process.communicate()
    assert rest == b""


@pytest.mark.feature("D9")
async def test_the_receiver_takes_what_the_hub_delivers(whole: Whole) -> None:
    secret = webhook_secret(os.urandom(32))
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / "receive_webhook.py"), "0", env={**os.environ, "SAYSO_WEBHOOK_SECRET": secret},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        assert process.stdout is not None
        url = (await asyncio.wait_for(process.stderr.readline(), 30)).decode().split()[-1]
        settings = {"url": url, "secrets": [secret]}
        status, _, raw = await whole.call("POST", "/api/v2/connections", {"connector": "webhook", "name": "Shop", "settings": settings})
        assert status == 201, raw
        body = {"email_pref_promotional": "opted_out", "email": "ada@example.com"}
        await whole.call("POST", "/api/v2/contacts/c-1001/email_preferences", body)
        while (told := json.loads(await asyncio.wait_for(process.stdout.readline(), 30)))["type"] != "preferences.changed":
            pass
        assert told["data"]["contact_id"] == "c-1001"
        assert told["data"]["preferences"]["email_pref_promotional"] == "opted_out"
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.feature("S9")
async def test_a_proof_verifies_with_somebody_elses_library(whole: Whole) -> None:
    body = {"email_pref_promotional": "opted_out"}
    _, _, raw = await whole.call("POST", "/api/v2/contacts/c-1001/email_preferences", body)
    entry = json.loads(raw)["receipt"]["entries"][0]

    async def is_proven() -> bool:
        return bool((await whole.call("GET", f"/api/v2/entries/{entry}/proof"))[0] == 200)

    await until(is_proven)
    env = {"SAYSO_URL": whole.base, "SAYSO_TOKEN": await whole.token()}
    verify = (sys.executable, str(EXAMPLES / "verify_proof.py"), entry)
    code, out, err = await run(*verify, whole.verifier, env=env)
    assert code == 0, err
    assert json.loads(out)["id"] == entry
    name, _, rest = whole.verifier.partition("+")
    other = f"{name}-other+{rest}"
    assert (await run(*verify, other, env=env))[0] != 0


def test_examples_are_short_and_each_is_run() -> None:
    files = [path for path in EXAMPLES.iterdir() if path.is_file()]
    assert {path.name for path in files} == {"opt_out.sh", "check_before_send.py", "receive_webhook.py", "verify_proof.py"}
    assert {path.name: lines for path in files if (lines := len(path.read_text(encoding="utf-8").splitlines())) >= 60} == {}

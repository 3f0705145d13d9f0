"""Connections on the command line: set up, looked at, ended; secrets go in and never come out."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from operators import Sayso
from sayso.testing.fake_sendgrid import FakeSendGrid
from sayso.testing.fake_server import serving

NOW = 1_795_341_700_000_000


@pytest.fixture
def vendor() -> Iterator[tuple[str, FakeSendGrid]]:
    """A small SendGrid on the loopback, in a loop of its own: the command runs in ours."""
    fake, ready, loop = FakeSendGrid(lambda: NOW), threading.Event(), asyncio.new_event_loop()
    done = asyncio.Event()
    where: list[str] = []

    async def stand() -> None:
        async with serving(fake.app(), fake.server) as base:
            where.append(base)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(stand(),))
    thread.start()
    assert ready.wait(20)
    yield where[0], fake
    loop.call_soon_threadsafe(done.set)
    thread.join(20)
    loop.close()


@pytest.mark.feature("D2", "D13")
def test_a_system_is_connected_checked_listed_and_removed(
    sayso: Sayso, vendor: tuple[str, FakeSendGrid], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, fake = vendor
    monkeypatch.setenv("SAYSO_WEBHOOK_ALLOW", "127.0.0.0/8")
    (tmp_path / "key").write_text(fake.api_key + "\n")
    settings = (f"api_key=@{tmp_path / 'key'}", f"base_url={base}", 'groups={"promotional": 101}', f"webhook_public_key={fake.public_key}")
    options = [part for setting in settings for part in ("--set", setting)]
    made = sayso("connection", "add", "sendgrid", "--name", "mail", *options, "--json")
    assert made.code == 0 and made.json["state"] == "active" and made.json["hook_url"].endswith(f"/hooks/{made.json['id']}")
    assert fake.api_key not in made.out
    well = sayso("connection", "check", "mail", "--json")
    assert (well.code, well.json["ok"]) == (0, True), well.out
    fake.api_key = "SG.another"
    ill = sayso("connection", "check", made.json["id"], "--json")
    assert (ill.code, ill.json["ok"]) == (1, False) and ill.json["detail"]
    [row] = sayso("connection", "list", "--json").json["items"]
    assert (row["name"], row["connector"], row["business_unit"]) == ("mail", "sendgrid", "*")
    assert sayso("connection", "remove", "mail").code == 0
    assert "no connections" in sayso("connection", "list").out
    assert sayso("verify", "--json").json["entries"] == 2, "made and removed are in the ledger"


def test_a_webhook_gets_a_secret_that_is_shown_once(sayso: Sayso) -> None:
    made = sayso(
        "connection", "add", "webhook", "--name", "shop", "--set", "url=https://hooks.example.com/in", "--set", "events=event.received",
        "--set", "events=address.blocked", "--business-unit", "outlet",
    )  # fmt: skip
    assert made.code == 0 and "whsec_" in made.out and "not shown again" in made.out
    shown = sayso("connection", "list")
    assert "whsec_" not in shown.out and "outlet" in shown.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("nothing", "--name", "x"), "no connector"),
        (("sendgrid", "--name", "x"), "api_key: is missing"),
        (("webhook", "--name", "x", "--set", "url=http://10.0.0.1/in"), "https"),
        (("webhook", "--name", "x", "--set", "ur=https://hooks.example.com"), "not a setting"),
        (("webhook", "--name", "x", "--set", "url"), "KEY=VALUE"),
        (("webhook", "--name", "x", "--set", "names=[1"), "not JSON"),
    ],
)
def test_what_cannot_be_connected_is_refused_with_the_reason(sayso: Sayso, options: tuple[str, ...], words: str) -> None:
    wrong = sayso("connection", "add", *options, "--json")
    assert wrong.code == 2 and words in wrong.error["what"]


def test_files_of_secrets_must_be_readable_small_and_text(sayso: Sayso, tmp_path: Path) -> None:
    def add(place: Path) -> int:
        return sayso("connection", "add", "sendgrid", "--name", "x", "--set", f"api_key=@{place}", "--json").code

    (tmp_path / "large").write_bytes(b"x" * 70_000)
    (tmp_path / "odd").write_bytes(b"\xff\xfe")
    assert [add(tmp_path / name) for name in ("large", "odd", "missing")] == [2, 2, 1]


def test_a_name_that_two_connections_have_names_neither(sayso: Sayso) -> None:
    for _ in range(2):
        assert sayso("connection", "add", "webhook", "--name", "shop", "--set", "url=https://hooks.example.com/in").code == 0
    assert "2 connections" in sayso("connection", "remove", "shop", "--json").error["what"]
    assert sayso("connection", "check", "nobody", "--json").code == 1

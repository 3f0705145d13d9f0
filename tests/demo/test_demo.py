"""The demo as it is started, used from a terminal, stopped, killed and started again."""

import signal
import socket
import subprocess

import pytest

from demo_process import PEOPLE, Demo, asked, demo, pasted, until

ADA = "/api/v2/contacts/c-1001/email_preferences"


@pytest.mark.feature("C1", "B1")
def test_the_three_commands_work_as_pasted(running: Demo) -> None:
    stop, check, history = running.curls()
    changed = pasted(stop)
    assert changed["email_pref_promotional"] == "opted_out"
    until(lambda: pasted(check)["id"], "a check to be judged: a machine that is too busy denies everything")
    answer = pasted(check)
    assert answer["allowed"] is False
    assert "category_opted_out" in {reason["code"] for reason in answer["reasons"]}
    told = pasted(history)
    assert any(one["reason"] == "too many" for one in told["items"])


def test_it_says_where_it_is_and_where_its_data_lies(running: Demo) -> None:
    assert running.url in running.said
    assert str(running.home / "demo") in running.said


@pytest.mark.feature("F1")
def test_the_conflict_of_the_story_is_kept_with_the_rule_that_decided(running: Demo) -> None:
    history = running.get("/api/v2/contacts/c-1002/history")
    lost = [one for one in history["items"] if one["effect"] == "superseded"]
    assert [one["rule"] for one in lost] == ["most_restrictive_within_window"]


def test_nothing_but_this_machine_reaches_it(running: Demo) -> None:
    addresses = {row[4][0] for row in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in addresses:
        with pytest.raises(OSError, match=r"refused|unreachable|timed out"), socket.create_connection((address, running.port), timeout=2):
            pass


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_pages_answer_only_under_their_own_name(running: Demo, host: str) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as line:
        line.sendall(f"GET /people?q=c-1001 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := line.recv(65_536):
            answer += part
    assert answer.split(b" ")[1] in (b"421", b"400")
    assert b"ada@" not in answer
    assert running.token.encode() not in answer


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, "q=c-1001&act=stop&reason=x"),
        ({}, "form_token=guessed&q=c-1001&act=stop&reason=x"),
        ({"Origin": "https://evil.example"}, "form_token=guessed&q=c-1001&act=stop&reason=x"),
        ({}, "form_token=" + "x" * 20_000),
        ({}, "form_token=%ff%fe&q=%00"),
    ],
)
def test_forms_from_elsewhere_change_nothing(running: Demo, headers: dict[str, str], body: str) -> None:
    before = running.get(ADA)
    for path in ("/people", "/check", "/tour/unsubscribe", "/bursts"):
        assert asked("POST", running.url + path, headers, body.encode()).status == 403
    assert running.get(ADA) == before


@pytest.mark.parametrize(
    "path",
    ["/people?q=", "/people?q=%00", "/people?q=nobody@example.com", "/people?q=" + "x" * 3_000, "/people?q=%F0%9F%92%A9", "/check?id=x",
     "/check?id=chk_00000000-0000-0000-0000-000000000000", "/proof/x", "/proof/00000000-0000-0000-0000-000000000000", "/proof/x.tlog-proof",
     "/live/x", "/live/told?q=", "/tour/x", "/static/../../settings.py", "/static/%2e%2e/%2e%2e/settings.py", "/favicon.ico", "/inbox/x",
     "/inbox/..%2fworld.json", "/inbox/world.json", "/bursts"],
)  # fmt: skip
def test_odd_addresses_are_answered_calmly(running: Demo, path: str) -> None:
    answer = asked("GET", running.url + path)
    assert answer.status in (200, 404)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_taken_port_is_told_with_the_way_out() -> None:
    with demo() as here, socket.create_server(("127.0.0.1", here.port)):
        done = subprocess.run(here.command(), env=here.environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"Port {here.port} is taken" in done.stderr
    assert f"--port {here.port + 1}" in done.stderr


def test_a_folder_that_holds_something_else_is_left_alone() -> None:
    with demo() as here:
        (here.home / "demo").mkdir()
        (here.home / "demo" / "thesis.txt").write_text("years of work")
        done = subprocess.run(here.command("--reset"), env=here.environment(), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert "not a demo" in done.stderr
        assert (here.home / "demo" / "thesis.txt").read_text() == "years of work"


@pytest.mark.feature("D3")
def test_it_outlives_stops_and_kills_and_starts_over_when_told_to() -> None:
    with demo() as here:
        here.start()
        second = subprocess.run([*here.command()[:-3], "0", "--people", str(PEOPLE)], env=here.environment(), capture_output=True,
                                text=True, timeout=60, check=False)  # fmt: skip
        assert (second.returncode, "running already" in second.stderr) == (1, True), second.stderr
        pasted(here.curls()[0])
        until(lambda: in_step(here), "every system to know it")
        version = said_no(here)
        here.stop(signal.SIGKILL)

        here.start()
        assert said_no(here) == version
        until(lambda: in_step(here), "every system to be in step again")
        assert here.stop() == 0

        here.start("--reset")
        document = here.get("/api/v2/contacts/c-2001/email_preferences")
        assert document["email_pref_update_reason"] != "too many"


def said_no(here: Demo) -> int:
    document = here.get("/api/v2/contacts/c-2001/email_preferences")
    assert document["email_pref_promotional"] == "opted_out"
    assert document["email_pref_update_reason"] == "too many"
    return int(document["version"])


def in_step(here: Demo) -> bool:
    accuracy = here.get("/api/v2/sync/accuracy")
    return bool(accuracy["accuracy"] == 1.0 and len(accuracy["by_connection"]) == 3)

"""The engine keeps the vendor's pace, ends in time, and its log holds no secret."""

import asyncio
import base64
from collections.abc import Generator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.connectors import drive as driving
from sayso.connectors.drive import Engine, Ground, Lane, drive
from sayso.connectors.redaction import EXCERPT, MARK, clean, excerpt, secrets_of
from sayso.contracts.connector import About, Driven, Flow, Pace, Request, Response, Setting, Settings, Wait

UNPACED = Pace(0, 1)
SECRET = 'key"/with äöü+%'


class Time:
    """A clock that only pausing moves."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.paused: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def clock(self) -> int:
        return round(self.now * 1_000_000)

    async def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


class Server:
    """Answers 200 and remembers when it was asked; each answer may take a while and repeats what it got."""

    def __init__(self, time: Time, takes: float = 0.0) -> None:
        self.time, self.takes = time, takes
        self.asked: list[float] = []
        self.at_once = self.most = 0

    async def __call__(self, request: Request, timeout: float) -> Response:
        self.asked.append(self.time.now)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.takes > timeout:
            self.time.now += timeout
            return Response(0, failure="no_answer")
        self.time.now += self.takes
        return Response(200, (("Set-Cookie", "a=1"), ("X-Echo", SECRET)), b"got " + request.body, detail=SECRET)


def asking(count: int, body: bytes = b"") -> Flow[list[str]]:
    def flow() -> Generator[Request | Wait, Response, list[str]]:
        said = []
        for _ in range(count):
            response = yield Request("POST", f"https://example.com/?k={quote(SECRET)}", (("Authorization", f"Bearer {SECRET}"),), body)
            said.append(response.failure or str(response.status))
        return said

    return flow()


async def run(time: Time, server: Server, flow: Flow[list[str]], pace: Pace = UNPACED, seconds: float = 60.0) -> Driven[list[str]]:
    ground = Ground(server, Lane(pace, time.monotonic, time.pause), time.clock, time.monotonic, time.pause)
    return await drive(flow, ground=ground, secrets=(SECRET,), deadline=time.clock() + round(seconds * 1_000_000))


async def test_requests_start_at_the_vendor_s_pace() -> None:
    time = Time()
    server = Server(time)
    assert (await run(time, server, asking(5), Pace(4, 2))).value == ["200"] * 5
    assert [round(b - a, 6) for a, b in zip(server.asked, server.asked[1:], strict=False)] == [0.25] * 4


async def test_one_connection_asks_no_more_at_once_than_it_may() -> None:
    time = Time()
    server = Server(time)
    about = About("x", "X", ("email",), "address", True, Pace(0, 3), 1, (Setting("key", "k", secret=True),), "https://example.com")
    engine = Engine(server, clock=time.clock, monotonic=time.monotonic, pause=time.pause)
    flows = [
        engine(asking(4), connection="one", about=about, settings=Settings({"key": SECRET}), deadline=time.clock() + 10**9)
        for _ in range(10)
    ]
    await asyncio.gather(*flows)
    assert server.most == 3 and len(server.asked) == 40
    other = [engine(asking(1), connection=f"c{n}", about=about, settings=Settings({}), deadline=time.clock() + 10**9) for n in range(6)]
    await asyncio.gather(*other)
    assert server.most == 6, "connections do not wait for each other"


async def test_after_the_deadline_nothing_is_sent_and_the_flow_still_answers() -> None:
    time = Time()
    server = Server(time, takes=10.0)
    driven = await run(time, server, asking(5), seconds=25.0)
    assert driven.value == ["200", "200", "no_answer", "not_sent", "not_sent"]
    assert len(server.asked) == 3 and len(driven.attempts) == 5
    assert [attempt.milliseconds for attempt in driven.attempts] == [10_000, 10_000, 5_000, 0, 0]
    late = await run(time, server, asking(2), seconds=-1.0)
    assert late.value == ["not_sent", "not_sent"]


async def test_one_request_takes_fifteen_seconds_at_most() -> None:
    time = Time()
    assert (await run(time, Server(time, takes=16.0), asking(1))).attempts[0].milliseconds == 15_000


async def test_waits_end_with_the_deadline() -> None:
    def flow() -> Generator[Request | Wait, Response, list[str]]:
        for seconds in (5.0, -3.0, 500.0):
            yield Wait(seconds)
        return ["done"]

    time = Time()
    assert (await run(time, Server(time), flow(), seconds=30.0)).value == ["done"]
    assert time.paused == [5.0, 0.0, 25.0]


async def test_an_endless_flow_is_a_bug_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driving, "MAX_STEPS", 50)
    time = Time()
    with pytest.raises(driving.EndlessFlow):
        await run(time, Server(time), asking(10**9))


async def test_room_is_given_back_when_a_waiting_caller_leaves() -> None:
    time = Time()
    lane = Lane(Pace(1, 1), time.monotonic, asyncio.sleep)
    await lane.enter()
    lane.leave()
    waiting = asyncio.create_task(lane.enter())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not lane._room.locked()


async def test_no_spelling_of_a_secret_is_in_the_log_or_the_value() -> None:
    time = Time()
    basic = base64.b64encode(f"user:{SECRET}".encode()).decode()

    def flow() -> Generator[Request | Wait, Response, list[str]]:
        headers = (("Authorization", f"Basic {basic}"), ("X-Note", SECRET), ("Accept", "*/*"))
        body = f"{SECRET} {quote(SECRET)} {basic} session-token".encode()
        response = yield Request("POST", f"https://example.com/{quote(SECRET, safe='')}", headers, body, secrets=("session-token",))
        return [response.body.decode(), response.detail]

    driven = await run(time, Server(time), flow())
    told = repr(driven)
    for spelling in (SECRET, quote(SECRET), quote(SECRET, safe=""), basic, "session-token", "a=1"):
        assert spelling not in told
    assert driven.attempts[0].request_line == f"POST https://example.com/{MARK}"
    assert ("Accept", "*/*") in driven.attempts[0].request_headers


@given(st.text(min_size=1, max_size=30), st.text(max_size=200), st.integers(0, 2 * EXCERPT))
def test_a_secret_anywhere_in_a_body_is_gone(secret: str, around: str, before: int) -> None:
    secrets = secrets_of(Request("GET", "https://example.com"), [secret.encode("utf-8", "replace").decode()])
    body = ("." * before + around + secret + around).encode("utf-8", "replace")
    kept = excerpt(body, secrets)
    assert len(kept) <= EXCERPT
    left = kept.replace(MARK, "")
    assert all(len(one) < 4 or one not in left for one in secrets)


def test_cleaning_takes_the_longest_spelling_first() -> None:
    secrets = secrets_of(Request("GET", "https://example.com"), ["abc", "abcdef"])
    assert clean("abcdef abc", secrets) == f"{MARK} {MARK}"

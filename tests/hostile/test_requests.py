"""Requests that no library writes: every door refuses them in the one form of all refusals, changes nothing, and goes on answering."""

import asyncio
import json
from typing import Any

import pytest
from everywhere import JSON, Door, at_all, doors_of, is_refusal
from stranger import Doors

pytestmark = pytest.mark.feature("B1")
ADA = "/api/v2/contacts/c-1001/email_preferences"
LIMIT = 1 << 20


def head(answer: bytes) -> tuple[int, bytes, bytes]:
    """Status, head and body of raw bytes."""
    top, _, body = answer.partition(b"\r\n\r\n")
    return int(top.split(b" ")[1]), top, body


SEGMENTS = ["a%2Fb", "%2F", "%00", "%FF", "%c0%af", "%ED%A0%80", "%2e%2e", "%2e%2e%2f%2e%2e%2fetc", "%252e%252e", "%0d%0aX:%20y", "%", "%zz", "x" * 3000,
            "%E2%80%AE", "-1", "99999999999999999999", "00000000-0000-0000-0000-000000000000", "{}", "'", "*", "%EF%BF%BD", "%F0%9F%92%A5"]  # fmt: skip


@pytest.mark.slow
async def test_no_segment_of_any_path_breaks_a_door(doors: Doors) -> None:
    asked = [
        (door, door.at(**{name: segment}))
        for door in await doors_of(doors)
        for name in door.params
        for segment in SEGMENTS
        if door.method in ("GET", "DELETE", "PATCH") or segment in SEGMENTS[:5]
    ]

    async def knock(each: tuple[Door, str]) -> Any:
        door, path = each
        return await doors.call(door.method, path, door.sent if door.kind == "application/json" else None)

    for (door, path), answer in await at_all(knock, asked):
        fine = answer.status in (200, 202, 204) or is_refusal(answer)
        assert fine, (door.method, path, answer.raw[:300])


HOSTS = [b"[", b"[::1", b"a b", b"", b"x:99999999", b"\xff\xfe", b"a/b?c#d", b"user@host", b"x" * 3000, b"sayso.example, evil.example"]


async def test_no_name_of_the_host_breaks_a_door(doors: Doors) -> None:
    token = (await doors.token()).encode()
    event = b'{"id":"c-1001","events":[{"event":"seen"}]}'
    pref = b'{"email_pref_promotional":"opted_out"}'
    for host in HOSTS:
        for line, body in (
            (b"POST /events", event),
            (b"POST " + ADA.encode(), pref),
            (b"PATCH " + ADA.encode(), b"{}"),
            (b"GET /livez", b""),
        ):
            answer = await doors.bytes(
                line + b" HTTP/1.1\r\nHost: " + host + b"\r\nAuthorization: Bearer " + token + b"\r\nIdempotency-Key: " + str(hash((host, line))).encode()
                + b"\r\nContent-Type: application/json\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
            )  # fmt: skip
            status = head(answer)[0]
            assert status in (200, 400, 405), (host, line, answer)
            assert b"evil.example" not in answer


INJECTED = [
    b"a\r\nX-Evil: 1",
    b"a\rX-Evil: 1",
    b"a\nX-Evil: 1",
    b"a\r\n X-Evil: 1",
    b"a\0b",
    b"\xff\xfe",
    b"\xc2\x85X-Evil: 1",
    b"a" * 5000,
    b"",
    b" ",
]


@pytest.mark.parametrize("name", [b"X-Request-Id", b"Idempotency-Key", b"If-Match", b"Content-Type", b"User-Agent", b"Traceparent"])
async def test_no_header_comes_back_as_another(doors: Doors, name: bytes) -> None:
    token = (await doors.token()).encode()
    for path in (ADA.encode(), b"/api/v2/send_checks", b"/events", b"/nowhere"):
        for value in INJECTED:
            answer = await doors.bytes(
                b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + b"\r\n" + name + b": " + value
                + b"\r\nContent-Length: 2\r\n\r\n{}"
            )  # fmt: skip
            status, top, _ = head(answer)
            assert 200 <= status < 500, (path, value, answer)
            assert b"x-evil" not in top.lower(), (path, value, answer)


CREDENTIALS = [
    "Bearer",
    "Bearer ",
    "Bearer \u00ff",
    "bearer x y",
    "Basic eDp5",
    "Negotiate x",
    "Bearer " + "x" * 4000,
    "Bearer null",
    ",",
    "=",
    "Bearer sst_' OR 1=1",
]


async def test_no_credential_breaks_a_door(doors: Doors) -> None:
    for path in (ADA, "/api/v2/send_checks", "/oauth/token"):
        for given in CREDENTIALS:
            answer = await doors.bytes(
                f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {given}\r\nContent-Length: 2\r\n\r\n".encode("latin-1") + b"{}"
            )
            assert head(answer)[0] in (400, 401), (path, given, answer)


BODIES: list[bytes] = [
    b"", b"{", b"\xff", b"\xef\xbb\xbf{}", b'{"a":NaN}', b'{"a":1,"a":2}', b"[]", b"null", b'"x"', b"7", b'{"\\ud800":1}', b'{"a":"\\u0000"}',
    b'{"a":1e999}', b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}", b'{"a":' + b"9" * 5000 + b"}", b"{}{}", "{}".encode("utf-16"), b'{"a":1,}', b"{'a':1}",
    b'{"__proto__":{"admin":true},"constructor":1}', b"a=b&c=d", b"\x1f\x8b\x08\0", b"<a/>",
]  # fmt: skip


@pytest.mark.slow
async def test_no_body_breaks_a_door(doors: Doors) -> None:
    asked = [(door, raw) for door in await doors_of(doors) if door.kind == "application/json" for raw in BODIES]

    async def knock(each: tuple[Door, bytes]) -> Any:
        return await doors.call(each[0].method, each[0].at(), raw=each[1], headers=JSON)

    for (door, raw), answer in await at_all(knock, asked):
        assert is_refusal(answer), (str(door), raw[:60], answer.status, answer.raw[:300])


async def test_every_door_says_which_kind_of_body_it_reads(doors: Doors) -> None:
    kinds = ["text/plain", "application/xml", "multipart/form-data; boundary=x", "", "a", ";", "application/json5", "text/json"]
    asked = [(door, kind) for door in await doors_of(doors) if door.kind == "application/json" for kind in kinds]

    async def knock(each: tuple[Door, str]) -> Any:
        return await doors.call(each[0].method, each[0].at(), raw=b"{", headers={"Content-Type": each[1]})

    for (door, kind), answer in await at_all(knock, asked):
        assert is_refusal(answer) and answer.status in (400, 404, 415), (str(door), kind, answer.status, answer.raw[:300])


async def test_a_body_over_the_limit_is_refused_whether_it_says_so_or_not(doors: Doors) -> None:
    paths = [
        ADA,
        "/events",
        "/api/v2/send_checks",
        "/api/v2/send_checks:batch",
        "/api/v2/email_preferences:batch",
        "/oauth/token",
        "/api/v2/permits:verify",
    ]
    hook = await doors.call(
        "POST",
        "/api/v2/connections",
        {"connector": "mailchimp", "name": "M", "settings": {"api_key": "k-us1", "list_id": "1", "webhook_secret": "s"}},
    )
    paths.append(f"/hooks/{hook.json['id']}?secret=s")

    async def endless() -> Any:
        for _ in range(64):
            yield b"x" * 65_536

    before = await doors.snapshot()
    for path in paths:
        kind = "application/x-www-form-urlencoded" if "oauth" in path or "hooks" in path else "application/json"
        for raw in (b"x" * (LIMIT + 1), endless()):
            answer = await doors.call("POST", path, raw=raw, headers={"Content-Type": kind})
            assert (answer.status, answer.json["code"]) == (413, "too_large"), path
        lying = await doors.bytes(b"POST " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n")
        assert head(lying)[0] in (400, 401, 413), (path, lying)
    assert await doors.snapshot() == before


BROKEN = [
    b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0\0\0\0", b"\r\n" * 50,
    b"GET /livez\r\n\r\n", b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n",
    b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * 30_000 + b"\r\n", b"GET http://evil.example/livez HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET //livez HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /livez?" + b"a&" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
]  # fmt: skip


async def test_what_is_hardly_http_is_refused_and_the_hub_goes_on(doors: Doors) -> None:
    for sent in BROKEN:
        try:
            answer = await doors.bytes(sent, seconds=1.0)
        except (TimeoutError, ConnectionError):
            answer = b""
        assert not answer or 200 <= head(answer)[0] < 500, (sent[:80], answer[:300])
        assert (await doors.call("GET", "/livez", scopes="")).status == 200


async def test_a_body_that_dribbles_in_or_ends_early_holds_nobody_up(doors: Doors) -> None:
    token = (await doors.token()).encode()
    body = json.dumps({"email_pref_promotional": "opted_out", "metadata": {"x": "y" * 200}}).encode()
    start = (
        b"POST " + ADA.encode() + b" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token
        + b"\r\nContent-Type: application/json\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n"
    )  # fmt: skip
    opened = [await asyncio.open_connection("127.0.0.1", doors.port) for _ in range(60)]
    for _, writer in opened:
        writer.write(start + body[:3])
        await writer.drain()
    assert (await doors.call("GET", ADA)).status == 404, "half a request was taken for a whole one"
    for _, writer in opened[1:]:
        writer.close()
    reader, writer = opened[0]
    for n in range(3, len(body)):
        writer.write(body[n : n + 1])
        await writer.drain()
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    found = (await doors.call("GET", ADA)).json
    assert (found["version"], found["email_pref_promotional"]) == (1, "opted_out"), "those that ended early changed something"


METHODS = ["HEAD", "OPTIONS", "TRACE", "PROPFIND", "BREW", "PATCH", "DELETE", "PUT", "POST", "GET"]


@pytest.mark.slow
async def test_looking_changes_nothing_whatever_it_calls_itself(doors: Doors) -> None:
    await doors.call("POST", ADA, {"email": "ada@example.com", "email_pref_promotional": "opted_in"})
    all_doors = await doors_of(doors)
    offered = {door.path: {one.method for one in all_doors if one.path == door.path} for door in all_doors}
    sly = {"X-HTTP-Method-Override": "DELETE", "X-HTTP-Method": "PUT", "X-Method-Override": "POST"}
    asked = [
        (door, method) for door in {one.path: one for one in all_doors}.values() for method in METHODS if method not in offered[door.path]
    ]
    before = await doors.snapshot()

    async def knock(each: tuple[Door, str]) -> Any:
        return await doors.call(
            each[1], each[0].at(), {"blacklisted": True, "optOut": True} if each[1] in ("POST", "PUT", "PATCH") else None, headers=sly
        )

    for (door, method), answer in await at_all(knock, asked):
        assert answer.status in (200, 400, 404, 405, 422), (method, door.path, answer.status, answer.raw[:200])
        assert answer.status != 200 or method in ("HEAD", "OPTIONS"), (method, door.path)
    reads = [(door, "GET") for door in all_doors if door.method == "GET"]
    for (door, _), answer in await at_all(knock, reads):
        assert answer.status < 500, (str(door), answer.raw[:200])
    assert await doors.snapshot() == before


async def test_parameters_that_nobody_knows_or_that_stand_twice_are_refused(doors: Doors) -> None:
    guarded = [door for door in await doors_of(doors) if door.scopes and "/proof" not in door.path]
    asked = []
    for door in guarded:
        path = door.at()
        more = "&" if "?" in path else "?"
        asked += [(door, f"{path}{more}{odd}") for odd in ("nobody=1", "%00=1", "limit%00=1", "a[]=1", "%ff=%ff")]
        asked += [(door, f"{path}{more}{name}=x&{name}=x") for name in door.query]
    sent = {"application/json": JSON, "": None}

    async def knock(each: tuple[Door, str]) -> Any:
        door, path = each
        body = door.sent if door.kind == "application/json" else None
        return await doors.call(door.method, path, body, headers=sent.get(door.kind))

    before = await doors.snapshot()
    for (door, path), answer in await at_all(knock, asked):
        assert is_refusal(answer) and answer.status == 422, (door.method, path, answer.status, answer.raw[:200])
    assert await doors.snapshot() == before


PROOFS = ["/a%2Fb", "/%F0%9F%92%A5", "/a b", "?secret=%ff", "?secret=%ed%a0%80", "?secret=", "", "/" + "x" * 5000]
CALLS = [
    b"type=unsubscribe&data[email]=a@b.c",
    b"\xff\0",
    b"{",
    b"type=" + b"x" * 100_000,
    b"[" * 100_000,
    b"&" * 5_000,
    b"type=\xed\xa0\x80",
]


async def test_a_call_that_proves_nothing_is_refused_and_not_kept(doors: Doors) -> None:
    settings = {"mailchimp": {"api_key": "k-us1", "list_id": "1", "webhook_secret": "s"}, "sendgrid": {"api_key": "SG.k"}}
    hooks = []
    for connector, given in settings.items():
        made = await doors.call("POST", "/api/v2/connections", {"connector": connector, "name": connector, "settings": given})
        hooks.append(f"/hooks/{made.json['id']}")
    signatures = {
        "X-Mailchimp-Signature": "t=٣,v1=x",
        "X-Twilio-Email-Event-Webhook-Signature": "!",
        "X-Twilio-Email-Event-Webhook-Timestamp": "-1",
    }
    before = await doors.snapshot()
    for hook in hooks:
        for proof in PROOFS:
            for call in CALLS:
                for headers in ({}, {name: value.encode().decode("latin-1") for name, value in signatures.items()}):
                    answer = await doors.call("POST", hook + proof.replace(" ", "%20"), raw=call, scopes="", headers=headers)
                    assert (answer.status, answer.json["code"]) == (401, "unauthorized"), (hook, proof, call[:40], answer.raw[:300])
    traces = await doors.parts.pool.fetch("SELECT state, sealed FROM inbox")
    assert len(traces) <= 2 * len(hooks), "more than a trace an hour and connection"
    assert {(row["state"], row["sealed"]) for row in traces} == {("refused", b"")}
    assert {**await doors.snapshot(), "inbox": 0, "daily_key": 0} == {**before, "daily_key": 0}


URLS = ["http://[", "https://[::1", "https://\u2100.example/[", "//", "https://", "https://a:b", "https://a:99999", "javascript:alert(1)", "https://a@b", " ", "x" * 3000,
        "https://a/\r\nHost: b", "https://\u202e", "https://xn--\u00ff", "file:///etc/passwd", "https://127.0.0.1", "https://0x7f.1", "http://169.254.169.254/"]  # fmt: skip


async def test_an_address_nobody_can_be_told_at_is_refused_by_name(doors: Doors) -> None:
    good = await doors.call("POST", "/api/v2/webhooks", {"url": "https://shop.example/told"})
    assert good.status == 201
    for url in URLS:
        for method, path, body in (
            ("POST", "/api/v2/webhooks", {"url": url}),
            ("PATCH", f"/api/v2/webhooks/{good.json['id']}", {"url": url}),
            ("POST", "/api/v2/connections", {"connector": "webhook", "name": "W", "settings": {"url": url}}),
            ("POST", "/api/v2/connections", {"connector": "sendgrid", "name": "S", "settings": {"api_key": "k", "base_url": url}}),
        ):
            answer = await doors.call(method, path, body)
            if "base_url" in str(body) and not url.strip():
                continue  # nothing named: the vendor's own address
            assert is_refusal(answer) and answer.status == 422, (method, path, url, answer.raw[:300])
            assert answer.json["errors"][0]["pointer"].endswith("url") or "name" in answer.json["errors"][0]["pointer"], answer.json

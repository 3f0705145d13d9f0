"""Whatever comes in: a problem document, never a 5xx, never a change (wire contract section 1)."""

import json
from typing import Any

from running import Api

ADA = "/api/v2/contacts/c-1001/email_preferences"


def is_problem(answer: Any, status: int, code: str) -> bool:
    body = answer.json
    return (
        answer.status == body["status"] == status
        and answer.headers["Content-Type"] == "application/problem+json"
        and body["code"] == code
        and body["type"] == f"https://sayso.example/docs/errors/{code}"
        and body["request_id"] == answer.headers["X-Request-Id"]
        and bool(body["title"] and body["detail"])
    )


async def test_every_failure_is_a_problem_document_with_the_request_id(api: Api) -> None:
    assert is_problem(await api.get("/nothing/here"), 404, "not_found")
    refused = await api.call("PATCH", ADA, {})
    assert is_problem(refused, 405, "method_not_allowed") and "POST" in refused.headers["Allow"]
    named = await api.get(ADA, headers={"X-Request-Id": "req-77"})
    assert is_problem(named, 404, "not_found") and named.headers["X-Request-Id"] == "req-77"
    odd = await api.get(ADA, headers={"X-Request-Id": "a b" * 90})
    assert is_problem(odd, 404, "not_found") and odd.headers["X-Request-Id"] != "a b" * 90
    assert is_problem(await api.get(ADA, as_=""), 401, "unauthorized")
    assert is_problem(await api.get(ADA, as_="events"), 403, "forbidden_scope")


JSON = {"Content-Type": "application/json"}
UNREADABLE = [
    b"", b"{", b"nul", b"\xff\xfe{}", b"\xef\xbb\xbf{}", b'{"a":NaN}', b'{"a":-Infinity}', b'{"a":1e999}', b'{"a":1,"a":2}',
    b'{"metadata":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"metadata":{"a":' + b'{"a":' * 60 + b"1" + b"}" * 60 + b"}}",
    b'{"a":' + b"9" * 5000 + b"}", b"{'a':1}", b'{"a":1}{}',
]  # fmt: skip


async def test_what_is_not_json_is_400(api: Api) -> None:
    for raw in UNREADABLE:
        answer = await api.call("POST", ADA, raw=raw, headers=JSON)
        assert is_problem(answer, 400, "invalid_json"), (raw[:60], answer.raw)
    assert (await api.get(ADA)).status == 404


async def test_json_that_cannot_be_kept_is_422(api: Api) -> None:
    for raw in (b"[]", b"7", b'"x"', b'{"metadata":{"a":"\\u0000"}}', b'{"metadata":{"\\ud800":1}}', b'{"email_pref_update_reason":"\\udc00"}',
                b'{"metadata":{"a":9223372036854775808}}'):  # fmt: skip
        answer = await api.call("POST", ADA, raw=raw, headers=JSON)
        assert is_problem(answer, 422, "invalid_input"), (raw, answer.raw)


async def test_another_kind_of_body_is_415_and_a_large_one_413(api: Api) -> None:
    assert is_problem(await api.call("POST", ADA, raw=b"{}", headers={"Content-Type": "text/plain"}), 415, "unsupported_media_type")
    large = b'{"metadata":{"a":"' + b"x" * (1 << 20) + b'"}}'
    assert is_problem(await api.call("POST", ADA, raw=large, headers=JSON), 413, "too_large")

    async def pieces() -> Any:
        for n in range(20):
            yield large[n * 65_536 : (n + 1) * 65_536]

    streamed = await api.call("POST", ADA, raw=pieces(), headers=JSON)
    assert is_problem(streamed, 413, "too_large")
    form = await api.call("POST", "/oauth/token", raw=b"a=" + b"x" * (1 << 20), as_="")
    assert is_problem(form, 413, "too_large")


TEXTS = ["", " ", "\u202e", "𝕏" * 300, "a\nb", "\ufeff", "💥", "x" * 5000, "'; DROP TABLE subject; --", "..", "%00", "=1+1", "\u2028"]


async def test_no_text_anywhere_breaks_a_door(api: Api) -> None:
    bodies: list[Any] = [
        {field: text}
        for text in TEXTS
        for field in ("email", "business_unit", "country", "email_pref_update_reason", "user_agent", "proof", "occurred_at", "paused_until")
    ]
    bodies += [{text: "opted_out"} for text in TEXTS] + [{f"email_pref_{text}": "opted_out"} for text in TEXTS]
    bodies += [{"addresses": [{"channel": "sms", "address": text}]} for text in TEXTS]
    bodies += [{"email": value} for value in (7, [], {}, True)] + [{"choices": value} for value in (7, {}, [7], [[]], "x")]
    for body in bodies:
        answer = await api.post(ADA, body)
        assert answer.status in (200, 422), (body, answer.raw)
    items = [{"contact_id": text, "metadata": {text: text}} for text in TEXTS]
    assert (await api.post("/api/v2/email_preferences:batch", {"items": items})).status in (200, 207)
    for text in TEXTS:
        events = {"id": "c", "events": [{"event": text, "properties": {text: text}}]}
        assert (await api.post("/events", events, as_="events")).status in (200, 422), text


async def test_no_path_breaks_a_door(api: Api) -> None:
    ids = ["%00", "%FF", "%ED%A0%80", "%2F", "%20", "%0A", "x" * 300, "%E2%80%AE", "%", "a%2", "*", "%EF%BF%BD"]
    doors = ["/api/v2/contacts/{}/email_preferences", "/api/v2/contacts/{}", "/api/v2/contacts/{}/history", "/users/{}/blacklist",
             "/users/{}/optout-status?channelType=MAIL", "/api/v2/addresses/{}/x/preferences", "/api/v2/addresses/email/{}/preferences",
             "/api/v2/addresses/sms/{}/history"]  # fmt: skip
    for door in doors:
        for text in ids:
            answer = await api.get(door.format(text))
            assert answer.status in (400, 404, 422), (door, text, answer.raw)
            assert answer.headers["Content-Type"] == "application/problem+json"


async def test_headers_that_mean_nothing_are_422(api: Api) -> None:
    for headers in ({"Idempotency-Key": ""}, {"Idempotency-Key": "x" * 256}, {"If-Match": '"x"'}, {"If-Match": '"1", "2"'}):
        assert is_problem(await api.post(ADA, {}, headers=headers), 422, "invalid_input"), headers
    assert json.loads((await api.get(ADA)).raw)["status"] == 404

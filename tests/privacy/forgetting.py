"""What the tests of people's rights do again and again."""

from typing import Any

from town import Town, eventually

ADA = "ada@example.com"
RIGHTS = "privacy"


async def check(town: Town, body: dict[str, Any]) -> Any:
    """The answer to one pre-send check by e-mail."""
    return await town.ok(
        "POST", "/api/v2/send_checks", {"channel": "email", "category": "promotional", "country": "US", **body}, scopes="send_checks"
    )


async def codes(town: Town, **body: Any) -> set[str]:
    """The codes of a check that must deny."""
    answer = await check(town, body)
    assert answer["allowed"] is False, answer
    return {reason["code"] for reason in answer["reasons"]}


async def forget(town: Town, contact: str, reason: str | None = None) -> Any:
    """The erasure as the door accepted it."""
    status, found = await town.call("DELETE", f"/api/v2/contacts/{contact}", {"reason": reason} if reason else None, scopes=RIGHTS)
    assert status == 202, found
    return found


async def completed(town: Town, erasure: Any, seconds: float = 20.0) -> Any:
    """The erasure once it is completed."""

    async def look() -> Any:
        found = await town.ok("GET", f"/api/v2/erasures/{erasure['id']}", scopes=RIGHTS)
        return found if found["state"] == "completed" else None

    return await eventually(look, seconds)


async def gone(town: Town, contact: str) -> bool:
    """Whether every door that shows people says that it knows nobody of this id."""
    paths = ("", "/history", "/events", "/email_preferences", "/propagation", "/messages")
    scopes = "email_preferences audit:read messages"
    answers = [(await town.call("GET", f"/api/v2/contacts/{contact}{path}", scopes=scopes))[0] for path in paths]
    return set(answers) == {404}

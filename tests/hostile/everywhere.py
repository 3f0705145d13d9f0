"""Every door of the description, for tests that knock at all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from stranger import Doors

T = TypeVar("T")
R = TypeVar("R")
GOOD = {"contact_id": "c-1001", "external_id": "c-1001", "channel": "email", "address": "ada@example.com", "campaign_id": "spring-26",
        "path": "0/000.p/1"}  # fmt: skip
NO_ID = "019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e02"
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Door:
    """One operation: what its path is made of, the scopes of which it needs one ("": anybody), its example body and that one's type."""

    method: str
    path: str
    params: tuple[str, ...]
    query: tuple[str, ...]
    needed: tuple[str, ...]
    scopes: frozenset[str]
    kind: str
    sent: Any

    def at(self, **more: str) -> str:
        """Its address, with good parts where no others are named."""
        path = self.path
        for name in self.params:
            path = path.replace("{" + name + "}", more.get(name, GOOD.get(name, NO_ID)))
        return path + "".join(f"{'&' if n else '?'}{name}=MAIL" for n, name in enumerate(self.needed))

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


async def doors_of(doors: Doors) -> list[Door]:
    """Every operation that the hub describes."""
    document = (await doors.call("GET", "/openapi.json", scopes="")).json
    found = []
    for path, operations in document["paths"].items():
        for method, said in operations.items():
            params = said.get("parameters", ())
            query = [one for one in params if one["in"] == "query"]
            content = said.get("requestBody", {}).get("content", {})
            kind = next(iter(content), "")
            example = content.get(kind, {}).get("example") or next(iter(content.get(kind, {}).get("examples", {}).values()), {}).get(
                "value"
            )
            found.append(Door(
                method.upper(), path, tuple(one["name"] for one in params if one["in"] == "path"), tuple(one["name"] for one in query),
                tuple(one["name"] for one in query if one.get("required")),
                frozenset(scope for way in said.get("security", ()) for scopes in way.values() for scope in scopes), kind, example,
            ))  # fmt: skip
    assert len(found) > 60
    return found


async def at_all(knock: Callable[[T], Awaitable[R]], what: Iterable[T], at_once: int = 8) -> list[tuple[T, R]]:
    """Each of these with what came of it; a few at the same time."""
    gate = asyncio.Semaphore(at_once)

    async def one(each: T) -> tuple[T, R]:
        async with gate:
            return each, await knock(each)

    return list(await asyncio.gather(*(one(each) for each in what)))


def is_refusal(answer: Any) -> bool:
    """Whether an answer refuses in the one way that all refusals are written, and is no failure of ours."""
    if not 400 <= answer.status < 500:
        return False
    body = answer.json
    if "error" in body:  # OAuth's own form
        return bool(body["error"])
    return (
        answer.headers["Content-Type"] == "application/problem+json"
        and body["status"] == answer.status
        and bool(body["detail"])
        and body["request_id"] == answer.headers["X-Request-Id"]
    )

"""What the simulated vendors saw, in sentences for the start page. Only what was written is kept; looking is not."""

import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import unquote

from aiohttp import web

from sayso.web.console.parts import Glimpse

KEPT = 50
Say = Callable[[web.Request, bytes], str]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def watched(
    app: web.Application, vendor: str, say: Say, glimpses: deque[Glimpse], clock: Callable[[], int], after: Callable[[], None]
) -> web.Application:
    """The application with a watcher before it: notes each accepted write, then calls `after` before the answer leaves."""

    @web.middleware
    async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
        body = await request.read()
        answer = await handler(request)
        if request.method not in ("GET", "HEAD") and answer.status < 300:
            glimpses.appendleft(Glimpse(clock(), vendor, say(request, body), f"{request.method} {request.raw_path} → {answer.status}"))
            after()
        return answer

    app.middlewares.append(watch)
    return app


def by_mailchimp(request: web.Request, body: bytes, members: Mapping[str, Mapping[str, str]]) -> str:
    """What a write to the audience did; `members` tells whose path it was."""
    asked = _object(body)
    batch = asked.get("members")
    if isinstance(batch, list):
        return f"{len(batch)} members are {batch[0].get('status', '') if batch else ''} now"
    who = members.get(request.path.rpartition("/")[2], {}).get("email_address", "somebody")
    return f"{who} is {asked.get('status', 'changed')} now"


def by_sendgrid(request: web.Request, body: bytes) -> str:
    """What a write to a suppression list did."""
    parts = [unquote(part) for part in request.raw_path.split("/") if part]
    where = f"group {parts[3]}" if parts[2:3] == ["groups"] and len(parts) > 3 else "the account’s list"
    who = _object(body).get("recipient_emails")
    if request.method == "DELETE":
        return f"{parts[-1]} came off {where}"
    names = who if isinstance(who, list) else []
    return f"{names[0]} went onto {where}" if len(names) == 1 else f"{len(names)} addresses went onto {where}"


def by_shop(_: web.Request, body: bytes) -> str:
    """What a webhook said."""
    told = _object(body)
    data = told.get("data")
    data = data if isinstance(data, dict) else {}
    changed = data.get("changed")
    moves = [
        f"{name.removeprefix('email_pref_').replace('_', ' ')} {_word(move.get('old'))} → {_word(move.get('new'))}"
        for name, move in (changed.items() if isinstance(changed, dict) else ())
        if isinstance(move, dict) and name != "channels"
    ]
    who = data.get("contact_id") or data.get("address")
    return f"{who}: {', '.join(moves[:3]) or 'told how they stand'}; signature good"


def _word(value: object) -> str:
    return {None: "–", True: "on", False: "off"}.get(value, str(value)) if value is None or isinstance(value, bool) else str(value)


def _object(body: bytes) -> dict[str, object]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

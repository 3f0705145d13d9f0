"""Pages from templates: escaped throughout, times and commands written one way."""

import json
import re
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from sayso.rules.times import DAY, HOUR, MINUTE, SECOND, format_time

FOLDER: Final = Path(__file__).parent / "templates"
_DAY: Final = re.compile(r"(\d{4}-\d\d-\d\d)")
_NO_BREAK: Final = Markup('<span class="nobr">{}</span>')
_AGES: Final = ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second"))
_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def page(request: Request, template: str, values: Mapping[str, Any], *, status: int = 200) -> HTMLResponse:
    """The page that a template makes of values; every template also knows the console, the request's path and the clock."""
    console = request.app.state.console
    text = _ENVIRONMENT.get_template(template).render(console=console, now=_now(request), path=request.url.path, **values)
    return HTMLResponse(text, status)


def _now(request: Request) -> int:
    now: int = request.app.state.clock()
    return now


def age(ts: int, now: int) -> Markup:
    """How long ago (or ahead) a time is, with the time itself behind it for who wants to know."""
    gap = abs(now - ts)
    words = "just now"
    for unit, name in _AGES:
        if gap >= unit:
            count = gap // unit
            words = f"{count} {name}{'' if count == 1 else 's'} ago" if ts <= now else f"in {count} {name}{'' if count == 1 else 's'}"
            break
    exact = format_time(ts)
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(exact, exact[:19].replace("T", " "), words)


def dated(text: str) -> Markup:
    """A sentence in which no day breaks over two lines."""
    return Markup("").join(_NO_BREAK.format(part) if _DAY.fullmatch(part) else part for part in _DAY.split(text))


def day(ts: int) -> str:
    """A day as people write it: 22 November 2026 (UTC)."""
    moment = datetime.fromtimestamp(ts // SECOND, UTC)
    return f"{moment.day} {moment:%B %Y}"


def minute(ts: int) -> str:
    """A time to the second, UTC."""
    return format_time(ts)[:19].replace("T", " ")


def curl(base: str, token: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> str:
    """A command that does the same through the API, ready to paste."""
    lines = [
        f"curl -s {'' if method == 'GET' else f'-X {method} '}{shlex.quote(base + path)}",
        f"  -H {shlex.quote(f'Authorization: Bearer {token}')}",
    ]
    if body is not None:
        lines += ["  -H 'Content-Type: application/json'", f"  -d {shlex.quote(json.dumps(body, ensure_ascii=False))}"]
    return " \\\n".join(lines)


def thousands(number: int) -> str:
    """A count with thin groups: 12,345."""
    return f"{number:,}"


def icon(name: str) -> Markup:
    """A small drawing from the sheet of icons in every page; it says nothing that a word beside it does not say as well."""
    return Markup('<svg class="icon" aria-hidden="true" width="16" height="16"><use href="#i-{}"></use></svg>').format(escape(name))


_ENVIRONMENT.filters.update(dated=dated, day=day, minute=minute, thousands=thousands)
_ENVIRONMENT.globals.update(age=age, icon=icon, curl=curl)

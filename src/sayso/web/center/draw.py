"""Answers of people's own doors: a page with the headers that protect it. Nothing is kept anywhere, nothing is loaded from elsewhere."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from sayso.contracts.center import Presented
from sayso.web.center.languages import Texts
from sayso.web.center.render import render_page

_STYLE: Final = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)
_ALWAYS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def page(
    name: str, presented: Presented | None, values: Mapping[str, Any], texts: Texts, *, status: int = 200, framed_by: Sequence[str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    """One page. `framed_by` are the origins that may show it inside theirs (None: nobody, and it is a whole page)."""
    text = render_page(name, presented, values, texts)
    frames = " ".join(framed_by or ()) or "'none'"
    policy = f"default-src 'none'; {_styles(text)}img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {frames}"
    more = {} if framed_by else {"X-Frame-Options": "DENY"}
    return HTMLResponse(text, status, {**_ALWAYS, **more, "Content-Security-Policy": policy, **(headers or {})})


def _styles(text: str) -> str:
    """The directive that lets in exactly the styles of this page; what a person typed is escaped and can be no style."""
    found = sorted({base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in _STYLE.findall(text)})
    return "style-src " + " ".join(f"'sha256-{one}'" for one in found) + "; " if found else ""


def tiny(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A line for machines."""
    policy = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "X-Frame-Options": "DENY"}
    return PlainTextResponse(text + "\n", status, {**_ALWAYS, **policy, **(headers or {})})


def nothing(methods: Sequence[str]) -> Response:
    """The answer to OPTIONS: which methods a door has."""
    return Response(None, 204, {**_ALWAYS, "Allow": ", ".join(methods)})

"""Pages about errors: one for each code, so that the `type` of every problem leads somewhere (RFC 9457 section 3.1.1).

The texts here are the only ones: docs/reference/errors.md is written from them by scripts/docs.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Final

from fastapi import APIRouter, Response

from sayso.web.errors import CODES, Problem

PATH: Final = "/docs/errors"
HEADERS: Final = {
    "Cache-Control": "public, max-age=3600",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Explained:
    """What a code means, what was changed by the refused request, and what to do about it; whole sentences of plain text."""

    meaning: str
    mend: str
    again: str


_UNCHANGED: Final = "Not as it is: send it again once it is mended. Nothing was changed."

EXPLAINED: Final[Mapping[str, Explained]] = {
    "invalid_json": Explained(
        "The body is not JSON in UTF-8, or it could be read in two ways: a name stands twice in one object, a number is NaN or infinite, "
        "or the nesting is too deep.",
        "Write the body with a JSON library. `detail` says where reading stopped.",
        _UNCHANGED,
    ),
    "bad_request": Explained(
        "The request cannot be read as HTTP means it: a broken path encoding, a header that contradicts itself, or a body that ended early.",
        "Read `detail`; it names the part.",
        _UNCHANGED,
    ),
    "unauthorized": Explained(
        "There is no access token, or it is unknown, expired or revoked. The header `WWW-Authenticate` tells which.",
        "Ask for a new token with POST /oauth/token and send it as `Authorization: Bearer …`. Tokens are good for an hour.",
        "Yes, with a new token.",
    ),
    "forbidden_scope": Explained(
        "The token is good, but its client was not given the scope that this door needs. `WWW-Authenticate` names the scope.",
        "Make a client with that scope: sayso client create NAME --scope SCOPE.",
        "Not with this token.",
    ),
    "not_found": Explained(
        "There is no such door, or nothing was ever recorded under this id. A door never tells whether an id exists that it may not show.",
        "Compare the path with /openapi.json. A contact or address exists from the first write or event about it.",
        "Only after something was written.",
    ),
    "method_not_allowed": Explained(
        "The path exists, the method does not. The header `Allow` lists those that do.",
        "Use one of the methods in `Allow`.",
        "Not with this method.",
    ),
    "conflict_version": Explained(
        "The write had `If-Match`, and somebody wrote in between. `current` holds the state as it is now.",
        "Decide again with `current` in hand, and send its version as `If-Match`. Leave `If-Match` out to write whatever happened: "
        "opt-outs should never carry it.",
        "With the new version.",
    ),
    "change_refused": Explained(
        "A rule forbids the change; `rule` names it and `errors` points at every part that it forbids. The attempt is in the ledger. "
        "The usual rule is `transactional_cannot_be_refused`: order confirmations, security and legal notices have no opt-out.",
        "Take the parts named by `errors` out of the request. The whole request was refused, the other parts too.",
        "Without the refused parts.",
    ),
    "gone": Explained(
        "The cursor points at something that is no longer kept, or that belongs to another ledger.",
        "Begin again without a cursor, and compare with what you hold.",
        "Not with this cursor.",
    ),
    "too_large": Explained(
        "A body has at most 1 MiB, a batch at most 1,000 items. Streams have no limit, and say so in /openapi.json.",
        "Send several smaller requests.",
        "In parts.",
    ),
    "unsupported_media_type": Explained(
        "The body is of a kind that this door does not read.",
        "Send JSON with `Content-Type: application/json`.",
        _UNCHANGED,
    ),
    "invalid_input": Explained(
        "The request is understood and not valid. Each of `errors` has a `detail` that says how to mend it and a `pointer` to the place: "
        "a JSON Pointer (RFC 6901) beginning with `#` for the body, else `query/…`, `path/…` or `header/…`. Unknown fields count as "
        "errors, except inside `properties` and `metadata`: a misspelt field must not be lost silently.",
        "Mend every place in `errors`; all are told at once, up to a hundred.",
        _UNCHANGED,
    ),
    "idempotency_mismatch": Explained(
        "This `Idempotency-Key` came before, from the same client, with another request. The first request counted.",
        "Use a new key for each new request, and the same key only to repeat the very same one.",
        "With a new key.",
    ),
    "rate_limited": Explained(
        "The client sent more requests in a minute than the operator allows (SAYSO_RATE_LIMIT), or a door for everybody met too many.",
        "Wait as many seconds as `Retry-After` says.",
        "Yes, after `Retry-After`.",
    ),
    "internal": Explained(
        "Something failed that nobody foresaw: a bug. What happened is in the log under the `request_id`.",
        "Report it with the `request_id`. Whether the change was made is not known.",
        "Yes, for writes with the same `Idempotency-Key`.",
    ),
    "unavailable": Explained(
        "The database cannot be reached, or did not answer in time. Pre-send checks never give this answer: they say that nothing may "
        "be sent.",
        "Send it again; opt-outs must not be dropped because of it. The operator runs `sayso doctor`.",
        "Yes, after `Retry-After`.",
    ),
}
"""Every code of `errors.CODES` (a test compares), in the same order."""


def docs_router() -> APIRouter:
    """The routes; public, since an error must be explained to whoever meets it."""
    router = APIRouter(tags=["docs"], include_in_schema=False)

    @router.get("/docs")
    async def start() -> Response:
        """Where a program's author begins: the description of the API, and the errors."""
        links = (("/openapi.json", "Every endpoint, as OpenAPI 3.1"), (PATH, "Every error"))
        listed = "".join(f'<li><a href="{place}">{text}</a></li>' for place, text in links)
        return _page("Documentation", f"<h1>Sayso</h1><ul>{listed}</ul>")

    @router.get(PATH)
    async def codes() -> Response:
        """All codes on one page."""
        rows = "".join(f'<li><a href="{PATH}/{code}"><code>{code}</code></a> {CODES[code][0]}: {CODES[code][1]}</li>' for code in EXPLAINED)
        return _page("Errors", f"<h1>Errors</h1><p>Problems follow RFC 9457; <code>code</code> is what programs read.</p><ul>{rows}</ul>")

    @router.get(PATH + "/{code}")
    async def one(code: str) -> Response:
        """The page of one code."""
        if code not in EXPLAINED:
            raise Problem("not_found", f"There is no error of this code; {PATH} lists them all.")
        return _page(code, _body(code))

    return router


def _body(code: str) -> str:
    status, title = CODES[code]
    told = EXPLAINED[code]
    parts = ("What it means", told.meaning), ("What to do", told.mend), ("Send it again?", told.again)
    return (
        f"<p><code>{code}</code>, HTTP status {status}</p><h1>{escape(title)}</h1>"
        + "".join(f"<h2>{escape(head)}</h2><p>{_marked(text)}</p>" for head, text in parts)
        + f'<p><a href="{PATH}">All errors</a></p>'
    )


def _marked(text: str) -> str:
    """The text as HTML: what stands between backticks is code."""
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(escape(text).split("`")))


def _page(title: str, body: str) -> Response:
    style = (
        ":root{color-scheme:light dark}body{font:1rem/1.6 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem}"
        "h1{font-size:1.6rem}h2{font-size:1.1rem}code{font-family:ui-monospace,monospace}"
    )
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)} - Sayso</title><style>{style}</style></head><body><main>{body}</main></body></html>"
    )
    return Response(html, media_type="text/html; charset=utf-8", headers=HEADERS)

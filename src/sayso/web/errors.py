"""Problems: what every door answers when it refuses (wire contract section 1, RFC 9457), whatever went wrong."""

import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Route

from sayso.contracts.book import KeyReused, Unavailable
from sayso.flows.record import ChangeRefused

LOG = logging.getLogger("sayso.web")

CODES: Final[Mapping[str, tuple[int, str]]] = {
    "invalid_json": (400, "The body is not JSON"),
    "bad_request": (400, "The request cannot be read"),
    "unauthorized": (401, "A valid access token is needed"),
    "forbidden_scope": (403, "The token lacks the scope"),
    "not_found": (404, "Nothing is here"),
    "method_not_allowed": (405, "This method is not offered here"),
    "conflict_version": (409, "The state has moved on"),
    "change_refused": (409, "A rule forbids this change"),
    "gone": (410, "This is no longer kept"),
    "too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "Send JSON"),
    "invalid_input": (422, "The request is not valid"),
    "idempotency_mismatch": (422, "The idempotency key was used for another request"),
    "rate_limited": (429, "Too many requests"),
    "internal": (500, "Something is broken here"),
    "unavailable": (503, "Try again soon"),
}
"""Every code with its status and title; each has a page under /docs/errors/."""

_BY_STATUS: Final = {400: "bad_request", 401: "unauthorized", 403: "forbidden_scope", 404: "not_found", 405: "method_not_allowed",
                     409: "conflict_version", 410: "gone", 413: "too_large", 415: "unsupported_media_type", 422: "invalid_input",
                     429: "rate_limited", 503: "unavailable"}  # fmt: skip
_TEMPLATE_ERRORS: Final = 100
"""How many single errors a problem lists at most."""


class Problem(Exception):
    """A refusal: its code, what is wrong in a sentence, and for invalid input (detail, JSON pointer) pairs. `more` are extra members."""

    def __init__(
        self, code: str, detail: str, *, errors: Sequence[tuple[str, str]] = (), headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(detail)
        self.code, self.detail, self.errors, self.headers, self.more = code, detail, tuple(errors), dict(headers or {}), dict(more or {})

    @property
    def status(self) -> int:
        """The HTTP status of the code."""
        return CODES[self.code][0]


def invalid(*errors: tuple[str, str]) -> Problem:
    """The problem for input that is not valid, from (detail, pointer) pairs."""
    first = f"{errors[0][1]}: {errors[0][0]}" if errors else "the request is not valid"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return Problem("invalid_input", first + more, errors=errors)


def body_of(problem: Problem, *, base: str, request_id: str) -> dict[str, Any]:
    """The members of the problem document; `base` is the public URL under which the pages of the codes are."""
    status, title = CODES[problem.code]
    body: dict[str, Any] = {
        "type": f"{base}/docs/errors/{problem.code}", "title": title, "status": status, "detail": problem.detail,
        "code": problem.code, "request_id": request_id,
    }  # fmt: skip
    if problem.errors or problem.code == "invalid_input":
        body["errors"] = [{"detail": detail, "pointer": pointer} for detail, pointer in problem.errors[:_TEMPLATE_ERRORS]]
    return {**body, **problem.more}


def answer(problem: Problem, *, base: str, request_id: str) -> Response:
    """The problem as a response."""
    headers = {**problem.headers, "Cache-Control": "no-store"}
    content = json.dumps(body_of(problem, base=base, request_id=request_id), ensure_ascii=True)
    return Response(content, problem.status, headers, media_type="application/problem+json")


def from_exception(error: Exception) -> Problem:
    """The problem that stands for an exception; what nobody foresaw is `internal`, and logged."""
    match error:
        case Problem():
            return error
        case Unavailable():
            return Problem("unavailable", "The store cannot be reached at the moment; nothing was changed.", headers={"Retry-After": "1"})
        case KeyReused():
            return Problem("idempotency_mismatch", "This Idempotency-Key came before with another request; use a new key.")
        case ChangeRefused():
            return refused(error)
        case RequestValidationError():
            return _validation(error)
        case HTTPException():
            return _http(error)
    LOG.error("unexpected failure", exc_info=error)
    return Problem("internal", "The request failed for a reason nobody foresaw; it was logged under the request id.")


def refused(error: ChangeRefused) -> Problem:
    """The problem for a change that a rule forbids: names the rule and every pointer."""
    errors = [(error.detail, pointer) for pointer in error.pointers]
    return Problem("change_refused", error.detail, errors=errors, more={"rule": error.rule})


def _http(error: HTTPException) -> Problem:
    code = _BY_STATUS.get(error.status_code, "bad_request" if error.status_code < 500 else "internal")
    if error.status_code == 404 and error.detail == "Not Found":
        return Problem("not_found", "There is no such address here; /openapi.json lists those that exist.")
    if error.status_code == 405:
        return Problem("method_not_allowed", "This address does not offer the method; the Allow header lists those it does.",
                       headers=error.headers)  # fmt: skip
    return Problem(code, str(error.detail), headers=error.headers)


def _validation(error: RequestValidationError) -> Problem:
    errors = []
    for one in error.errors():
        place, *path = [str(part) for part in one.get("loc", ("body",))]
        pointer = "#/" + "/".join(path) if place == "body" else "/".join([place, *path])
        errors.append((str(one.get("msg", "not valid")), pointer))
    return invalid(*errors)


_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def sane_request_id(raw: str | None) -> str | None:
    """The caller's request id if it is short and harmless in logs, else None."""
    return raw if raw and _SANE_ID.fullmatch(raw) else None


async def _handle(request: Request, error: Exception) -> Response:
    hub = getattr(request.app.state, "hub", None)
    base = hub.public_url if hub else ""
    problem = from_exception(error)
    if problem.code == "method_not_allowed":
        problem.headers["Allow"] = ", ".join(sorted(_methods(request.app.routes, request.url.path)))
    return answer(problem, base=base, request_id=getattr(request.state, "request_id", ""))


def _methods(routes: Iterable[Any], path: str) -> set[str]:
    """Every method that some door offers at a path: the framework names those of the first one only."""
    found: set[str] = set()
    for route in routes:
        if (inner := getattr(route, "original_router", None)) is not None:
            found |= _methods(inner.routes, path)
        elif isinstance(route, Route) and route.path_regex.match(path):
            found |= route.methods or set()
    return found


def install(app: FastAPI) -> None:
    """Makes every failure of the app a problem document."""
    for kind in (Problem, Unavailable, KeyReused, ChangeRefused, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _handle)

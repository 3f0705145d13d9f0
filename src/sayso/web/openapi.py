"""The description of the API as OpenAPI 3.1: what the doors say of themselves, and what is true of all of them."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from sayso.contracts.desk import SCOPES
from sayso.web.describe import PROBLEM
from sayso.web.errors import CODES

ABOUT: Final = (
    "The one place that knows who may be contacted, how, about what, and why. Every failure is `application/problem+json` (RFC 9457); "
    "every answer carries `X-Request-Id`. Times are RFC 3339 in UTC. Unknown fields and parameters are refused."
)
_JSON: Final = "application/problem+json"
_GUARDED: Final = ("unauthorized", "forbidden_scope", "invalid_input", "rate_limited", "unavailable")
_BODIED: Final = ("invalid_json", "too_large", "unsupported_media_type")

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def openapi_json(request: Request) -> Response:
    """The description of every door that this process has."""
    held = getattr(request.app.state, "described", None)
    if held is None:
        held = request.app.state.described = json.dumps(described(request.app), ensure_ascii=False).encode()
    return Response(held, media_type="application/json")


def described(app: FastAPI) -> dict[str, Any]:
    """The document: the same for every hub of a version, whatever it is called and wherever it runs."""
    document = get_openapi(
        title="Sayso", version="2.0", openapi_version="3.1.0", summary="Opt-outs, preferences and consent, in one place.",
        description=ABOUT, routes=app.routes, license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )  # fmt: skip
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = PROBLEM
    flow = {"tokenUrl": "/oauth/token", "scopes": dict(SCOPES)}
    components["securitySchemes"] = {"oauth2": {"type": "oauth2", "flows": {"clientCredentials": flow}}}
    routes = {(method.lower(), route.path_format): route for route in _routes(app.routes) for method in route.methods or ()}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            route = routes.get((method, path))
            _complete(operation, _scopes(route.dependant) if route else ())
            if route is not None:
                _restore(operation, route)
    return document


def _complete(operation: dict[str, Any], scopes: tuple[str, ...]) -> None:
    """Adds what a door did not say itself: the scopes it demands, and the problems that every such door may answer."""
    operation.setdefault("security", [{"oauth2": [scope]} for scope in scopes])
    responses = operation["responses"]
    for status, response in list(responses.items()):
        if "HTTPValidationError" in json.dumps(response):
            responses[status] = _problem("invalid_input")
    for code in (*(_GUARDED if scopes else ()), *(_BODIED if scopes and "requestBody" in operation else ())):
        responses.setdefault(str(CODES[code][0]), _problem(code))
    operation["responses"] = dict(sorted(responses.items()))


def _restore(operation: dict[str, Any], route: APIRoute) -> None:
    """Puts the examples back as they were written: the framework takes nulls out of them."""
    said = [(operation["responses"].get(str(status), {}), response) for status, response in route.responses.items()]
    said.append((operation.get("requestBody", {}), (route.openapi_extra or {}).get("requestBody", {})))
    for shown, written in said:
        for kind, content in written.get("content", {}).items():
            if "example" in content and kind in shown.get("content", {}):
                shown["content"][kind]["example"] = content["example"]


def _problem(code: str) -> dict[str, Any]:
    return {"description": f"`{code}`", "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def _routes(routes: Iterable[Any]) -> Iterator[APIRoute]:
    for route in routes:
        if (inner := getattr(route, "original_router", None)) is not None:
            yield from _routes(inner.routes)
        elif isinstance(route, APIRoute):
            yield route


def _scopes(dependant: Dependant) -> tuple[str, ...]:
    """The scopes of which a door demands one, as its guard names them."""
    for inner in dependant.dependencies:
        found: tuple[str, ...] = getattr(inner.call, "scopes", ()) or _scopes(inner)
        if found:
            return found
    return ()

"""How doors describe themselves in OpenAPI: scopes, bodies, answers and problems, in one place so that no door forgets one."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from sayso.web.errors import CODES

PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "enum": list(CODES)},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail", "pointer"],
                "properties": {"detail": {"type": "string"}, "pointer": {"type": "string"}},
            },
        },
    },
}
"""The problem document of RFC 9457 as this API writes it; codes may add members."""

_ALWAYS: Final = ("unauthorized", "forbidden_scope", "invalid_input", "rate_limited", "unavailable")
_READ: Final = ("bad_request",)
_WRITE: Final = ("invalid_json", "too_large", "unsupported_media_type")


def door(
    summary: str, *, scopes: tuple[str, ...] = (), body: type[BaseModel] | Mapping[str, Any] | None = None, sent: Any = None,
    answer: Mapping[str, Any] | None = None, gives: Any = None, status: int = 200, problems: tuple[str, ...] = (),
    more: Mapping[int | str, dict[str, Any]] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The keyword arguments of a route: `sent` and `gives` are examples of the body and the answer, `answer` the answer's schema."""
    codes = [*_ALWAYS, *(_WRITE if body is not None else _READ), *problems] if scopes else list(problems)
    responses: dict[int | str, dict[str, Any]] = {status: _answer(answer, gives, status)}
    responses.update(problem(*codes))
    responses.update(more or {})
    extra: dict[str, Any] = {"security": [{"oauth2": [scope]} for scope in scopes]} if scopes else {"security": []}
    if body is not None:
        schema = inlined(body.model_json_schema()) if isinstance(body, type) else dict(body)
        content: dict[str, Any] = {"schema": schema}
        if sent is not None:
            content["example"] = sent
        extra["requestBody"] = {"required": True, "content": {"application/json": content}}
    return {"summary": summary, "status_code": status, "responses": responses, "openapi_extra": extra, "response_model": None}


def one_or_many(item: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a body that is one item, or up to a thousand under `items`."""
    many = {"type": "array", "maxItems": 1000, "items": item}
    return {"oneOf": [item, {"type": "object", "required": ["items"], "additionalProperties": False, "properties": {"items": many}}]}


def problem(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The responses that stand for these codes."""
    found: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        number = CODES[code][0]
        held = found.get(number)
        found[number] = {
            "description": f"{held['description']}; `{code}`" if held else f"`{code}`",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return found


def _answer(schema: Mapping[str, Any] | None, example: Any, status: int) -> dict[str, Any]:
    if status == 204:
        return {"description": "Done; nothing is sent back."}
    content: dict[str, Any] = {"schema": dict(schema or {"type": "object"})}
    if example is not None:
        content["example"] = example
    return {"description": "The answer.", "content": {"application/json": content}}


def inlined(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON Schema without references into itself; our models are small and never recursive."""
    defs = schema.get("$defs", {})

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return walk(defs[node["$ref"].rsplit("/", 1)[1]])
            return {key: walk(value) for key, value in node.items() if key != "$defs"}
        return [walk(item) for item in node] if isinstance(node, list) else node

    found: dict[str, Any] = walk(schema)
    return found


def page_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a list: items, and the cursor of the next page or null."""
    return {
        "type": "object",
        "required": ["items", "next"],
        "properties": {"items": {"type": "array", "items": dict(item)}, "next": {"type": ["string", "null"]}},
    }

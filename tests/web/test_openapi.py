"""The description says exactly what exists, with examples that are true to it (wire contract, introduction)."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from running import Api, served
from sayso.app import web_app
from sayso.opening import opened
from sayso.settings import read
from sayso.web.errors import CODES

KEPT = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


@pytest.fixture
async def document(database: str, tmp_path: Path) -> Any:
    env = {"SAYSO_DATA_DIR": str(tmp_path / "data"), "SAYSO_DATABASE_URL": database}
    async with (
        opened(read(env, cwd=tmp_path)) as parts,
        served(web_app(parts)) as base,
        aiohttp.ClientSession() as session,
        session.get(base + "/openapi.json") as answer,
    ):
        assert answer.status == 200
        return await answer.json()


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [(path, method, operation) for path, methods in document["paths"].items() for method, operation in methods.items()]


async def test_the_checked_in_description_is_current_valid_and_complete(document: Any) -> None:
    assert json.loads(KEPT.read_text(encoding="utf-8")) == document, "run `python scripts/openapi.py`"
    OpenAPIV31SpecValidator(document).validate()
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for path, method, operation in operations(document):
        assert operation.get("summary") and operation.get("description"), (method, path)
        for response in operation["responses"].values():
            assert "HTTPValidationError" not in json.dumps(response), (method, path)
    used = {code for code in CODES if f"`{code}`" in json.dumps(document["paths"])}
    assert used >= {"unauthorized", "forbidden_scope", "not_found", "conflict_version", "idempotency_mismatch", "invalid_input", "invalid_json",
                    "too_large", "rate_limited", "change_refused", "unavailable"}  # fmt: skip


async def test_examples_are_true_to_their_schemas(document: Any) -> None:
    for _, _, operation in operations(document):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for body in [*bodies, *operation["responses"].values()]:
            for content in body.get("content", {}).values():
                if "example" in content and isinstance(content.get("schema"), dict):
                    schema = {**content["schema"], "components": document["components"]}
                    jsonschema.validate(content["example"], schema)


async def test_every_door_with_a_scope_refuses_who_has_none_and_who_has_another(api: Api, document: Any) -> None:
    local = (await api.get("/openapi.json", as_="")).json
    everything = {
        scope for _, _, operation in operations(document) for one in operation.get("security", []) for scope in one.get("oauth2", [])
    }
    for path, method, operation in operations(local):
        scopes = {scope for one in operation["security"] for scope in one["oauth2"]}
        if not scopes:
            continue
        concrete = path.replace("{channel}", "email").replace("{address}", "a@example.com")
        concrete = "/".join("x" if part.startswith("{") else part for part in concrete.split("/"))
        nobody = await api.call(method.upper(), concrete, as_="")
        assert nobody.status == 401, (method, path, nobody.raw)
        others = " ".join(sorted(everything - scopes))
        foreign = await api.call(method.upper(), concrete, as_=others)
        allowed = foreign.status == 403 or (foreign.status == 422 and "query/" in json.dumps(foreign.json))
        assert allowed, (method, path, foreign.raw)

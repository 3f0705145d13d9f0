"""The `type` of a problem leads to a page that explains it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from fastapi import FastAPI

from running import served
from sayso.web import errors
from sayso.web.docs import EXPLAINED, PATH, docs_router
from sayso.web.errors import Problem, body_of


@pytest.fixture
async def door() -> AsyncIterator[aiohttp.ClientSession]:
    app = FastAPI(docs_url=None)
    errors.install(app)
    app.include_router(docs_router())
    async with served(app) as base, aiohttp.ClientSession(base) as session:
        yield session


async def test_every_problem_type_is_a_page_that_names_its_code(door: aiohttp.ClientSession) -> None:
    for code in EXPLAINED:
        kind = body_of(Problem(code, "…"), base="", request_id="r")["type"]
        async with door.get(kind) as page:
            text = await page.text()
            assert page.status == 200
            assert page.content_type == "text/html"
            assert f"<code>{code}</code>" in text
            assert "`" not in text
            assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_all_codes_are_listed_and_others_are_not_found(door: aiohttp.ClientSession) -> None:
    async with door.get(PATH) as page:
        text = await page.text()
    assert [code for code in EXPLAINED if f'href="{PATH}/{code}"' not in text] == []
    async with door.get("/docs") as start:
        assert f'href="{PATH}"' in await start.text()
    async with door.get(f"{PATH}/<script>") as missing:
        assert missing.status == 404
        assert (await missing.json(content_type="application/problem+json"))["code"] == "not_found"

"""Drafts of pages: colleagues see them first, then everybody; what was shown is kept with what was said."""

from typing import Any

import pytest
from people import Town, admin, new_pages

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/api/v2/center_texts"


@pytest.mark.feature("G11", "R3", "G10", "G6")
async def test_colleagues_see_the_draft_and_then_everybody_does(own_town: Town) -> None:
    headers = await admin(own_town)
    colleague = await own_town.link(email="ben@northwind.example", contact="c-ben")
    customer = await own_town.link()
    drafted = await own_town.call("PUT", PATH, body=new_pages(), headers=headers)
    assert (drafted.status, drafted.json["draft"]["revision"]) == (200, 1)
    seen = await own_town.get(f"/preferences/{colleague}")
    assert "circulars" in seen.shown and "We are listening." in seen.text and "#7a1f3d" in seen.text
    logo = seen.text.partition('<img src="')[2].partition('"')[0]
    picture = await own_town.get(logo)
    assert (picture.status, picture.headers["Content-Type"], "sandbox" in picture.headers["Content-Security-Policy"]) == (
        200,
        "image/png",
        True,
    )
    plain = await own_town.get(f"/preferences/{customer}")
    assert "circulars" not in plain.shown and "We are listening." not in plain.text
    await own_town.save(colleague, "circulars")
    kept = (await own_town.entries(email="ben@northwind.example", contact="c-ben"))[-1]
    assert kept.detail["wording"] == "pages 1 draft, catalogue 2, en"
    moved = await own_town.call("POST", f"{PATH}:publish", body={"revision": 9}, headers=headers)
    assert moved.status == 409
    published = await own_town.call("POST", f"{PATH}:publish", body={"revision": 1}, headers=headers)
    assert (published.status, published.json["live"]["version"], published.json["draft"]) == (200, 1, None)
    after = await own_town.get(f"/preferences/{customer}")
    assert "circulars" in after.shown and "We are listening." in after.text
    await own_town.save(customer)
    assert (await own_town.entries())[-1].detail["wording"] == "pages 1, catalogue 2, en"
    assert (await own_town.call("POST", f"{PATH}:publish", body={}, headers=headers)).status == 404
    assert (await own_town.call("DELETE", PATH, headers=headers)).status == 404
    noted = await own_town.parts.pool.fetch("SELECT act FROM entry WHERE kind = 'config' ORDER BY id")
    assert [one["act"] for one in noted] == ["pages_drafted", "pages_published"]


async def test_a_draft_that_cannot_be_shown_is_refused_with_its_place(own_town: Town) -> None:
    headers = await admin(own_town)
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"brands": {"*": {"colours": {"ink": "#f0f0f0"}}}}, "#/brands/*/colours"),
        ({"brands": {"*": {"colours": {"glow": "#000000"}}}}, "#/brands/*/colours"),
        ({"brands": {"*": {"logo": "https://elsewhere.example/logo.png"}}}, "#/brands/*/logo"),
        ({"brands": {"a b": {}}}, "#/brands/a b"),
        ({"texts": {"en": {"no_such_text": "x"}}}, "#/texts/en"),
        ({"texts": {"klingon": {"preferences_lead": "x"}}}, "#/texts/klingon"),
        ({"texts": {"en": {"saved_when": "at {nowhere}"}}}, "#/texts/en"),
        ({"shown_to": ["everybody"]}, "#/shown_to/0"),
        ({"catalogue": {"categories": []}}, "#/catalogue/categories"),
        ({"colors": {}}, "#/colors"),
    )
    for given, pointer in wrong:
        answer = await own_town.call("PUT", PATH, body=given, headers=headers)
        assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, pointer), given
    assert (await own_town.call("GET", PATH, headers=headers)).json == {"live": {"version": 0, "texts": {}, "brands": {}}, "draft": None}
    assert (await own_town.call("GET", PATH)).status == 401

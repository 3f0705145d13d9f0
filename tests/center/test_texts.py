"""Drafts of pages: colleagues see them first, then everybody; what was shown is kept with what was said."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from people import Town, admin

from operators import Sayso
from sayso.rules.catalogue import DEFAULT, to_json
from sayso.rules.pages import InvalidPages, draft_of

PATH = "/api/v2/center_texts"
LOGO = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==")


def body() -> dict[str, Any]:
    catalogue = to_json(DEFAULT)
    catalogue["categories"].append(
        {"key": "circulars", "class": "marketing", "title": "Circulars", "sends": "Our paper.", "often": "Weekly"}
    )
    return {
        "texts": {"en": {"preferences_lead": "We are listening."}},
        "brands": {"*": {"colours": {"accent": "#7a1f3d"}, "logo": f"data:image/png;base64,{base64.b64encode(LOGO).decode()}"}},
        "catalogue": catalogue,
        "shown_to": ["@northwind.example"],
    }


@pytest.mark.feature("G11", "R3", "G10", "G6")
async def test_colleagues_see_the_draft_and_then_everybody_does(hub_town: Town) -> None:
    headers = await admin(hub_town)
    colleague = await hub_town.link(email="ben@northwind.example", contact="c-ben")
    customer = await hub_town.link()
    drafted = await hub_town.call("PUT", PATH, body=body(), headers=headers)
    assert (drafted.status, drafted.json["draft"]["revision"]) == (200, 1)
    seen = await hub_town.get(f"/preferences/{colleague}")
    assert "circulars" in seen.shown and "We are listening." in seen.text and "#7a1f3d" in seen.text
    logo = seen.text.partition('<img src="')[2].partition('"')[0]
    picture = await hub_town.get(logo)
    assert (picture.status, picture.headers["Content-Type"], "sandbox" in picture.headers["Content-Security-Policy"]) == (
        200,
        "image/png",
        True,
    )
    plain = await hub_town.get(f"/preferences/{customer}")
    assert "circulars" not in plain.shown and "We are listening." not in plain.text
    await hub_town.save(colleague, "circulars")
    kept = (await hub_town.entries(email="ben@northwind.example", contact="c-ben"))[-1]
    assert kept.detail["wording"] == "pages 1 draft, catalogue 2, en"
    moved = await hub_town.call("POST", f"{PATH}:publish", body={"revision": 9}, headers=headers)
    assert moved.status == 409
    published = await hub_town.call("POST", f"{PATH}:publish", body={"revision": 1}, headers=headers)
    assert (published.status, published.json["live"]["version"], published.json["draft"]) == (200, 1, None)
    after = await hub_town.get(f"/preferences/{customer}")
    assert "circulars" in after.shown and "We are listening." in after.text
    await hub_town.save(customer)
    assert (await hub_town.entries())[-1].detail["wording"] == "pages 1, catalogue 2, en"
    assert (await hub_town.call("POST", f"{PATH}:publish", body={}, headers=headers)).status == 404
    assert (await hub_town.call("DELETE", PATH, headers=headers)).status == 404
    noted = await hub_town.parts.pool.fetch("SELECT act FROM entry WHERE kind = 'config' ORDER BY id")
    assert [one["act"] for one in noted] == ["pages_drafted", "pages_published"]


async def test_a_draft_that_cannot_be_shown_is_refused_with_its_place(hub_town: Town) -> None:
    headers = await admin(hub_town)
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
        answer = await hub_town.call("PUT", PATH, body=given, headers=headers)
        assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, pointer), given
    assert (await hub_town.call("GET", PATH, headers=headers)).json == {"live": {"version": 0, "texts": {}, "brands": {}}, "draft": None}
    assert (await hub_town.call("GET", PATH)).status == 401


def test_a_logo_is_a_picture_of_a_sane_size() -> None:
    with pytest.raises(InvalidPages, match="at most 65,536 bytes"):
        draft_of({"brands": {"*": {"logo": "data:image/png;base64," + base64.b64encode(b"x" * 65_537).decode()}}}, 1)
    with pytest.raises(InvalidPages, match="data: URI"):
        draft_of({"brands": {"*": {"logo": "data:text/html;base64,AAAA"}}}, 1)


@pytest.mark.feature("G11")
def test_the_command_line_drafts_publishes_and_discards(sayso: Sayso, tmp_path: Path) -> None:
    file = tmp_path / "pages.json"
    file.write_text(json.dumps({**body(), "catalogue": None}))
    assert sayso("pages", "draft", file).code == 0
    shown = sayso("pages", "show", "--json").json
    assert (shown["live"]["version"], shown["draft"]["revision"], shown["draft"]["shown_to"]) == (0, 1, ["@northwind.example"])
    assert "Shown to: @northwind.example" in sayso("pages", "show").out
    file.write_text(json.dumps(shown["draft"]))
    assert sayso("pages", "draft", file, "--json").json["revision"] == 2
    assert sayso("pages", "publish", "--json").json == {"version": 1, "catalogue": 1}
    assert sayso("pages", "discard", "--json").code == 1
    assert sayso("pages", "publish").code == 1
    file.write_text('{"brands":{"*":{"colours":{"ink":"#ffffff"}}}}')
    refused = sayso("pages", "draft", file, "--json")
    assert (refused.code, "contrast" in refused.error["what"] if "what" in refused.error else "contrast" in refused.err) == (1, True)
    file.write_text('{"brands":{"*":{"colours":{"accent":"#7a1f3d"}}}}')
    assert sayso("pages", "draft", file).code == 0
    assert sayso("pages", "discard").code == 0

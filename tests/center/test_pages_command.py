"""`sayso pages`: an operator drafts, looks, publishes."""

import json
from pathlib import Path

import pytest
from people import new_pages

from operators import Sayso


@pytest.mark.feature("G11")
def test_the_command_line_drafts_publishes_and_discards(sayso: Sayso, tmp_path: Path) -> None:
    file = tmp_path / "pages.json"
    file.write_text(json.dumps({**new_pages(), "catalogue": None}))
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

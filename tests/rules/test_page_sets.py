"""Drafts of people's pages: what cannot be shown is refused with its place."""

import base64
import json
import re
from typing import Any

import pytest

from sayso.rules.catalogue import DEFAULT, to_json
from sayso.rules.pages import InvalidPages, PageSet, draft_of, to_body


def test_a_logo_is_a_picture_of_a_sane_size() -> None:
    with pytest.raises(InvalidPages, match="at most 65,536 bytes"):
        draft_of({"brands": {"*": {"logo": "data:image/png;base64," + base64.b64encode(b"x" * 65_537).decode()}}}, 1)
    with pytest.raises(InvalidPages, match="data: URI"):
        draft_of({"brands": {"*": {"logo": "data:text/html;base64,AAAA"}}}, 1)


@pytest.mark.parametrize(("body", "pointer"), [
    ([], "#"),
    ({"texts": []}, "#/texts"),
    ({"texts": {"en": {"Bad Key": "x"}}}, "#/texts/en/Bad Key"),
    ({"texts": {"en": {"saved_title": "  "}}}, "#/texts/en/saved_title"),
    ({"texts": {"en": {f"k{n}": "x" for n in range(501)}}}, "#/texts/en"),
    ({"brands": {"*": {"colours": {"ink": 1}}}}, "#/brands/*/colours/ink"),
    ({"brands": {"*": {"logo": "data:image/png;base64,A"}}}, "#/brands/*/logo"),
    ({"brands": {"*": {"logo": "data:image/png;base64,"}}}, "#/brands/*/logo"),
    ({"brands": {"a/b": {}}}, "#/brands/a~1b"),
    ({"shown_to": "@example.com"}, "#/shown_to"),
    ({"shown_to": ["@"]}, "#/shown_to/0"),
    ({"shown_to": ["a b@example.com"]}, "#/shown_to/0"),
])  # fmt: skip
def test_a_draft_that_cannot_be_read_names_the_place(body: Any, pointer: str) -> None:
    with pytest.raises(InvalidPages) as wrong:
        draft_of(body, 2)
    assert wrong.value.pointer == pointer


def test_a_draft_is_read_back_as_it_was_written() -> None:
    body = {
        "texts": {"en": {"saved_title": "Done"}}, "brands": {"outlet": {"texts": {"de": {"saved_title": "Fertig"}}, "colours": {"accent": "#0B6452"}}},
        "catalogue": to_json(DEFAULT), "shown_to": [" Ada@Example.com ", "ada@example.com"],
    }  # fmt: skip
    draft = draft_of(body, 7)
    assert (draft.shown_to, draft.catalogue and draft.catalogue.version) == (("ada@example.com",), 7)
    assert draft_of(json.loads(json.dumps(to_body(draft.pages))), 7).pages == draft.pages
    assert PageSet().logo("abc") is None
    assert re.fullmatch(r"#[0-9a-f]{6}", draft.pages.styles["outlet"].colours["accent"])

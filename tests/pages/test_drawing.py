"""People's own pages, drawn in every state and language: complete, small, safe, and without anything that pushes."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from page_states import ADA, LINKS, NORTHERN, OUTLET, OWNER, STATES, STOPPED, State
from sayso.contracts.center import REASONS, Look
from sayso.rules.colours import BadColours
from sayso.web.center import render
from sayso.web.center.languages import TEXTS
from sayso.web.center.render import LANGUAGES, PAGES, Texts, flaws_of, render_page

LARGEST = 30_000
VOID = {"input", "meta", "br", "img", "link", "path", "use"}


class _Page(HTMLParser):
    """Reads a page: its elements, the text people see, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style" and data.strip():
            self.words.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.feature("R10", "N3")
def test_every_page_in_every_state_is_small_whole_and_asks_nobody(language: str) -> None:
    assert {state.name for state in STATES.values()} == set(PAGES)
    for name, state in STATES.items():
        text = state.draw(language)
        assert len(text.encode()) < LARGEST, name
        page = _Page(text)
        assert page.open == [], name
        assert page.all("html") == [{"lang": language, "dir": "rtl" if language == "ar" else "ltr"}]
        assert len(page.all("h1")) == 1, name
        assert not page.all("script") and not page.all("link") and not page.all("iframe"), name
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(ids) == len(set(ids)), name
        for tag, attributes in page.tags:
            assert "style" not in attributes, (name, tag)
            assert not any(key.startswith("on") for key in attributes), (name, tag)
        for one in (*page.all("img"), *page.all("a"), *page.all("form")):
            target = one.get("src") or one.get("href") or one.get("action") or "/"
            assert target.startswith(("/", "?", "#")) or target == ADA.privacy_url, (name, target)
        assert "None" not in page.words, name


@pytest.mark.feature("G6", "G8", "N1", "G12")
def test_the_page_says_what_each_category_sends_how_often_and_how_to_leave() -> None:
    page = _Page(STATES["preferences"].draw())
    words = " ".join(page.words)
    for one in ADA.categories:
        assert f"{one.title} {one.sends} {one.often}" in words
    for always in ADA.always:
        assert f"{always.title} (Always sent) {always.reason}" in words
    boxes = {box["value"]: "checked" in box for box in page.all("input") if box.get("name") == "keep"}
    assert boxes == {one.key: one.on for one in ADA.categories}
    assert "Tick what you want, untick the rest, save. Or stop everything." in words
    places = [
        words.index(part)
        for part in (ADA.masked, "Product updates", "Always sent", "A break?", "Stop everything One press.", "Save my choices")
    ]
    assert places == sorted(places)


@pytest.mark.feature("N3")
def test_stopping_everything_is_no_smaller_than_saving_and_enter_only_saves() -> None:
    text = STATES["preferences"].draw()
    stop = re.search(r'<button class="stop" form="stop-form" name="stop" value="company"', text)
    assert stop and text.index("</form>") < stop.start()  # in a form of its own: Enter in a field is never a stop
    brand = STATES["preferences-brand"].draw()
    assert re.findall(r'name="stop" value="(\w+)"', brand) == ["brand", "company"]
    assert "Stop everything from" in brand


@pytest.mark.feature("N4", "G8")
def test_a_pause_is_shown_and_can_only_be_ended_behind_a_fresh_link() -> None:
    assert 'value="end"' in State("preferences", OUTLET).draw()
    assert 'value="end"' not in State("preferences", OWNER).draw()
    assert "Paused until <bdi>22 December 2026</bdi>" in State("preferences", OUTLET).draw()


@pytest.mark.feature("G9", "R14")
def test_history_and_mail_sent_are_only_on_the_page_of_a_fresh_link() -> None:
    fresh, ordinary = STATES["preferences-fresh"].draw(), STATES["preferences"].draw()
    for part in (
        "<summary>What you chose",
        "Spring is here: 5 % off tents",
        "Unsubscribe button of your mail program",
        "K7QX-4M00",
        LINKS["data"],
    ):
        assert part in fresh
        assert part not in ordinary
    assert "Mail me that link" in ordinary
    assert "Mail me that link" not in fresh


@pytest.mark.feature("G4", "S2", "N2", "S8")
def test_saving_is_confirmed_with_time_reference_undo_and_who_knows() -> None:
    words = " ".join(_Page(STATES["saved"].draw()).words)
    for part in (
        "Saved", "Offers and news : no", "Product updates : yes", "22 November 2026, 09:42 UTC", "K7QX-4M2P", "Undo this", "What happens next",
        "Mailchimp Knew it after 0.1 s", "SendGrid Being told", "Shop Could not be told yet", "Would you tell us why?",
    ):  # fmt: skip
        assert part in words, part
    assert words.index("Undo this") < words.index("Would you tell us why?")
    for reason in REASONS:
        assert f'value="{reason}"' in STATES["saved"].draw()
    assert "Would you tell us why?" not in STATES["saved-same"].draw()


@pytest.mark.feature("H5", "N5")
def test_why_names_the_record_and_offers_the_two_buttons() -> None:
    words = " ".join(_Page(STATES["why"].draw()).words)
    for part in (
        "You said yes to “ Offers and news ” on 24 August 2026 .", "How you said it Preference page", "Record M3KD-77QA", "Subject Spring is here",
        "Stop “ Offers and news ” Stop everything", "This is not relevant to me",
    ):  # fmt: skip
        assert part in words, part
    assert "and the law where you live allows it" in STATES["why-off"].draw()
    assert "Stop “" not in STATES["why-always"].draw()


def test_errors_stand_on_top_take_the_focus_and_name_the_page() -> None:
    text = STATES["preferences-error"].draw()
    assert "<title>Error: What may we send you? – Northwind Outfitters</title>" in text
    assert text.index('role="alert" tabindex="-1" autofocus') < text.index("<h1>")
    assert '<a href="#pause_date">' in text
    assert 'aria-invalid="true" aria-describedby="pause_date-wrong"' in text
    boxes = re.findall(r'name="keep" value="(\w+)"[^>]*? checked>', text)
    assert boxes == ["events"]  # as they were left
    assert "Please try again." in STATES["preferences-stale"].draw()


def test_what_people_and_operators_write_is_text_and_nothing_else() -> None:
    evil = '</style><script>alert(1)</script>{form}{company.__class__}"'
    own = dict.fromkeys(TEXTS["en"], evil) | {"category_promotional_title": evil}
    text = State("preferences", ADA, {"given": {"pause_date": evil}, "company": evil}).draw(own=own, languages=[("en", evil)])
    assert "<script" not in text
    assert "</style><" not in text.replace("</style>\n<", "")
    with pytest.raises(BadColours):
        State("gone", STOPPED, {"look": Look({"accent": "red;}</style>"})}).draw()


@pytest.mark.feature("R10")
def test_a_brand_brings_its_colours_logo_and_words() -> None:
    look = Look(NORTHERN.colours, "/preferences/logo/abc")
    text = STATES["preferences"].draw(own={"preferences_title": "Your letters", "category_promotional_title": "Bargains"}, look=look)
    assert "--brand-accent:#7a1f5c" in text and "--brand-ink:#1b201e" in text
    assert '<img src="/preferences/logo/abc" alt="Northwind Outfitters" height="40">' in text
    assert "<h1>Your letters</h1>" in text
    assert "Bargains" in text and "Offers and news" not in text


@pytest.mark.feature("R10")
def test_categories_are_translated_while_they_say_what_was_built_in() -> None:
    german = Texts("de")
    assert german.category("events", "title", "Events", "Events") == "Veranstaltungen"
    assert german.category("events", "title", "Open days", "Events") == "Open days"
    assert german.category("pets", "title", "Pets", "") == "Pets"
    assert "Pets" in render_page("confirm", None, {"asked": ("pets",), "named": {"pets": "Pets"}}, german)


@pytest.mark.feature("R10")
def test_each_language_has_every_text_with_the_same_places_and_every_text_is_used() -> None:
    for language in LANGUAGES:
        assert TEXTS[language].keys() == TEXTS["en"].keys()
        assert flaws_of(TEXTS[language], language) == ()
        for key, text in TEXTS[language].items():
            assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", TEXTS["en"][key])), (language, key)
    written = "".join(path.read_text() for path in [*render.HERE.rglob("*.html"), *render.HERE.rglob("*.py")])
    families = ("source_", "held_", "reason_", "systems_", "trouble_", "error_", "category_", "history_", "why_", "forget_erase_what_")
    unused = [key for key in TEXTS["en"] if f"'{key}'" not in written and f'"{key}"' not in written and not key.startswith(families)]
    assert unused == []


def _accented(text: str) -> str:
    """A text as a longer language would have it: every letter of it accented, a third longer, its places untouched."""
    parts = re.split(r"(\{[a-z_]+\})", text)
    changed = [part if n % 2 else part.translate(str.maketrans("aeiouAEIOUncs", "áéíóúÁÉÍÓÚñçš")) for n, part in enumerate(parts)]
    return f"⟦{''.join(changed)}{'·' * (len(text) // 3)}⟧"


PSEUDO = {key: _accented(text) for key, text in TEXTS["en"].items()}
DATA = re.compile(
    r"(Northwind Outfitters|Outlet by Northwind|outlet, north|English|Deutsch|Français|Español|العربية|a•••@e•••\.com|\+1 •••• 0142|UTC|[NO]|Germany"
    r"|Mailchimp|SendGrid|Shop|, 1 Harbour Way, Example City|K7QX-4M\w\w|M3KD-77QA|B2RT-91XC|chk_019|Spring is here: \d+ % off tents|spring-26|Pets"
    r"|\d+ (August|September|October|November|December) 2026|[\W\d]+|\s)+"
)


@pytest.mark.feature("R10")
def test_no_page_says_anything_that_is_not_in_the_texts() -> None:
    for name, state in STATES.items():
        left = "\n".join(_Page(state.draw(own=PSEUDO)).words)
        while (inner := re.sub(r"⟦[^⟦⟧]*⟧", "", left)) != left:
            left = inner
        assert DATA.fullmatch(left), (name, left)


def test_the_style_sheet_is_ours_alone() -> None:
    sheet = Path(render.HERE / "center.css").read_text()
    assert "@import" not in sheet and "url(" not in sheet
    assert not re.search(r"(margin|padding|border)-(left|right)|(?<![-\w])(left|right)\s*:", sheet)  # logical, for right-to-left

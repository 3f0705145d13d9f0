"""What our mails say, in each language, and that nothing but what we wrote gets into them."""

import re
import string
import tomllib
from dataclasses import replace
from importlib.resources import files
from typing import Any
from uuid import UUID

import pytest
from postoffice import ALL_MAIL, EVENTS, NORTHWIND, PROMO, html, parsed, plain

from sayso.contracts.letters import Changed
from sayso.contracts.mailer import Draft, Sender
from sayso.mail.compose import compose, wire_address
from sayso.mail.texts import LANGUAGES, texts_of
from sayso.rules.catalogue import DEFAULT, Catalogue, Category
from sayso.rules.words import OWN_SOURCES, Scope

ID = UUID("019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e00")
AT = 1_795_341_600_123_456
STOPPED = Changed(str(ID), "choice", PROMO, "opted_in", "opted_out", AT, "one_click")

SUBJECTS = {
    ("en", "confirmation"): "Your choices at Northwind Outfitters were changed",
    ("en", "link"): "Your link to choose what Northwind Outfitters sends you",
    ("en", "double_opt_in"): "Please confirm what you want from Northwind Outfitters",
    ("en", "offer"): "Did you unsubscribe from Northwind Outfitters?",
    ("de", "confirmation"): "Ihre Auswahl bei Northwind Outfitters wurde geändert",
    ("de", "link"): "Ihr Link zur Auswahl, was Northwind Outfitters Ihnen sendet",
    ("de", "double_opt_in"): "Bitte bestätigen Sie, was Sie von Northwind Outfitters möchten",
    ("de", "offer"): "Haben Sie sich bei Northwind Outfitters abgemeldet?",
    ("fr", "confirmation"): "Vos choix chez Northwind Outfitters ont été modifiés",
    ("fr", "link"): "Votre lien pour choisir ce que Northwind Outfitters vous envoie",
    ("fr", "double_opt_in"): "Merci de confirmer ce que vous souhaitez recevoir de Northwind Outfitters",
    ("fr", "offer"): "Vous êtes-vous désabonné de Northwind Outfitters ?",
    ("es", "confirmation"): "Sus preferencias en Northwind Outfitters han cambiado",
    ("es", "link"): "Su enlace para elegir lo que Northwind Outfitters le envía",
    ("es", "double_opt_in"): "Confirme lo que quiere recibir de Northwind Outfitters",
    ("es", "offer"): "¿Se dio usted de baja de Northwind Outfitters?",
    ("ar", "confirmation"): "تغيّرت اختياراتك لدى Northwind Outfitters",
    ("ar", "link"): "رابطك لاختيار ما ترسله إليك Northwind Outfitters",
    ("ar", "double_opt_in"): "يرجى تأكيد ما تريده من Northwind Outfitters",
    ("ar", "offer"): "هل ألغيت اشتراكك لدى Northwind Outfitters؟",
}


def drafted(**changed: Any) -> Draft:
    usual = Draft(
        id=ID, kind="confirmation", to="ada@example.com", language="en", sender=NORTHWIND, catalogue=DEFAULT, now=AT,
        act_url="https://sayso.example/undo/1.k1.x", preferences_url="https://sayso.example/preferences/1.k1.y", until=AT + 1_800_000_000,
        changes=(STOPPED,), headers=(("List-Unsubscribe", "<https://sayso.example/u/1.k1.y>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")),
    )  # fmt: skip
    return replace(usual, **changed)


@pytest.mark.feature("G5", "R5", "H2", "H3")
@pytest.mark.parametrize(("language", "kind"), SUBJECTS)
def test_every_letter_is_whole_in_every_language(language: str, kind: str) -> None:
    scopes = (PROMO, EVENTS) if kind == "double_opt_in" else ()
    mail = parsed(compose(drafted(kind=kind, language=language, scopes=scopes, changes=() if scopes else (STOPPED,))).raw)
    assert mail["Subject"] == SUBJECTS[language, kind]
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert mail["Content-Language"] == language
    assert mail["Message-ID"] == f"<{ID}@northwind.example>"
    assert mail["Date"].datetime.timestamp() == AT // 1_000_000
    text, page = plain(mail), html(mail)
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in page
    for shown in (texts_of(language).t(f"{kind}.heading"), texts_of(language).t("categories.promotional"), "1 Harbour Way"):
        assert shown in text and shown in page
    assert "https://sayso.example/undo/1.k1.x" in text and "https://sayso.example/undo/1.k1.x" in page
    assert not re.search(r"<(img|script|link|iframe|form|object)|url\(|@import", page)
    assert set(re.findall(r"https?://[^\s\"<>]+", text)) == {"https://sayso.example/undo/1.k1.x", "https://sayso.example/preferences/1.k1.y", "https://northwind.example/p"}  # fmt: skip
    assert "{" not in text and len(compose(drafted(language=language)).raw) < 30_000


@pytest.mark.feature("R10")
def test_all_languages_have_the_same_texts_with_the_same_placeholders() -> None:
    def flat(table: dict[str, Any], at: str = "") -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for key, value in table.items():
            if isinstance(value, dict):
                found |= flat(value, f"{at}{key}.")
            else:
                found[at + key] = {name for _, name, _, _ in string.Formatter().parse(str(value)) if name}
        return found

    read = {code: tomllib.loads((files("sayso.mail.texts") / f"{code}.toml").read_text(encoding="utf-8")) for code in LANGUAGES}
    shapes = {code: flat(table) for code, table in read.items()}
    assert {code: shape == shapes["en"] for code, shape in shapes.items()} == dict.fromkeys(LANGUAGES, True)
    assert all(len(table["months"]) == 12 for table in read.values())
    assert set(read["en"]["how"]) == OWN_SOURCES
    assert set(read["en"]["categories"]) == {one.key for one in DEFAULT.refusable}


@pytest.mark.feature("R10")
def test_categories_are_called_what_the_pages_call_them() -> None:
    for code in LANGUAGES:
        pages = tomllib.loads((files("sayso.web.center") / "texts" / f"{code}.toml").read_text(encoding="utf-8"))["category"]
        assert {one.key: texts_of(code).t(f"categories.{one.key}") for one in DEFAULT.refusable} == {
            one.key: pages[one.key]["title"] for one in DEFAULT.refusable
        }


@pytest.mark.feature("H2")
def test_long_links_in_headers_stay_in_one_piece() -> None:
    url = f"<https://sayso.example/u/1.k1.{'x' * 400}.{'y' * 22}>, <mailto:unsubscribe+{'a' * 24}@sayso.example?subject=unsubscribe>"
    raw = compose(drafted(headers=(("List-Unsubscribe", url),), language="ar")).raw
    assert f"\r\nList-Unsubscribe: {url}\r\n".encode() in raw
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


@pytest.mark.parametrize(("asked", "given"), [("de-AT", "de"), ("FR", "fr"), ("pt", "en"), ("", "en"), ("ar_EG", "ar"), ("../en", "en")])
def test_a_language_that_nobody_translated_is_english(asked: str, given: str) -> None:
    assert texts_of(asked).code == given


def test_times_are_written_as_people_of_the_language_write_them() -> None:
    assert {code: texts_of(code).moment(AT) for code in LANGUAGES} == {
        "en": "22 November 2026 at 10:00 UTC",
        "de": "22. November 2026 um 10:00 UTC",
        "fr": "22 novembre 2026 à 10:00 UTC",
        "es": "22 de noviembre de 2026 a las 10:00 UTC",
        "ar": "22 نوفمبر 2026 الساعة 10:00 بالتوقيت العالمي",
    }


@pytest.mark.parametrize(
    "evil", ["Northwind\r\nBcc: all@example.com", "North\nwind", "North\x00wind", "North\u2028wind", "North\rwind"]
)  # fmt: skip
def test_no_line_gets_into_a_header(evil: str) -> None:
    with pytest.raises(ValueError, match="header Subject"):
        compose(drafted(sender=replace(NORTHWIND, company=evil)))
    with pytest.raises(ValueError, match="address|header"):
        compose(drafted(to=f"ada@example.com{evil}"))
    with pytest.raises(ValueError, match="header List-Unsubscribe"):
        compose(drafted(headers=(("List-Unsubscribe", f"<https://x>{evil}"),)))


def test_a_name_with_commas_and_quotes_stays_one_sender() -> None:
    mail = parsed(
        compose(drafted(sender=replace(NORTHWIND, mailbox='"Nörd, \\"Wind\\" <evil@example.com>" <hello@northwind.example>'))).raw
    )
    assert [one.addr_spec for one in mail["From"].addresses] == ["hello@northwind.example"]
    assert mail["From"].addresses[0].display_name == 'Nörd, "Wind" <evil@example.com>'


def test_what_comes_from_outside_is_escaped_in_html() -> None:
    catalogue = Catalogue(2, (Category("promotional", "marketing", "<b onclick=x>Sale</b> & more", "", ""),))
    page = html(parsed(compose(drafted(catalogue=catalogue, sender=replace(NORTHWIND, company="<i>N</i>"))).raw))
    assert "<b onclick" not in page and "&lt;b onclick=x&gt;Sale&lt;/b&gt; &amp; more" in page
    assert "<i>N</i>" not in page


def test_a_company_s_own_title_wins_over_our_translation() -> None:
    renamed = tuple(replace(one, title="Rabattpost") if one.key == "promotional" else one for one in DEFAULT.categories)
    assert "Rabattpost: abbestellt" in plain(parsed(compose(drafted(language="de", catalogue=Catalogue(2, renamed))).raw))
    unknown = replace(STOPPED, scope=Scope("*", "email", "gone_category"))
    assert "gone_category: stopped" in plain(parsed(compose(drafted(changes=(unknown,))).raw))


def test_addresses_of_other_scripts_go_out_as_mail_servers_want_them() -> None:
    assert wire_address("Ada@MÜNCHEN.example") == "Ada@xn--mnchen-3ya.example"
    mail = compose(drafted(to="adä@münchen.example"))
    assert mail.to == "adä@xn--mnchen-3ya.example"
    assert "To: adä@xn--mnchen-3ya.example".encode() in mail.raw
    assert compose(drafted()).raw.isascii()


def test_a_letter_with_nothing_to_take_back_has_no_button() -> None:
    restored = replace(STOPPED, new="not_set", rule="undo")
    text = plain(parsed(compose(drafted(changes=(restored,), act_url="", until=0)).raw))
    assert "as it was before" in text and "Take it back" not in text and "mistake" not in text


def test_everything_on_every_channel_is_told_as_such() -> None:
    changes = (
        replace(STOPPED, scope=Scope("*", "*", "*")),
        replace(STOPPED, scope=ALL_MAIL),
        replace(STOPPED, scope=Scope("*", "fax", "*")),
    )
    text = plain(parsed(compose(drafted(changes=changes)).raw))
    assert "Everything from Northwind Outfitters, on every channel: stopped" in text
    assert "by e-mail: stopped" in text and "by fax: stopped" in text


def test_brand_colours_are_those_of_the_brand() -> None:
    sender = Sender("N", "n@northwind.example", "1 Harbour Way", "https://northwind.example/p", "#123456", "#fedcba")
    assert "background:#123456;color:#fedcba" in html(parsed(compose(drafted(sender=sender)).raw))

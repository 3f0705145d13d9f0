"""`sayso check-message`: a real message in, what it lacks out (S10, H4)."""

from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from office import Office

from operators import Sayso, bare, invoke
from sayso.rules.lint import Known, lint
from sayso.rules.raw_mail import NoMail, RawMail, decoded, read_mail
from sayso.rules.senders import organisation
from sayso.rules.tokens import Link, Ring, sign_link
from sayso.rules.words import Scope
from shared_files import shared

__all__ = ["bare"]

URL = "https://prefs.example.com/u/TOKEN"
PLACE = "1 Harbour Way, Example City"
SIGNED = "v=1; a=rsa-sha256; d=northwind.example; s=k1; h=from:to:subject:date:list-unsubscribe:\r\n list-unsubscribe-post; bh=AAAA; b=BBBB"
GOOD = {
    "From": "Northwind <news@northwind.example>", "To": "ada@example.com", "Subject": "Spring", "Date": "Sun, 22 Nov 2026 10:00:00 +0000",
    "Message-ID": "<1@northwind.example>", "List-Unsubscribe": "<https://news.example.org/out/1>, <mailto:out@northwind.example>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "DKIM-Signature": SIGNED, "Return-Path": "<b@bounce.northwind.example>",
}  # fmt: skip
TEXT = f"Spring is here.\n\nUnsubscribe: https://news.example.org/out/1\n{PLACE}\n"
HTML = f'<p>Spring is here.</p><p><a href="https://news.example.org/out/1">Unsubscribe</a> {PLACE}</p>'


def raw(headers: dict[str, str | None] | None = None, *more: tuple[str, str], text: str | None = TEXT, html: str | None = HTML) -> bytes:
    """A message that is as it should be, but for what is said otherwise: None takes a header away."""
    lines = [f"{name}: {value}" for name, value in {**GOOD, **(headers or {})}.items() if value is not None]
    lines += [f"{name}: {value}" for name, value in more]
    body = EmailMessage()
    if text is not None:
        body.set_content(text)
    if html is not None and text is None:
        body.set_content(html, subtype="html")
    elif html is not None:
        body.add_alternative(html, subtype="html")
    return "\r\n".join(lines).encode() + b"\r\n" + body.as_bytes()


def levels(message: bytes, **known: Any) -> dict[str, str]:
    return {one.name: one.level for one in lint(read_mail(message), Known(postal_addresses=(PLACE,), **known))}


@pytest.mark.feature("S10", "H4")
def test_a_good_message_fails_nothing() -> None:
    found = levels(raw())
    assert {name for name, level in found.items() if level != "ok"} == {"one-click link"}  # it leads to another system
    assert list(found) == [
        "list-unsubscribe", "list-unsubscribe-post", "one-click link", "mailto", "dkim coverage", "visible link (html)", "visible link (plain)",
        "postal address", "from", "reply-to", "return-path", "dkim alignment", "basics",
    ]  # fmt: skip


@pytest.mark.feature("S10", "H4")
@pytest.mark.parametrize(
    ("message", "name", "level"),
    [
        (raw({"List-Unsubscribe": None}), "list-unsubscribe", "fail"),
        (raw({}, ("List-Unsubscribe", "<https://a.example/1>")), "list-unsubscribe", "fail"),
        (raw({"List-Unsubscribe": "<http://a.example/1>"}), "list-unsubscribe", "fail"),
        (raw({"List-Unsubscribe": "<mailto:out@northwind.example>"}), "list-unsubscribe", "fail"),
        (raw({"List-Unsubscribe": "https://a.example/1"}), "list-unsubscribe", "fail"),
        (raw({"List-Unsubscribe": "<https://a.example/1>, <https://a.example/2>"}), "list-unsubscribe", "warn"),
        (raw({"List-Unsubscribe": "<https://a.example/1>"}), "mailto", "warn"),
        (raw({"List-Unsubscribe": "<https:///relative>"}), "one-click link", "fail"),
        (raw({"List-Unsubscribe": "<https://a.example/?m=ada@example.com>"}), "one-click link", "warn"),
        (raw({"List-Unsubscribe-Post": None}), "list-unsubscribe-post", "fail"),
        (raw({"List-Unsubscribe-Post": "One-Click"}), "list-unsubscribe-post", "fail"),
        (raw({}, ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")), "list-unsubscribe-post", "fail"),
        (raw({"DKIM-Signature": None}), "dkim coverage", "fail"),
        (raw({"DKIM-Signature": None}), "dkim alignment", "fail"),
        (raw({"DKIM-Signature": SIGNED.replace(":\r\n list-unsubscribe-post", "")}), "dkim coverage", "fail"),
        (raw({"DKIM-Signature": SIGNED.replace("b=BBBB", "b=")}), "dkim coverage", "fail"),
        (raw({"DKIM-Signature": SIGNED.replace("; s=k1", "; l=10; s=k1")}), "dkim coverage", "warn"),
        (raw({"DKIM-Signature": SIGNED.replace("northwind.example", "esp.example.org")}), "dkim alignment", "fail"),
        (raw(html="<p>Nothing</p>"), "visible link (html)", "fail"),
        (raw(text="Nothing"), "visible link (plain)", "warn"),
        (raw(text="Nothing", html=None), "visible link (plain)", "fail"),
        (
            raw(html='<div style="display: none"><p>x<a href="https://a.example/unsubscribe">Unsubscribe</a></div>'),
            "visible link (html)",
            "fail",
        ),
        (raw(html='<a href="javascript:unsubscribe()">Unsubscribe</a>'), "visible link (html)", "fail"),
        (raw(html='<a href="/unsubscribe">Unsubscribe</a>'), "visible link (html)", "fail"),
        (raw(text=TEXT.replace(PLACE, ""), html=HTML.replace(PLACE, "")), "postal address", "fail"),
        (raw({"From": "news@northwind.example"}), "from", "warn"),
        (raw({"From": "Northwind <no-reply@northwind.example>"}), "from", "warn"),
        (raw({"From": '"support@bank.example" <x@northwind.example>'}), "from", "fail"),
        (raw({"From": "Northwind <news@>"}), "from", "fail"),
        (raw({"From": "A <a@northwind.example>, B <b@northwind.example>"}), "from", "fail"),
        (raw({"From": None}), "from", "fail"),
        (raw({"Reply-To": "noreply@northwind.example"}), "reply-to", "warn"),
        (raw({"Reply-To": "help@elsewhere.example.org"}), "reply-to", "warn"),
        (raw({"Reply-To": "a@northwind.example"}, ("Reply-To", "b@northwind.example")), "reply-to", "fail"),
        (raw({"Return-Path": "<b@esp.example.org>"}), "return-path", "warn"),
        (raw({"Subject": "Re: your order"}), "basics", "fail"),
        (raw({"Date": None}), "basics", "warn"),
    ],
)
def test_each_flaw_is_found(message: bytes, name: str, level: str) -> None:
    assert levels(message)[name] == level


@pytest.mark.feature("S10")
@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://a.example/x">Abmelden</a>', '<a href="https://a.example/x"><img alt="Se d&eacute;sabonner"></a>',
        '<a href="https://a.example/unsubscribe?u=1">here</a>', '<a href="mailto:out@a.example?subject=unsubscribe">here</a>',
        '<br><a style="font-size:0.9em" href="https://a.example/x">Darse de baja</a>', '<a href="https://a.example/1">إلغاء الاشتراك</a>',
    ],
)  # fmt: skip
def test_ways_out_in_several_languages_are_seen(html: str) -> None:
    assert levels(raw(html=html))["visible link (html)"] == "ok"


@pytest.mark.parametrize(
    "place", ["Hauptstraße 5, 10115 Berlin", "PO Box 12, Springfield", "742 Evergreen Terrace, Springfield, OR 97403", "12 rue des Lilas"]
)
def test_addresses_of_other_settings_are_taken_for_addresses(place: str) -> None:
    assert levels(raw(text=f"Unsubscribe https://a.example/1\n{place}", html=None))["postal address"] == "warn"


RING = Ring("k1", {"k1": b"t" * 32})


def one_click(place: str, **known: Any) -> str:
    found = lint(read_mail(raw({"List-Unsubscribe": f"<{place}>"})), Known(public_url="https://prefs.example.com", **known))
    return next(f"{one.level}: {one.detail}" for one in found if one.name == "one-click link")


@pytest.mark.feature("S10")
def test_what_one_click_of_ours_would_stop_is_said() -> None:
    def url(channel: str, category: str = "events", brand: str = "*") -> str:
        return "https://prefs.example.com/u/" + sign_link(RING, Link(b"c" * 16, None, Scope(brand, channel, category)))

    assert one_click(url("email"), ring=RING) == "ok: one click stops events mail"
    assert one_click(url("email", "*", "outlet"), ring=RING) == "ok: one click stops all mail of outlet"
    assert one_click(url("sms"), ring=RING).startswith("warn: it stops events mail on sms")
    assert "keys are not here" in one_click(url("email"))
    assert one_click("https://[broken").startswith("fail: ")


def test_odd_encodings_are_read_as_well_as_they_can_be() -> None:
    header = b"From: =?no-such-charset?q?x?= <a@b.example>\nSubject: a\nMIME-Version: 1.0\n"
    mail = read_mail(header + b"Content-Type: text/plain; charset=no-such-charset\n\nUnsubscribe: https://a.example/1")
    assert mail.plain is not None and mail.plain.anchors[0].url == "https://a.example/1"
    assert decoded("=?no-such-charset?q?x?=") == "=?no-such-charset?q?x?="
    odd = read_mail(header + b"Content-Type: text/html\n\n3 < 4 <!-- <a href=x> --> <a href=https://a.example>out</a> end")
    assert odd.html is not None and odd.html.words == "3 < 4 out end" and len(odd.html.anchors) == 1
    broken = read_mail(header + b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n!!!")
    assert broken.plain is not None


def test_transactional_mail_needs_no_way_out() -> None:
    bare_mail = raw({"List-Unsubscribe": None, "List-Unsubscribe-Post": None}, text=f"Your order\n{PLACE}", html=None)
    assert set(levels(bare_mail, transactional=True).values()) == {"ok"}


def test_organisations_by_the_shape_of_their_domains() -> None:
    assert organisation("mail.News.example.com.") == "example.com"
    assert organisation("a.b.example.co.uk") == "example.co.uk" != organisation("other.co.uk")
    assert organisation("localhost") == "localhost"


@pytest.mark.feature("S10", "H1", "H2", "H3")
async def test_a_message_made_with_our_links_passes_and_a_forged_link_does_not(
    office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = await office.links(contact_id="c-1001", address="ada@example.com")
    settings = office.parts.settings
    for name, value in (("DATA_DIR", settings.data_dir), ("PUBLIC_URL", settings.public_url)):
        monkeypatch.setenv(f"SAYSO_{name}", str(value))
    message = raw(found["headers"], text=f"Spring\n\n{found['footer']['text']}", html=f"<p>Spring</p>{found['footer']['html']}")
    file = tmp_path / "spring.eml"
    file.write_bytes(message)
    done = invoke("check-message", file, "--json")
    assert done.code == 0, done.out
    assert done.json["ok"] and {one["level"] for one in done.json["findings"]} == {"ok"}
    assert "one click stops promotional mail" in invoke("check-message", file).out
    for wrong, why in (
        (message.replace(found["token"].encode(), (found["token"][:-4] + "AAAA").encode()), "forged"),
        (message.replace(b"<https://prefs.example.com/u/", b"<https://prefs.example.com/preferences/"), "preferences"),
    ):
        file.write_bytes(wrong)
        done = invoke("check-message", file, "--json")
        assert done.code == 1 and not done.json["ok"]
        assert why in next(one["detail"] for one in done.json["findings"] if one["name"] == "one-click link")


@pytest.mark.feature("S10")
def test_the_command_without_a_hub_and_with_wrong_files(bare: Sayso, tmp_path: Path) -> None:
    file = tmp_path / "m.eml"
    file.write_bytes(raw({"Subject": "a\x1b[31mred"}))
    assert bare("check-message", file).code == 0 and not (tmp_path / "data").exists()
    for content in (b"", b"\n\nonly a body"):
        file.write_bytes(content)
        assert bare("check-message", file, "--json").error["where"].endswith("m.eml")
    assert bare("check-message", tmp_path / "none.eml").code == 1
    file.write_bytes(raw({"From": "\x1b[2J <x@northwind.example>"}))
    assert "\x1b[2J" not in bare("check-message", file).out


def test_real_reports_and_bounces_are_read_without_falling_over() -> None:
    folder = shared("corpora")
    files = [file for file in folder.rglob("*.eml") if file.stat().st_size < 1_000_000][:200]
    for file in files:
        try:
            mail = read_mail(file.read_bytes())
        except NoMail:
            continue
        assert lint(mail, Known())


@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"From: a@b.example\n", b"Content-Type: text/html\n\n<a href=x style=", b"List-Unsubscribe: <("]),
)
def test_no_bytes_break_the_reader(rubbish: bytes, start: bytes) -> None:
    try:
        mail = read_mail(start + rubbish)
    except NoMail:
        return
    assert isinstance(mail, RawMail) and lint(mail, Known(public_url="https://a.example"))


def test_headers_and_parts_made_to_hurt_are_refused_or_read() -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3_000))
    with pytest.raises(NoMail, match="nested"):
        read_mail(deep)
    assert levels(raw({"From": "(" * 9_000 + "a@b.example"}))["from"] == "fail"


@pytest.mark.timeout(60)  # each takes well below a second; what grows with the square takes minutes
@pytest.mark.parametrize(
    "body",
    [
        "<div>" * 40_000,
        "<a href=x>" * 40_000,
        "</p>" * 40_000,
        "<!--" * 40_000,
        "&#" * 40_000,
        "a" * 1_500_000,
        "<a " * 40_000,
        '<a "' * 40_000,
        "1.a" * 200_000,
        "https://a.b " * 40_000,
        "<script>" * 40_000,
        "&#" + "1" * 5_000,
        "<p hidden>x" * 40_000,
    ],
)
def test_bodies_made_to_hurt_are_read_in_time(body: str) -> None:
    for kind in (b"html", b"plain"):
        message = b"From: a@b.example\nContent-Type: text/" + kind + b"\n\n" + body.encode()
        assert lint(read_mail(message), Known())

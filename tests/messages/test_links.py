"""Links and headers for messages, over HTTP (wire contract section 7; RFC 2369, RFC 8058)."""

import base64
import json
import re
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from office import BASE, Office, office_over

from sayso.contracts.messages import MailKeys
from sayso.flows.open_link import open_link
from sayso.rules.headers import listed_uris, mail_key_in, mailto, unsubscribe_headers
from sayso.rules.tokens import Link, Ring
from sayso.rules.words import Scope
from sayso.store.messages import PostgresMailKeys
from shared_files import shared

ADA = {"contact_id": "c-1001", "address": "Ada@Example.com", "campaign_id": "spring-26", "message_id": "m-77"}
PAIR = "List-Unsubscribe=One-Click"


def mail_keys(office: Office) -> MailKeys:
    return PostgresMailKeys(office.parts.pool, office.parts.keys.pepper)


async def opened(office: Office, token: str, ring: Ring | None = None) -> Link:
    ground = await office.parts.current.ground()
    return (await open_link(token, book=office.parts.book, ring=ring or office.parts.keys.token_ring, ground=ground)).link


@pytest.mark.feature("H1", "H2", "H5")
async def test_one_message_gets_three_pages_and_both_headers(office: Office) -> None:
    found = await office.links(**ADA)
    token = found["token"]
    assert (found["unsubscribe_url"], found["preferences_url"], found["why_url"]) == tuple(
        f"{BASE}/{page}/{token}" for page in ("u", "preferences", "why")
    )
    assert set(found["headers"]) == {"List-Unsubscribe", "List-Unsubscribe-Post"} and found["headers"]["List-Unsubscribe-Post"] == PAIR
    https, mailto = listed_uris(found["headers"]["List-Unsubscribe"])
    assert https == found["unsubscribe_url"]
    assert re.fullmatch(r"mailto:out\+[a-z2-7]{24}@example\.com\?subject=unsubscribe", mailto)
    assert any("h=" in note for note in found["notes"]) and len(found["notes"]) == 1
    link = await opened(office, token)
    assert link.scope == Scope("*", "email", "promotional") and (link.campaign, link.message) == ("spring-26", "m-77")
    key = mail_key_in(urlsplit(mailto).path)
    assert key is not None
    kept = await mail_keys(office).find(key)
    assert kept is not None and (kept.contact, kept.address, kept.scope) == (link.contact, link.address, link.scope)
    assert await office.links(**ADA) == found


@pytest.mark.feature("H1")
async def test_a_link_holds_nothing_personal_and_touches_nobody(office: Office) -> None:
    found = await office.links(**ADA, business_unit="outlet")
    plain = base64.urlsafe_b64decode(found["token"].split(".")[2] + "==")
    shown = unquote(found["headers"]["List-Unsubscribe"]).lower()
    for word in ("ada", "c-1001", "promotional", "spring", "outlet"):
        assert word.encode() not in plain and word not in shown.replace("prefs.example.com", "")
    profile = (await office.get("/api/v2/contacts/c-1001")).json
    assert profile["version"] == 0 and profile["addresses"] == []
    assert (await office.get("/api/v2/contacts/c-1001/history")).json["items"] == []
    assert await office.parts.pool.fetchval("SELECT count(*) FROM entry") == 0


@pytest.mark.feature("H2")
async def test_a_key_of_the_mailbox_is_one_for_person_and_scope_in_any_case(office: Office) -> None:
    first = await office.links(**ADA)
    later = await office.links(**{**ADA, "message_id": "m-78", "campaign_id": "other"})
    other = await office.links(**ADA, category="events")
    ends = [listed_uris(one["headers"]["List-Unsubscribe"])[1] for one in (first, later, other)]
    assert ends[0] == ends[1] != ends[2]
    key = mail_key_in(urlsplit(ends[0]).path) or ""
    keys = mail_keys(office)
    assert await keys.find(key.upper()) == await keys.find(key) != None  # noqa: E711  both are something
    for wrong in ("", "a" * 24, key[:-1], key + "a", "1" * 24, "ß" * 24, key[:-1] + "!"):
        assert await keys.find(wrong) is None
    assert await office.parts.pool.fetchval("SELECT count(*) FROM mail_key") == 2
    raw = await office.parts.pool.fetchval("SELECT string_agg(m::text, '') FROM mail_key m")
    assert "ada" not in raw.lower() and "c-1001" not in raw


@pytest.mark.feature("H2")
async def test_links_of_every_earlier_key_go_on_working(office: Office) -> None:
    old = await office.links(**ADA)
    ring = office.parts.keys.token_ring
    for n in range(3):
        ring = Ring(f"n{n}", {**ring.secrets, f"n{n}": bytes([n]) * 32})
    assert await opened(office, old["token"], ring) == await opened(office, old["token"])


@pytest.mark.feature("H2")
async def test_without_a_mailbox_there_is_no_mailto_half_and_a_note_says_so(database: str, tmp_path: Path) -> None:
    async with office_over(database, tmp_path / "data", SAYSO_PUBLIC_URL="http://127.0.0.1:8400") as office:
        found = await office.links(**ADA)
        assert listed_uris(found["headers"]["List-Unsubscribe"]) == (found["unsubscribe_url"],)
        assert len(found["notes"]) == 3 and any("not https" in note for note in found["notes"])
        assert await office.parts.pool.fetchval("SELECT count(*) FROM mail_key") == 0


@pytest.mark.feature("H2")
async def test_a_long_mailbox_carries_its_key_in_the_subject(database: str, tmp_path: Path) -> None:
    mailbox = "a" * 40 + "@example.com"
    async with office_over(database, tmp_path / "data", SAYSO_UNSUBSCRIBE_MAILBOX=mailbox) as office:
        mailto = listed_uris((await office.links(**ADA))["headers"]["List-Unsubscribe"])[1]
        parts = urlsplit(mailto)
        assert parts.path == mailbox
        key = mail_key_in(parse_qs(parts.query)["subject"][0])
        assert key is not None and await mail_keys(office).find(key) is not None


@pytest.mark.feature("H1", "A3")
async def test_what_nobody_can_refuse_gets_no_way_to_refuse_it(office: Office) -> None:
    found = await office.links(**ADA, category="order_confirmations")
    assert found["unsubscribe_url"] is None and found["headers"] == {} and "Transactional" in found["notes"][0]
    assert found["preferences_url"] in found["footer"]["text"] and found["why_url"] in found["footer"]["text"]
    assert "/u/" not in found["footer"]["text"] + found["footer"]["html"]
    sms = await office.links(contact_id="c-1001", channel="sms")
    assert sms["headers"] == {} and sms["unsubscribe_url"] and "mail only" in sms["notes"][0]


@pytest.mark.feature("H1", "H3")
async def test_the_footer_has_the_way_out_and_the_sender_of_the_brand(database: str, tmp_path: Path) -> None:
    settings = tmp_path / "sayso.toml"
    settings.write_text('[brand.outlet]\ncompany = "Outlet <b>&Co"\npostal_address = "9 Quay, Bay City"\n', encoding="utf-8")
    async with office_over(database, tmp_path / "data", SAYSO_CONFIG=str(settings), SAYSO_POSTAL_ADDRESS="1 Harbour Way") as office:
        plain = await office.links(**ADA)
        assert "1 Harbour Way" in plain["footer"]["text"] and "1 Harbour Way" in plain["footer"]["html"]
        outlet = await office.links(**ADA, business_unit="outlet", language="ar-EG")
        foot = outlet["footer"]
        assert foot["language"] == "ar" and 'dir="rtl"' in foot["html"]
        assert "9 Quay, Bay City" in foot["text"] and "Outlet &lt;b&gt;&amp;Co" in foot["html"] and "<b>" not in foot["html"]
        for language, word in (("de-AT", "Abbestellen"), ("fr", "désabonner"), ("es", "baja"), ("xx", "Unsubscribe"), ("", "Unsubscribe")):
            text = (await office.links(**ADA, language=language))["footer"]["text"]
            assert word in text and plain["unsubscribe_url"] in text


@pytest.mark.feature("H2")
async def test_a_thousand_links_come_in_order_and_faulty_items_are_named(office: Office) -> None:
    items: list[object] = [{"contact_id": f"c-{n}", "channel": "email", "category": "promotional"} for n in range(1000)]
    answer = await office.post("/api/v2/links", {"items": items})
    assert answer.status == 200 and len(answer.json["items"]) == 1000 and answer.json["notes"]
    last = answer.json["items"][999]
    assert last == {**{k: v for k, v in (await office.links(contact_id="c-999")).items() if k != "notes"}, "status": 200}
    bad = [
        {}, 3, {"contact_id": "c-1", "category": "nonsense"}, {"contact_id": "c-1", "channel": "ALL", "category": "events"}, {"contact_id": "c-1"},
        {"address": "not one", "category": "events"}, {"contact_id": "c-1", "category": "events", "subject": "x"},
        {"contact_id": "c-1", "campaign_id": "undeclared"},
        {"contact_id": "c-1", "campaign_id": ["x"]}, {"contact_id": "c-1", "category": "events", "message_id": "\u00e9" * 255, "campaign_id": "\u00e9" * 99},
        {"contact_id": "c-1", "category": "events", "campaign_id": "a\r\nBcc: b@example.com"},
    ]  # fmt: skip
    answer = await office.post("/api/v2/links", {"items": [items[0], *bad]})
    assert answer.status == 207 and [one["status"] for one in answer.json["items"]] == [200] + [422] * len(bad)
    assert answer.json["items"][3]["errors"][0]["pointer"] == "#/items/3/category"
    assert (await office.post("/api/v2/links", {"items": items + items[:1]})).status == 422
    assert (await office.post("/api/v2/links", bad[2])).status == 422
    assert (await office.post("/api/v2/links", {"items": "x"})).status == 422
    checker = await office.token_for("send_checks")
    assert (await office.call("POST", "/api/v2/links", items[0], token=checker)).status == 403


async def test_a_campaign_that_was_declared_may_stand_for_its_category(office: Office) -> None:
    body = {"transactional": False, "category": "events"}
    assert (await office.call("PUT", "/api/v2/campaigns/fair-26", body)).status == 200
    found = await office.post("/api/v2/links", {"contact_id": "c-1", "campaign_id": "fair-26"})
    assert (await opened(office, found.json["token"])).scope.category == "events"
    everything = await office.links(contact_id="c-1", category="*")
    assert (await opened(office, everything["token"])).scope.category == "*" and everything["unsubscribe_url"]


@pytest.mark.feature("H2")
def test_list_headers_of_other_senders_are_read_as_the_rfc_says() -> None:
    for one in json.loads(shared("corpora/list-unsubscribe-headers/headers.json").read_text()):
        uris = listed_uris(one["header"])
        assert list(uris) == one["uris"], one
        assert [uri for uri in uris if uri.startswith("https:")] == one["https"]
        assert [uri for uri in uris if uri.startswith("mailto:")] == one["mailto"]


@pytest.mark.parametrize(
    ("header", "uris"),
    [
        (
            "(comment with <https://no.example>) <https://a.example/\r\n\t u>, text <mailto:b@c.example> tail",
            ("https://a.example/u", "mailto:b@c.example"),
        ),
        ("(nested (<https://no.example>) \\) ) <https://a.example>", ("https://a.example",)),
        ("<https://a.example/(u)>", ("https://a.example/(u)",)),
        ("<>, <https://open.example", ()),
        (") <https://a.example>", ("https://a.example",)),
    ],
)
def test_comments_folds_and_rubbish_around_uris(header: str, uris: tuple[str, ...]) -> None:
    assert listed_uris(header) == uris


def test_a_mailbox_of_any_script_is_written_so_that_every_mail_program_reads_it() -> None:
    key = "mfrggzdfmztwq2lknnwg23tp"
    assert mailto("weg@München.example", key) == f"mailto:weg+{key}@xn--mnchen-3ya.example?subject=unsubscribe"
    assert mailto("a&b@example.com", key) == f"mailto:a%26b+{key}@example.com?subject=unsubscribe"
    assert mail_key_in(f"Weg+{key.upper()}@Example.COM") == key == mail_key_in(f"Unsubscribe {key.upper()}")
    assert mail_key_in("weg@example.com") is None is mail_key_in("unsubscribe me")


@pytest.mark.parametrize("url", ["https://a.example/>\r\nBcc: x@y.example", "https://a.example/ b", "https://a.example/<"])
def test_no_url_breaks_out_of_its_header(url: str) -> None:
    with pytest.raises(ValueError, match="brackets"):
        unsubscribe_headers(url, None)

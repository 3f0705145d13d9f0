"""Audiences through the doors: every form in and out, rows as they came, bad rows with a reason, what changed a moment ago."""

import csv
import hashlib
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from running import UNHURRIED, served
from sayso.app import web_app
from sayso.contracts.desk import SCOPES
from sayso.flows.enrol import enrol
from sayso.flows.note_config import HUB
from sayso.opening import Parts, opened
from sayso.settings import read

PATH = "/api/v2/audience_checks"
LIST = 'email,Country,note\nada@example.com,US,"a, b"\nBEN@example.com,US,=1+1\nchris@example.com,DE,\nnonsense,US,x\n'


class Client:
    def __init__(self, base: str, parts: Parts, session: aiohttp.ClientSession, token: str) -> None:
        self.base, self.parts, self.session, self.headers = base, parts, session, {"Authorization": f"Bearer {token}"}

    async def post(self, query: str, body: bytes, kind: str = "text/csv") -> Any:
        headers = {**self.headers, "Content-Type": kind}
        async with self.session.post(f"{self.base}{PATH}?{query}", data=body, headers=headers) as answer:
            return answer.status, answer.headers, await answer.read()

    async def out(self, email: str, category: str = "promotional") -> None:
        body = {f"email_pref_{category}": "opted_out"}
        url = f"{self.base}/api/v2/addresses/email/{email}/preferences"
        async with self.session.post(url, json=body, headers=self.headers) as answer:
            assert answer.status == 200, await answer.text()


@pytest.fixture
async def client(database: str, tmp_path: Path) -> AsyncIterator[Client]:
    env = {"SAYSO_DATA_DIR": str(tmp_path / "data"), "SAYSO_DATABASE_URL": database}
    async with opened(read(env, cwd=tmp_path), patience=UNHURRIED) as parts:
        ground = await parts.current.ground()
        made = await enrol("lists", tuple(SCOPES), "c:operator", relay_only=False, desk=parts.desk, book=parts.book, ground=ground)
        async with served(web_app(parts)) as base, aiohttp.ClientSession() as session:
            form = {"grant_type": "client_credentials", "client_id": made.client.id, "client_secret": made.secret}
            async with session.post(f"{base}/oauth/token", data=form) as answer:
                token = (await answer.json())["access_token"]
            yield Client(base, parts, session, token)


@pytest.mark.feature("R7", "I1", "I2")
async def test_the_same_rows_come_back_in_the_same_order_with_an_answer(client: Client, tmp_path: Path) -> None:
    await client.out("ada@example.com")
    status, headers, body = await client.post("category=promotional&channel=email", LIST.encode())
    assert status == 200, body
    assert headers["Content-Type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(body.decode())))
    assert [row[:3] for row in rows] == list(csv.reader(io.StringIO(LIST)))
    assert [row[3:] for row in rows] == [
        ["allowed", "reason"], ["false", "category_opted_out"], ["true", "allowed_by_regime"], ["false", "no_consent"],
        ["false", "invalid_address"],
    ]  # fmt: skip
    assert (headers["X-Sayso-Rows"], headers["X-Sayso-Allowed"]) == ("4", "1")
    assert list((tmp_path / "data" / "tmp").iterdir()) == [], "nobody's list stays behind"


@pytest.mark.feature("I7")
async def test_each_audience_is_one_entry_of_the_ledger_with_counts_and_hashes(client: Client) -> None:
    _, headers, body = await client.post("category=promotional&name=Spring", LIST.encode())
    sub = (await client.parts.book.read([HUB])).keys
    [noted] = [one for one in await client.parts.book.entries(list(sub.values()), kinds=["seal"]) if one.act == "audience"]
    assert noted.id == headers["X-Sayso-Entry"]
    assert (noted.fields["x"]["rows"], noted.fields["x"]["allowed"]) == (4, 2)
    assert noted.fields["x"]["hash_in"] == hashlib.sha256(LIST.encode()).hexdigest()
    assert noted.fields["x"]["hash_out"] == hashlib.sha256(body).hexdigest()
    assert noted.detail is not None and noted.detail["name"] == "Spring" and noted.detail["reasons"]["invalid_address"] == 1


async def test_what_was_said_a_moment_ago_counts_although_the_snapshot_is_older(client: Client) -> None:
    first = await client.post("category=promotional", LIST.encode())
    assert b"BEN@example.com,US,=1+1,true," in first[2]
    await client.out("ben@example.com")
    second = await client.post("category=promotional", LIST.encode())
    assert b"BEN@example.com,US,=1+1,false,category_opted_out" in second[2]


async def test_a_contact_that_was_tied_to_an_address_later_brings_its_word_along(client: Client) -> None:
    rows = b"address\nold@example.com\n"
    assert b"true" in (await client.post("category=promotional&country=US", rows))[2]
    url = f"{client.base}/api/v2/contacts/c-9/email_preferences"
    async with client.session.post(url, json={"email_opt_out_global": True}, headers=client.headers) as answer:
        assert answer.status == 200
    assert b"true" in (await client.post("category=promotional&country=US", rows))[2]
    async with client.session.post(url, json={"email": "old@example.com"}, headers=client.headers) as answer:
        assert answer.status == 200
    assert b"old@example.com,false,global_opt_out" in (await client.post("category=promotional&country=US", rows))[2]


async def test_json_lines_keep_their_bytes(client: Client) -> None:
    lines = '{"email": "ada@example.com",  "n": 1.50}\n{"email":5}\n[1]\n{}\n{"email":"ben@example.com","x":{"y":[1]}}  \n{"email": "a\n'
    status, _, body = await client.post("category=promotional&country=US", lines.encode(), "application/x-ndjson")
    assert status == 200
    came = body.decode().splitlines()
    assert came[0] == '{"email": "ada@example.com",  "n": 1.50,"allowed":true,"reason":"allowed_by_regime"}'
    told = [json.loads(line) for line in came]
    assert [row["allowed"] for row in told] == [True, False, False, False, True, False]
    assert told[1]["reason"] == "invalid_address"
    assert told[2]["unreadable"] == "[1]" and told[2]["reason"] == "unreadable: not a JSON object"
    assert told[5]["reason"].startswith("unreadable: not JSON")


@pytest.mark.parametrize("form", ["parquet", "arrow"])
async def test_columns_keep_their_types(client: Client, form: str) -> None:
    await client.out("ada@example.com")
    table = pa.table(
        {"id": pa.array([1, 2, None], pa.int64()), "email": pa.array(["ada@example.com", "BEN@example.com", None]).dictionary_encode(),
         "tags": pa.array([["a"], [], None], pa.list_(pa.string()))}
    )  # fmt: skip
    sent = io.BytesIO()
    if form == "parquet":
        pq.write_table(table, sent)
    else:
        with pa.ipc.new_file(sent, table.schema) as file:
            file.write_table(table)
    status, _, body = await client.post("category=promotional&country=US", sent.getvalue(), "application/octet-stream")
    assert status == 200, body
    came = pq.read_table(io.BytesIO(body)) if form == "parquet" else pa.ipc.open_stream(body).read_all()
    assert came.select(table.schema.names).to_pylist() == table.to_pylist()
    assert came.schema.field("id").type == pa.int64() and came.schema.field("tags").type == table.schema.field("tags").type
    assert came.column("allowed").to_pylist() == [False, True, False]
    assert came.column("reason").to_pylist() == ["category_opted_out", "allowed_by_regime", "invalid_address"]


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet", "arrow"])
async def test_any_form_can_become_any_other(client: Client, form: str) -> None:
    for kind, sent in (
        ("text/csv", LIST.encode()),
        ("application/x-ndjson", b'{"email":"a@example.com","n":1}\n{"email":"b@example.com"}\n'),
    ):
        status, headers, body = await client.post(f"category=promotional&country=US&format={form}", sent, kind)
        assert status == 200, body
        match form:
            case "csv":
                rows = list(csv.DictReader(io.StringIO(body.decode())))
            case "ndjson":
                rows = [json.loads(line) for line in body.splitlines()]
            case "parquet":
                rows = pq.read_table(io.BytesIO(body)).to_pylist()
            case _:
                rows = pa.ipc.open_stream(body).read_all().to_pylist()
        assert len(rows) == int(headers["X-Sayso-Rows"]) and all(row["reason"] for row in rows)


async def test_broken_rows_come_back_and_the_rows_behind_them_are_read(client: Client) -> None:
    body = b'email;n\r\nada@example.com;1\r\n"never closed;2\r\nben@example.com;3;4;5\r\nchris@example.com\r\n\r\nd\xff@example.com;6\r\n'
    status, _, out = await client.post("category=promotional&country=US", body)
    assert status == 200
    lines = out.split(b"\r\n")
    assert lines[0] == b"email;n;allowed;reason"
    assert lines[1].endswith(b";1;true;allowed_by_regime")
    assert b"unreadable: not CSV" in lines[2] and b"never closed;2" in lines[2]
    assert b"unreadable: 4 fields, but 2 columns" in lines[3]
    assert lines[4].endswith(b";;true;allowed_by_regime")
    assert lines[5] == b"d\xff@example.com;6;false;unreadable: not UTF-8"


@pytest.mark.parametrize(
    ("query", "body", "kind", "status", "said"),
    [
        ("category=promotional", b"", "text/csv", 422, "empty"),
        ("category=promotional", b"name\nAda\n", "text/csv", 422, "no column"),
        ("category=promotional", b"email,reason\na@example.com,x\n", "text/csv", 422, "already"),
        ("category=nothing", b"email\na@example.com\n", "text/csv", 422, "promotional"),
        ("category=promotional&channel=pigeon", b"email\n", "text/csv", 422, "channel"),
        ("category=promotional&country=XX", b"email\n", "text/csv", 422, "country"),
        ("category=promotional&colour=red", b"email\n", "text/csv", 422, "colour"),
        ("channel=email", b"email\n", "text/csv", 422, "category"),
        ("category=promotional", b"PAR1 but not really", "application/octet-stream", 422, "parquet"),
        ("category=promotional", b"ARROW1 but not really", "application/octet-stream", 422, "arrow"),
        ("category=promotional", b"\x1f\x8bxx", "text/plain", 422, "gzip"),
        ("category=promotional", b"<xml/>", "text/xml", 415, "CSV"),
        ("category=promotional", b"e\0mail\n", "text/csv", 422, "UTF-8"),
    ],
)  # fmt: skip
async def test_what_is_no_audience_is_refused_with_the_mend(
    client: Client, query: str, body: bytes, kind: str, status: int, said: str
) -> None:
    found = await client.post(query, body, kind)
    assert (found[0], said in found[2].decode()) == (status, True), found[2]


async def test_nobody_screens_without_the_scope(client: Client) -> None:
    client.headers = {}
    assert (await client.post("category=promotional", b"email\n"))[0] == 401

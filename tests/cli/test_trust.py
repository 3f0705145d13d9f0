"""What an operator asks the hub about itself: is it sound, is it well, why was this blocked, what is in force."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from database import apart
from operators import Sayso

List = Callable[..., Path]


def execute(dsn: str, sql: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    apart(run())


@pytest.fixture
def ada_left(sayso: Sayso, listed: List) -> Sayso:
    assert sayso("import", listed("email,date", "ada@example.com,2026-01-02T10:00:00Z"), "--opt-outs").code == 0
    return sayso


@pytest.mark.feature("I1", "I7")
def test_explain_shows_every_rule_in_order_with_input_and_outcome(ada_left: Sayso) -> None:
    found = ada_left("explain", "ada@example.com", "--category", "promotional", "--country", "US", "--json")
    assert found.code == 0 and found.json["allowed"] is False and found.json["id"].startswith("chk_")
    rules = found.json["explanation"]
    assert [rule["rule"] for rule in rules][:3] == ["state", "question", "blacklist"] and len(rules) == 11
    [stopped] = [rule for rule in rules if rule["outcome"] == "stops"]
    assert stopped["rule"] == "global and channel opt-outs" and stopped["input"][0]["since"] == "2026-01-02T10:00:00Z"
    shown = ada_left("explain", "ada@example.com", "-c", "promotional")
    assert "must not be sent" in shown.out and "global_opt_out" in shown.out and "Logged as chk_" in shown.out
    assert "may be sent" in ada_left("explain", "ada@example.com", "-c", "order_confirmations").out


@pytest.mark.parametrize(
    ("address", "category", "code"),
    [
        ("not an address", "promotional", "invalid_address"),
        ("+12065550100", "promotional", "channel_mismatch"),
        ("a@example.com", "x", "category_unknown"),
    ],
)
def test_explain_says_what_is_wrong_with_the_question(sayso: Sayso, address: str, category: str, code: str) -> None:
    found = sayso("explain", address, "-c", category, "--json")
    assert found.code == 0 and code in [reason["code"] for reason in found.json["reasons"]]


def test_explain_refuses_what_cannot_be_asked(sayso: Sayso) -> None:
    wrong = sayso("explain", "ada@example.com", "-c", "promotional", "--channel", "fax", "--json")
    assert wrong.code == 2 and wrong.error["where"] == "channel"


@pytest.mark.feature("J8")
def test_verify_says_sound_or_names_the_first_bad_entry(ada_left: Sayso, database: str) -> None:
    found = ada_left("verify", "--json")
    assert found.code == 0 and found.json["ok"] and found.json["entries"] == 3 and found.json["first_bad"] is None
    assert found.json["key"].startswith("sayso.local/")
    assert "is sound" in ada_left("verify").out
    execute(database, "UPDATE entry SET leaf = convert_to(replace(convert_from(leaf, 'UTF8'), '\"import\"', '\"manual\"'), 'UTF8')")
    broken = ada_left("verify", "--json")
    assert broken.code == 1 and broken.out.count("\n") == 1
    assert broken.json["first_bad"]["entry"] and broken.json["problem_count"] >= 3
    shown = ada_left("verify")
    assert shown.code == 1 and "NOT sound" in shown.out and broken.json["first_bad"]["entry"] in shown.out


def levels(found: Any) -> dict[str, str]:
    return {row["name"]: row["level"] for row in found["findings"]}


def test_doctor_finds_a_new_hub_well(sayso: Sayso, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAYSO_PORT", str(free_port()))
    sayso("client", "list")
    found = sayso("doctor", "--json")
    assert found.code == 0 and found.json["ok"]
    said = levels(found.json)
    assert {said[name] for name in ("database", "clock", "schema", "pepper", "keys", "worker", "ledger", "disk")} == {"ok"}
    assert said["settings"] == "warn", "demonstration values are named"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_doctor_changes_nothing_where_nothing_was_ever_started(bare: Sayso, tmp_path: Path) -> None:
    found = bare("doctor", "--json")
    assert found.code == 0 and levels(found.json)["data folder"] == "warn"
    assert list(tmp_path.iterdir()) == []


def test_doctor_names_what_is_broken_and_the_mend(ada_left: Sayso, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("SAYSO_PORT", str(taken.getsockname()[1]))
        execute(database, "UPDATE to_sequence SET at = at - 3600000000")
        found = ada_left("doctor", "--json")
    said = {row["name"]: row for row in found.json["findings"]}
    assert found.code == 1 and said["worker"]["level"] == "fail" and said["worker"]["fix"] == "sayso worker"
    assert "3 entries wait" in said["worker"]["detail"]
    assert said[f"port {os.environ['SAYSO_PORT']}"]["level"] == "warn"
    shown = ada_left("doctor")
    assert shown.code == 1 and "fix: sayso worker" in shown.out
    (tmp_path / "data" / "keys" / "pepper").chmod(0o644)
    opened = ada_left("doctor", "--json")
    assert opened.code == 1 and levels(opened.json)["keys"] == "fail" and "chmod 600" in opened.out


def test_doctor_refuses_keys_of_another_hub(ada_left: Sayso, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SAYSO_DATA_DIR", str(tmp_path / "other"))
    assert ada_left("client", "list", "--json").code == 1
    found = ada_left("doctor", "--json")
    assert found.code == 1 and levels(found.json)["pepper"] == "fail"


def test_doctor_tells_an_unreachable_an_unmigrated_and_a_foreign_database_apart(
    bare: Sayso, bare_database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    for dsn, name in (("postgresql://u:p@127.0.0.1:1/x", "database"), (bare_database, "schema")):
        monkeypatch.setenv("SAYSO_DATABASE_URL", dsn)
        found = bare("doctor", "--json")
        assert found.code == 1 and levels(found.json)[name] == "fail"


def test_doctor_tells_all_about_settings_that_cannot_be_used(bare: Sayso, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAYSO_PORT", "many")
    found = bare("doctor", "--json")
    assert found.code == 1 and found.json["findings"][0]["fix"] == "sayso config check"


def test_doctor_names_connections_that_are_not_well(sayso: Sayso, database: str) -> None:
    sayso("connection", "add", "webhook", "--name", "shop", "--set", "url=https://hooks.example.com/in")
    execute(database, "UPDATE connection SET state = 'disabled', cause = 'answered 410'")
    found = sayso("doctor", "--json")
    [row] = [row for row in found.json["findings"] if row["name"] == "connection shop"]
    assert (found.code, row["level"]) == (1, "fail") and "answered 410" in row["detail"]


def test_the_catalogue_is_shown_compared_and_applied(sayso: Sayso, tmp_path: Path) -> None:
    now = sayso("catalogue", "show", "--json").json
    place = tmp_path / "catalogue.json"
    place.write_text(json.dumps(now))
    assert sayso("catalogue", "apply", place, "--json").json == {
        "changed": False,
        "dry_run": False,
        "version": 1,
        "difference": [],
        "warnings": [],
    }
    now["categories"][-1]["title"] = "Fairs"
    place.write_text(json.dumps(now))
    rehearsed = sayso("catalogue", "apply", place, "--dry-run", "--json")
    assert (rehearsed.code, rehearsed.json["version"]) == (2, 1) and any("Fairs" in line for line in rehearsed.json["difference"])
    done = sayso("catalogue", "apply", place)
    assert done.code == 0 and '+   "title": "Fairs"' in done.out and "Version 2 is in force" in done.out
    assert sayso("catalogue", "show", "--json").json["version"] == 2
    assert "Fairs" in sayso("catalogue", "show").out
    assert sayso("verify", "--json").json["entries"] == 1, "the change is in the ledger"


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "not JSON"), ("[]", "an object"), ('{"categories":[]}', "at least one"), ("\xff", "not JSON"), ("[" * 100_000, "not JSON")],
)
def test_a_catalogue_that_cannot_be_used_is_refused_by_place(sayso: Sayso, tmp_path: Path, text: str, words: str) -> None:
    place = tmp_path / "bad.json"
    place.write_bytes(text.encode("latin-1"))
    wrong = sayso("catalogue", "apply", place, "--json")
    assert wrong.code == 1 and words in wrong.error["what"] and str(place) in wrong.error["where"]


def test_a_catalogue_must_not_shadow_other_fields(sayso: Sayso, tmp_path: Path) -> None:
    now = sayso("catalogue", "show", "--json").json
    now["categories"][-1]["key"] = "last_updated"
    now["message_types"] = {}
    (tmp_path / "c.json").write_text(json.dumps(now))
    assert "means something else" in sayso("catalogue", "apply", tmp_path / "c.json", "--json").error["what"]
    assert sayso("catalogue", "apply", tmp_path / "none.json", "--json").code == 1


def test_settings_are_shown_with_their_origin_and_secrets_never(bare: Sayso, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sayso.toml").write_text('company = "Ada & Co"\ndatabase_url = "postgresql://u:hidden@h/d"\n')
    monkeypatch.setenv("SAYSO_PORT", "8500")
    shown = bare("config", "show", "--origin", "--json")
    by_name = {row["setting"]: row for row in shown.json["items"]}
    assert (by_name["SAYSO_PORT"]["value"], by_name["SAYSO_PORT"]["origin"]) == (8500, "SAYSO_PORT")
    assert by_name["SAYSO_COMPANY"]["origin"] == "company in sayso.toml"
    assert "hidden" not in shown.out + bare("config", "show").out
    assert bare("config", "check").code == 0


def test_config_check_names_everything_with_what_was_meant(bare: Sayso, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sayso.toml").write_text('compny = "x"\n')
    monkeypatch.setenv("SAYSO_PORT", "many")
    found = bare("config", "check", "--json")
    assert found.code == 1 and len(found.json["problems"]) == 2 and any("did you mean company?" in one for one in found.json["problems"])
    assert "fail" in bare("config", "check").out
    assert bare("config", "show", "--json").code == 2


@pytest.mark.feature("I5")
def test_a_complaint_is_lifted_by_an_operator_with_a_reason_and_the_opt_out_stays(sayso: Sayso) -> None:
    complain()
    assert {"complaint", "global_opt_out"} <= codes(sayso)
    assert sayso("lift", "complaint", "ada@example.com").code == 2
    assert sayso("lift", "complaint", "ada@example.com", "--reason", " ", "--json").code == 2
    assert sayso("lift", "complaint", "nobody", "--reason", "x", "--json").code == 2
    done = sayso("lift", "complaint", "Ada@example.com", "--reason", "pressed the wrong button, says she", "--json")
    assert done.code == 0 and done.json["effect"] == "applied" and done.json["still_opted_out"] is True and done.json["entry"]
    assert "complaint" not in codes(sayso) and "global_opt_out" in codes(sayso)
    again = sayso("lift", "complaint", "ada@example.com", "--reason", "again")
    assert again.code == 0 and "nothing was changed" in again.out
    assert sayso("verify", "--json").json["ok"]


def codes(sayso: Sayso) -> set[str]:
    found = sayso("explain", "ada@example.com", "-c", "promotional", "--country", "US", "--json").json
    return {reason["code"] for reason in found["reasons"]}


def complain() -> None:
    """Ada's provider says that she pressed `spam`, through the same `record` as ever."""
    from sayso.commands.frame import hub
    from sayso.flows.record import Said, key_of, record
    from sayso.rules.statements import Block, Choose, Voice
    from sayso.rules.subjects import parse_address
    from sayso.rules.words import Scope

    async def run() -> None:
        async with hub() as parts:
            address = key_of(parse_address("email", "ada@example.com", default_region=None))
            words = (Block("complaint", on=True), Choose(Scope("*", "email", "*"), out=True))
            voice = Voice("connection", own=True, actor="k:1", via="k:1")
            await record(Said(voice, words, address=address), book=parts.book, ground=await parts.current.ground())

    apart(run())

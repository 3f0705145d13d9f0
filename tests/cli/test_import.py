"""Anybody can load their own opt-outs on the first day, and do it twice: no row is lost, none becomes an opt-in."""

import csv
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from operators import Done, Sayso

List = Callable[..., Path]


def check(sayso: Sayso, address: str, category: str = "promotional", **more: str) -> Any:
    """Whether a message to somebody in the United States may be sent: there silence is no bar, so only words stop it."""
    options = [part for name, value in {"country": "US", **more}.items() for part in (f"--{name}", value)]
    return sayso("explain", address, "-c", category, *options, "--json").json


def codes(sayso: Sayso, address: str, category: str = "promotional", **more: str) -> list[str]:
    return [reason["code"] for reason in check(sayso, address, category, **more)["reasons"]]


def load(sayso: Sayso, file: Path, *options: str) -> Done:
    return sayso("import", file, "--opt-outs", "--json", *options)


@pytest.mark.feature("D2")
def test_a_list_is_imported_once_however_often_it_is_imported(sayso: Sayso, listed: List) -> None:
    file = listed("email,reason", "ada@example.com,too many", "Ben@Example.com,", "", "chris@example.com,")
    rehearsed = load(sayso, file, "--dry-run")
    assert (rehearsed.code, rehearsed.json["new"], rehearsed.json["already_out"]) == (2, 3, 0)
    assert codes(sayso, "ada@example.com") == ["allowed_by_regime"]
    done = load(sayso, file, "--source-name", "old shop")
    assert (done.code, done.json["new"], done.json["rejected"]) == (0, 3, 0)
    assert codes(sayso, "ada@example.com") == ["global_opt_out"] == codes(sayso, "ben@example.com")
    before = sayso("verify", "--json").json
    again = load(sayso, file)
    assert (again.code, again.json["new"], again.json["already_out"]) == (0, 0, 3)
    assert load(sayso, file, "--dry-run").code == 0
    after = sayso("verify", "--json").json
    assert after["ok"] and after["entries"] == before["entries"], "the second import left nothing more"


def test_transactional_mail_passes_and_the_reason_is_kept(sayso: Sayso, listed: List) -> None:
    load(sayso, listed("email", "ada@example.com"))
    assert codes(sayso, "ada@example.com", "order_confirmations") == ["transactional"]
    [reason] = check(sayso, "ada@example.com")["reasons"]
    assert "import" in reason["detail"]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("email,status", "ada@example.com,subscribed"),
        ("email,status", "ada@example.com,Opted-In"),
        ("email,subscribed", "ada@example.com,true"),
        ("email,Opt Out", "ada@example.com,"),
        ("email,unsubscribed", "ada@example.com,no"),
        ("Email,Email Opt In", "ada@example.com,1"),
    ],
)
def test_who_is_not_out_is_rejected_and_never_opted_in(sayso: Sayso, listed: List, header: str, row: str) -> None:
    done = load(sayso, listed(header, row))
    assert done.json["rejected"] == 1 and done.json["rejections"][0]["line"] == 2
    assert "not opted out" in done.json["rejections"][0]["reason"]
    assert codes(sayso, "ada@example.com", country="DE") == ["no_consent"]


def test_an_import_never_wakes_up_who_had_left(sayso: Sayso, listed: List) -> None:
    load(sayso, listed("email", "ada@example.com"))
    done = load(sayso, listed("email,status", "ada@example.com,subscribed", name="all.csv"))
    assert (done.code, done.json["rejected"]) == (1, 1)
    assert codes(sayso, "ada@example.com") == ["global_opt_out"]


def test_rejected_rows_come_back_with_line_and_reason_and_can_be_mended(sayso: Sayso, listed: List) -> None:
    file = listed(
        "email,category,reason", "not an address,promotional,", '=cmd|"/C calc"!A0,promotional,x', "ada@example.com,promotionel,",
        "ben@example.com,order_confirmations,", "chris@example.com,promotional,fine",
    )  # fmt: skip
    done = load(sayso, file)
    assert (done.code, done.json["new"], done.json["rejected"]) == (0, 1, 4)
    place = Path(done.json["rejected_file"])
    assert place == file.with_name("list.rejected.csv") and stat.S_IMODE(place.stat().st_mode) == 0o600
    with place.open(newline="") as rows:
        header, *kept = csv.reader(rows)
    assert header == ["rejected_line", "rejected_because", "email", "category", "reason"]
    assert [row[0] for row in kept] == ["2", "3", "4", "5"]
    assert "did you mean promotional?" in kept[2][1] and "cannot be refused" in kept[3][1]
    assert not [cell for row in kept for cell in row if cell.startswith(("=", "+", "-", "@"))]
    mended = place.read_text().replace("promotionel", "promotional")
    place.write_text("\n".join(mended.splitlines()[i] for i in (0, 3)) + "\n")
    assert load(sayso, place).json["new"] == 1
    assert codes(sayso, "ada@example.com") == ["category_opted_out"]


def test_strict_fails_when_a_row_was_rejected_and_so_does_a_list_without_any_good_row(sayso: Sayso, listed: List) -> None:
    file = listed("email", "ada@example.com", "nobody")
    assert load(sayso, file, "--strict").code == 1
    assert load(sayso, file).code == 0
    assert load(sayso, listed("email", "nobody", name="bad.csv")).code == 1


def test_a_dry_run_writes_nothing_not_even_the_rejected_rows(sayso: Sayso, listed: List, tmp_path: Path) -> None:
    done = load(sayso, listed("email", "ada@example.com", "nobody"), "--dry-run")
    assert (done.code, done.json["new"], done.json["rejected"], done.json["rejected_file"]) == (2, 1, 1, None)
    assert not list(tmp_path.glob("*.rejected.csv"))
    assert sayso("verify", "--json").json["entries"] == 0


def test_the_same_person_twice_in_one_list_counts_once(sayso: Sayso, listed: List) -> None:
    file = listed("email", "ada@example.com", "ADA@example.com", "ada@example.com ")
    assert load(sayso, file, "--dry-run").json["new"] == 1
    done = load(sayso, file).json
    assert (done["new"], done["already_out"]) == (1, 2)


def test_categories_channels_and_brands_narrow_what_is_stopped(sayso: Sayso, listed: List) -> None:
    load(sayso, listed("email,category", "ada@example.com,Offers and news", "ben@example.com,newsletter", "cy@example.com,all"))
    assert codes(sayso, "ada@example.com") == ["category_opted_out"]
    assert codes(sayso, "ada@example.com", "events") == ["allowed_by_regime"]
    assert codes(sayso, "ben@example.com") == ["category_opted_out"]
    assert codes(sayso, "cy@example.com") == ["global_opt_out"]
    load(sayso, listed("email", "dora@example.com", name="brand.csv"), "--brand", "outlet", "--category", "promotional")
    assert codes(sayso, "dora@example.com", brand="outlet") == ["category_opted_out"]
    assert codes(sayso, "dora@example.com", brand="main") == ["allowed_by_regime"]
    load(sayso, listed("phone;channel", "+12065550100;SMS", "(206) 555-0101;", name="phones.csv"), "--country", "US")
    assert "global_opt_out" in codes(sayso, "+12065550100", channel="sms")
    assert "global_opt_out" not in codes(sayso, "+12065550100", channel="voice")
    assert "global_opt_out" in codes(sayso, "+1 206 555 0101", channel="voice")


def test_contacts_and_their_addresses_are_stopped_together(sayso: Sayso, listed: List) -> None:
    done = load(sayso, listed("contact_id,email,phone", "c-1,ada@example.com,+12065550100", "c-2,,"))
    assert done.json["new"] == 2
    assert codes(sayso, "ada@example.com") == ["global_opt_out"]
    assert "global_opt_out" in codes(sayso, "+12065550100", channel="sms")
    assert load(sayso, listed("contact_id,email,phone", "c-1,ada@example.com,+12065550100", "c-2,,")).json["already_out"] == 2


@pytest.mark.feature("F2")
def test_a_dated_row_is_answered_by_what_was_said_after_it(sayso: Sayso, listed: List) -> None:
    load(sayso, listed("email,date", "ada@example.com,2026-01-02T10:00:00Z"))
    [reason] = check(sayso, "ada@example.com")["reasons"]
    assert reason["since"] == "2026-01-02T10:00:00Z"
    load(sayso, listed("email,date", "ben@example.com,2026-01-02", name="days.csv"))
    [reason] = check(sayso, "ben@example.com")["reasons"]
    assert reason["since"] == "2026-01-03T11:59:59.999999Z", "the latest moment that day lasted anywhere"


def test_an_unreadable_time_means_now_and_is_said(sayso: Sayso, listed: List) -> None:
    done = load(sayso, listed("email,date,status", "ada@example.com,yesterday,gone fishing"))
    assert done.json["notes"] == {"status not understood, taken as opted out": 1, "time not understood, taken as now": 1}
    assert codes(sayso, "ada@example.com") == ["global_opt_out"]


def test_columns_can_be_named_and_what_means_nothing_is_told(sayso: Sayso, listed: List) -> None:
    file = listed("Adresse mail,Nom,Statut", "ada@example.com,Ada,parti")
    unknown = load(sayso, file)
    assert unknown.code == 2 and "Adresse mail" in unknown.error["what"] and "--column" in unknown.error["fix"]
    done = load(sayso, file, "--column", "email=adresse mail", "--column", "status=3")
    assert (done.code, done.json["new"], done.json["unknown_columns"]) == (0, 1, ["Nom"])
    assert load(sayso, file, "--column", "email=Adress mail").error["what"].endswith("did you mean 'Adresse mail'?")
    assert load(sayso, file, "--column", "nose=1").code == 2
    assert load(sayso, file, "--column", "email").code == 2


def test_a_list_without_a_header_is_recognised_by_its_first_row(sayso: Sayso, listed: List) -> None:
    done = load(sayso, listed("17;ada@example.com;x", "18;ben@example.com;y"))
    assert (done.json["new"], done.json["header"], done.json["delimiter"]) == (2, False, ";")


@pytest.mark.parametrize(
    ("options", "where"),
    [
        (("--channel", "fax"), "--channel"), (("--category", "nothing"), "--category"), (("--country", "XX"), "--country"),
        (("--brand", "b" * 65), "--brand"), (("--category", "order_confirmations"), "--category"),
    ],
)  # fmt: skip
def test_wrong_options_are_refused_before_anything_is_read(sayso: Sayso, listed: List, options: tuple[str, str], where: str) -> None:
    wrong = load(sayso, listed("email", "ada@example.com"), *options)
    assert (wrong.code, wrong.error["where"]) == (2, where)


def test_only_opt_outs_can_be_imported(sayso: Sayso, listed: List) -> None:
    wrong = sayso("import", listed("email", "ada@example.com"), "--json")
    assert wrong.code == 2 and "--opt-outs" in wrong.error["fix"]


def test_for_people_there_is_a_table(sayso: Sayso, listed: List) -> None:
    shown = sayso("import", listed("email,Foo", "ada@example.com,1", "no[red]body,2"), "--opt-outs")
    assert shown.code == 0 and "new opt-outs" in shown.out and "an @-sign" in shown.out and "Foo" in shown.err


def test_a_place_that_cannot_be_written_is_named(sayso: Sayso, listed: List, tmp_path: Path) -> None:
    wrong = load(sayso, listed("email", "nobody"), "--rejected", str(tmp_path / "missing" / "x.csv"))
    assert wrong.code == 1 and "--rejected" in wrong.error["fix"]


@pytest.mark.slow
def test_many_rows_go_in_chunks_and_all_of_them_arrive(sayso: Sayso, listed: List) -> None:
    file = listed("email,reason", *(f"person{n}@example.com,r{n}" for n in range(2_100)), "broken")
    done = load(sayso, file)
    assert (done.json["new"], done.json["rejected"]) == (2_100, 1)
    again = load(sayso, file).json
    assert (again["new"], again["already_out"]) == (0, 2_100)
    assert codes(sayso, "person2099@example.com") == ["global_opt_out"]

"""Settings are read once, wholly checked, and tell what to do when they are wrong."""

import dataclasses
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path

import pytest

from sayso.settings import BRAND_KEYS, BadConfiguration, Settings, describe, listening, read
from sayso.settings_forms import Listener, MailRoute


def settings(folder: Path, env: Mapping[str, str] | None = None, toml: str | None = None, *, root: bool = False) -> Settings:
    if toml is not None:
        (folder / "sayso.toml").write_text(toml, encoding="utf-8")
    return read(env or {}, cwd=folder, root=root)


def problems(folder: Path, env: Mapping[str, str] | None = None, toml: str | None = None) -> str:
    with pytest.raises(BadConfiguration) as refused:
        settings(folder, env, toml)
    assert "\n".join(refused.value.problems) == str(refused.value)
    return str(refused.value)


def test_without_anything_it_runs_on_this_machine_only(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert found.data_dir == tmp_path / "sayso-data"
    assert (found.host, found.port, found.public_url) == ("127.0.0.1", 8400, "http://127.0.0.1:8400")
    assert found.mail_url == MailRoute("folder", folder=tmp_path / "sayso-data" / "mail")
    assert (found.database_url, found.default_country, found.rate_limit, found.webhook_allow) == (None, None, None, ())
    assert found.conflict_window == 10_000_000
    assert found.left_at_demo == ("SAYSO_MAIL_FROM", "SAYSO_COMPANY", "SAYSO_POSTAL_ADDRESS", "SAYSO_PRIVACY_URL")
    assert settings(tmp_path, root=True).data_dir == Path("/var/lib/sayso")


def test_file_then_environment_then_secret_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("smtp://u:p%40ss@mail.example:2525\n")
    toml = 'port = 1\nhost = "::1"\nmail_url = "console:"\nrate_limit = 60\n'
    env = {"SAYSO_PORT": "2", "SAYSO_MAIL_URL": "smtps://mail.example", "SAYSO_MAIL_URL_FILE": str(tmp_path / "secret"), "PATH": "/bin"}
    found = settings(tmp_path, env, toml)
    assert (found.port, found.host, found.rate_limit) == (2, "::1", 60)
    assert found.mail_url == MailRoute("smtp", "mail.example", 2525, "u", "p@ss")
    assert found.origins["port"] == "SAYSO_PORT"
    assert found.origins["host"] == "host in sayso.toml"
    assert found.origins["mail_url"] == "SAYSO_MAIL_URL_FILE"
    assert found.origins["company"] == "default"


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    assert settings(tmp_path, {"SAYSO_PORT": "", "SAYSO_MAIL_URL_FILE": ""}, "port = 9").port == 9


def test_the_file_may_lie_elsewhere_and_paths_in_it_are_meant_from_there(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "my.toml").write_text('data_dir = "../data"\n')
    found = read({"SAYSO_CONFIG": "etc/my.toml"}, cwd=tmp_path, root=False)
    assert found.data_dir.resolve() == tmp_path / "data"
    assert read({}, Path("etc/my.toml"), cwd=tmp_path, root=False).data_dir == found.data_dir
    assert settings(tmp_path, {"SAYSO_DATA_DIR": "d"}).data_dir == tmp_path / "d"
    assert "cannot be read" in problems(tmp_path, {"SAYSO_CONFIG": "absent.toml"})


def test_brands_speak_for_themselves_and_else_as_the_company(tmp_path: Path) -> None:
    toml = 'company = "Northwind"\n[brand.outlet]\ncompany = "Outlet"\nmail_from = "Outlet <hi@outlet.example>"\n'
    found = settings(tmp_path, {}, toml)
    assert (found.brand("outlet").company, found.brand("outlet").mail_from) == ("Outlet", "Outlet <hi@outlet.example>")
    assert found.brand("outlet").postal_address == found.postal_address
    assert found.brand("*").company == found.brand("unknown").company == "Northwind"


def test_every_form_is_read(tmp_path: Path) -> None:
    env = {
        "SAYSO_WEBHOOK_ALLOW": "127.0.0.0/8, ::1",
        "SAYSO_CONFLICT_WINDOW": "2m",
        "SAYSO_DEFAULT_COUNTRY": "de",
        "SAYSO_INBOUND_SMTP": "[::1]:2525",
        "SAYSO_UNSUBSCRIBE_MAILBOX": "u@prefs.example",
        "SAYSO_PUBLIC_URL": "https://prefs.example/base/",
        "SAYSO_DATABASE_URL": "postgresql://ada:secret@db.example/sayso",
    }
    found = settings(tmp_path, env)
    assert found.webhook_allow == (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    assert (found.conflict_window, found.default_country) == (120_000_000, "DE")
    assert (found.inbound_smtp, found.unsubscribe_mailbox) == (Listener("::1", 2525), "u@prefs.example")
    assert (found.public_url, found.database_url) == ("https://prefs.example/base", "postgresql://ada:secret@db.example/sayso")
    assert settings(tmp_path, {}, 'webhook_allow = ["10.0.0.0/8"]').webhook_allow == (ip_network("10.0.0.0/8"),)


@pytest.mark.parametrize("mailbox", ["hi@prefs.example", "Northwind <hi@prefs.example>", '"Küche & Co" <hi@prefs.example>'])
def test_senders_are_kept_as_written(tmp_path: Path, mailbox: str) -> None:
    assert settings(tmp_path, {"SAYSO_MAIL_FROM": mailbox}).mail_from == mailbox


@pytest.mark.parametrize(
    ("url", "route"),
    [
        ("console:", MailRoute("console")),
        ("folder:/srv/mail", MailRoute("folder", folder=Path("/srv/mail"))),
        ("smtp://relay.example", MailRoute("smtp", "relay.example", 25)),
        ("smtp://u:p@relay.example", MailRoute("smtp", "relay.example", 587, "u", "p")),
        ("smtps://u@relay.example/", MailRoute("smtps", "relay.example", 465, "u")),
    ],
)
def test_mail_routes(tmp_path: Path, url: str, route: MailRoute) -> None:
    assert settings(tmp_path, {"SAYSO_MAIL_URL": url}).mail_url == route


@pytest.mark.parametrize(
    ("variable", "value", "teaches"),
    [
        ("PORT", "http", "whole number"),
        ("PORT", "0", "whole number"),
        ("PORT", "70000", "between 1 and 65535"),
        ("HOST", "http://x", "without scheme"),
        ("PUBLIC_URL", "prefs.example", "web address"),
        ("PUBLIC_URL", "https://u:p@prefs.example", "web address"),
        ("PUBLIC_URL", "https://prefs.example/?x", "web address"),
        ("MAIL_URL", "mail.example:25", "smtp://"),
        ("MAIL_URL", "smtp://", "smtp://"),
        ("MAIL_URL", "folder://host/x", "smtp://"),
        ("MAIL_FROM", "Ada", "@-sign"),
        ("MAIL_FROM", "Ada <ada@example.com>\nBcc: x@example.com", "one line"),
        ("UNSUBSCRIBE_MAILBOX", "Ada <ada@example.com>", "not an e-mail address"),
        ("INBOUND_SMTP", "2525", "host:port"),
        ("INBOUND_SMTP", "::1:2525", "host:port"),
        ("WEBHOOK_ALLOW", "localhost", "127.0.0.0/8"),
        ("CONFLICT_WINDOW", "10", "like 10s"),
        ("CONFLICT_WINDOW", "2d", "at most 1d"),
        ("DEFAULT_COUNTRY", "Germany", "ISO 3166"),
        ("DEFAULT_COUNTRY", "UK", "write GB"),
        ("RATE_LIMIT", "-1", "whole number"),
        ("DATABASE_URL", "mysql://x", "postgresql://"),
        ("COMPANY", "a\x00b", "one line"),
        ("POSTAL_ADDRESS", "  ", "not empty"),
    ],
)
def test_a_wrong_value_names_its_setting_and_the_form(tmp_path: Path, variable: str, value: str, teaches: str) -> None:
    told = problems(tmp_path, {f"SAYSO_{variable}": value})
    assert told.startswith(f"SAYSO_{variable}: ")
    assert teaches in told


@pytest.mark.parametrize(
    ("env", "toml", "told"),
    [
        ({"SAYSO_DATABSE_URL": "x"}, None, "SAYSO_DATABSE_URL is not a setting: did you mean SAYSO_DATABASE_URL?"),
        ({"SAYSO_MAILURL_FILE": "x"}, None, "did you mean SAYSO_MAIL_URL_FILE?"),
        ({"SAYSO_ZZZZZZZZZZZ": "x"}, None, "see the settings reference"),
        ({}, "prot = 1", "prot in sayso.toml is not a setting: did you mean port?"),
        ({}, "[brands.outlet]\n", "did you mean brand?"),
        ({}, '[brand.outlet]\ncompayn = "x"\n', "compayn of [brand.outlet] in sayso.toml is not a setting: did you mean company?"),
        ({}, "[brand]\noutlet = 1\n", "write a table"),
        ({}, "brand = 1\n", "write one table a brand"),
        ({}, "port = true", "port in sayso.toml: True is not a whole number"),
        ({}, "port = [", "is not TOML"),
        ({}, "company = 5", "company in sayso.toml: must be one line of text"),
        ({"SAYSO_MAIL_URL_FILE": "/nonexistent/secret"}, None, "SAYSO_MAIL_URL_FILE: /nonexistent/secret cannot be read: No such file"),
    ],
)
def test_what_is_unknown_or_unreadable_is_refused_with_a_hint(tmp_path: Path, env: Mapping[str, str], toml: str | None, told: str) -> None:
    assert told in problems(tmp_path, env, toml)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    told = problems(tmp_path, {"SAYSO_PORT": "x", "SAYSO_HOSTS": "y"}, 'rate_limit = "z"')
    assert len(told.splitlines()) == 3


@pytest.mark.parametrize("url", ["smtp://u:hunter2@", "smtp://u:hunter2", "smtp://u:p:hunter2@h:hunter2", "hunter2"])
def test_an_error_never_repeats_a_password(tmp_path: Path, url: str) -> None:
    assert "hunter2" not in problems(tmp_path, {"SAYSO_MAIL_URL": url})
    assert "hunter2" not in problems(tmp_path, {"SAYSO_DATABASE_URL": url})


def test_the_repr_shows_no_secret(tmp_path: Path) -> None:
    env = {"SAYSO_MAIL_URL": "smtp://u:hunter2@h", "SAYSO_DATABASE_URL": "postgresql://u:hunter2@h/d"}
    assert "hunter2" not in repr(settings(tmp_path, env))


def test_links_follow_the_port_of_the_command_line_unless_they_were_set(tmp_path: Path) -> None:
    moved = listening(settings(tmp_path), host="0.0.0.0", port=9000)
    assert (moved.host, moved.port, moved.public_url) == ("0.0.0.0", 9000, "http://127.0.0.1:9000")
    fixed = listening(settings(tmp_path, {"SAYSO_PUBLIC_URL": "https://prefs.example"}), port=9000)
    assert (fixed.host, fixed.port, fixed.public_url) == ("127.0.0.1", 9000, "https://prefs.example")
    assert settings(tmp_path, {"SAYSO_PORT": "9001"}).public_url == "http://127.0.0.1:9001"


def test_every_setting_is_described_and_every_description_is_a_setting() -> None:
    fields = {field.name for field in dataclasses.fields(Settings)} - {"brands", "origins"}
    assert {one.name for one in describe()} == fields
    assert all(one.default and one.meaning and one.variable == f"SAYSO_{one.name.upper()}" for one in describe())
    assert set(BRAND_KEYS) <= fields
    assert [one.name for one in describe() if one.secret] == ["database_url", "mail_url"]

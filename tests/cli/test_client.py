"""Clients on the command line: what is made can be used, shown and ended."""

import pytest

from operators import Sayso


@pytest.mark.feature("B6")
def test_a_client_is_made_listed_and_revoked(sayso: Sayso) -> None:
    made = sayso("client", "create", "shop", "--scope", "email_preferences", "--scope", "events", "--json")
    assert made.code == 0 and set(made.json) == {"client_id", "client_secret"}
    assert made.json["client_id"].startswith("cl_") and made.json["client_secret"].startswith("sss_")
    [shown] = sayso("client", "list", "--json").json["items"]
    assert shown["name"] == "shop" and shown["scopes"] == ["email_preferences", "events"] and not shown["relay_only"]
    assert made.json["client_secret"] not in sayso("client", "list").out
    ended = sayso("client", "revoke", made.json["client_id"], "--json")
    assert (ended.code, ended.json["changed"]) == (0, True)
    assert sayso("client", "revoke", made.json["client_id"], "--json").json["changed"] is False
    assert sayso("client", "list", "--json").json["items"][0]["revoked_at"]


def test_for_people_the_secret_is_shown_once_with_what_to_do_next(sayso: Sayso) -> None:
    made = sayso("client", "create", "crm", "-s", "events", "--relay-only")
    assert made.code == 0 and "sss_" in made.out and "not shown again" in made.out
    assert sayso("client", "list", "--json").json["items"][0]["relay_only"] is True


def test_mistakes_are_named_with_the_way_out(sayso: Sayso) -> None:
    wrong = sayso("client", "create", "shop", "--scope", "everything", "--json")
    assert wrong.code == 2 and wrong.out == "" and "email_preferences" in wrong.error["what"]
    assert sayso("client", "create", "  ", "--scope", "events", "--json").code == 2
    assert sayso("client", "create", "shop").code == 2
    gone = sayso("client", "revoke", "cl_nobody", "--json")
    assert gone.code == 1 and gone.error["fix"] == "sayso client list"
    assert sayso("client", "revoke", "a\0b", "--json").code == 1
    assert "no clients" in sayso("client", "list").out


def test_without_a_database_the_command_says_so(bare: Sayso, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAYSO_DATABASE_URL", "postgresql://nobody:nothing@127.0.0.1:1/none")
    down = bare("client", "list", "--json")
    assert down.code == 1 and down.error["fix"] == "sayso doctor"


def test_settings_that_cannot_be_used_are_told_all_at_once(bare: Sayso, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAYSO_PORT", "many")
    monkeypatch.setenv("SAYSO_HOSST", "x")
    wrong = bare("client", "list", "--json")
    assert wrong.code == 2 and "SAYSO_PORT" in wrong.error["what"] and "did you mean SAYSO_HOST?" in wrong.error["what"]

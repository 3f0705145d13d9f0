"""An operator who offers more than people read is told so, wherever a catalogue is put in force or looked at (G7)."""

import json
from pathlib import Path

import pytest
from office import Office

from operators import Sayso, bare, sayso
from sayso.rules.catalogue import DEFAULT, MOST_PEOPLE_READ, to_json, warnings_of

__all__ = ["bare", "sayso"]

TOO_MANY = [{"key": f"topic_{n}", "class": "marketing", "title": f"Topic {n}", "sends": "News.", "often": "Weekly"} for n in range(6)]


@pytest.mark.feature("G7")
def test_the_command_line_and_the_doctor_warn(sayso: Sayso, tmp_path: Path) -> None:
    assert len(TOO_MANY) > MOST_PEOPLE_READ and warnings_of(DEFAULT) == ()
    file = tmp_path / "catalogue.json"
    file.write_text(json.dumps({"categories": TOO_MANY}))
    said = sayso("catalogue", "apply", file, "--dry-run", "--json")
    assert said.code == 2 and "people stop reading" in said.json["warnings"][0]
    applied = sayso("catalogue", "apply", file)
    assert applied.code == 0 and "people stop reading" in applied.err
    finding = next(one for one in sayso("doctor", "--json").json["findings"] if one["name"] == "catalogue")
    assert finding["level"] == "warn" and finding["fix"]
    file.write_text(json.dumps({"categories": TOO_MANY[:5]}))
    assert sayso("catalogue", "apply", file, "--json").json["warnings"] == []


@pytest.mark.feature("G7")
async def test_the_api_warns(office: Office) -> None:
    answer = await office.call("PUT", "/api/v2/catalogue", {"categories": TOO_MANY})
    assert answer.status == 200 and "people stop reading" in answer.json["warnings"][0]
    body = {**to_json(DEFAULT), "version": 2}
    assert (await office.call("PUT", "/api/v2/catalogue", body)).json["warnings"] == []

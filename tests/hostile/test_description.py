"""Every door that the description names, tried with what it asks for and with what it forbids, alone and in sequences."""

import asyncio
import json
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from stranger import CLIENT, SECRET, Doors

from shares import Ran, is_soak, patience, share

DOORS = 75
"""About as many as there are."""
EXAMPLES = share("G9 API cases") // DOORS if is_soak() else 2
"""Cases a door in the random part; the systematic part tries some forty a door beside them."""
CHAINS = 5
"""Sequences, in which a door is given what another one answered."""
FEWEST = 2_500
CONFIG = """
warnings = false
continue-on-failure = true
request-timeout = 60.0

[generation]
max-examples = {examples}
deterministic = true
no-shrink = true
database = "none"

[phases.stateful]
max-steps = 8

[phases.stateful.generation]
max-examples = {chains}

# A schema says that an address is a text. That it must be one somebody can write to is said by the answer.
[checks.positive_data_acceptance]
enabled = false

# 207: each item of a batch answers for itself.
[checks.negative_data_rejection]
expected-statuses = ["207", "400", "401", "403", "404", "405", "409", "410", "413", "415", "422"]

# A person is forgotten once every system knows (202, and 404 then); a client that was revoked is still shown, with the time.
[checks.use_after_free]
enabled = false

# A long poll would only wait.
[parameters]
"query.wait" = 0

[[operations]]
include-path-regex = "^/oauth/"
headers = {{ Authorization = "Basic {basic}" }}
"""


async def schemathesis(doors: Doors, place: Path) -> Any:
    """The report of a run that found nothing; every file it writes lies in `place`."""
    basic = b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
    (place / "schemathesis.toml").write_text(CONFIG.format(examples=EXAMPLES, chains=CHAINS, basic=basic))
    run = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"), "run", f"{doors.base}/openapi.json", "--no-color",
        "-H", f"Authorization: Bearer {await doors.token()}", "--report-json-path", str(place / "report.json"),
        cwd=place, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said = (await run.communicate())[0].decode()
    finally:
        if run.returncode is None:
            run.kill()
            await run.wait()
    assert run.returncode == 0, said[-20_000:]
    return json.loads((place / "report.json").read_text())


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.timeout(patience(600))
async def test_no_door_of_the_description_answers_otherwise_than_it_says(doors: Doors, tmp_path: Path, ran: Ran) -> None:
    for contact in ("c-1001", "a/b"):
        said = {"email": f"{contact[:1]}@example.com", "email_pref_promotional": "opted_out"}
        answer = await doors.call("POST", f"/api/v2/contacts/{contact.replace('/', '%2F')}/email_preferences", said)
        assert answer.status == 200
    await doors.seal()
    assert (await doors.call("GET", "/openapi.json")).status == 200  # made once: whoever reads it first waits for that
    report = await schemathesis(doors, tmp_path)
    assert report["operations"]["tested"] == report["operations"]["total"] and not report["errors"]
    assert all(phase["status"] == "success" for phase in report["phases"].values())
    assert report["test_cases"]["generated"] >= FEWEST
    ran("G9 API cases", report["test_cases"]["generated"])
    still = await doors.call("GET", "/api/v2/clients")
    assert still.status == 200, "the stranger's token ended on the way, so what came behind proves nothing"
    await whole(doors)


async def whole(doors: Doors) -> None:
    """Fails unless everything that was let in can be read again."""
    await doors.seal()
    after, seen = "", 0
    while True:
        page = await doors.call("GET", f"/api/v2/changes?limit=500{after}")
        assert page.status == 200
        if not page.json["items"]:
            break
        seen += len(page.json["items"])
        after = f"&after={page.json['next']}"
    assert seen
    for path in (
        "/api/v2/segments/opt_outs?format=csv",
        "/api/v2/catalogue",
        "/api/v2/connections",
        "/api/v2/webhooks",
        "/metrics",
        "/readyz",
    ):
        assert (await doors.call("GET", path)).status == 200, path

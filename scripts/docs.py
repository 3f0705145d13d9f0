"""Writes the reference pages that are made from the code: settings, errors, endpoints. `--check` only says which are out of date."""

import json
import sys
from pathlib import Path

from sayso.settings import describe
from sayso.web.docs import EXPLAINED
from sayso.web.errors import CODES

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"
OPENAPI = REFERENCE.parent / "openapi.json"
NOT_YET = ("mail_url", "mail_from", "company", "postal_address", "privacy_url", "unsubscribe_mailbox", "inbound_smtp")
"""Settings that nothing uses in this version."""
MADE = "This page is written by `scripts/docs.py` from the code; a test compares.\n"


def settings_page() -> str:
    """The page of all settings."""
    rows = "\n".join(
        f"| `{one.variable}` | `{one.name}` | {_cell(one.default)} | {_cell(one.meaning)}{' (secret)' if one.secret else ''} |"
        for one in describe()
    )
    return f"""# Settings

{MADE}
Settings are read once, at start, from three places. Later ones win:

1. `sayso.toml` in the working folder, or the file that `SAYSO_CONFIG` names;
2. environment variables `SAYSO_…`;
3. files named by `SAYSO_…_FILE`: the value is the file's content. Use it for secrets.

An empty variable counts as not set. Unknown names are refused with a suggestion, and all problems are told at once.
`sayso config show --origin` says where each value comes from.

| environment | sayso.toml | default | meaning |
|---|---|---|---|
{rows}

Version 0.1 sends and receives no mail, and has no pages for recipients: {", ".join(f"`{name}`" for name in NOT_YET)} are read and
checked, and used by nothing but the demonstration's console.

Durations are written like `10s`, `5m`, `1h`. A path in `sayso.toml` is meant from the folder of the file, one in the environment
from the working folder. Changing a setting takes a restart.

## Brands
Mails and pages of a brand say what its table says, and what the company says where the table is silent:
```toml
company = "Northwind Outfitters"

[brand.outlet]
company = "Northwind Outlet"
mail_from = "Northwind Outlet <outlet@northwind.example>"
postal_address = "2 Harbour Way, Example City"
privacy_url = "https://northwind.example/outlet/privacy"
```
The defaults of `company`, `mail_from`, `postal_address` and `privacy_url` are for demonstrations; the start names those that are left.
"""


def errors_page() -> str:
    """The page of all error codes."""
    parts = [
        f"## {code}\n**{status} {title}.** {EXPLAINED[code].meaning}\n\n"
        f"- *What to do:* {EXPLAINED[code].mend}\n- *Send it again?* {EXPLAINED[code].again}\n"
        for code, (status, title) in CODES.items()
    ]
    return f"""# Errors

{MADE}
Every refusal is `application/problem+json` (RFC 9457) with the members `type`, `title`, `status`, `detail`, `code` and `request_id`.
Programs read `code`; `detail` is for people and may change. `type` is the address of a page about the code, served by the hub under
`/docs/errors/<code>`. Some codes add members: `errors` (what is wrong, where), `rule` (which rule refuses), `current` (the state
as it is). The OAuth endpoints answer in the form of RFC 6749 instead: `error` and `error_description`.

Send `X-Request-Id` to find your own request in the log; it comes back as `request_id`.

{chr(10).join(parts)}"""


def endpoints_page() -> str:
    """The page of all endpoints, from the checked-in OpenAPI document; empty when there is none."""
    if not OPENAPI.exists():
        return ""
    paths = json.loads(OPENAPI.read_text(encoding="utf-8"))["paths"]
    rows = "\n".join(
        f"| `{method.upper()} {path}` | {_scopes(operation)} | {_cell(_says(operation))} |"
        for path, methods in sorted(paths.items())
        for method, operation in sorted(methods.items())
    )
    return f"""# Endpoints

{MADE}
`/openapi.json` of a running hub has every field with examples; this is the list. A token needs one of the scopes named; doors
without a scope are public, or prove themselves in their own way (client secret, vendor signature).

| endpoint | scope | what it does |
|---|---|---|
{rows}
"""


def _scopes(operation: dict[str, object]) -> str:
    security = operation.get("security")
    named = {scope for one in security if isinstance(one, dict) for scopes in one.values() for scope in scopes} if security else set()
    return ", ".join(f"`{scope}`" for scope in sorted(named)) or "none"


def _says(operation: dict[str, object]) -> str:
    summary, description = (str(operation.get(name) or "").split("\n\n", 1)[0].replace("\n", " ") for name in ("summary", "description"))
    if not description or description == f"{summary}.":
        return summary
    return f"{summary}{'' if summary.endswith('?') else '.'} {description}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PAGES = {"settings.md": settings_page, "errors.md": errors_page, "endpoints.md": endpoints_page}


def main(only_check: bool) -> int:
    """Writes what differs, or with `--check` names it; 1 if anything differs then."""
    stale = []
    for name, write in PAGES.items():
        place, text = REFERENCE / name, write()
        if text and (not place.exists() or place.read_text(encoding="utf-8") != text):
            stale.append(name)
            if not only_check:
                place.write_text(text, encoding="utf-8")
    print("\n".join(stale) or "all pages are current")
    return int(only_check and bool(stale))


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))

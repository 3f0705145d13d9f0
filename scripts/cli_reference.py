"""Writes the reference of the command line, docs/reference/cli.md, from the commands themselves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperArgument, TyperGroup

from sayso.cli import app

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "cli.md"

HEAD = """# The command line

Made from the commands themselves; a test holds it current. Commands work on the same data folder while the hub runs: they use its
database and leave it running. One that finds no embedded server running starts it, and stops it at its end.

**Output.** Results go to stdout, everything else (logs, progress, warnings, errors) to stderr. Every command has `--json`. Long work shows a
bar on a terminal, and one JSON line every five seconds otherwise. Errors say what is wrong, where, and how to mend it; with `--json` as
`{"error": {"what": …, "where": …, "fix": …}}`.

**Exit codes.** 0: done, and sound. 1: failed, or something is unsound. 2: used wrongly, or (`--dry-run`) changes are pending. 130: interrupted.

**Settings** come from `sayso.toml`, the environment (`SAYSO_…`) and `SAYSO_…_FILE`; see `sayso config show`.
"""
MORE = {
    "sayso import": """
**What is read.** UTF-8 (with or without a mark at its start), UTF-16, else Latin-1, which is said. Fields stand apart by comma, semicolon, tab or
`|`; headers in any case and order. Who: `email`, `phone`, `contact_id`, or `address`. What: `channel`, `category`, `business_unit`, `reason`,
`country`, a time (`occurred_at`, `date`, `unsubscribed_at`, …), and what says whether a person is out (`status`, `opt_out`, `subscribed`, …);
headers of well-known tools are known too. Columns that mean nothing here are named and left out. A file without a header is read where
its first row holds an address. Archives and workbooks are refused.

**How it is read.** Every row is an opt-out, and what is left open is read the restrictive way:

| the row | is read as |
|---|---|
| says itself that the person is *not* out (`status` subscribed, `opt_out` empty or no, `subscribed` yes) | rejected; never an opt-in |
| has a status nobody understands | an opt-out, and said so |
| names no channel | everything its address serves: `email`; `sms` and `voice` for a phone; all channels for a contact id alone |
| names no category | all categories of the channel |
| has no time, or one that cannot be read | now |
| has a day without a clock, or a time without a zone | the latest moment it can mean anywhere on earth |
| `03/04/2026` | the later one of the two days it can be |
| has an unknown or transactional category, no address, more fields than columns, a quote that is never closed, a line beyond 1 MiB | rejected |

Rejected rows are never dropped: they are shown, counted, and written with line and reason to `FILE.rejected.csv` (safe to open in a spreadsheet,
readable for its owner only). Mend them there and import that file. The exit code is 0 when some rows were rejected, 1 with `--strict`, and 1
when all were. A `--dry-run` writes nothing, not even that file.

Imported opt-outs are relayed words of the source `import`: an opt-in that is later than the row's time still stands. Doing the same import again
leaves nothing more in the ledger. A list without times that is imported again counts as said again now for whoever came back meanwhile.
""",
    "sayso doctor": """
Looks at settings, port, disk, keys, database, clock, schema, pepper, worker, ledger, anchor and every connection. Each line is `ok`, `warn` or
`fail`, with the command that mends it. Nothing is changed.
""",
    "sayso verify": """
Reads the whole ledger twice in bounded memory. `first_bad` names the earliest entry that is not what was signed.
""",
    "sayso connection add": """
`--set` may be given several times; the same key again makes a list. `KEY=@FILE` reads the value from a file, so that secrets stay out of the
shell's history. A value that begins with `{` or `[` is JSON: `--set 'groups={"promotional": 101}'`.
""",
    "sayso lift complaint": """
A complaint is a block and an opt-out of all e-mail. This ends the block; the opt-out stands until the person takes it back.
""",
}


def reference() -> str:
    """The whole page."""
    root = typer.main.get_command(app)
    context = typer.Context(root, info_name="sayso")
    return "\n".join([HEAD, *_pages(root, context)]).rstrip() + "\n"


def _pages(command: Any, context: typer.Context) -> Iterator[str]:
    if isinstance(command, TyperGroup):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from _pages(child, typer.Context(child, info_name=name, parent=context))
        return
    path = context.command_path
    arguments = [one for one in command.params if isinstance(one, TyperArgument)]
    yield f"## {path}\n\n```\n{' '.join([path, *((one.metavar or str(one.name)).upper() for one in arguments), '[OPTIONS]'])}\n```\n"
    yield f"{(command.help or '').strip()}\n"
    rows = [_row(one) for one in command.params if not getattr(one, "hidden", False)]
    yield "| argument or option | meaning |\n|---|---|\n" + "\n".join(rows) + "\n"
    if path in MORE:
        yield MORE[path].strip() + "\n"


def _row(param: Any) -> str:
    is_argument = isinstance(param, TyperArgument)
    name = (param.metavar or str(param.name)).upper() if is_argument else ", ".join(param.opts)
    needed = "" if is_argument or not param.required else " Required."
    return f"| `{name}` | {' '.join((param.help or '').split()).replace('|', chr(92) + '|')}{needed} |"


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")

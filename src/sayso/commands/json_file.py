"""JSON files that operators hand in: at most a mebibyte, read whole, refused with the way to a good one."""

import json
from pathlib import Path
from typing import Any, Final

from sayso.commands.frame import Failed

LARGEST: Final = 1 << 20


def read_json(file: Path, *, sample: str) -> Any:
    """What a file says; `sample` is the command that writes one of the right form. Raises Failed, and OSError."""
    with file.open("rb") as source:
        raw = source.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise Failed("the file has more than 1 MiB", where=str(file), fix=sample)
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Failed(f"not JSON: {error}", where=str(file), fix=sample) from error

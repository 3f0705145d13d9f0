"""Writes docs/openapi.json from a hub with every door, on an embedded database of its own that is removed again."""

import asyncio
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from starlette.types import Message

from sayso.app import web_app
from sayso.opening import opened
from sayso.settings import read
from sayso.store import embedded

PLACE = Path(__file__).resolve().parents[1] / "docs" / "openapi.json"


def as_text(document: Any) -> str:
    """The document as it is checked in."""
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


async def document_of(data_dir: Path) -> Any:
    """What a hub with this data folder answers to GET /openapi.json."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/openapi.json", "raw_path": b"/openapi.json", "query_string": b"", "headers": []}
    async with opened(read({"SAYSO_DATA_DIR": str(data_dir)}, cwd=data_dir)) as parts:
        await web_app(parts)({**scope, "http_version": "1.1", "scheme": "http", "server": None, "client": None}, receive, send)
    return json.loads(b"".join(message.get("body", b"") for message in sent))


def main() -> None:
    """Writes the file."""
    place = Path(tempfile.mkdtemp(prefix="sayso-openapi-"))
    place.chmod(0o711)  # as root the embedded server runs as another user
    os.chdir(place)
    try:
        PLACE.write_text(as_text(asyncio.run(document_of(place))), encoding="utf-8")
        asyncio.run(embedded.stop(place))
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()

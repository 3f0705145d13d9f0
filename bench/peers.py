"""What the hub is measured beside: a raw echo of the same bytes, and the usual home-made way (bench/homemade.py).

`python -m bench.peers echo PORT BYTES`, `… usual PORT DSN` and `… lean PORT DSN` serve until they are ended.
"""

import sys
from typing import Any

import uvicorn

from bench import homemade

OPTIONS = {"host": "127.0.0.1", "log_level": "error", "access_log": False, "http": "httptools", "loop": "uvloop", "lifespan": "off"}


def echo(size: int) -> Any:
    """Reads the request, answers as many bytes as the hub does. The least that any ASGI app on uvicorn can do."""
    body = b"x" * size
    headers = [(b"content-type", b"application/json"), (b"content-length", str(size).encode())]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


if __name__ == "__main__":
    kind, port, given = sys.argv[1:]
    made = {"echo": lambda: echo(int(given)), "usual": lambda: homemade.usual(given), "lean": lambda: homemade.lean(given)}[kind]()
    uvicorn.run(made, port=int(port), **OPTIONS)  # type: ignore[arg-type]  # one mapping for three options

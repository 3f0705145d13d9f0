"""Receives deliveries and believes only those that are signed (Standard Webhooks 1.0.0), with nothing but the standard library.

SAYSO_WEBHOOK_SECRET=whsec_… python examples/receive_webhook.py 9000
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE = 300
"""Seconds by which the time of an attempt may differ from ours."""
LARGEST = 1_000_000
SEEN: set[bytes] = set()
"""A real receiver keeps them where its data is, in the transaction of what it does."""


def is_genuine(secret: str, headers: dict[str, str], body: bytes, now: float) -> bool:
    """Whether the delivery was signed with our secret, lately. Several signatures: one of them must fit (a secret is being replaced)."""
    sent_at = headers.get("webhook-timestamp", "")
    if not sent_at.isascii() or not sent_at.isdigit() or abs(now - int(sent_at)) > TOLERANCE:
        return False
    content = f"{headers.get('webhook-id', '')}.{sent_at}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given)


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to what is genuine, 401 to everything else."""

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("content-length", 0)), LARGEST))
        headers = {name.lower(): value for name, value in self.headers.items()}
        genuine = is_genuine(os.environ["SAYSO_WEBHOOK_SECRET"], headers, body, time.time())
        mark = hashlib.sha256(headers.get("webhook-id", "").encode()).digest()
        if genuine and mark not in SEEN:  # a delivery may come twice: act once
            SEEN.add(mark)
            print(json.dumps(json.loads(body)), flush=True)
        self.send_response(204 if genuine else 401)
        self.end_headers()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print(f"listening on http://127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
    server.serve_forever()

"""Asks before sending, with nothing but the standard library. Exit code 0: send. 1: do not, and why. Whatever goes wrong is a 1.

SAYSO_URL=http://127.0.0.1:8400 SAYSO_CLIENT_ID=cl_… SAYSO_CLIENT_SECRET=sss_… python examples/check_before_send.py ada@example.com promotional
The client needs the scope send_checks.
"""

import base64
import json
import os
import sys
import urllib.error
import urllib.request
from typing import Any

SECONDS = 5


def call(path: str, body: bytes, headers: dict[str, str]) -> Any:
    """The JSON that the hub answers. Raises OSError and ValueError."""
    request = urllib.request.Request(os.environ["SAYSO_URL"] + path, body, headers)  # noqa: S310 - the operator's own address
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - as above
        return json.load(answer)


def access_token() -> str:
    """A token, good for an hour: keep it and use it for many checks."""
    secret = f"{os.environ['SAYSO_CLIENT_ID']}:{os.environ['SAYSO_CLIENT_SECRET']}"
    headers = {"Authorization": "Basic " + base64.b64encode(secret.encode()).decode()}
    return str(call("/oauth/token", b"grant_type=client_credentials", headers)["access_token"])


def may_send(address: str, category: str, token: str) -> tuple[bool, str]:
    """Whether the message may go out, and the reasons in sentences. Only a clear yes is a yes."""
    asked = {"address": address, "channel": "email", "category": category}
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    answer = call("/api/v2/send_checks", json.dumps(asked).encode(), headers)
    return answer["allowed"] is True, " ".join(reason["detail"] for reason in answer["reasons"])


def main() -> int:
    """Prints the answer."""
    try:
        allowed, why = may_send(sys.argv[1], sys.argv[2], access_token())
    except (OSError, ValueError, KeyError) as failed:
        allowed, why = False, f"Nobody could be asked ({failed}), so nothing may be sent."
    print("send" if allowed else "do not send", "-", why)
    return 0 if allowed else 1


if __name__ == "__main__":
    sys.exit(main())

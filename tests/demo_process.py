"""The demo as people start it: a process of its own on a free port, with a data folder that is removed afterwards."""

import contextlib
import http.client
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from database import apart, reachable_folder
from sayso.store import embedded

PEOPLE = 120
PATIENCE = 90


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass(slots=True)
class Demo:
    """One data folder, and the process that runs on it."""

    home: Path
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[str] | None" = None
    said: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, *more: str) -> list[str]:
        return [sys.executable, "-m", "sayso.demo", "--port", str(self.port), "--people", str(PEOPLE), *more]

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SAYSO_")}
        return {**kept, "SAYSO_DATA_DIR": str(self.home)}

    def start(self, *more: str) -> str:
        """Starts it and waits until it says that it is ready; what it said."""
        errors = (self.home / "errors.txt").open("a")
        with errors:
            self.process = subprocess.Popen(self.command(*more), env=self.environment(), stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self.process.stdout is not None
        watchdog = threading.Timer(PATIENCE, self.process.kill)
        watchdog.start()
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith("Start over"):
                break
        watchdog.cancel()
        self.said = "".join(lines)
        assert "Sayso is ready" in self.said, (self.home / "errors.txt").read_text()
        return self.said

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ends the process; its exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        code = self.process.wait(60)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return code

    @property
    def token(self) -> str:
        found = re.search(r"token\s+(sst_\S+)", self.said)
        assert found is not None
        return found[1]

    def curls(self) -> list[str]:
        """The commands it printed, each as it would be pasted."""
        return re.findall(r"^curl .*?[^\\]$", self.said, re.MULTILINE | re.DOTALL)

    def get(self, path: str) -> Any:
        answer = asked("GET", self.url + path, {"Authorization": f"Bearer {self.token}"})
        assert answer.status == 200, answer.body
        return json.loads(answer.body)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def asked(method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
    """One request, no redirect followed."""
    host, _, path = url.removeprefix("http://").partition("/")
    line = http.client.HTTPConnection(host, timeout=60)
    with contextlib.closing(line):
        line.request(method, f"/{path}", body, dict(headers or {}))
        answer = line.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())


def pasted(command: str) -> Any:
    """What a printed command answers: by curl itself, or where there is none by what its words mean."""
    if shutil.which("curl"):
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout)
    words = shlex.split(command.replace("\\\n", " "))
    headers = dict(words[n + 1].split(": ", 1) for n, word in enumerate(words) if word == "-H")
    body = next((words[n + 1].encode() for n, word in enumerate(words) if word == "-d"), None)
    url = next(word for word in words if word.startswith("http"))
    return json.loads(asked("POST" if body else "GET", url, headers, body).body)


def until(check: Callable[[], object], what: str) -> None:
    """Waits for a condition."""
    ends = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < ends, f"waited in vain for {what}"
        time.sleep(0.1)


@contextlib.contextmanager
def demo() -> Iterator[Demo]:
    """A demo on a fresh folder, not started yet; whatever runs at the end is ended."""
    home = reachable_folder()
    here = Demo(home)
    try:
        yield here
    finally:
        if here.process is not None:
            here.stop(signal.SIGKILL)
        if (home / "demo").exists():
            apart(embedded.stop(home / "demo"))
        shutil.rmtree(home, ignore_errors=True)

"""A small OpenAI-compatible server on the loopback, with the faults real ones have.

It answers sums, right with a chance that depends on the question alone (`chance`), so what is
sampled can be held against exact rates.
"""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def chance(prompt: str) -> float:
    """Exact rate of a right answer to a sum."""
    sums = re.findall(r"(\d+) \+ (\d+)", prompt)
    return 0.1 + 0.8 * ((7 * int(sums[-1][0]) + int(sums[-1][1])) % 10) / 9 if sums else 0.5


@dataclass
class Server:
    """What the server does, and what it was asked."""

    ignores_n: bool = False
    most: int = 10_000  # choices in one answer, the rest silently left out
    refuses_n: bool = False  # HTTP 400 for more than one choice
    honours_seed: bool = True
    copies: bool = False  # the choices of one answer are the same
    frozen: bool = False  # one answer to a prompt, always
    failures: int = 0  # answers to break off with HTTP 500, first
    none_first: bool = False  # the first choice has no text
    die_after: int = 10**9  # requests, then HTTP 500 for good
    url: str = ""
    payloads: list[dict[str, Any]] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)

    @property
    def requests(self) -> int:
        return len(self.payloads)

    @property
    def prompt_words(self) -> int:
        return sum(len(str(p.get("prompt") or p["messages"]).split()) for p in self.payloads)

    def answer(self, payload: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with self.lock:
            self.payloads.append(payload)
            if self.failures > 0 or self.requests > self.die_after:
                self.failures -= 1
                return 500, {"error": "broken"}
        n = int(payload.get("n", 1))
        if self.refuses_n and n > 1:
            return 400, {"error": "n must be 1"}
        n = 1 if self.ignores_n else min(n, self.most)
        prompts = payload.get("prompt") or [payload["messages"][-1]["content"]]
        choices = []
        for prompt in [prompts] if isinstance(prompts, str) else prompts:
            source = random.Random(f"{prompt} {payload['seed']}" if self.honours_seed else None)
            if self.frozen:
                source = random.Random(prompt)
            texts = [self.text(prompt, source) for _ in range(n)]
            choices += texts[:1] * n if self.copies else texts
        return 200, {"choices": [self.choice(*pair, payload) for pair in enumerate(choices)]}

    def text(self, prompt: str, source: random.Random) -> str:
        sums = re.findall(r"(\d+) \+ (\d+)", prompt)
        if not sums:
            return " ".join(str(source.randrange(10**6)) for _ in range(4))
        right = sum(map(int, sums[-1]))
        if source.random() >= chance(prompt):
            right += source.randrange(1, 4)
        return f" The answer is {right}."

    def choice(self, index: int, text: str, payload: dict[str, Any]) -> dict[str, Any]:
        given = None if self.none_first and index == 0 else text
        if "messages" in payload:
            return {"index": index, "message": {"content": given}}
        return {"index": index, "text": given}


@contextmanager
def serving(**faults: Any) -> Iterator[Server]:
    """A server with these faults, while the block runs."""
    about = Server(**faults)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = about.answer(payload)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    about.url = f"http://127.0.0.1:{server.server_address[1]}/v1/completions"
    try:
        yield about
    finally:
        server.shutdown()
        server.server_close()

"""A host that knows its installations from notices alone, and is not always there."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REFUSED, STALLED, BROKEN = 0.1, 0.01, 0.02
STALL_SECONDS = 5.0


@dataclass(frozen=True)
class Seen:
    """One notice, as it arrived."""

    kind: str
    user_id: str
    link_id: str
    phase: str
    generation: int
    sequence: int


class NoticeHost:
    """Serves `forward_url` in threads. What it refuses it has not seen; what stalls it has."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.seen: list[Seen] = []
        self.happened: Counter[str] = Counter()
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                host._answer(self, self.rfile.read(int(self.headers["content-length"])))

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks"

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        with self._lock:
            chance = self._random.random()
            conduct = self._conduct(chance)
            if conduct != "refused":
                self._note(json.loads(body))
            self.happened[f"notice {conduct}"] += 1
        if conduct == "stalled":
            time.sleep(STALL_SECONDS)
        if conduct == "broken":
            # It was seen, and the sender does not know.
            request.close_connection = True
            return
        request.send_response(503 if conduct == "refused" else 200)
        request.send_header("content-length", "0")
        request.end_headers()

    @staticmethod
    def _conduct(chance: float) -> str:
        for name, share in (("refused", REFUSED), ("stalled", STALLED), ("broken", BROKEN)):
            if chance < share:
                return name
            chance -= share
        return "heard"

    def _note(self, content: dict[str, Any]) -> None:
        about = content["data"].get("installation")
        if about is None:
            return
        self.seen.append(
            Seen(
                content["type"],
                about["zoom"]["user_id"],
                about["id"],
                about["phase"],
                about["generation"],
                about["sequence"],
            )
        )

    def view(self) -> dict[str, tuple[str, str]]:
        """Installation and phase of each user, by the last notice that arrived."""
        last = {one.user_id: one for one in self.seen}
        return {
            user: (one.link_id, one.phase) for user, one in last.items() if one.phase != "ended"
        }

    def problems(self) -> list[str]:
        """Where the order of arrival is not the order of the facts."""
        problems = []
        last: dict[str, Seen] = {}
        for one in self.seen:
            before = last.get(one.user_id)
            if before is not None:
                if one.sequence < before.sequence:
                    problems.append(f"{one.user_id}: {before.sequence} before {one.sequence}")
                rose = one.sequence - before.sequence
                if rose > 1:
                    self.happened["notices skipped as stale"] += rose - 1
                ends = one.kind == "installation.removed" and rose > 0
                if one.generation != before.generation + ends:
                    problems.append(f"{one.user_id}: generation of {one.sequence}")
            last[one.user_id] = one
        return problems

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

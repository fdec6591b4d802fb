"""What every bench shares: a server pinned to one core, a load generator on another, ratios.

Figures of one run are comparable with each other and with nothing else: the same target moves
by a factor of two between quiet and busy hours. So every bench measures the ceiling in the same
run, in alternating rounds, and gives medians. Beside the throughput stands the server's own CPU
time for a request, which a slow generator or a busy neighbour cannot spoil.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import psutil  # type: ignore[import-untyped]  # It ships none, and four calls need none.
import uvloop

CONNECTIONS = 64
SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SERVER_CORE, LOAD_CORE = 0, 1

_servers: set[int] = set()


@dataclass(frozen=True, slots=True)
class Round:
    """One round of load: answers by status, seconds, CPU seconds of the server, latencies."""

    statuses: Counter[int]
    seconds: float
    cpu_seconds: float
    p99: float

    @property
    def count(self) -> int:
        """Answers."""
        return self.statuses.total()


@dataclass(slots=True)
class Target:
    """Something to be measured.

    Attributes:
        name: as it stands in the table.
        port: where it listens.
        pid: whose CPU time, children included, is counted.
        requests: gives the raw requests of a round; each connection takes the next one in turn.
        expected: the only status that an answer may have.
        beside: what goes on while it is loaded, and only then.
    """

    name: str
    port: int
    pid: int
    requests: Callable[[], Sequence[bytes]]
    expected: int
    rounds: list[Round] = field(default_factory=list)
    beside: Callable[[], AbstractContextManager[None]] = nullcontext

    @property
    def per_second(self) -> float:
        """Median over the rounds."""
        return statistics.median(one.count / one.seconds for one in self.rounds)

    @property
    def cpu_micros(self) -> float:
        """Median CPU time of the server for one request, in microseconds."""
        return statistics.median(one.cpu_seconds / one.count * 1e6 for one in self.rounds)

    @property
    def p99(self) -> float:
        """Median of the rounds' 99th percentiles, in milliseconds."""
        return statistics.median(one.p99 * 1000 for one in self.rounds)


def request(
    method: str, path: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b""
) -> bytes:
    """One raw HTTP/1.1 request on a connection that stays open."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", *(f"{n}: {v}" for n, v in headers)]
    if body or method == "POST":
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class _Connection(asyncio.Protocol):
    """Sends a request, waits for its answer, sends the next."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._buffer = b""
        self._sent = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast and no check: uvloop's transports are of no class of asyncio's.
        self.transport = cast("asyncio.Transport", transport)
        self._next()

    def _next(self) -> None:
        request_bytes = self._load.take()
        if request_bytes is None or self.transport is None:
            return
        self._sent = time.perf_counter()
        self.transport.write(request_bytes)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        if self._buffer.lower().find(b"transfer-encoding: chunked", 0, head) > 0:
            if self._buffer.endswith(b"0\r\n\r\n"):
                self._done()
            return
        at = self._buffer.lower().find(b"content-length:", 0, head)
        length = 0 if at < 0 else int(self._buffer[at + 15 : self._buffer.index(b"\r\n", at)])
        if len(self._buffer) < head + 4 + length:
            return
        self._done()

    def _done(self) -> None:
        self._load.answered(int(self._buffer[9:12]), time.perf_counter() - self._sent)
        self._buffer = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._load.lost += self._load.running


class _Load:
    def __init__(self, requests: Sequence[bytes], until: float) -> None:
        self._requests = requests
        self._index = 0
        self.until = until
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []
        self.running = True
        self.lost = 0

    def take(self) -> bytes | None:
        if time.perf_counter() >= self.until:
            return None
        one = self._requests[self._index % len(self._requests)]
        self._index += 1
        return one

    def answered(self, status: int, latency: float) -> None:
        self.statuses[status] += 1
        self.latencies.append(latency)


async def generate(port: int, requests: Sequence[bytes], seconds: float, connections: int) -> _Load:
    """Send the requests in turn over so many connections for so long."""
    load = _Load(requests, time.perf_counter() + seconds)
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: _Connection(load), "127.0.0.1", port)
        for _ in range(connections)
    ]
    # Databases share the generator's core, and go first.
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    awake = loop.create_task(_stay_awake())
    await asyncio.sleep(max(0.0, load.until - time.perf_counter()) + 0.05)
    awake.cancel()
    load.running = False
    for transport, _ in opened:
        transport.close()
    return load


async def _stay_awake() -> None:
    """Never let the generator sleep: waking it would be counted as the server's own time.

    It costs a sender a sixth of a request here, and most where the generator waits most, so that
    the quicker of two targets would look quicker than it is.
    """
    while True:  # noqa: ASYNC110 - Not to wait is the point.
        await asyncio.sleep(0)


def cpu_seconds(pid: int) -> float:
    """CPU time that a process and its children have used."""
    process = psutil.Process(pid)
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        times = one.cpu_times()
        total += times.user + times.system
    return total


def run_round(target: Target, *, seconds: float = SECONDS, connections: int = CONNECTIONS) -> Round:
    """Load a target once. An answer with another status, or a lost connection, ends the bench."""
    requests = target.requests()
    with _alone(target.pid), target.beside():
        before, began = cpu_seconds(target.pid), time.perf_counter()
        load = uvloop.run(generate(target.port, requests, seconds, connections))
        elapsed = time.perf_counter() - began
    wrong = {status: n for status, n in load.statuses.items() if status != target.expected}
    if wrong or load.lost or not load.statuses:
        raise SystemExit(f"{target.name}: answers {wrong or 'none'}, {load.lost} connections lost")
    latencies = sorted(load.latencies)
    return Round(
        load.statuses,
        elapsed,
        cpu_seconds(target.pid) - before,
        latencies[int(len(latencies) * 0.99)],
    )


@contextmanager
def _alone(pid: int) -> Iterator[None]:
    """Let all other servers stand still: what they do at rest would be seen in the latencies."""
    others = _servers - {pid}
    for other in others:
        os.kill(other, signal.SIGSTOP)
    try:
        yield
    finally:
        for other in others:
            os.kill(other, signal.SIGCONT)


def measure(targets: Sequence[Target], *, rounds: int = ROUNDS) -> None:
    """Alternate over the targets, so that a busy minute hits all of them alike."""
    os.sched_setaffinity(0, {LOAD_CORE} & os.sched_getaffinity(0) or os.sched_getaffinity(0))
    for target in targets:
        run_round(target, seconds=1.0)
    for number in range(rounds):
        for target in targets:
            print(f"\r  round {number + 1} of {rounds}: {target.name:<48}", end="", flush=True)
            target.rounds.append(run_round(target))
    print("\r" + " " * 72 + "\r", end="")


def table(targets: Sequence[Target], ceiling: Target, goals: dict[str, float]) -> str:
    """The figures as a Markdown table, each beside the ceiling of the same run."""
    names = ("path", "a second", "of the ceiling", "CPU µs each", "times as cheap as the ceiling")
    lines = [
        f"| {' | '.join((*names, 'p99 ms', 'goal'))} |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for one in targets:
        goal = goals.get(one.name)
        lines.append(
            f"| {one.name} | {one.per_second:,.0f} | {one.per_second / ceiling.per_second:.2f} "
            f"| {one.cpu_micros:.1f} | {ceiling.cpu_micros / one.cpu_micros:.2f} "
            f"| {one.p99:.1f} | {'' if goal is None else f'≥ {goal:.2f}'} |"
        )
    return "\n".join(lines)


def comparison(targets: Sequence[Target], pairs: Sequence[tuple[str, str, float]]) -> str:
    """How many times as much one target does as another one, as a Markdown table.

    Args:
        targets: all that were measured; a pair of which one is missing is left out.
        pairs: ours, a peer, and the goal.
    """
    known = {one.name: one for one in targets}
    lines = ["| ours | against | by throughput | by CPU time | goal |", "|---|---|--:|--:|--:|"]
    for ours, peer, goal in pairs:
        if ours in known and peer in known:
            one, other = known[ours], known[peer]
            lines.append(
                f"| {ours} | {peer} | {one.per_second / other.per_second:.1f} "
                f"| {other.cpu_micros / one.cpu_micros:.1f} | ≥ {goal:.1f} |"
            )
    return "\n".join(lines)


def free_port() -> int:
    """A port that is free at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(
    command: Sequence[str], port: int, *, log: Path | None = None, wait: float = 30
) -> Iterator[int]:
    """Run a server on the server's core until the block ends; gives its process id."""
    output = (log or Path(tempfile.gettempdir()) / f"bench-{port}.log").open("wb")
    process = subprocess.Popen(command, stdout=output, stderr=output)
    # Before it has any thread: those that it starts later stay on the same core.
    os.sched_setaffinity(process.pid, {SERVER_CORE})
    try:
        _until_listening(process, port, wait)
        _servers.add(process.pid)
        yield process.pid
    finally:
        _servers.discard(process.pid)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        output.close()


def _until_listening(process: subprocess.Popen[bytes], port: int, wait: float) -> None:
    deadline = time.monotonic() + wait
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"a server ended at its start: {process.args!r}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"a server did not start: {process.args!r}")


def uvicorn_command(application: str, port: int) -> list[str]:
    """The same server for everybody: uvicorn with httptools and uvloop, without a log."""
    return [
        *(sys.executable, "-m", "uvicorn", application, "--port", str(port)),
        *("--http", "httptools", "--loop", "uvloop", "--ws", "none", "--lifespan", "off"),
        *("--no-access-log", "--log-level", "error", "--app-dir", str(Path(__file__).parent)),
    ]


def flush_millis(folder: Path) -> float:
    """How long this disk takes to flush 4 kB: durable figures stand beside it."""
    block = os.urandom(4096)
    taken = []
    with (folder / "flush").open("wb", buffering=0) as file:
        for _ in range(50):
            began = time.perf_counter()
            file.write(block)
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


def machine() -> str:
    """One line that says where the figures come from."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        "unknown processor",
    )
    python = sys.version.split()[0]
    return f"{time.strftime('%Y-%m-%d')}, {model}, {os.cpu_count()} cores, Python {python}"

"""Shared limits over a real Redis: `python -m tests.bench.shared_limits [PROCESSES] [TASKS] [free|binding|tokens|faults]`.

Every process calls an in-memory transport that answers in the next turn of the loop. Four measurements:

- the limit does not bind: calls per CPU second of many processes against one, with Redis, with each process's own
  memory, and with plain providers that have no limits, scripts per call, swaps lost;
- the limit binds: the most requests in any 60 s, how much of the limit is used, how even the flow is, each process's
  share. One process is 3 ms further away from Redis. The vendor is the union of what the processes sent;
- a limit of tokens binds, and calls use half, twice, or between half and twice of what is estimated; each takes 0.3 s;
- faults, under a limit that binds: CLIENT PAUSE, a stopped process, a flushed Redis, a Redis that restarts empty, a
  killed process; after each, the seconds until the flow is at least 90 % of the limit again.

It needs redis-server on the path. tests/shell/store/test_shared_limits.py holds smaller measurements to their bounds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from pydantic import SecretStr
from redis import Redis
from redis.exceptions import RedisError

from tests.bench.jobs import MemoryResponse, MemoryTransport
from tests.core.resilience.simulation.shared_limit import count_most_requests, count_most_tokens
from victor_fp.core.requests import HttpRequest
from victor_fp.core.resilience.pool import Borrow, Lent
from victor_fp.core.resilience.rate_limit import Limits
from victor_fp.core.types import Message
from victor_fp.core.usage.token_estimates import estimate_tokens
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.factory import ManagedProviderFactory
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.store.memory import MemoryStore
from victor_fp.shell.store.redis import RedisStore
from victor_fp.shell.store.shared import Swapped

ROOT = Path(__file__).parents[2]
SECONDS, BINDING_SECONDS, FAULT_SECONDS = 8.0, 80.0, 15.0
UNLIMITED = 10**8
PER_MINUTE = 6000
TOKENS_PER_MINUTE, ESTIMATE, LATENCY = 600_000, 100, 0.3
USES = ((0.5, 0.5), (2.0, 2.0), (0.5, 2.0))
"""Least and most that a call uses, in parts of its estimate."""
FURTHER = 0.003
FULL = 0.9
"""Part of the limit that is in use when the flow counts as full."""
MEMORY = "memory"
"""In place of the URL: limits of each process's own."""
PLAIN = "plain"
"""In place of the URL: plain providers, without limits."""
MESSAGES = [Message(role="user", content="Tell me about the quick brown fox.")]
ENTRY = struct.Struct("=dq")
"""A request in the log of a process: Unix time, and the tokens that it used."""


class Work(msgspec.Struct, frozen=True):
    """What one process does."""

    url: str
    per_minute: int
    tasks: int
    seconds: float
    further: float
    """Seconds that its way to Redis takes longer."""
    log: str
    out: str
    use: tuple[float, float] | None = None
    """Least and most tokens of a call, in parts of its estimate, if tokens are limited; otherwise requests are."""


class Found(msgspec.Struct, frozen=True):
    """What one process writes down at its end."""

    cpu: float
    faults: dict[str, int]
    swaps: int
    lost: int


class Measured:
    """What the vendor saw, and what the processes found. A process that was killed has written down nothing."""

    def __init__(
        self, start: float, seconds: float, sent: list[list[tuple[float, int]]], found: list[Found], scripts: int
    ) -> None:
        self.start = start
        self.seconds = seconds
        self.found = found
        self.scripts = scripts
        """Scripts that Redis ran."""
        self.tokens = sorted(entry for one in sent for entry in one)
        """Time of every request at the vendor, and the tokens that it used."""
        self.counts = [len(one) for one in sent]
        """Requests of each process."""

    @cached_property
    def requests(self) -> list[float]:
        """When requests reached the vendor."""
        return [moment for moment, _ in self.tokens]

    @property
    def calls_per_cpu_second(self) -> float:
        """Of all processes together."""
        return len(self.requests) / sum(one.cpu for one in self.found)

    @property
    def swaps(self) -> int:
        """Swaps of all processes that should change a value."""
        return sum(one.swaps for one in self.found)

    @property
    def lost(self) -> int:
        """Swaps that found another value than expected."""
        return sum(one.lost for one in self.found)

    @property
    def faults(self) -> Counter[str]:
        """Faults that callers received, by name."""
        return sum((Counter(one.faults) for one in self.found), Counter[str]())

    @property
    def shares(self) -> list[float]:
        """Requests of each process, relative to an equal share."""
        return [count * len(self.counts) / len(self.requests) for count in self.counts]

    def count(self, begin: float, end: float) -> int:
        """Requests from `begin` until before `end`, both in seconds after the start."""
        return bisect_left(self.requests, self.start + end) - bisect_left(self.requests, self.start + begin)

    def compute_used(self, per_minute: int) -> float:
        """The part of a limit of requests that was used, the start included."""
        return self.count(0.0, self.seconds) / (per_minute * self.seconds / 60)

    def count_by_second(self, after: float) -> list[int]:
        """Requests in each second that begins at least so many seconds after the start, the last seconds aside."""
        return [self.count(after + s, after + s + 1) for s in range(int(self.seconds - after))]

    def find_recovery(self, begin: float, end: float, per_minute: int) -> float | None:
        """Seconds after `begin` until two full seconds follow each other after the flow fell short; 0 if it never did.

        None if they do not before `end`.
        """
        full = FULL * per_minute / 60
        steps = [begin + step / 4 for step in range(int((end - begin - 2) * 4) + 1)]
        fell = next((at for at in steps if self.count(at, at + 1) < full), None)
        if fell is None:
            return 0.0
        back = (at for at in steps if at > fell and min(self.count(at, at + 1), self.count(at + 1, at + 2)) >= full)
        return next((at - begin for at in back), None)


class MeteredResponse(MemoryResponse):
    """An answer that used so many tokens."""

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens

    async def read(self, limit: int) -> bytes:
        """The answer."""
        answer = json.loads(await super().read(limit))
        answer["usage"] = {"prompt_tokens": 0, "completion_tokens": self._tokens, "total_tokens": self._tokens}
        return json.dumps(answer).encode()


class LoggingTransport(MemoryTransport):
    """Logs requests when they come, in a file that is kept after a process is killed. Metered ones are answered after LATENCY."""

    def __init__(self, log: str, use: tuple[float, float] | None) -> None:
        super().__init__()
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._use = use

    async def open(self, request: HttpRequest, secret: SecretStr | None, timeout: float | None) -> MemoryResponse:
        """The answer."""
        tokens = round(ESTIMATE * random.uniform(*self._use)) if self._use else 0
        os.write(self._log, ENTRY.pack(time.time(), tokens))
        if not self._use:
            return await super().open(request, secret, timeout)
        await asyncio.sleep(LATENCY)
        return MeteredResponse(tokens)

    async def aclose(self) -> None:
        """Close the log."""
        os.close(self._log)


async def work(given: Work) -> None:
    """One process: calls until its time is over, and writes down what came of it."""
    async with await ManagedProviderFactory.create(
        "openai", "gpt-4o", "key", transport=MemoryTransport()
    ) as first:  # what is imported at the first call is not measured
        await first.chat(MESSAGES)
    store = MemoryStore() if given.url in (MEMORY, PLAIN) else RedisStore(given.url)
    swaps = lost = 0
    if isinstance(store, RedisStore):
        lend, swap = store.lend, store.swap

        async def lend_from_afar(name: str, borrow: Borrow) -> Lent | None:
            await asyncio.sleep(given.further)
            return await lend(name, borrow)

        async def count_swaps(name: str, expected: bytes, wanted: bytes) -> Swapped | None:
            nonlocal swaps, lost
            swapped = await swap(name, expected, wanted)
            if expected != wanted:  # otherwise it reads
                swaps += 1
                lost += swapped is not None and not swapped.done
            return swapped

        store.swap = count_swaps  # type: ignore[method-assign]  # counted
        if given.further:
            store.lend = lend_from_afar  # type: ignore[method-assign]  # the distance is simulated
    requests, budget = (None, given.per_minute) if given.use else (given.per_minute, None)
    limits = Limits(requests_per_minute=requests, tokens_per_minute=budget, concurrency=10_000, adopt="never")
    transport = LoggingTransport(given.log, given.use)
    provider: BaseProvider
    if given.url == PLAIN:
        provider = ProviderRegistry.create("openai", api_key="key", transport=transport)
    else:
        provider = await ManagedProviderFactory.create(
            "openai", "gpt-4o", "key", transport=transport, store=store, rate_limits=limits
        )
    options: dict[str, Any] = {"max_tokens": ESTIMATE - estimate_tokens(MESSAGES, max_tokens=0)} if given.use else {}
    faults = Counter[str]()
    print("ready", flush=True)
    start = float(sys.stdin.readline())
    await asyncio.sleep(max(0.0, start - time.time()))
    ends = start + given.seconds
    began = resource.getrusage(resource.RUSAGE_SELF)

    async def call_until_end() -> None:
        while time.time() < ends:
            result = await provider.chat_result(MESSAGES, model="gpt-4o", **options)
            if result.value_or(None) is None:
                faults[type(result.failure()).__name__] += 1

    await asyncio.gather(*(call_until_end() for _ in range(given.tasks)))
    ended = resource.getrusage(resource.RUSAGE_SELF)
    cpu = ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
    await provider.close()
    await store.aclose()
    Path(given.out).write_bytes(msgspec.json.encode(Found(cpu=cpu, faults=faults, swaps=swaps, lost=lost)))


class RedisServer:
    """A server of its own, in memory only."""

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            sys.exit("redis-server is not installed (Debian package redis-server)")
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        self._command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.url = f"redis://127.0.0.1:{port}/0"
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        with self.connect() as client:
            while True:
                try:
                    client.ping()
                    return process
                except RedisError:
                    time.sleep(0.02)

    def connect(self) -> Redis:
        """A client."""
        return Redis.from_url(self.url)

    def replace(self) -> None:
        """Kill it, and start an empty one in its place."""
        self.stop()
        self._process = self._start()

    def stop(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def count_scripts(self) -> int:
        """Scripts that it has run."""
        with self.connect() as client:
            stats = client.info("commandstats")
        return sum(stats[name]["calls"] for name in ("cmdstat_evalsha", "cmdstat_eval") if name in stats)


@contextlib.contextmanager
def run_redis() -> Iterator[RedisServer]:
    """A server until the end of the block."""
    server = RedisServer()
    try:
        yield server
    finally:
        server.stop()


class Round:
    """Some processes that call at the same time."""

    def __init__(
        self,
        url: str,
        processes: int,
        tasks: int,
        per_minute: int,
        seconds: float,
        use: tuple[float, float] | None = None,
    ) -> None:
        self.seconds = seconds
        self._folder = tempfile.TemporaryDirectory()
        self._logs = [Path(self._folder.name) / f"{index}.log" for index in range(processes)]
        self._outs = [log.with_suffix(".json") for log in self._logs]
        self.processes = [
            self._start(Work(url, per_minute, tasks, seconds, FURTHER if index == 1 else 0.0, str(log), str(out), use))
            for index, (log, out) in enumerate(zip(self._logs, self._outs, strict=True))
        ]
        for process in self.processes:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise RuntimeError("a process did not start")
        self.start = time.time() + 1.0
        for process in self.processes:
            if process.stdin is not None:
                process.stdin.write(f"{self.start}\n")
                process.stdin.flush()

    def _start(self, given: Work) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.bench.shared_limits", "worker", msgspec.json.encode(given).decode()]
        path = f"{ROOT}{os.pathsep}{ROOT / 'generated'}"
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_until(self, after: float) -> None:
        """Sleep until so many seconds after the start."""
        time.sleep(max(0.0, self.start + after - time.time()))

    def finish(self, scripts: Callable[[], int] = lambda: 0) -> Measured:
        """Wait for the processes; RuntimeError if one failed. `scripts` is asked after the last one has ended."""
        for process in self.processes:
            process.communicate()
            if process.returncode not in (0, -signal.SIGKILL):
                raise RuntimeError("a process failed")
        sent = [list(map(_read_entry, ENTRY.iter_unpack(log.read_bytes()))) for log in self._logs]
        found = [msgspec.json.decode(out.read_bytes(), type=Found) for out in self._outs if out.exists()]
        self._folder.cleanup()
        return Measured(self.start, self.seconds, sent, found, scripts())


def _read_entry(entry: tuple[Any, ...]) -> tuple[float, int]:
    moment, tokens = entry
    return moment, tokens


def measure_free(where: str, processes: int, tasks: int, seconds: float = SECONDS) -> Measured:
    """The limit does not bind. `where` is MEMORY, PLAIN, or anything else for Redis."""
    with run_redis() as server:
        url = where if where in (MEMORY, PLAIN) else server.url
        return Round(url, processes, tasks, UNLIMITED, seconds).finish(server.count_scripts)


def measure_binding(processes: int, tasks: int, seconds: float = BINDING_SECONDS) -> Measured:
    """A limit of PER_MINUTE requests binds."""
    with run_redis() as server:
        return Round(server.url, processes, tasks, PER_MINUTE, seconds).finish(server.count_scripts)


def measure_tokens(processes: int, tasks: int, use: tuple[float, float], seconds: float = BINDING_SECONDS) -> Measured:
    """A limit of TOKENS_PER_MINUTE binds."""
    with run_redis() as server:
        return Round(server.url, processes, tasks, TOKENS_PER_MINUTE, seconds, use).finish(server.count_scripts)


def interrupt_redis(server: RedisServer, running: Round) -> None:
    """Redis does not respond for 2 s."""
    with server.connect() as client:
        client.execute_command("CLIENT", "PAUSE", "2000")


def stop_first(server: RedisServer, running: Round) -> None:
    """A process stands still for 4 s."""
    os.kill(running.processes[0].pid, signal.SIGSTOP)
    time.sleep(4)
    os.kill(running.processes[0].pid, signal.SIGCONT)


def flush_redis(server: RedisServer, running: Round) -> None:
    """Redis forgets everything, and keeps its connections."""
    with server.connect() as client:
        client.flushall()


def replace_redis(server: RedisServer, running: Round) -> None:
    """Redis forgets everything, and its connections are cut."""
    server.replace()


def kill_last(server: RedisServer, running: Round) -> None:
    """A process ends without a word."""
    running.processes[-1].kill()


FAULTS: dict[str, Callable[[RedisServer, Round], None]] = {
    "CLIENT PAUSE 2 s": interrupt_redis,
    "SIGSTOP 4 s": stop_first,
    "Redis flushed": flush_redis,
    "Redis restarted empty": replace_redis,
    "kill -9": kill_last,
}


def measure_faults(
    processes: int, tasks: int, between: float = FAULT_SECONDS
) -> tuple[Measured, dict[str, tuple[float, float]]]:
    """FAULTS, one after the other; for each, when it began and when the next one did, in seconds after the start."""
    moments: list[float] = []
    with run_redis() as server:
        running = Round(server.url, processes, tasks, PER_MINUTE, (len(FAULTS) + 1) * between)
        for number, cause in enumerate(FAULTS.values(), 1):
            running.wait_until(number * between)
            moments.append(time.time() - running.start)
            cause(server, running)
        measured = running.finish()
    return measured, dict(zip(FAULTS, pairwise([*moments, measured.seconds]), strict=True))


def print_free(processes: int, tasks: int) -> None:
    """Measure and print."""
    for where in (PLAIN, MEMORY, "Redis"):
        rates: dict[int, float] = {}
        for count in (1, processes):
            found = measure_free(where, count, tasks)
            calls, rates[count] = len(found.requests), found.calls_per_cpu_second
            print(
                f"{count} x {tasks}, not binding, {where}: {calls / SECONDS:.0f} calls/s, {rates[count]:.0f} calls per CPU "
                f"second, {found.scripts / calls:.4f} scripts per call, swaps lost {found.lost} of {found.swaps}, "
                f"faults {dict(found.faults)}",
                flush=True,
            )
        print(f"{where}: calls per CPU second, {processes} to 1: {rates[processes] / rates[1]:.2f}", flush=True)


def print_binding(processes: int, tasks: int) -> None:
    """Measure and print."""
    found = measure_binding(processes, tasks)
    by_second = found.count_by_second(5)
    print(
        f"{processes} x {tasks}, {PER_MINUTE} per minute: most in 60 s {count_most_requests(found.requests, 60)}, used "
        f"{found.compute_used(PER_MINUTE):.3f}, per second {min(by_second)} to {max(by_second)}, least and most of a "
        f"process {min(found.shares):.2f} and {max(found.shares):.2f} of its share, 3 ms further "
        f"{found.shares[min(1, processes - 1)]:.2f}, {found.scripts / found.seconds:.0f} scripts/s, "
        f"faults {dict(found.faults)}",
        flush=True,
    )


def print_tokens(processes: int, tasks: int) -> None:
    """Measure and print."""
    for use in USES:
        found = measure_tokens(processes, tasks, use)
        most = count_most_tokens(found.tokens, 60)
        ends = found.start + found.seconds

        def compute_part(
            begin: float, end: float, entries: list[tuple[float, int]] = found.tokens, ends: float = ends
        ) -> float:
            """The part of the limit that was used between these seconds before the end."""
            total = sum(tokens for moment, tokens in entries if ends - begin <= moment < ends - end)
            return total / TOKENS_PER_MINUTE / (begin - end) * 60

        flow = [compute_part(s + 5, s) for s in range(0, 60, 5)]
        print(
            f"{processes} x {tasks}, {TOKENS_PER_MINUTE} tokens per minute, {use[0]} to {use[1]} of the estimate used: "
            f"most in 60 s {most / TOKENS_PER_MINUTE:.4f}, used in the last 60 s {compute_part(60, 0):.3f}, per 5 s "
            f"{min(flow):.2f} to {max(flow):.2f}, least and most of a process {min(found.shares):.2f} and "
            f"{max(found.shares):.2f} of its share, faults {dict(found.faults)}",
            flush=True,
        )


def print_faults(processes: int, tasks: int) -> None:
    """Measure and print."""
    found, moments = measure_faults(processes, tasks)
    for name, (begin, end) in moments.items():
        back = found.find_recovery(begin, end, PER_MINUTE)
        print(f"{name}: the full limit in use again after {back} s", flush=True)
    print(f"most in 60 s {count_most_requests(found.requests, 60)}, faults {dict(found.faults)}", flush=True)


def main() -> None:
    """Measure and print."""
    processes, tasks = [*map(int, sys.argv[1:3]), *(16, 50)[len(sys.argv[1:3]) :]]
    parts = {"free": print_free, "binding": print_binding, "tokens": print_tokens, "faults": print_faults}
    for name in sys.argv[3:] or parts:
        parts[name](processes, tasks)


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        asyncio.run(work(msgspec.json.decode(sys.argv[2], type=Work)))
    else:
        main()

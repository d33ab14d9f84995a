"""Shared limits over a real Redis: `python -m tests.bench.shared_limits [PROCESSES] [TASKS] [free|binding|tokens|faults]`.

Every process calls an in-memory transport that answers in the next turn of the loop. Four measurements:

- the limit does not bind: calls per CPU second of many processes against one, with Redis, with each process's own
  memory, and with plain providers that have no limits, scripts per call, swaps lost;
- the limit binds: the most requests in any 60 s, how much of the limit is used, how even the flow is, each process's
  share. One process is 3 ms further away from Redis. The vendor is the union of what the processes sent;
- a limit of tokens binds, and calls use half, twice, or between half and twice of what is estimated; each takes 0.3 s;
- faults, under a limit that binds: CLIENT PAUSE, a stopped process, an empty Redis, a killed process; after each, the
  seconds until a second's flow is at least 90 % of the limit again.

It needs redis-server on the path.
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
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from redis import Redis
from redis.exceptions import RedisError

from tests.bench.jobs import MemoryResponse, MemoryTransport
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
from victor_fp.shell.store.shared import UNKNOWN, Swapped

SECONDS, BINDING_SECONDS, FAULT_SECONDS = 8.0, 80.0, 15.0
PER_MINUTE = 6000
TOKENS_PER_MINUTE, ESTIMATE, LATENCY = 600_000, 100, 0.3
USES = ((0.5, 0.5), (2.0, 2.0), (0.5, 2.0))
"""Least and most that a call uses, in parts of its estimate."""
FURTHER = 0.003
MEMORY = "memory"
"""In place of the URL: limits of each process's own."""
PLAIN = "plain"
"""In place of the URL: plain providers, without limits."""
MESSAGES = [Message(role="user", content="Tell me about the quick brown fox.")]


class MeteredResponse(MemoryResponse):
    """An answer that used so many tokens."""

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens

    async def read(self, limit: int) -> bytes:
        """The answer."""
        answer = json.loads(await super().read(limit))
        answer["usage"] = {"prompt_tokens": 0, "completion_tokens": self._tokens, "total_tokens": self._tokens}
        return json.dumps(answer).encode()


class MeteredTransport(MemoryTransport):
    """Answers after LATENCY, and keeps when requests came and the tokens that each used."""

    def __init__(self, least: float, most: float) -> None:
        super().__init__(LATENCY)
        self.used: list[tuple[float, int]] = []
        self._range = (least, most)

    async def open(self, request: HttpRequest, secret: SecretStr | None, timeout: float | None) -> MemoryResponse:
        """The answer."""
        tokens = round(ESTIMATE * random.uniform(*self._range))
        self.used.append((time.time(), tokens))
        await asyncio.sleep(LATENCY)
        return MeteredResponse(tokens)


async def work(
    url: str, per_minute: int, tasks: int, seconds: float, further: float, out: str, least: float, most: float
) -> None:
    """One process: calls until its time is over, and writes down what came of it. `most` is 0 if requests are limited."""
    metered = MeteredTransport(least, most)
    async with await ManagedProviderFactory.create(
        "openai", "gpt-4o", "key", transport=MemoryTransport()
    ) as first:  # what is imported at the first call is not measured
        await first.chat(MESSAGES)
    store = MemoryStore() if url in (MEMORY, PLAIN) else RedisStore(url)
    swaps = lost = 0
    if isinstance(store, RedisStore):
        lend, swap = store.lend, store.swap

        async def lend_from_afar(name: str, borrow: Borrow) -> Lent | None:
            await asyncio.sleep(further)
            return await lend(name, borrow)

        async def count_swaps(name: str, expected: bytes, wanted: bytes) -> Swapped | None:
            nonlocal swaps, lost
            swapped = await swap(name, expected, wanted)
            swaps += 1
            lost += swapped is not None and not swapped.done and expected != UNKNOWN
            return swapped

        store.swap = count_swaps  # type: ignore[method-assign]  # counted
        if further:
            store.lend = lend_from_afar  # type: ignore[method-assign]  # the distance is simulated
    requests, budget = (None, per_minute) if most else (per_minute, None)
    limits = Limits(requests_per_minute=requests, tokens_per_minute=budget, concurrency=10_000, adopt="never")
    transport = metered if most else MemoryTransport()
    provider: BaseProvider
    if url == PLAIN:
        provider = ProviderRegistry.create("openai", api_key="key", transport=transport)
    else:
        provider = await ManagedProviderFactory.create(
            "openai", "gpt-4o", "key", transport=transport, store=store, rate_limits=limits
        )
    options: dict[str, Any] = {"max_tokens": ESTIMATE - estimate_tokens(MESSAGES, max_tokens=0)} if most else {}
    sent: list[float] = []
    faults: dict[str, int] = {}
    print("ready", flush=True)
    start = float(sys.stdin.readline())
    await asyncio.sleep(max(0.0, start - time.time()))
    ends = start + seconds
    began = resource.getrusage(resource.RUSAGE_SELF)

    async def calls() -> None:
        while time.time() < ends:
            result = await provider.chat_result(MESSAGES, model="gpt-4o", **options)
            if result.value_or(None) is not None:
                sent.append(time.time())
            else:
                name = type(result.failure()).__name__
                faults[name] = faults.get(name, 0) + 1

    await asyncio.gather(*(calls() for _ in range(tasks)))
    ended = resource.getrusage(resource.RUSAGE_SELF)
    cpu = ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
    await provider.close()
    await store.aclose()
    found = {"cpu": cpu, "sent": sent, "faults": faults, "swaps": swaps, "lost": lost, "used": metered.used}
    Path(out).write_text(json.dumps(found), encoding="utf-8")


@contextlib.contextmanager
def run_redis() -> Iterator[str]:
    """A server of its own, in memory only."""
    program = shutil.which("redis-server")
    if program is None:
        sys.exit("redis-server is not installed (Debian package redis-server)")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    try:
        with Redis.from_url(url) as client:
            while True:
                try:
                    client.ping()
                    break
                except RedisError:
                    time.sleep(0.02)
        yield url
    finally:
        process.kill()
        process.wait()


class Round:
    """Some processes that call at the same time."""

    def __init__(
        self,
        url: str,
        processes: int,
        tasks: int,
        per_minute: int,
        seconds: float,
        use: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._outs = [Path(self._folder.name) / f"{index}.json" for index in range(processes)]
        self.processes = [
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.bench.shared_limits", "worker", url),
                    *map(str, (per_minute, tasks, seconds, FURTHER if index == 1 else 0.0, out, *use)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for index, out in enumerate(self._outs)
        ]
        for process in self.processes:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                sys.exit("a process did not start")
        self.start = time.time() + 1.0
        for process in self.processes:
            if process.stdin is not None:
                process.stdin.write(f"{self.start}\n")
                process.stdin.flush()

    def finish(self) -> list[dict[str, Any]]:
        """What each process wrote down; nothing of one that was killed."""
        for process in self.processes:
            process.wait()
        found = [json.loads(out.read_text(encoding="utf-8")) for out in self._outs if out.exists()]
        self._folder.cleanup()
        return found


def count_scripts(url: str) -> int:
    """Scripts that Redis has run."""
    with Redis.from_url(url) as client:
        stats = client.info("commandstats")
    return sum(stats[name]["calls"] for name in ("cmdstat_evalsha", "cmdstat_eval") if name in stats)


def most_in(sent: list[float], seconds: float) -> int:
    """The most requests in any time so long."""
    return max((bisect_right(sent, moment + seconds) - index for index, moment in enumerate(sent)), default=0)


def measure_free(processes: int, tasks: int) -> None:
    """The limit does not bind."""
    for where in (PLAIN, MEMORY, "Redis"):
        rates: dict[int, float] = {}
        for count in (1, processes):
            with run_redis() as url:
                found = Round(url if where == "Redis" else where, count, tasks, 10**8, SECONDS).finish()
                scripts = count_scripts(url)
            calls, cpu = sum(len(one["sent"]) for one in found), sum(one["cpu"] for one in found)
            rates[count] = calls / cpu
            print(
                f"{count} x {tasks}, not binding, {where}: {calls / SECONDS:.0f} calls/s, {calls / cpu:.0f} calls per CPU "
                f"second, {scripts / calls:.4f} scripts per call, swaps lost {sum(one['lost'] for one in found)} of "
                f"{sum(one['swaps'] for one in found)}, faults {[one['faults'] for one in found if one['faults']]}",
                flush=True,
            )
        print(f"{where}: calls per CPU second, {processes} to 1: {rates[processes] / rates[1]:.2f}", flush=True)


def measure_binding(processes: int, tasks: int) -> None:
    """The limit binds."""
    with run_redis() as url:
        running = Round(url, processes, tasks, PER_MINUTE, BINDING_SECONDS)
        start, found = running.start, running.finish()
        scripts = count_scripts(url)
    sent = sorted(moment for one in found for moment in one["sent"])
    counts = [len(one["sent"]) for one in found]
    fair = len(sent) / processes
    by_second = [bisect_right(sent, sent[0] + s + 1) - bisect_right(sent, sent[0] + s) for s in range(5, 75)]
    print(
        f"{processes} x {tasks}, {PER_MINUTE} per minute: most in 60 s {most_in(sent, 60)}, used "
        f"{sum(moment < start + BINDING_SECONDS for moment in sent) / (PER_MINUTE * BINDING_SECONDS / 60):.3f}, per second {min(by_second)} to {max(by_second)}, least and "
        f"most of a process {min(counts) / fair:.2f} and {max(counts) / fair:.2f} of its share, 3 ms further "
        f"{counts[min(1, processes - 1)] / fair:.2f}, {scripts / BINDING_SECONDS:.0f} scripts/s, "
        f"faults {[one['faults'] for one in found if one['faults']]}",
        flush=True,
    )


def measure_tokens(processes: int, tasks: int) -> None:
    """A limit of tokens binds."""
    for use in USES:
        with run_redis() as url:
            running = Round(url, processes, tasks, TOKENS_PER_MINUTE, BINDING_SECONDS, use)
            start, found = running.start, running.finish()
        used = sorted((moment, tokens) for one in found for moment, tokens in one["used"])
        most = max(
            sum(tokens for _, tokens in used[bisect_left(used, (moment, 0)) : bisect_left(used, (moment + 60, 0))])
            for moment in {round(moment, 1) for moment, _ in used}
        )
        ends = start + BINDING_SECONDS
        total = sum(tokens for moment, tokens in used if ends - 60 <= moment < ends)
        flow = [
            sum(tokens for moment, tokens in used if ends - s - 5 <= moment < ends - s) / TOKENS_PER_MINUTE * 12
            for s in range(0, 60, 5)
        ]
        counts = [len(one["used"]) for one in found]
        fair = sum(counts) / processes
        print(
            f"{processes} x {tasks}, {TOKENS_PER_MINUTE} tokens per minute, {use[0]} to {use[1]} of the estimate used: "
            f"most in 60 s {most / TOKENS_PER_MINUTE:.4f}, used in the last 60 s {total / TOKENS_PER_MINUTE:.3f}, per 5 s "
            f"{min(flow):.2f} to {max(flow):.2f}, least and most of a process {min(counts) / fair:.2f} and "
            f"{max(counts) / fair:.2f} of its share, faults {[one['faults'] for one in found if one['faults']]}",
            flush=True,
        )


def measure_faults(processes: int, tasks: int) -> None:
    """What can happen, one after the other."""
    with run_redis() as url, Redis.from_url(url) as client:
        running = Round(url, processes, tasks, PER_MINUTE, 5 * FAULT_SECONDS)
        moments: dict[str, float] = {}

        def wait_for(number: int) -> None:
            time.sleep(max(0.0, running.start + number * FAULT_SECONDS - time.time()))

        wait_for(1)
        client.execute_command("CLIENT", "PAUSE", "2000")
        moments["CLIENT PAUSE 2 s"] = time.time()
        wait_for(2)
        os.kill(running.processes[0].pid, signal.SIGSTOP)
        moments["SIGSTOP 4 s"] = time.time()
        time.sleep(4)
        os.kill(running.processes[0].pid, signal.SIGCONT)
        wait_for(3)
        client.flushall()
        moments["empty Redis"] = time.time()
        wait_for(4)
        killed = running.processes[-1]
        killed.kill()
        moments["kill -9"] = time.time()
        found = running.finish()
    sent = sorted(moment for one in found for moment in one["sent"])
    for name, moment in moments.items():
        back = next(
            (
                after / 4
                for after in range(int(FAULT_SECONDS * 4))
                if all(
                    bisect_right(sent, moment + after / 4 + s + 1) - bisect_right(sent, moment + after / 4 + s)
                    >= 0.9 * PER_MINUTE / 61.6
                    for s in (0, 1)
                )
            ),
            None,
        )
        print(f"{name}: the full limit in use again after {back} s", flush=True)
    # What the killed process sent is not in the count.
    print(f"most in 60 s {most_in(sent, 60)}, faults {[one['faults'] for one in found if one['faults']]}", flush=True)


def main() -> None:
    """Measure and print."""
    processes, tasks = [*map(int, sys.argv[1:3]), *(16, 50)[len(sys.argv[1:3]) :]]
    parts = {"free": measure_free, "binding": measure_binding, "tokens": measure_tokens, "faults": measure_faults}
    for name in sys.argv[3:] or parts:
        parts[name](processes, tasks)


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        _, _, url, per_minute, tasks, seconds, further, out, least, most = sys.argv
        use = float(least), float(most)
        asyncio.run(work(url, int(per_minute), int(tasks), float(seconds), float(further), out, *use))
    else:
        main()

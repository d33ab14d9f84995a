"""A vendor on loopback in a process of its own, which counts its requests: `python -m tests.ray_jobs.vendor CALLS SECONDS`.

It prints its URL. Every request is a line in the CALLS file before it is answered: a `Call`. An `Order` in the file that
`name_orders` names is taken with the next request.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any, Literal

import msgspec

from tests import openai_shapes as shapes
from tests.loopback import Received, Talk, serving

WORKER = "x-worker"
"""The header in which a worker says its name."""


class Call(msgspec.Struct, frozen=True):
    """One request."""

    at: float
    """Unix time."""
    worker: str
    prompt: str
    in_flight: int
    """Requests in flight, with this one."""
    status: int
    """Status of its answer."""


class Order(msgspec.Struct, frozen=True):
    """How to fail: the next request gets 429 with `retry-after`, or the worker that sends it gets 500 for a while."""

    status: Literal[429, 500]
    seconds: float


def name_orders(calls: Path) -> Path:
    """The file of orders next to that of calls."""
    return calls.with_name(f"{calls.name}-orders")


async def main(calls: Path, seconds: float) -> None:
    descriptor = os.open(calls, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    orders = name_orders(calls)
    in_flight = 0
    failing_until: dict[str, float] = {}

    def choose_failure(worker: str, now: float) -> Order | None:
        if orders.exists():
            order = msgspec.json.decode(orders.read_bytes(), type=Order)
            orders.unlink()
            if order.status == 429:
                return order
            failing_until[worker] = now + order.seconds
        return Order(500, 0.0) if now < failing_until.get(worker, 0.0) else None

    async def answer(talk: Talk, received: Received) -> None:
        nonlocal in_flight
        messages: Any = received.json()["messages"]
        prompt, worker, now = messages[-1]["content"], received.headers.get(WORKER, ""), time.time()
        failure = choose_failure(worker, now)
        in_flight += 1
        call = Call(now, worker, prompt, in_flight, 200 if failure is None else failure.status)
        os.write(descriptor, msgspec.json.encode(call) + b"\n")
        try:
            await asyncio.sleep(seconds)
        finally:
            in_flight -= 1
        if failure is None:
            await talk.answer(shapes.build_body(prompt.upper()))
        else:
            waits = {"retry_after": str(failure.seconds)} if failure.status == 429 else {}
            await talk.answer({"error": {"message": "no", "type": "no"}}, failure.status, **waits)

    async with serving(answer) as server:
        print(server.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))

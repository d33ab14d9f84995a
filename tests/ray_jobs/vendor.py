"""A vendor on loopback in a process of its own, which counts its requests: `python -m tests.ray_jobs.vendor CALLS SECONDS`.

It prints its URL. Every request is a line in the CALLS file before it is answered: the prompt, and how many requests are in
flight with it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from tests import openai_shapes as shapes
from tests.loopback import Received, Talk, serving


async def main(calls: str, seconds: float) -> None:
    descriptor = os.open(calls, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    in_flight = 0

    async def answer(talk: Talk, received: Received) -> None:
        nonlocal in_flight
        messages: Any = received.json()["messages"]
        prompt = messages[-1]["content"]
        in_flight += 1
        os.write(descriptor, f"{prompt}\t{in_flight}\n".encode())
        try:
            await asyncio.sleep(seconds)
        finally:
            in_flight -= 1
        await talk.answer(shapes.body(prompt.upper()))

    async with serving(answer) as server:
        print(server.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))

"""CPU of building requests with tools and a response format, against the encoding of their bodies: `python -m tests.bench.schemas`.

The first request with a schema converts it to what the vendor accepts; later ones use that conversion. Every request of the first
column has schemas of its own. The third is `json.dumps` of the body that was sent.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from pydantic import BaseModel

from victor_fp import replay
from victor_fp.core.types import ToolDefinition

ROUNDS, REQUESTS = 9, 100
PROVIDERS = ("openai", "anthropic", "google")


class Item(BaseModel):
    """An item of an order."""

    name: str
    price: float
    tags: list[str]


class Order(BaseModel):
    """An order."""

    id: int
    items: list[Item]
    note: str | None = None


def build_tools(name: str) -> list[ToolDefinition]:
    """Five tools with nested models, whose schemas no other call has seen."""
    schema = Order.model_json_schema()
    return [
        ToolDefinition(name=f"tool_{number}", description="A tool.", parameters={**schema, "title": f"{name}{number}"})
        for number in range(5)
    ]


def measure(call: Callable[[int], Any]) -> float:
    """Microseconds of CPU for a call: the median of the rounds."""
    times = []
    for round_number in range(ROUNDS):
        began = time.process_time()
        for number in range(REQUESTS):
            call(round_number * REQUESTS + number)
        times.append((time.process_time() - began) / REQUESTS * 1e6)
    return median(times)


def build(provider: str, **options: Any) -> bytes:
    """The body of a request."""
    body = replay.request(provider, "Hi", model="m", **options).unwrap().body
    assert body is not None
    return body


def compare(provider: str) -> None:
    """Measure and print the requests of one provider."""
    new = [build_tools(f"{provider}{number}_") for number in range(ROUNDS * REQUESTS)]
    body = json.loads(build(provider, tools=new[0]))
    first = measure(lambda number: build(provider, tools=new[number]))
    later, encoding = measure(lambda _: build(provider, tools=new[0])), measure(lambda _: json.dumps(body))
    print(f"{provider + ', five tools':<28}{first:8.0f}{later:8.0f}{encoding:8.0f}")
    print(f"{provider + ', a format':<28}{'':8}{measure(lambda _: build(provider, response_format=Order)):8.0f}")
    print(f"{provider + ', neither':<28}{'':8}{measure(lambda _: build(provider)):8.0f}")


def main() -> None:
    """Measure and print."""
    print(f"{'microseconds of CPU':<28}{'first':>8}{'later':>8}{'json':>8}")
    for provider in PROVIDERS:
        compare(provider)


if __name__ == "__main__":
    main()

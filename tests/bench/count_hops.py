"""Counts the functions and files of the package that one warm call or stream passes, from the caller to the socket and back.

`python -m tests.bench.count_hops` prints the counts and the lines of the engine's loop, `--list` the functions too. Comprehensions are parts of functions, and not
functions: since Python 3.12 they have no frames of their own.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import NamedTuple, TypeAlias

import victor_fp
from tests import openai_shapes as shapes
from tests.loopback import Received, Talk, serving
from victor_fp.core.types import Message
from victor_fp.providers.factory import ManagedProviderFactory
from victor_fp.providers.registry import ProviderRegistry

Work: TypeAlias = Callable[[], Awaitable[object]]

ROOT = Path(victor_fp.__file__).parent
MESSAGES = [Message(role="user", content="Hi")]
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


class Limit(NamedTuple):
    """The most functions and files that one call may pass."""

    functions: int
    files: int


TARGETS = {"chat": Limit(80, 25), "stream": Limit(80, 25), "managed stream": Limit(130, 35)}
"""For a provider of Chat Completions."""


LOOP = (
    "attempt",
    "backend",
    "call_spec",
    "connection",
    "http_backend",
    "in_flight",
    "operation",
    "rate_limiter",
    "retry_loop",
    "target",
)
"""The modules of `shell/engine` that drive an operation: what it calls, in which order, and what it waits for."""
OBSERVERS = ("stats", "telemetry")
"""Those that a call passes to be counted."""
MAX_LOOP_LINES = 1900
"""Including comments and empty lines."""


class Hops(NamedTuple):
    """The functions that one call passed, as pairs of file and name."""

    passed: frozenset[tuple[str, str]]

    @property
    def functions(self) -> int:
        """How many they are."""
        return len(self.passed)

    @property
    def files(self) -> int:
        """In how many files they are."""
        return len({file for file, _ in self.passed})

    def is_within(self, limit: Limit) -> bool:
        """Whether both counts are at most the limit's."""
        return self.functions <= limit.functions and self.files <= limit.files

    def count_by_folder(self) -> Counter[str]:
        """How many there are in each package."""
        return Counter(file.rpartition("/")[0] for file, _ in self.passed)


def count_loop_lines() -> int:
    """Count the lines of the modules in `LOOP`."""
    return sum(len((ROOT / f"shell/engine/{name}.py").read_text("utf-8").splitlines()) for name in LOOP)


async def count(work: Work) -> Hops:
    """Count what the third run of `work` passes."""
    passed: set[tuple[str, str]] = set()

    def record_call(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(ROOT)) and not code.co_name.endswith(_COMPREHENSIONS):
            passed.add((Path(code.co_filename).relative_to(ROOT).as_posix(), code.co_qualname))

    await work()
    await work()
    sys.setprofile(record_call)
    try:
        await work()
    finally:
        sys.setprofile(None)
    return Hops(frozenset(passed))


async def count_all() -> dict[str, Hops]:
    """Count all kinds of calls, over the default transport to a server on loopback."""

    async def respond(talk: Talk, received: Received) -> None:
        if received.json().get("stream"):
            await talk.send_events(*shapes.build_chunks("Hel", "lo"))
        else:
            await talk.answer(shapes.build_body())

    async def stream(provider: object) -> None:
        async for _ in provider.stream(MESSAGES, model="m"):  # type: ignore[attr-defined]  # of either provider
            pass

    async with serving(respond) as server:
        async with (
            ProviderRegistry.create("openai", api_key="k", base_url=server.url) as plain,
            await ManagedProviderFactory.create("openai", "m", api_key="k", base_url=server.url) as managed,
        ):
            return {
                "chat": await count(lambda: plain.chat(MESSAGES, model="m")),
                "stream": await count(lambda: stream(plain)),
                "managed chat": await count(lambda: managed.chat(MESSAGES)),
                "managed stream": await count(lambda: stream(managed)),
            }


def report(*, lists: bool = False) -> None:
    """Print the counts and the targets."""
    counted = asyncio.run(count_all())
    print(f"{'':26}{'functions':>12}{'files':>9}{'target':>16}")
    for name, hops in counted.items():
        target = TARGETS.get(name)
        bound = "" if target is None else f"{target.functions} in {target.files}"
        print(f"{name:26}{hops.functions:12}{hops.files:9}{bound:>16}")
    print(f"{'lines of the loop':26}{count_loop_lines():12}{'':9}{MAX_LOOP_LINES:>16}")
    for name, hops in counted.items() if lists else ():
        print(f"\n{name}: {', '.join(f'{folder} {number}' for folder, number in hops.count_by_folder().most_common())}")
        for file, function in sorted(hops.passed):
            print(f"  {file} {function}")


if __name__ == "__main__":
    report(lists="--list" in sys.argv[1:])

"""No option makes a method that returns a Result raise, whatever its value is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from returns.result import Result

from tests.acme import HI, build_acme
from tests.fake_runtime import FakeRuntime
from victor_fp.core import faults
from victor_fp.core.options import Options
from victor_fp.providers.factory import ManagedProvider, ProviderConfig
from victor_fp.testing import ScriptedWire, Turn

NAMES = sorted(
    {
        *Options.__struct_fields__,
        "timeout",
        "deadline",
        "max_retries",
        "repair",
        "priority",
        "model",
        "max_tokens",
        "tools",
    }
)


class Hostile:
    """An object all of whose methods raise."""

    __hash__ = None  # type: ignore[assignment]  # as for a list

    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError

    def __repr__(self) -> str:
        raise ZeroDivisionError

    def __iter__(self) -> Any:
        raise ZeroDivisionError


def nest(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def make_cyclic() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


VALUES: Sequence[Callable[[], Any]] = (
    Hostile, lambda: [Hostile()], lambda: {"name": Hostile()}, lambda: nest(5000), make_cyclic, lambda: "\ud800",
    lambda: 10**400, lambda: float("nan"), lambda: -1, lambda: b"x", lambda: {None: 1}, lambda: {1: 2}, lambda: {1}, object,
)  # fmt: skip


@pytest.mark.parametrize("is_managed", [False, True], ids=["plain", "managed"])
@pytest.mark.parametrize("name", NAMES)
async def test_a_result_is_returned_for_any_value_of_an_option(name: str, is_managed: bool) -> None:
    runtime = FakeRuntime()
    provider: Any = build_acme("https://acme.test", transport=ScriptedWire(Turn(text="Hi")), runtime=runtime)
    if is_managed:
        config = ProviderConfig("acme", "m", extra_kwargs={"runtime": runtime})
        provider = ManagedProvider(base_provider=provider, config=config)
    async with provider:
        for make in VALUES:
            options: dict[str, Any] = {"model": "m", "on_unsupported": "adjust", name: make()}
            assert isinstance(await provider.chat_result(HI, **options), Result)
            assert isinstance(await provider.stream_result(HI, **options).response(), Result)


async def test_a_priority_that_does_not_exist_is_named() -> None:
    provider = build_acme("https://acme.test", transport=ScriptedWire(Turn(text="Hi")))
    async with ManagedProvider(base_provider=provider, config=ProviderConfig("acme", "m")) as managed:
        fault = (await managed.chat_result(HI, priority=9)).failure()  # type: ignore[arg-type]  # as a caller may pass it
        assert isinstance(fault, faults.InvalidRequest)
        assert fault.message == "priority: expected a Priority, got int"

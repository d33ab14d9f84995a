"""The way of a call through the package does not grow unnoticed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.bench.count_hops import LOOP, MAX_LOOP_LINES, OBSERVERS, TARGETS, Hops, Limit, count_all, count_loop_lines

TRANSPORT = Limit(9, 2)
"""The part of the default transport."""


@pytest.fixture
async def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, Hops]:
    monkeypatch.delitem(sys.modules, "httpx", raising=False)  # a program that calls a provider does not load it
    return await count_all()


async def test_a_call_is_within_the_target(counted: dict[str, Hops]) -> None:
    found = {name: Limit(counted[name].functions, counted[name].files) for name in TARGETS}
    assert all(counted[name].is_within(target) for name, target in TARGETS.items()), found


async def test_the_transport_accounts_for_few_hops(counted: dict[str, Hops]) -> None:
    for name, hops in counted.items():
        part = Hops(frozenset(one for one in hops.passed if one[0].startswith("shell/transport/")))
        assert part.functions > 0, "nothing was counted"
        assert part.is_within(TRANSPORT), (name, sorted(part.passed))


async def test_the_loop_of_the_engine_is_short_and_a_call_passes_no_other_module_of_it(
    counted: dict[str, Hops],
) -> None:
    assert count_loop_lines() <= MAX_LOOP_LINES
    passed = {file for hops in counted.values() for file, _ in hops.passed if file.startswith("shell/engine/")}
    assert {Path(file).stem for file in passed} <= {*LOOP, *OBSERVERS}

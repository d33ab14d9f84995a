"""The pages about the machines show the diagrams that the code gives."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from victor_fp.core.resilience import breaker, call, diagram, fallback, queue, rate_limit
from victor_fp.core.resilience.diagram import Transition, mermaid

PAGES = Path(__file__).parents[3] / "docs" / "machines"

DIAGRAMS = {
    "breaker": mermaid(breaker.TRANSITIONS.items(), "closed"),
    "retry": mermaid(call.TRANSITIONS.items(), "sending"),
    "rate-limit": mermaid(rate_limit.TRANSITIONS.items(), "free"),
    "queue": mermaid(queue.TRANSITIONS.items(), "arriving"),
    "fallback": mermaid(fallback.TRANSITIONS.items(), "trying"),
}


@pytest.mark.parametrize("name", DIAGRAMS)
def test_the_page_of_a_machine_shows_its_current_diagram(name: str) -> None:
    shown = re.findall(r"```mermaid\n(.*?)\n```", (PAGES / f"{name}.md").read_text(encoding="utf-8"), re.DOTALL)
    assert shown == [DIAGRAMS[name]]


def test_the_example_of_the_diagram_is_right() -> None:
    assert doctest.testmod(diagram) == (0, 1)


def test_states_that_nothing_leaves_are_ends() -> None:
    table: list[Transition] = [(("a", "went"), ("b", "c")), (("b", "came_back"), "a"), (("a", "ran"), "c")]
    assert mermaid(table, "a").splitlines() == [
        "stateDiagram-v2",
        "    [*] --> a",
        "    a --> b: went",
        "    a --> c: went, ran",
        "    b --> a: came back",
        "    c --> [*]",
    ]

"""A transition table as a state diagram."""

from __future__ import annotations

import doctest

from victor_fp.core.resilience import diagram
from victor_fp.core.resilience.diagram import Transition, render_mermaid


def test_docstring_example_of_the_diagram() -> None:
    assert doctest.testmod(diagram) == (0, 1)


def test_final_states_lead_to_the_end() -> None:
    table: list[Transition] = [(("a", "went"), ("b", "c")), (("b", "came_back"), "a"), (("a", "ran"), "c")]
    assert render_mermaid(table, "a").splitlines() == [
        "stateDiagram-v2",
        "    [*] --> a",
        "    a --> b: went",
        "    a --> c: went, ran",
        "    b --> a: came back",
        "    c --> [*]",
    ]

"""Mermaid state diagrams of the machines' transition tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Transition: TypeAlias = tuple[tuple[str, str], str | tuple[str, ...]]
"""((state, event), next state), or ((state, event), possible next states)."""


def render_mermaid(table: Iterable[Transition], start: str) -> str:
    """Render the items of a transition table as a Mermaid state diagram.

    >>> print(render_mermaid([(("open", "shut"), "closed"), (("closed", "opened"), "open")], "open"))
    stateDiagram-v2
        [*] --> open
        open --> closed: shut
        closed --> open: opened
    """
    lines = ["stateDiagram-v2", f"    [*] --> {start}"]
    drawn: dict[tuple[str, str], list[str]] = {}
    transitions = list(table)
    for (state, event), ends in transitions:
        for end in (ends,) if isinstance(ends, str) else ends:
            drawn.setdefault((state, end), []).append(event.replace("_", " "))
    lines += [f"    {state} --> {end}: {', '.join(events)}" for (state, end), events in drawn.items()]
    sources = {state for (state, _), _ in transitions}
    ends_of_all = {end for _, end in drawn}
    lines += [f"    {end} --> [*]" for end in sorted(ends_of_all - sources)]
    return "\n".join(lines)

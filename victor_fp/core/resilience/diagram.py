"""State diagrams drawn from the machines' own transition tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Transition: TypeAlias = tuple[tuple[str, str], str | tuple[str, ...]]
"""((state, event), state), or the states it may lead to."""


def render_mermaid(table: Iterable[Transition], start: str) -> str:
    """A Mermaid state diagram of the items of a transition table.

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
    left = {state for (state, _), _ in transitions}
    ends_of_all = {end for _, end in drawn}
    lines += [f"    {end} --> [*]" for end in sorted(ends_of_all - left)]
    return "\n".join(lines)

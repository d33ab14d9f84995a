"""A virtual clock with actors, independent of resilience; nothing waits in real time."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Generator
from typing import TypeAlias

import msgspec

Step: TypeAlias = Generator["Sleep | Park", object, None]


class Sleep(msgspec.Struct, frozen=True):
    """An actor rests for so many seconds."""

    seconds: float


class Park(msgspec.Struct, frozen=True):
    """An actor waits until somebody resumes it."""


class GaveUp(Exception):
    """Thrown into an actor whose caller has left."""


class Actor:
    """A generator that yields what it waits for."""

    def __init__(self, steps: Step) -> None:
        self.steps = steps
        self.turn = 0
        """Grows with each resumption, so that a timer set before it has no effect."""
        self.done = False


class Scheduler:
    """Virtual time, and everything that is going to happen in it."""

    def __init__(self, checked: Callable[[], None]) -> None:
        self.now = 0.0
        self.steps = 0
        self.trace: deque[str] = deque(maxlen=40)
        self._checked = checked
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0

    def schedule(self, moment: float, action: Callable[[], None]) -> None:
        """Plan an action; those of one moment keep their order."""
        self._order += 1
        heapq.heappush(self._agenda, (moment, self._order, action))

    def run(self, until: float) -> None:
        """Everything up to `until`, with all laws checked after each step."""
        while self._agenda and self._agenda[0][0] <= until:
            self.now, _, action = heapq.heappop(self._agenda)
            action()
            self.steps += 1
            self._checked()
        self.now = until

    def tell(self, line: str) -> None:
        """A line for the story that a failure prints."""
        self.trace.append(f"{self.now:12.3f}  {line}")

    def start(self, actor: Actor) -> None:
        """Let an actor begin."""
        self.resume(actor, None)

    def resume(self, actor: Actor, value: object) -> None:
        """Give an actor what it waits for."""
        if not actor.done:
            self._run_step(actor, lambda: actor.steps.send(value))

    def give_up(self, actor: Actor) -> None:
        """The actor's caller leaves."""
        if not actor.done:
            self._run_step(actor, lambda: actor.steps.throw(GaveUp()))

    def _run_step(self, actor: Actor, step: Callable[[], Sleep | Park]) -> None:
        actor.turn += 1
        try:
            wish = step()
        except (StopIteration, GaveUp):
            actor.done = True
            return
        if isinstance(wish, Sleep):
            turn = actor.turn
            self.schedule(self.now + wish.seconds, lambda: self.resume(actor, None) if actor.turn == turn else None)

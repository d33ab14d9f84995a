"""A simulated vendor: conditions by the seed, a rate limit, and responses."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Literal, TypeAlias

import msgspec

from victor_fp.core.faults import (
    ConnectionFailed,
    Fault,
    InvalidRequest,
    InvalidResponse,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
    StreamInterrupted,
)
from victor_fp.core.resilience.ratelimit_headers import NOTHING, Reported, ReportedBudget

Weather: TypeAlias = Literal["fair", "flaky", "down", "stalled", "overloaded", "broke", "garbled"]

_WEATHERS: tuple[Weather, ...] = ("fair", "flaky", "down", "stalled", "overloaded", "broke", "garbled")
_ODDS = (60, 15, 6, 6, 6, 2, 5)
SPELL = 300.0
"""Seconds that a weather lasts."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What will come of one request."""

    seconds: float
    """Until the end."""
    first: float | None = None
    """Until the stream's first piece; None where there is none before the end."""
    fault: Fault | None = None
    used: int | None = None
    reported: Reported = NOTHING


class Vendor:
    """One vendor as seen with one key."""

    def __init__(self, name: str, seed: int, limit: int, *, says: bool) -> None:
        self.name = name
        self.limit = limit
        """Requests that it accepts in any minute."""
        self.healed = False
        self._seed = seed
        self._says = says
        """Whether it sends rate-limit headers."""
        self.arrivals: deque[float] = deque()

    def draw_weather(self, now: float) -> Weather:
        """The same for the same seed and time, independent of earlier calls."""
        if self.healed:
            return "fair"
        return Random(f"{self._seed}/{self.name}/{int(now // SPELL)}").choices(_WEATHERS, _ODDS)[0]

    def answer(self, now: float, dice: Random, estimate: int, *, stream: bool) -> Reply:
        """Take a request and decide everything about its answer."""
        while self.arrivals and self.arrivals[0] <= now - 60.0:
            self.arrivals.popleft()
        if len(self.arrivals) >= self.limit:
            wait = self.arrivals[0] + 60.0 - now
            named = wait if dice.random() < 0.8 else None
            return Reply(
                seconds=0.05, fault=RateLimited(status=429, retry_after=named), reported=self._report_limits(now)
            )
        self.arrivals.append(now)
        seconds = min(60.0, 0.2 + dice.expovariate(0.3))
        fault = self._draw_fault(now, dice)
        if fault is not None:
            return Reply(seconds=dice.uniform(0.01, 2.0), fault=fault)
        if self.draw_weather(now) == "stalled":
            return Reply(seconds=1e9)
        first = seconds * dice.random() if stream else None
        if stream and not self.healed and dice.random() < 0.05:
            return Reply(seconds=seconds, first=first, fault=StreamInterrupted())
        used = max(1, int(estimate * dice.random())) if dice.random() < 0.9 else None
        return Reply(seconds=seconds, first=first, used=used, reported=self._report_limits(now))

    def _draw_fault(self, now: float, dice: Random) -> Fault | None:
        if not self.healed and dice.random() < 0.03:
            return InvalidRequest(status=400)
        match self.draw_weather(now):
            case "flaky":
                return ServerFailed(status=500) if dice.random() < 0.4 else None
            case "down":
                return ConnectionFailed()
            case "overloaded":
                return Overloaded(status=529, retry_after=dice.choice([None, 5.0, 40.0]))
            case "broke":
                return QuotaExhausted(status=429)
            case "garbled":
                return InvalidResponse(status=200)
            case "fair" | "stalled":
                return None

    def _report_limits(self, now: float) -> Reported:
        if not self._says:
            return NOTHING
        reset = self.arrivals[0] + 60.0 - now if self.arrivals else 0.0
        return Reported(
            requests=ReportedBudget(limit=self.limit, remaining=self.limit - len(self.arrivals), reset=reset)
        )

"""Switches of provider or model: why, from what, to what, in the order in which they happened."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

HISTORY = 1000
"""Switches that are remembered."""


class SwitchReason(Enum):
    """Why provider or model were switched."""

    USER_REQUEST = "user_request"
    PERFORMANCE = "performance"
    COST = "cost"
    CAPABILITY = "capability"
    FALLBACK = "fallback"
    """The one before failed, or was found unhealthy."""
    LOAD_BALANCING = "load_balancing"


@dataclass(frozen=True, kw_only=True)
class ModelSwitchEvent:
    """One switch."""

    from_provider: str
    """Empty where there was none."""
    from_model: str
    to_provider: str
    to_model: str
    reason: SwitchReason
    timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))
    metadata: Mapping[str, str] = field(default_factory=dict)
    """`fault` names what made a fallback necessary."""


class SwitchHistory:
    """The last switches."""

    def __init__(self, size: int = HISTORY) -> None:
        self._events: deque[ModelSwitchEvent] = deque(maxlen=size)
        self.count = 0
        """Of all switches ever."""

    def record(self, event: ModelSwitchEvent) -> None:
        """Add the latest."""
        self._events.append(event)
        self.count += 1

    def events(self) -> list[ModelSwitchEvent]:
        """Oldest first."""
        return list(self._events)

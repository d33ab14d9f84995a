"""The history of switches of provider or model."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

HISTORY = 1000
"""Maximum number of switches in the history."""


class SwitchReason(Enum):
    """The reason for a switch."""

    USER_REQUEST = "user_request"
    PERFORMANCE = "performance"
    COST = "cost"
    CAPABILITY = "capability"
    FALLBACK = "fallback"
    """The previous one failed, or was unhealthy."""
    LOAD_BALANCING = "load_balancing"


@dataclass(frozen=True, kw_only=True)
class ModelSwitchEvent:
    """One switch."""

    from_provider: str
    """Empty if there was none."""
    from_model: str
    to_provider: str
    to_model: str
    reason: SwitchReason
    timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))
    metadata: Mapping[str, str] = field(default_factory=dict)
    """`fault`: the fault that caused a fallback."""


class SwitchHistory:
    """The most recent switches."""

    def __init__(self, size: int = HISTORY) -> None:
        self._events: deque[ModelSwitchEvent] = deque(maxlen=size)
        self.count = 0
        """Number of all switches."""

    def record(self, event: ModelSwitchEvent) -> None:
        """Add a switch."""
        self._events.append(event)
        self.count += 1

    def events(self) -> list[ModelSwitchEvent]:
        """Return the switches, oldest first."""
        return list(self._events)

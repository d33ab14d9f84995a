"""Default request parameters."""

from __future__ import annotations

from typing import Final

DEFAULT_TEMPERATURE: Final = 0.7
DEFAULT_MAX_TOKENS: Final = 4096

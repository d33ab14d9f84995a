"""Where a breaker's state is held: one place for each provider instance."""

from __future__ import annotations

import msgspec

from victor_fp.core.resilience.breaker import Breaker


class Gate(msgspec.Struct):
    """The breaker of one provider; read and written without an await in between."""

    breaker: Breaker | None = None

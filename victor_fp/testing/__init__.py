"""What programs need to test their own code and providers.

`ScriptedWire` and `serving` answer in a provider's own protocol, without a network and over one; `conformance` tries the laws
that hold for every provider:

    transport = ScriptedWire(Turn(text="Hello!"), provider="anthropic")
    provider = ProviderRegistry.create("anthropic", api_key="k", transport=transport)

Nothing of it is loaded by the rest of the package.
"""

from __future__ import annotations

from victor_fp.testing.answers import Answer, Received, json_answer
from victor_fp.testing.scripted_wire import ScriptedWire
from victor_fp.testing.server import Server, serving
from victor_fp.testing.turns import Call, Turn
from victor_fp.testing.vendors import vendor

__all__ = ["Answer", "Call", "Received", "ScriptedWire", "Server", "Turn", "json_answer", "serving", "vendor"]

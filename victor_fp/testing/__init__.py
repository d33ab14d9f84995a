"""Test doubles for providers, and a conformance kit.

`ScriptedProvider` responds with the results of a function. `ScriptedWire` and `serving` respond in a provider's
protocol, without a network and over loopback. `snapshot_of` makes responses comparable. The fixture `recording` is that
of the pytest plugin. `conformance` checks the rules that hold for all providers.

    transport = ScriptedWire(Turn(text="Hello!"), provider="anthropic")
    provider = ProviderRegistry.create("anthropic", api_key="k", transport=transport)

The rest of the package does not import this module.
"""

from __future__ import annotations

from victor_fp.testing.answers import Answer, Received, json_answer
from victor_fp.testing.retrieval import stub_score, stub_vector
from victor_fp.testing.script import Call, Turn
from victor_fp.testing.scripted_provider import CallRecord, ScriptedProvider
from victor_fp.testing.scripted_wire import ScriptedWire
from victor_fp.testing.server import Server, serving
from victor_fp.testing.snapshots import snapshot_of
from victor_fp.testing.vendors import vendor

__all__ = [
    "Answer",
    "Call",
    "CallRecord",
    "Received",
    "ScriptedProvider",
    "ScriptedWire",
    "Server",
    "Turn",
    "json_answer",
    "serving",
    "snapshot_of",
    "stub_score",
    "stub_vector",
    "vendor",
]

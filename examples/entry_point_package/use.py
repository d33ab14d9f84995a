"""A program that uses the installed package and does not import it."""

from __future__ import annotations

from victor_fp.sync import create
from victor_fp.testing import ScriptedWire, Turn


def main() -> None:
    """Find the provider by its entry point."""
    transport = ScriptedWire(Turn(text="Hello from Acme Cloud."))
    with create("acme-cloud", api_key="unused", transport=transport) as provider:
        print(provider.chat("Hi").content)
        print(transport.requests[0].url)


if __name__ == "__main__":
    main()

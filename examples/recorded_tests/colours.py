"""The program that the tests are about."""

from __future__ import annotations

from victor_fp.sync import SyncProvider


def name_colours(provider: SyncProvider, count: int) -> list[str]:
    """Ask for colours and return them in lower case."""
    response = provider.chat(f"Name {count} colours, separated by commas, and nothing else.", max_tokens=200)
    return [name.strip().lower() for name in response.content.split(",")]

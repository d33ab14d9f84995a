"""Rows of the tables: providers, models and keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from victor_fp.cli.terminal import Terminal
from victor_fp.config.api_keys import find_api_key, list_stored_names
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.shell.credentials.key_file import open_key_file
from victor_fp.shell.credentials.key_ring import KeyRing


def build_model_rows(models: Sequence[ModelInfo]) -> list[tuple[str, str, str, str]]:
    """Return id, context window, output limit and capabilities; empty if they are not reported."""
    return [
        (model.id, _format_number(model.context_window), _format_number(model.max_output), _list_abilities(model))
        for model in models
    ]


def build_key_rows(environment: Mapping[str, str], ring: KeyRing, *, only_ring: bool = False) -> list[tuple[str, str]]:
    """Return the names with a key, and its location."""
    if only_ring:
        return [(name, "keyring") for name in list_stored_names() if ring.read(name).value_or(None)]
    in_file: dict[str, str] = open_key_file(environment).read().value_or({})
    names = dict.fromkeys((*list_stored_names(), *in_file))
    rows = []
    for name in names:
        found = find_api_key(name, environment, key_ring=ring).value_or(None)
        if found:
            rows.append((name, f"{found.source} {found.location}"))
    return rows


def show_models(terminal: Terminal, models: Sequence[ModelInfo]) -> None:
    """Show models as a table."""
    terminal.write_table(("model", "context", "max output", "can"), build_model_rows(models))


def is_known_provider(name: str) -> bool:
    """Return whether the catalogue has an entry of this name."""
    return name in CATALOGUE


def _format_number(value: int | None) -> str:
    return "" if value is None else str(value)


def _list_abilities(model: ModelInfo) -> str:
    support = {
        "tools": model.supports_tools,
        "streaming": model.supports_streaming,
        "images": model.supports_images,
        "reasoning": model.supports_reasoning,
    }
    return " ".join(name for name, can in support.items() if can)

"""Tables of model facts agree where they overlap."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import msgspec
import pytest

from tests.acme import SPEC
from tests.catalogue_samples import name_params
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ModelLimit, ProviderSpec
from victor_fp.core.models.capabilities import find_capabilities, load_bundled_capabilities, match_patterns
from victor_fp.core.models.facts import find_facts
from victor_fp.core.models.limits import UNKNOWN_CONTEXT_WINDOW, choose_limits_name, find_limit, load_bundled_limits

ENTRIES = {entry.name: entry for entry in CATALOGUE.chats}


def sample(pattern: str) -> str:
    """A model name that a pattern is meant for."""
    return re.sub(r"\[(.)[^]]*\]", r"\1", pattern).replace("?", "1").replace("*", "")


def list_policy_tables(entry: ProviderSpec) -> Iterator[tuple[Any, ...]]:
    """The tables of policies that an entry's dialects match models against."""
    for dialect in (entry.dialect, *(route.dialect for route in entry.model_routes)):
        assert isinstance(dialect, msgspec.Struct)
        for item in msgspec.structs.astuple(dialect):
            if isinstance(item, tuple) and item and hasattr(item[0], "pattern"):
                yield item


def collect_patterns(entry: ProviderSpec) -> set[str]:
    policies = {policy.pattern for table in list_policy_tables(entry) for policy in table}
    return policies | {limit.pattern for limit in load_bundled_limits(choose_limits_name(entry))}


@pytest.mark.parametrize("name", name_params())
def test_every_policy_is_the_first_that_matches_some_model(name: str) -> None:
    for table in list_policy_tables(ENTRIES[name]):
        patterns = [policy.pattern for policy in table]
        for n, pattern in enumerate(patterns):
            shadows = [earlier for earlier in patterns[:n] if fnmatchcase(pattern.replace("*", "~"), earlier)]
            assert shadows == [], f"{pattern} is never reached"


def test_every_limit_is_the_first_that_matches_some_model() -> None:
    for entry in CATALOGUE.chats:
        patterns = [limit.pattern for limit in load_bundled_limits(choose_limits_name(entry))]
        for n, pattern in enumerate(patterns):
            shadows = [earlier for earlier in patterns[:n] if fnmatchcase(pattern.replace("*", "~"), earlier)]
            assert shadows == [], f"{entry.name}: {pattern} is never reached"


@pytest.mark.parametrize("name", name_params())
def test_policies_and_capabilities_agree_on_which_models_think(name: str) -> None:
    entry, table = ENTRIES[name], load_bundled_capabilities()
    disagreed = {}
    for model in {sample(pattern) for pattern in collect_patterns(entry)} - {""}:
        says = entry.for_model(model).dialect.can_reason(model)
        trained = [p for p in match_patterns(table.models, model) if "reasoning" in table.models[p].training]
        if says is not None and trained and find_capabilities(name, model).reasoning is not says:
            disagreed[model] = (says, trained)
    assert disagreed == {}


@pytest.mark.parametrize("name", name_params())
def test_a_model_that_an_entry_says_thinks_is_asked_of_a_provider_that_supports_it(name: str) -> None:
    entry = ENTRIES[name]
    thinking = [m for m in map(sample, collect_patterns(entry)) if m and entry.for_model(m).dialect.can_reason(m)]
    assert entry.supports.reasoning is not False or not thinking


def test_the_same_model_has_the_same_window_wherever_its_vendor_sells_it() -> None:
    windows: dict[str, dict[str, tuple[int, int | None]]] = {}
    for vendor in ("anthropic", "bedrock"):
        for limit in load_bundled_limits(vendor):
            model = sample(limit.pattern).removeprefix("anthropic.")
            if model.startswith("claude"):
                windows.setdefault(model, {})[vendor] = (limit.context_window, limit.max_output)
    assert len(windows) > 10
    assert [model for model, found in windows.items() if len(set(found.values())) != 1] == []


def test_the_default_model_of_an_entry_fits_its_window() -> None:
    for entry in CATALOGUE.chats:
        facts = find_facts(entry, entry.default_model or "unheard-of")
        assert facts.context_window >= (facts.max_output or 0)


def test_facts_join_limits_policies_and_capabilities() -> None:
    facts = find_facts(ENTRIES["anthropic"], "claude-opus-4-5")
    assert (facts.context_window, facts.max_output, facts.reasoning) == (200_000, 64_000, True)
    assert facts.capabilities.tool_call_format == "anthropic"
    assert facts.limits_source.startswith("GET https://api.anthropic.com")
    assert find_facts(ENTRIES["openai"], "gpt-5-chat-latest").reasoning is False
    assert find_facts(ENTRIES["xai"], "grok-4").reasoning is True
    assert find_facts(ENTRIES["vertex"], "claude-3-haiku@20240307").reasoning is False


def test_an_unknown_model_has_its_providers_window_and_default_capabilities() -> None:
    facts = find_facts(SPEC, "unheard-of")
    assert (facts.context_window, facts.max_output, facts.limits_source) == (SPEC.context_window, None, "")
    assert facts.capabilities.native_tool_calls is True
    assert UNKNOWN_CONTEXT_WINDOW == 128_000


def test_reported_limits_count() -> None:
    reported = {"acme": (ModelLimit(pattern="m", context_window=9, max_output=3, source="list"),)}
    facts = find_facts(SPEC, "m", reported=reported)
    assert (facts.context_window, facts.max_output, facts.limits_source) == (9, 3, "list")
    assert find_limit(SPEC, "m") is None

"""What models were trained for and how they call tools: how sections are merged, and what the bundled table says."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.acme import SPEC
from tests.example_counts import scale_examples
from victor_fp.config.model_capabilities import iterate_all_sections, read_capabilities
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import Supports
from victor_fp.core.models.capabilities import (
    classify_provider,
    find_capabilities,
    load_bundled_capabilities,
    match_patterns,
    overlay_capabilities,
)
from victor_fp.core.models.capability_table import CapabilityTable, ModelCapabilities, ModelEntry
from victor_fp.core.protocols import PROTOCOLS
from victor_fp.core.text_tools import find_formats

FILE = """
defaults: {recommended_max_tools: 5, requires_strict_prompting: true}
provider_defaults:
  acme: {native_tool_calls: true, recommended_max_tools: 30}
models:
  "*": {settings: {recommended_tool_budget: 3, continuation_patience: 4}}
  "big-*":
    training: {tool_calling: true}
    providers:
      acme: {parallel_tool_calls: true, recommended_tool_budget: 7}
  "big-coder*": {settings: {recommended_tool_budget: 9}}
"""


def read(text: str) -> CapabilityTable:
    return read_capabilities(text).unwrap()


def test_every_matching_pattern_counts_the_more_specific_the_more() -> None:
    file = read(FILE)
    coder = find_capabilities("acme", "big-coder:7b", file)
    assert (coder.tool_calling, coder.parallel_tool_calls, coder.recommended_tool_budget) == (True, True, 9)
    assert (coder.continuation_patience, coder.recommended_max_tools) == (4, 30)
    big = find_capabilities("acme", "big-chat", file)
    assert (big.recommended_tool_budget, big.native_tool_calls) == (7, True)


def test_an_unknown_provider_or_model_gets_the_defaults() -> None:
    file = read(FILE)
    other = find_capabilities("other", "big-chat", file)
    assert (other.native_tool_calls, other.recommended_max_tools, other.recommended_tool_budget) == (False, 5, 3)
    assert find_capabilities("acme", "", file).recommended_tool_budget == 12


def test_order_in_the_table_decides_only_between_equal_patterns() -> None:
    assert match_patterns(["big-coder*", "*", "big-*"], "big-coder") == ["*", "big-*", "big-coder*"]
    assert match_patterns(["b?g", "bi*"], "big") == ["b?g", "bi*"]
    assert match_patterns(["bi*", "b?g"], "big") == ["bi*", "b?g"]


@pytest.mark.parametrize("model", ["Big-Coder", "acme/big-coder", "accounts/acme/models/BIG-CODER-2"])
def test_lookup_ignores_case_and_namespace(model: str) -> None:
    assert match_patterns(["big-coder*"], model) == ["big-coder*"]


def test_custom_table_overrides_the_bundled_one() -> None:
    own = read("models: {'qwen3-coder*': {providers: {ollama: {native_tool_calls: false}}}, 'mine*': {settings: {}}}")
    both = overlay_capabilities(load_bundled_capabilities(), own)
    before = find_capabilities("ollama", "qwen3-coder:30b")
    after = find_capabilities("ollama", "qwen3-coder:30b", both)
    assert (before.native_tool_calls, after.native_tool_calls) == (True, False)
    assert after.text_format == before.text_format == "hermes,function_tags"
    assert both.models["mine*"] == ModelEntry()


@settings(max_examples=scale_examples(50), deadline=None)
@given(st.lists(st.text("ab*?-", min_size=1, max_size=6), unique=True), st.text("ab-/", max_size=6))
def test_a_longer_pattern_never_has_a_lower_precedence(patterns: list[str], model: str) -> None:
    lengths = [len(pattern.replace("*", "").replace("?", "")) for pattern in match_patterns(patterns, model)]
    assert lengths == sorted(lengths)


def test_the_bundled_table_names_formats_that_exist() -> None:
    named = {
        find_capabilities("vllm", pattern.strip("*").replace("[", "").replace("]", "")).text_format
        for pattern in load_bundled_capabilities().models
    }
    said = {
        str(entry.training["text_format"])
        for entry in load_bundled_capabilities().models.values()
        if "text_format" in entry.training
    }
    assert all(find_formats(name) for name in named | said)


@pytest.mark.parametrize(
    ("provider", "model", "native", "text_format"),
    [
        ("openai", "gpt-5.1", True, "any"),
        ("claude", "claude-opus-4-5", True, "any"),
        ("ollama", "qwen2.5:7b", True, "hermes"),
        ("ollama", "llama3.1:8b", True, "json,python_tag,python,function_tags"),
        ("ollama", "gemma3:4b", False, "tool_code,json,python"),
        ("vllm", "Qwen/Qwen3-Coder-30B-A3B-Instruct", True, "hermes,function_tags"),
        ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", True, "json,python_tag,python,function_tags"),
        ("lm-studio", "mistralai/mistral-small-3.2", True, "mistral,json"),
        ("replicate", "meta/meta-llama-3-8b-instruct", False, "any"),
    ],
)
def test_capabilities_of_well_known_models(provider: str, model: str, native: bool, text_format: str) -> None:
    known = find_capabilities(provider, model)
    assert (known.native_tool_calls, known.text_format) == (native, text_format)


def test_the_kind_of_a_provider_follows_from_its_entry() -> None:
    assert classify_provider(SPEC) == "hosted"
    assert classify_provider(msgspec.structs.replace(SPEC, open_models=True)) == "open"
    assert classify_provider(msgspec.structs.replace(SPEC, local=True, open_models=True)) == "local"
    assert classify_provider(msgspec.structs.replace(SPEC, supports=Supports(tools=False))) is None


def test_a_provider_that_a_program_added_has_the_find_capabilities_its_kind_and_protocol() -> None:
    claude = msgspec.structs.replace(SPEC, dialect=CATALOGUE.find("anthropic").unwrap().dialect)
    known = find_capabilities("acme", "m", catalogue=CATALOGUE.with_entry(claude))
    assert (known.native_tool_calls, known.tool_call_format) == (True, "anthropic")
    assert find_capabilities("acme", "m").native_tool_calls is False


def test_the_protocol_is_that_of_the_model() -> None:
    assert find_capabilities("vertex", "gemini-2.5-pro").tool_call_format == "google"
    assert find_capabilities("vertex", "claude-opus-4-5").tool_call_format == "anthropic"


def test_every_section_of_the_bundled_table_has_known_fields_providers_and_protocols() -> None:
    table = load_bundled_capabilities()
    for section in iterate_all_sections(table):
        assert section.keys() <= set(ModelCapabilities.__struct_fields__)
        msgspec.convert(section, ModelCapabilities)
    assert set(table.provider_defaults) <= set(CATALOGUE.names)
    assert set(table.protocols) <= set(PROTOCOLS)
    assert {name for entry in table.models.values() for name in entry.providers} <= set(CATALOGUE.names)

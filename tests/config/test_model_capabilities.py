"""What is known of models: how the file is read, refused and merged."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from returns.result import Failure, Success

from victor_fp.config.model_capabilities import (
    CapabilityFile,
    FileInvalid,
    ModelEntry,
    capabilities_of,
    find_matching,
    load_bundled,
    load_capabilities,
    overlay_file,
    read_capabilities,
)
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.result import outcome
from victor_fp.core.text_tools import formats_called

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


def read(text: str) -> CapabilityFile:
    match outcome(read_capabilities(text)):
        case Success(file):
            return file
        case Failure(invalid):
            raise AssertionError(invalid.reason)


def refused(text: str) -> str:
    match outcome(read_capabilities(text)):
        case Success():
            raise AssertionError("it was read")
        case Failure(FileInvalid(reason)):
            return reason


def test_every_matching_pattern_counts_the_more_specific_the_more() -> None:
    file = read(FILE)
    coder = capabilities_of("acme", "big-coder:7b", file)
    assert (coder.tool_calling, coder.parallel_tool_calls, coder.recommended_tool_budget) == (True, True, 9)
    assert (coder.continuation_patience, coder.recommended_max_tools) == (4, 30)
    big = capabilities_of("acme", "big-chat", file)
    assert (big.recommended_tool_budget, big.native_tool_calls) == (7, True)


def test_an_unknown_provider_or_model_gets_the_defaults() -> None:
    file = read(FILE)
    other = capabilities_of("other", "big-chat", file)
    assert (other.native_tool_calls, other.recommended_max_tools, other.recommended_tool_budget) == (False, 5, 3)
    assert capabilities_of("acme", "", file).recommended_tool_budget == 12


def test_order_in_the_file_does_not_decide_but_between_equals() -> None:
    assert find_matching(["big-coder*", "*", "big-*"], "big-coder") == ["*", "big-*", "big-coder*"]
    assert find_matching(["b?g", "bi*"], "big") == ["b?g", "bi*"]
    assert find_matching(["bi*", "b?g"], "big") == ["bi*", "b?g"]


@pytest.mark.parametrize("model", ["Big-Coder", "acme/big-coder", "accounts/acme/models/BIG-CODER-2"])
def test_case_and_what_stands_before_the_last_slash_do_not_matter(model: str) -> None:
    assert find_matching(["big-coder*"], model) == ["big-coder*"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("defaults: {native_tool_calls: true, native_tool_calls: false}", "'defaults.native_tool_calls, line 1'"),
        ("models:\n  a*: {}\n  b*: {}\n  a*: {}\n", "'models.a*, line 4'"),
        ("defaults: {}\ndefaults: {}", "'defaults, line 2'"),
        ("defaults: {native_calls: true}", "native_calls"),
        ("model: {}", "model"),
        ("models:\n  a*: {traning: {}}", "traning"),
        ("defaults: {native_tool_calls: maybe}", "bool"),
        ("provider_defaults: {acme: {recommended_max_tools: many}}", "int"),
        ("- a list", "object"),
        ("defaults: {", "flow"),
        ("defaults: !!python/object:os.system {}", "python"),
    ],
)
def test_a_file_with_something_wrong_is_refused_with_the_reason(text: str, said: str) -> None:
    assert said in refused(text)


def test_an_empty_file_is_one() -> None:
    assert read("") == CapabilityFile()


def test_a_file_that_is_not_there_is_a_value_too(tmp_path: Path) -> None:
    assert isinstance(outcome(load_capabilities(tmp_path / "none.yaml")), Failure)
    own = tmp_path / "own.yaml"
    own.write_text(FILE, encoding="utf-8")
    assert outcome(load_capabilities(own)) == Success(read(FILE))


def test_a_file_of_ones_own_goes_over_the_bundled_one() -> None:
    own = read("models: {'qwen3-coder*': {providers: {ollama: {native_tool_calls: false}}}, 'mine*': {settings: {}}}")
    both = overlay_file(load_bundled(), own)
    before = capabilities_of("ollama", "qwen3-coder:30b")
    after = capabilities_of("ollama", "qwen3-coder:30b", both)
    assert (before.native_tool_calls, after.native_tool_calls) == (True, False)
    assert after.text_format == before.text_format == "hermes,function_tags"
    assert both.models["mine*"] == ModelEntry()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text("ab*?-", min_size=1, max_size=6), unique=True), st.text("ab-/", max_size=6))
def test_a_pattern_that_spells_out_more_never_counts_less(patterns: list[str], model: str) -> None:
    lengths = [len(pattern.replace("*", "").replace("?", "")) for pattern in find_matching(patterns, model)]
    assert lengths == sorted(lengths)


def test_the_bundled_file_knows_every_built_in_provider_and_no_other() -> None:
    assert {*load_bundled().provider_defaults} == {spec.name for spec in CATALOGUE}


def test_the_bundled_file_names_formats_that_exist() -> None:
    named = {
        capabilities_of("vllm", pattern.strip("*").replace("[", "").replace("]", "")).text_format
        for pattern in load_bundled().models
    }
    said = {
        str(entry.training["text_format"])
        for entry in load_bundled().models.values()
        if "text_format" in entry.training
    }
    assert all(formats_called(name) for name in named | said)


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
def test_what_is_known_of_some_models(provider: str, model: str, native: bool, text_format: str) -> None:
    known = capabilities_of(provider, model)
    assert (known.native_tool_calls, known.text_format) == (native, text_format)

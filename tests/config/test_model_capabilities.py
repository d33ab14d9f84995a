"""A program's own table of capabilities: how the YAML is read and rejected."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from returns.result import Failure, Success

from victor_fp.config.model_capabilities import load_capabilities, read_capabilities
from victor_fp.core.models.capability_table import CapabilityTable
from victor_fp.core.result import outcome
from victor_fp.shell.limits_file import FileInvalid

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
    match outcome(read_capabilities(text)):
        case Success(file):
            return file
        case Failure(invalid):
            raise AssertionError(invalid.reason)


def get_refusal(text: str) -> str:
    match outcome(read_capabilities(text)):
        case Success():
            raise AssertionError("it was read")
        case Failure(FileInvalid(reason)):
            return reason


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
        (f"defaults: {{native_tool_calls: {'9' * 5000}}}", "4300"),
        ("defaults: {native_tool_calls: 2026-99-99}", "month"),
        ("x: &a [*a]", "holds itself"),
        ("[" * 3000 + "]" * 3000, "nest"),
        (
            "a: &a [x]\n"
            + "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}' if n else '*a'] * 9)}]\n" for n in range(9)),
            "values",
        ),
    ],
)
def test_a_file_with_something_wrong_is_refused_with_the_reason(text: str, said: str) -> None:
    assert said in get_refusal(text)


def test_an_empty_file_is_an_empty_table() -> None:
    assert read("") == CapabilityTable()


def test_a_file_with_something_wrong_is_named(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("model: {}", encoding="utf-8")
    match outcome(load_capabilities(own)):
        case Failure(FileInvalid(location=location)):
            assert location == str(own)
        case other:
            pytest.fail(f"unexpected {other}")


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    assert isinstance(outcome(load_capabilities(tmp_path / "none.yaml")), Failure)
    own = tmp_path / "own.yaml"
    own.write_text(FILE, encoding="utf-8")
    assert outcome(load_capabilities(own)) == Success(read(FILE))


def test_without_yaml_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert "victor-fp[yaml]" in get_refusal("")

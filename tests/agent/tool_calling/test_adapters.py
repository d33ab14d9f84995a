"""Adapters: tools in each family's shape, calls from entries and from text, names, hints and cleaning."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from victor_fp.agent.tool_calling import (
    BaseToolCallingAdapter,
    FallbackParsingMixin,
    FamilyAdapter,
    OpenAIToolCallingAdapter,
    ParsedToolCall,
    ToolCallFormat,
    ToolCallingAdapterRegistry,
    ToolCallingCapabilities,
    ToolCallParseResult,
    get_model_capabilities,
)
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.models.capability_table import CapabilityTable
from victor_fp.core.types import ToolDefinition

WEATHER = ToolDefinition(
    name="get-weather.v2",
    description="The weather",
    parameters={"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
)
SCHEMA = dict(WEATHER.parameters)


class OwnAdapter(FallbackParsingMixin, BaseToolCallingAdapter):
    """As somebody writes one for a provider of their own."""

    ARGUMENT_ALIASES: ClassVar = {("open", "file"): "path"}
    TOOL_ARGUMENT_DEFAULTS: ClassVar = {"open": {"mode": "r"}}
    HALLUCINATED_ARGUMENTS = frozenset({"verbose", "limit"})
    TOOL_VALID_ARGUMENTS: ClassVar = {"search": frozenset({"limit"})}

    @property
    def provider_name(self) -> str:
        return "own"

    def get_capabilities(self) -> ToolCallingCapabilities:
        return ToolCallingCapabilities(
            native_tool_calls=True, parallel_tool_calls=True, tool_call_format=ToolCallFormat.OPENAI
        )

    def convert_tools(self, tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
        return [{"name": tool.name} for tool in tools]

    def parse_tool_calls(
        self, content: str, raw_tool_calls: Sequence[Mapping[str, Any]] | None = None
    ) -> ToolCallParseResult:
        if raw_tool_calls:
            found = self.parse_native_tool_calls(raw_tool_calls, validate_name_fn=self.is_valid_tool_name)
            if found.tool_calls:
                return found
        return self.parse_from_content(content, validate_name_fn=self.is_valid_tool_name)


def test_custom_adapter_parses_entries_and_text() -> None:
    adapter = OwnAdapter("m")
    entries = [{"id": "call_1", "function": {"name": "open", "arguments": '{"path": "a.py"}'}}]
    native = adapter.parse_tool_calls("", entries)
    assert native.tool_calls == [ParsedToolCall("open", {"path": "a.py"}, "call_1")]
    assert (native.parse_method, native.confidence, native.warnings) == ("native", 1.0, [])
    text = adapter.parse_tool_calls('On it.\n{"name": "open", "arguments": {"path": "a.py"}}')
    assert text.tool_calls == [ParsedToolCall("open", {"path": "a.py"})]
    assert (text.remaining_content, text.parse_method) == ("On it.", "json_fallback")
    assert adapter.parse_tool_calls("nothing here") == ToolCallParseResult(remaining_content="nothing here")


def test_arguments_are_named_cleaned_and_completed_by_the_tables_of_the_class() -> None:
    adapter = OwnAdapter()
    assert adapter.normalize_arguments({"file": "a", "verbose": True}, "open") == {"path": "a", "mode": "r"}
    assert adapter.normalize_arguments({"path": "a", "file": "b", "mode": None}, "open") == {"path": "a", "mode": "r"}
    assert adapter.normalize_arguments({"limit": 3, "verbose": 1}, "search") == {"limit": 3}
    assert OpenAIToolCallingAdapter().normalize_arguments({"limit": 3}, "search") == {"limit": 3}


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("get_weather", True),
        ("get-weather.v2", True),
        ("_private", True),
        ("my_calendar", True),
        ("", False),
        ("1st", False),
        ("two words", False),
        ("<tag>", False),
        ("path/", False),
        ("example_tool", False),
        ("tool_name", False),
        ("function_1", False),
    ],
)
def test_names_with_hyphens_and_dots_are_valid_and_placeholders_are_not(name: str, valid: bool) -> None:
    assert OpenAIToolCallingAdapter().is_valid_tool_name(name) is valid


def test_names_of_tools_in_use_are_always_valid() -> None:
    tool = ToolDefinition(name="example_tool")
    adapter = OpenAIToolCallingAdapter(config={"tools": [tool]})
    assert adapter.is_valid_tool_name("example_tool")
    assert not adapter.is_valid_tool_name("sample_tool")


@pytest.mark.parametrize(
    ("provider", "converted"),
    [
        (
            "openai",
            {
                "type": "function",
                "function": {"name": WEATHER.name, "description": "The weather", "parameters": SCHEMA},
            },
        ),
        (
            "openai-responses",
            {"type": "function", "name": WEATHER.name, "description": "The weather", "parameters": SCHEMA},
        ),
        ("anthropic", {"name": WEATHER.name, "description": "The weather", "input_schema": SCHEMA}),
        (
            "gemini",
            {"function_declarations": [{"name": WEATHER.name, "description": "The weather", "parameters": SCHEMA}]},
        ),
        (
            "bedrock",
            {"toolSpec": {"name": WEATHER.name, "description": "The weather", "inputSchema": {"json": SCHEMA}}},
        ),
    ],
)
def test_tools_are_converted_into_each_familys_shape(provider: str, converted: dict[str, Any]) -> None:
    adapter = ToolCallingAdapterRegistry.get_adapter(provider, "m")
    assert adapter.convert_tools([WEATHER]) == [converted]


def test_a_gemini_function_without_parameters_has_none() -> None:
    adapter = ToolCallingAdapterRegistry.get_adapter("google")
    plain = ToolDefinition(name="now", description="The time")
    assert adapter.convert_tools([plain]) == [{"function_declarations": [{"name": "now", "description": "The time"}]}]
    assert adapter.convert_tools([]) == []


@pytest.mark.parametrize(
    "entry",
    [
        {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": 1}'}},
        {"id": "c1", "name": "find", "arguments": {"q": 1}},
        {"type": "tool_use", "id": "c1", "name": "find", "input": {"q": 1}},
        {"functionCall": {"id": "c1", "name": "find", "args": {"q": 1}}},
        {"toolUse": {"toolUseId": "c1", "name": "find", "input": {"q": 1}}},
        {"type": "function_call", "call_id": "c1", "name": "find", "arguments": '{"q": 1}'},
    ],
)
def test_native_calls_of_every_family_are_parsed(entry: dict[str, Any]) -> None:
    found = OpenAIToolCallingAdapter().parse_native_tool_calls([entry])
    assert found.tool_calls == [ParsedToolCall("find", {"q": 1}, "c1")]


def test_invalid_entries_are_reported() -> None:
    adapter = OpenAIToolCallingAdapter()
    found = adapter.parse_native_tool_calls(
        [
            {"name": "a", "arguments": "{'q': 1,}"},
            {"name": "b", "arguments": '{"q": "cut o'},
            {"name": "c", "arguments": [1]},
            {"name": "two words", "arguments": {}},
            {"arguments": {}},
            *json.loads('["a", null]'),
        ],
        adapter.is_valid_tool_name,
    )
    assert found.tool_calls == [
        ParsedToolCall("a", {"q": 1}),
        ParsedToolCall("b", '{"q": "cut o'),
        ParsedToolCall("c", {}),
    ]
    assert found.warnings == [
        "a: repaired single_quotes, trailing_comma",
        "b: the arguments are not a JSON object and are kept as text",
        "c: the arguments are not an object but list",
        "skipped a call of 'two words', which is not a valid name",
        "skipped a call without a name",
        "skipped a call that is not an object but str",
        "skipped a call that is not an object but NoneType",
    ]


def test_text_is_parsed_if_the_capabilities_enable_it() -> None:
    text = '<tool_call>{"name": "find", "arguments": {"q": 1}}</tool_call>'
    hosted = ToolCallingAdapterRegistry.get_adapter("openai", "gpt-5.1").parse_tool_calls(text)
    assert hosted == ToolCallParseResult(remaining_content=text)
    served = ToolCallingAdapterRegistry.get_adapter("vllm", "qwen2.5").parse_tool_calls(text)
    assert served.tool_calls == [ParsedToolCall("find", {"q": 1})]
    assert (served.remaining_content, served.parse_method) == ("", "xml_fallback")
    file = CapabilityTable(defaults={"xml_fallback_parsing": False, "json_fallback_parsing": False})
    neither = ToolCallingAdapterRegistry.get_adapter("acme", "m", {"capabilities": file}).parse_tool_calls(text)
    assert neither.tool_calls == []


def test_native_calls_come_before_text_and_leave_it_alone() -> None:
    adapter = ToolCallingAdapterRegistry.get_adapter("ollama", "qwen3")
    found = adapter.parse_tool_calls('{"name": "b", "arguments": {}}', [{"name": "a", "arguments": {}}])
    assert [call.name for call in found.tool_calls] == ["a"]
    assert found.remaining_content == '{"name": "b", "arguments": {}}'


def test_tools_in_use_restrict_names_and_define_schemas() -> None:
    adapter = ToolCallingAdapterRegistry.get_adapter("vllm", "m", {"tools": [WEATHER]})
    found = adapter.parse_tool_calls('get-weather.v2("Paris", days=3)\n<function=rm></function>')
    assert found.tool_calls == [ParsedToolCall(WEATHER.name, {"city": "Paris", "days": 3})]
    assert found.remaining_content == "<function=rm></function>"
    assert found.warnings == ["a call in the format function_tags was kept as text: no call of a known tool"]


def test_python_calls_without_names_need_keywords_and_their_own_line() -> None:
    mixin = FallbackParsingMixin()
    content = "I look:\nread_file(path='a.py')\nprint('x')\nread_file('b.py')\nas in open(path='c')"
    found = mixin.parse_from_content(content)
    assert found.tool_calls == [ParsedToolCall("read_file", {"path": "a.py"})]
    assert found.parse_method == "python_call_fallback"
    assert mixin.parse_from_content(content, valid_tool_names={"other"}).tool_calls == []
    assert mixin.parse_from_content(content, lambda name: name != "read_file").tool_calls == []


def test_each_parser_finds_its_own_format() -> None:
    mixin = FallbackParsingMixin()
    plain, tags, python = '{"name": "f", "arguments": {}}', "<function=f></function>", "f(x=1)"
    assert [bool(mixin.parse_json_from_content(text).tool_calls) for text in (plain, tags, python)] == [1, 0, 0]
    assert [bool(mixin.parse_xml_from_content(text).tool_calls) for text in (plain, tags, python)] == [0, 1, 0]
    assert [bool(mixin.parse_python_call_from_content(text).tool_calls) for text in (plain, tags, python)] == [0, 0, 1]


def test_repaired_call_has_a_warning_and_lower_confidence() -> None:
    found = FallbackParsingMixin().parse_from_content("{'name': 'f', 'arguments': {'x': True}}")
    assert found.tool_calls == [ParsedToolCall("f", {"x": True})]
    assert found.warnings == ["f: repaired single_quotes, python_literal"]
    assert found.confidence == pytest.approx(0.81)


def test_hints_describe_the_call_format() -> None:
    strict = ToolCallingAdapterRegistry.get_adapter("ollama", "gemma3:4b").get_system_prompt_hints()
    assert "```tool_code" in strict
    assert "one tool at a time" in strict
    native = ToolCallingAdapterRegistry.get_adapter("openai", "gpt-5.1").get_system_prompt_hints()
    assert native == "Calls that do not depend on each other may be made together."
    assert "/no_think" in ToolCallingAdapterRegistry.get_adapter("ollama", "qwen3:8b").get_system_prompt_hints()
    assert OwnAdapter().get_system_prompt_hints() == native


@pytest.mark.parametrize(
    ("content", "clean"),
    [
        ("done </function></parameter></tool_call>", "done"),
        ("a<parameter=x>b</tool_call> c", "ab c"),
        ("[TOOL_REQUEST]left[END_TOOL_REQUEST]", "left"),
        ("one\n\n\n\n\n\ntwo", "one\n\n\ntwo"),
        ("a < b and <b>bold</b> </div>", "a < b and <b>bold</b> </div>"),
        ("```xml\n<tool_call>\n</tool_call>\n```", "```xml\n<tool_call>\n</tool_call>\n```"),
        ("NEVER say never", "NEVER say never"),
        ("", ""),
    ],
)
def test_stray_markers_are_removed(content: str, clean: str) -> None:
    assert OwnAdapter().sanitize_content(content) == clean


def test_every_built_in_provider_has_an_adapter_with_capabilities() -> None:
    for spec in CATALOGUE.chats:
        adapter = ToolCallingAdapterRegistry.get_adapter(spec.name, "some-model")
        assert isinstance(adapter, FamilyAdapter)
        assert (adapter.PROTOCOL, adapter.provider_name) == (spec.dialect.protocol, spec.name)
        assert adapter.get_capabilities().tool_call_format is not ToolCallFormat.UNKNOWN


def test_formats_are_named_for_native_and_textual_calls() -> None:
    reported = {
        (provider, model): get_model_capabilities(provider, model).tool_call_format
        for provider, model in [("lmstudio", "x"), ("ollama", "llama3.1"), ("ollama", "gemma3"), ("replicate", "x")]
    }
    assert list(reported.values()) == [
        ToolCallFormat.LMSTUDIO_NATIVE,
        ToolCallFormat.OLLAMA_NATIVE,
        ToolCallFormat.OLLAMA_JSON,
        ToolCallFormat.NONE,
    ]


def test_registered_adapter_takes_precedence_and_can_be_removed() -> None:
    registry = ToolCallingAdapterRegistry
    assert registry.get_adapter("Grok", "grok-4").provider_name == "xai"
    registry.register("own", OwnAdapter)
    registry.register("xai", OwnAdapter)
    try:
        assert isinstance(registry.get_adapter("own", "m"), OwnAdapter)
        assert isinstance(registry.get_adapter("grok"), OwnAdapter)
        assert registry.is_registered("OWN")
        assert "own" in registry.list_providers()
    finally:
        registry.unregister("own")
        registry.unregister("xai")
    assert not registry.is_registered("own")
    assert isinstance(registry.get_adapter("own"), OpenAIToolCallingAdapter)


def test_calls_go_to_dicts_and_back() -> None:
    call = ParsedToolCall("f", {"x": 1}, "c1")
    assert ParsedToolCall.from_dict(call.to_dict()) == call
    assert ParsedToolCall("f", {}).to_dict() == {"name": "f", "arguments": {}}


def test_an_adapter_without_its_four_methods_cannot_be_created() -> None:
    with pytest.raises(TypeError, match="abstract"):
        BaseToolCallingAdapter("m")  # type: ignore[abstract]  # that is what is tested

"""Values that JSON cannot hold are refused by name, by every protocol, and never sent as null."""

from __future__ import annotations

from typing import Any

import pytest
from returns.result import Failure, Success

from tests.catalogue_samples import PROVIDERS as BY_PROTOCOL
from victor_fp import replay
from victor_fp.core.faults import InvalidRequest, UnsupportedParameter
from victor_fp.core.json import measure_depth
from victor_fp.core.types import Message, ToolDefinition

NAN, INFINITY = float("nan"), float("inf")
HI = [Message(role="user", content="hi")]
PROVIDERS = tuple(BY_PROTOCOL.values())
SETTINGS: dict[str, dict[str, object]] = {"bedrock": {"region": "eu-west-1"}}


def build(provider: str, messages: Any = HI, **options: Any) -> InvalidRequest | UnsupportedParameter | None:
    """The fault of a request that is refused; None where it is built."""
    model = options.pop("model", "owner/name" if provider == "replicate" else "m")
    for stream in (False, True):
        result = replay.request(
            provider, messages, model=model, stream=stream, settings=SETTINGS.get(provider), **options
        )
        if isinstance(result, Failure):
            fault = result.failure()
            assert isinstance(fault, InvalidRequest | UnsupportedParameter), fault
            fault.message.encode()
            return fault
        assert isinstance(result, Success)
    return None


def with_arguments(arguments: object) -> list[Message]:
    call = {"id": "c1", "name": "f", "arguments": arguments}
    return [*HI, Message(role="assistant", tool_calls=[call]), Message(role="tool", tool_call_id="c1", content="x")]


def build_schema(value: object) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": {"type": "number", "default": value}}, "required": ["a"]}


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if name != "replicate"])
@pytest.mark.parametrize(
    ("place", "messages", "options"),
    [
        ("messages[1]", with_arguments({"a": [1, {"b": NAN}]}), {}),
        ("tools[0]", HI, {"tools": [ToolDefinition(name="f", parameters=build_schema(INFINITY))]}),
        ("extra_body", HI, {"extra_body": {"a": {"b": NAN}}}),
        ("vendor_option", HI, {"vendor_option": [-INFINITY]}),
        ("top_p", HI, {"top_p": NAN, "on_unsupported": "adjust"}),
        ("temperature", HI, {"temperature": NAN}),
        ("response_format", HI, {"response_format": build_schema(NAN), "on_unsupported": "adjust"}),
    ],
    ids=["arguments", "tool", "extra_body", "unknown option", "top_p", "temperature", "response_format"],
)
def test_a_number_that_is_not_finite_is_rejected_with_its_path(
    provider: str, place: str, messages: list[Message], options: dict[str, Any]
) -> None:
    fault = build(provider, messages, **options)
    assert fault is not None
    assert fault.message.startswith(place)
    assert fault.provider == provider


def test_replicate_refuses_numbers_that_are_not_finite_in_its_input() -> None:
    fault = build("replicate", input_option=NAN)
    assert fault is not None
    assert fault.message.startswith("input_option")


def test_nulls_of_callers_are_sent() -> None:
    assert build("openai", with_arguments({"a": None, "b": "null"}), vendor_option=[None]) is None


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_schema_that_contains_itself_is_rejected_or_widened(provider: str) -> None:
    cyclic: dict[str, Any] = {"type": "object"}
    cyclic["properties"] = {"a": cyclic, "b": cyclic}
    given: list[dict[str, Any]] = [
        {"tools": [ToolDefinition(name="f", parameters=cyclic)]},
        {"response_format": cyclic},
    ]
    for options in given:
        result = replay.request(
            provider, HI, model="owner/name", settings=SETTINGS.get(provider), on_unsupported="adjust", **options
        )
        if isinstance(result, Failure):
            assert isinstance(result.failure(), InvalidRequest | UnsupportedParameter)


@pytest.mark.parametrize(
    "options",
    [
        {"extra_body": {"a": object()}},
        {"extra_body": {"\ud800": 1}},
        {"vendor_option": object()},
        {"model": 3},
        {"model": "m\ud800"},
        {"max_tokens": "many"},
        {"max_tokens": True},
        {"temperature": "hot"},
        {"temperature": False},
        {"tools": [ToolDefinition(name="f", parameters=build_schema(object()))]},
        {"messages": with_arguments({"a": object()})},
        {"messages": [Message.model_construct(role="user", content=object())]},
        {"messages": [Message.model_construct(role="assistant", tool_calls=[3])]},
        {"messages": [Message.model_construct(role="user", content=[{"type": "text", "text": "x"}])]},
    ],
)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_values_that_cannot_be_encoded_are_a_fault_and_never_an_exception(
    provider: str, options: dict[str, Any]
) -> None:
    assert build(provider, **options) is not None


def test_an_iterable_that_raises_is_a_fault() -> None:
    def fail_after_one() -> Any:
        yield {"role": "user", "content": "hi"}
        raise OSError("the file is gone")

    fault = build("openai", fail_after_one())
    assert fault is not None
    assert "the file is gone" in fault.message


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "a\r\nX-B: c"},
        {"X-A": "\ud800"},
        {"X-A": "a\0"},
        {"": "a"},
        {"X A": "a"},
        {"X-A:": "a"},
        {"Content-Length": "3"},
        {"transfer-encoding": "chunked"},
    ],
)
def test_headers_that_http_does_not_allow_are_refused_before_sending(headers: dict[str, str]) -> None:
    fault = build("openai", extra_headers=headers)
    assert fault is not None
    assert fault.message.startswith("extra_headers")
    embedding = replay.embed_request("openai", ["a"], model="m", extra_headers=headers)
    assert isinstance(embedding.failure(), InvalidRequest)
    reranking = replay.rerank_request("cohere", "q", ["a"], model="m", extra_headers=headers)
    assert isinstance(reranking.failure(), InvalidRequest)


@pytest.mark.parametrize("options", [{"extra_body": {"x": NAN}}, {"x": [INFINITY]}])
def test_embeddings_and_reranking_refuse_numbers_that_are_not_finite(options: dict[str, Any]) -> None:
    embedding = replay.embed_request("openai", ["a"], model="m", **options)
    reranking = replay.rerank_request("cohere", "q", ["a"], model="m", **options)
    for fault in (embedding.failure(), reranking.failure()):
        assert isinstance(fault, InvalidRequest)
        assert "not a number that JSON can represent" in fault.message


def test_messages_of_faults_can_always_be_printed() -> None:
    fault = InvalidRequest(model="m\ud83d\ude00\ud800", message="caf\udce9 \u00e9 \U0001f600")
    assert (fault.model, fault.message) == ("m\U0001f600\ufffd", "caf\ufffd \u00e9 \U0001f600")


def test_depth_of_cyclic_values_is_bounded() -> None:
    cyclic: dict[str, Any] = {}
    cyclic["a"], cyclic["b"] = cyclic, [cyclic]
    assert measure_depth(cyclic, 5) == 6
    shared: Any = 1
    for _ in range(60):
        shared = {"a": shared, "b": shared}
    assert measure_depth(shared) == 60
    values: list[Any] = [1, {}, {"a": 1}, {"a": [1]}, ({},)]
    assert [measure_depth(one) for one in values] == [0, 1, 1, 2, 2]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_integer_keys_of_options_are_sent_as_strings(provider: str) -> None:
    def send(**options: Any) -> dict[str, Any]:
        model = "owner/name" if provider == "replicate" else "m"
        built = replay.request(provider, HI, model=model, settings=SETTINGS.get(provider), **options)
        body = built.unwrap().json()
        assert isinstance(body, dict)
        return body

    assert send(logit_bias={50: 1, 60: [{7: 2}]}) == send(logit_bias={"50": 1, "60": [{"7": 2}]})
    own = send(extra_body={"logit_bias": {"50": 2}})
    assert send(extra_body={"logit_bias": {50: 2}}) == own
    if provider != "replicate":  # whose options are in a nested object
        assert send(logit_bias={"50": 1}, extra_body={"logit_bias": {50: 2}}) == own


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"logit_bias": {None: 1}}, "logit_bias: keys must be strings, got None"),
        ({"vendor_option": [{"a": {True: 1}}]}, "vendor_option: keys must be strings, got True"),
        ({"extra_body": {b"a": 1}}, "extra_body: keys must be strings, got b'a'"),
        ({"extra_headers": {1: "a"}}, "extra_headers: keys must be strings, got 1"),
        ({"tool_choice": {"tool": "f"}}, "tool_choice: expected 'auto', 'none', 'required' or {'name': tool}"),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            "tool_choice: expected 'auto', 'none', 'required' or {'name': tool}",
        ),
    ],
)
def test_other_keys_are_refused_by_name(provider: str, options: dict[str, Any], message: str) -> None:
    fault = build(provider, **options)
    assert isinstance(fault, InvalidRequest)
    assert fault.message == message


@pytest.mark.parametrize("provider", ["anthropic", "bedrock"])
def test_a_key_of_a_tools_schema_that_is_not_a_string_is_named(provider: str) -> None:
    properties: dict[Any, Any] = {1: {"type": "string"}}
    fault = build(provider, tools=[ToolDefinition(name="f", parameters={"type": "object", "properties": properties})])
    assert isinstance(fault, InvalidRequest)
    assert fault.message == "tools[0]: keys must be strings, got 1"


def test_an_option_that_contains_itself_and_has_integer_keys_is_refused() -> None:
    cyclic: dict[Any, Any] = {1: 2}
    cyclic["again"] = cyclic
    assert isinstance(build("openai", vendor_option=cyclic), InvalidRequest)


@pytest.mark.parametrize("option", ["top_p", "tool_choice", "reasoning_effort", "extra_body", "extra_headers"])
def test_an_option_of_another_type_with_a_lone_surrogate_is_named(option: str) -> None:
    fault = build("openai", seed=1, **{option: "\ud800"})
    assert isinstance(fault, InvalidRequest)
    assert fault.message == f"{option}: lone surrogate, which cannot be encoded"

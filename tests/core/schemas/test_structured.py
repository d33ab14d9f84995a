"""A response's text as the requested value, or its errors with their paths."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, NotRequired, TypedDict

import msgspec
import pytest
from pydantic import BaseModel, Field, field_validator
from pydantic.dataclasses import dataclass as pydantic_dataclass
from returns.result import Failure, Result, Success

from victor_fp.core.faults import ContentRefused, Fault, InvalidRequest, InvalidResponse, RateLimited
from victor_fp.core.json import Json
from victor_fp.core.options import ResponseFormat, read_format_class
from victor_fp.core.schemas.structured import find_form_problem, structured
from victor_fp.core.types import CompletionResponse, Message
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.testing import ScriptedWire, Turn


class Person(BaseModel):
    name: str
    born: date
    tags: list[str] = Field(default=[], max_length=2)


class Point(msgspec.Struct):
    x: int
    y: int = 0


@dataclass
class Spot:
    x: int
    label: str = "here"


@pydantic_dataclass
class CheckedSpot:
    x: int = Field(ge=0)


class SpotDict(TypedDict):
    x: int
    label: NotRequired[str]


class Unsupported(msgspec.Struct):
    x: complex


SCHEMA = {"title": "Point", "type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}


def answer(content: str, **more: str) -> CompletionResponse:
    return CompletionResponse(content=content, model="m-1", **more)  # type: ignore[arg-type]  # a field of text


@pytest.mark.parametrize(
    "content",
    [
        '{"x": 1, "y": 2}',
        '  \n{"x": 1, "y": 2}\n',
        '```json\n{"x": 1, "y": 2}\n```',
        'Here it is:\n\n```\n{"x": 1, "y": 2}\n```\nAnything else?',
        'Sure! {"x": 1, "y": 2} is the point.',
        '```python\nprint({})\n```\nand\n```json\n{"x": 1, "y": 2}\n```',
    ],
)
def test_json_is_found_plain_fenced_and_in_text(content: str) -> None:
    assert structured(answer(content), Point) == Success(Point(1, 2))
    assert structured(answer(content), SCHEMA) == Success({"x": 1, "y": 2})


def test_a_pydantic_model_reads_json_spellings() -> None:
    read = structured(Success(answer('{"name": "Ada", "born": "1815-12-10"}')), Person)
    assert read == Success(Person(name="Ada", born=date(1815, 12, 10)))


def test_the_result_has_the_type_of_the_format() -> None:
    person: Result[Person, Fault] = structured(answer('{"name": "Ada", "born": "1815-12-10"}'), Person)
    point: Result[Point, Fault] = structured(answer('{"x": 1}'), Point)
    plain: Result[Json, Fault] = structured(answer('{"x": 1}'), SCHEMA)
    assert (person.unwrap().name, point.unwrap().x, plain.unwrap()) == ("Ada", 1, {"x": 1})


@pytest.mark.parametrize(
    ("form", "value"), [(Spot, Spot(3)), (CheckedSpot, CheckedSpot(3)), (SpotDict, {"x": 3})], ids=str
)
async def test_dataclasses_and_typed_dicts_are_formats(form: Any, value: object) -> None:
    wire = ScriptedWire(Turn(text='{"x": "three"}'), Turn(text='{"x": 3}'))
    async with ProviderRegistry.create("openai", api_key="k", transport=wire) as provider:
        response = await provider.chat(
            [Message(role="user", content="A spot, please.")], model="m", response_format=form, repair=1
        )
    assert structured(response, form) == Success(value)
    sent = [msgspec.json.decode(request.body) for request in wire.requests]
    schema = sent[0]["response_format"]["json_schema"]
    assert (schema["name"], schema["schema"]["properties"]["x"]["type"]) == (form.__name__, "integer")
    assert '"type":"integer"' in sent[1]["messages"][-1]["content"]
    assert isinstance(structured(answer('{"y": 3}'), form).failure(), InvalidResponse)
    assert find_form_problem(form) is None


def test_the_schema_of_a_class_is_computed_once() -> None:
    for form in (Person, Point, Spot, CheckedSpot, SpotDict):
        assert read_format_class(form) is read_format_class(form)


def test_a_class_that_is_completed_or_rebuilt_has_another_schema() -> None:
    class Owner(BaseModel):
        pet: Pet

    assert "has no JSON Schema" in str(read_format_class(Owner))

    class Pet(BaseModel):
        name: str

    Owner.model_rebuild(_types_namespace={"Pet": Pet})
    first = read_format_class(Owner)
    assert isinstance(first, ResponseFormat)
    assert first.schema["properties"] == {"pet": {"$ref": "#/$defs/Pet"}}
    Owner.model_fields["pet"].description = "Its pet."
    Owner.model_rebuild(force=True, _types_namespace={"Pet": Pet})
    second = read_format_class(Owner)
    assert isinstance(second, ResponseFormat)
    assert "Its pet." in str(second.schema)


def test_a_pydantic_dataclass_is_validated_by_pydantic() -> None:
    assert "greater than or equal to 0" in structured(answer('{"x": -1}'), CheckedSpot).failure().message


@pytest.mark.parametrize("form", [int, Exception, Unsupported])
async def test_a_class_without_a_schema_is_refused_before_anything_is_sent(form: Any) -> None:
    wire = ScriptedWire(Turn(text="unused"))
    async with ProviderRegistry.create("openai", api_key="k", transport=wire) as provider:
        fault = (
            await provider.chat_result(
                [Message(role="user", content="A spot, please.")], model="m", response_format=form
            )
        ).failure()
    assert isinstance(fault, InvalidRequest)
    assert f"response_format: {find_form_problem(form)}" in fault.message
    assert not wire.requests


async def test_structured_parses_the_requested_format() -> None:
    wire = ScriptedWire(Turn(text='{"x": 3}'))
    async with ProviderRegistry.create("openai", api_key="k", transport=wire) as provider:
        hi = [Message(role="user", content="A point, please.")]
        result = structured(await provider.chat_result(hi, model="m", response_format=Point), Point)
    assert result == Success(Point(3))
    sent = msgspec.json.decode(wire.requests[0].body)
    assert sent["response_format"]["json_schema"]["name"] == "Point"


def test_lists_are_values_too() -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    assert structured(answer("The numbers: [1, 2]."), schema) == Success([1, 2])
    assert structured(answer("[1]"), {"type": "json_schema", "json_schema": {"schema": schema}}) == Success([1])


@pytest.mark.parametrize(
    ("content", "form", "message"),
    [
        ('{"x": "one"}', Point, "JSON does not match schema Point: $.x: Expected int, got str"),
        ('{"x": "one"}', SCHEMA, "JSON does not match schema Point: $.x: expected integer, got string"),
        ("[]", Point, "JSON does not match schema Point: $: Expected object, got array"),
        (
            '{"name": 1, "tags": ["a"]}',
            Person,
            "JSON does not match schema Person: $.name: Input should be a valid string; $.born: Field required",
        ),
        ("No idea.", Point, "the response is not JSON"),
        ("", Point, "the response has no text"),
    ],
)
def test_errors_have_paths_and_reasons(content: str, form: type[Person | Point], message: str) -> None:
    fault = get_fault(structured(answer(content), form))
    assert isinstance(fault, InvalidResponse)
    assert (fault.message, fault.model, fault.maybe_billed) == (message, "m-1", True)
    assert fault.partial is not None
    assert fault.partial.content == content


def test_many_errors_are_counted() -> None:
    schema = {"items": {"type": "integer"}}
    fault = get_fault(structured(answer('["a", "b", "c", "d", "e", "f", "g"]'), schema))
    assert fault.message.endswith("$[4]: expected integer, got string (and 2 more)")


def test_truncated_json_is_reported() -> None:
    fault = get_fault(structured(answer('{"x": 1, "y', stop_reason="length"), Point))
    assert "token limit" in fault.message


def test_a_refusal_is_a_fault() -> None:
    declined = CompletionResponse(content="", stop_reason="refusal", metadata={"refusal": "I would rather not."})
    fault = get_fault(structured(declined, Point))
    assert isinstance(fault, ContentRefused)
    assert fault.message == "I would rather not."


def test_a_failure_passes_through() -> None:
    failed: Result[CompletionResponse, Fault] = Failure(RateLimited(message="slow"))
    assert structured(failed, Point) == failed


def get_fault(result: Result[object, Fault]) -> Fault:
    return result.failure()


class Raises(BaseModel):
    """A model whose validator fails in a way of its own."""

    a: int

    @field_validator("a")
    @classmethod
    def _check(cls, value: int) -> int:
        raise KeyError(value)


def test_validator_exceptions_become_faults() -> None:
    fault = structured(CompletionResponse(content='{"a": 1}'), Raises).failure()
    assert isinstance(fault, InvalidResponse)
    assert "KeyError" in fault.message


@pytest.mark.parametrize("form", [3, None, "json", True, b"x"])
def test_invalid_format_is_an_invalid_request(form: Any) -> None:
    fault = structured(CompletionResponse(content="[1]"), form).failure()
    assert isinstance(fault, InvalidRequest)
    assert "expected a pydantic model" in fault.message


@pytest.mark.parametrize("form", [list[int], list[int] | None])
def test_generic_types_are_accepted_as_formats(form: Any) -> None:
    assert structured(CompletionResponse(content="[1]"), form) == Success([1])


def test_line_breaks_and_half_pairs_in_strings_are_read() -> None:
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    assert structured(CompletionResponse(content='{"text": "one\ntwo\t\\ud83d"}'), schema) == Success(
        {"text": "one\ntwo\t\ufffd"}
    )

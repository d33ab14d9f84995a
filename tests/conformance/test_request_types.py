"""The check of requests against SDK types reports mismatches with their paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired, Required, TypedDict, TypeVar

import pytest
from pydantic import BaseModel, Field, RootModel
from typing_extensions import TypeAliasType

from tests.conformance.accepted_differences import AcceptedDifference, find_unexplained
from tests.conformance.request_types import find_argument_mismatches, find_mismatches
from tests.conformance.schema_checking import Mismatch

T = TypeVar("T")
OptionalNullable = TypeAliasType("OptionalNullable", T | None, type_params=(T,))


class Named:
    alias = "spelledSo"


class Text(TypedDict, total=False):
    type: Required[Literal["text"]]
    text: Required[str]


class Image(TypedDict):
    type: Literal["image"]
    size: NotRequired[int]


class Size(Enum):
    BIG = "big"


class Inner(RootModel[list[int]]):
    """Numbers."""


class Model(BaseModel):
    size: Size = Field(alias="theSize")
    inner: Inner | None = None
    spelled: Annotated[str, Named()] = ""
    maybe: OptionalNullable[float] = None


class Request(TypedDict, total=False):
    model: Required[str]
    parts: Iterable[Text | Image]
    options: Model
    free: Mapping[str, Any]
    flags: dict[str, bool]


GOOD = {
    "model": "m",
    "parts": [{"type": "text", "text": "a"}, {"type": "image"}],
    "options": {"theSize": "big", "inner": [1], "spelledSo": "x", "maybe": 1},
    "free": {"a": [1]},
    "flags": {"a": True},
}


def describe_mismatches(**changes: Any) -> list[str]:
    return [str(one) for one in find_mismatches({**GOOD, **changes}, Request)]


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, []),
        ({"surprise": 1}, ["$: 'surprise' is not known"]),
        ({"model": 1}, ["$.model: 1 is no str"]),
        ({"parts": {}}, ["$.parts: {} is no list"]),
        ({"parts": [{"type": "text"}]}, ["$.parts[0]: 'text' is missing"]),
        ({"parts": [{"type": "image", "size": "big"}]}, ["$.parts[0].size: 'big' is no int"]),
        ({"parts": [{"type": "image", "cache": 1}]}, ["$.parts[0]: 'cache' is not known"]),
        ({"options": {}}, ["$.options: 'theSize' is missing"]),
        ({"options": {"theSize": "small"}}, ["$.options.theSize: 'small' is none of ['big']"]),
        ({"options": {"theSize": "big", "inner": ["a"]}}, ["$.options.inner[0]: 'a' is no int"]),
        ({"options": {"theSize": "big", "spelled": "x"}}, ["$.options: 'spelled' is not known"]),
        ({"options": {"theSize": "big", "maybe": "x"}}, ["$.options.maybe: 'x' is no float"]),
        ({"flags": {"a": 1}}, ["$.flags.a: 1 is no bool"]),
    ],
)
def test_mismatches_have_a_path_and_a_reason(changes: dict[str, Any], wrong: list[str]) -> None:
    assert describe_mismatches(**changes) == wrong


def test_a_function_is_a_type_by_its_keywords() -> None:
    def chat(*, model: str, seed: int | None = None, client: object = None) -> None: ...

    assert find_argument_mismatches({"model": "m", "seed": 1}, chat, without=("client",)) == []
    wrong = [str(one) for one in find_argument_mismatches({"seed": "x", "client": 1}, chat, without=("client",))]
    assert wrong == ["$: 'model' is missing", "$.seed: 'x' is no int", "$: 'client' is not known"]


def test_an_explanation_covers_its_own_kind_only() -> None:
    known = AcceptedDifference(
        of="type", providers=("ac*",), path=r"\$\.a\[\]", said="'x' is not known", why="so it is"
    )
    mismatch = Mismatch("$.a[3]", "'x' is not known")
    assert known.can_explain("type", "acme", mismatch)
    assert not known.can_explain("document", "acme", mismatch)
    assert not known.can_explain("type", "other", mismatch)
    assert not known.can_explain("type", "acme", Mismatch("$.a[3].b", "'x' is not known"))
    assert find_unexplained("type", "acme", [mismatch]) == ["$.a[3]: 'x' is not known"]

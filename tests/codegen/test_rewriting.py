"""The generator's module comes out frozen, ordered, and with absence spelled by the side of the wire."""

from __future__ import annotations

import pytest

from victor_fp.codegen.bounds import CodegenFailed
from victor_fp.codegen.normalise import Side
from victor_fp.codegen.rewriting import rewrite_module

SOURCE = '''
from typing import Annotated, Literal, TypeAlias, Union
from msgspec import Meta, Struct, UNSET, UnsetType, field

class Tool(Struct, kw_only=True):
    """What it is."""
    type: Literal["function"] | UnsetType = "function"
    name: str
    size: int | None | UnsetType = UNSET
    topK: float | UnsetType = field(name="top-k", default=UNSET)
    parts: list[Union[A, "B"]] | UnsetType = UNSET
    anything: Any | UnsetType = UNSET

class A(Struct, kw_only=True, tag_field="t", tag="a"):
    pass

Outer: TypeAlias = Union["Inner", None]
Inner: TypeAlias = Union[A, "B"]
Mode: TypeAlias = Annotated[Literal["A | B", "30m"], Meta(title="x")]

class B(Struct, kw_only=True, tag_field="t", tag="b"):
    pass
'''
ORDER = ("B", "Tool", "A", "Outer", "Inner", "Mode")


def rewrite_source(side: Side) -> str:
    return rewrite_module(SOURCE, side, ORDER, "# header")


def test_requests_keep_absent_apart_from_null() -> None:
    text = rewrite_source("request")
    assert "    type: Literal['function'] = 'function'\n" in text
    assert "    size: int | None | UnsetType = UNSET\n" in text
    assert "    topK: float | UnsetType = field(name='top-k', default=UNSET)\n" in text
    assert "from msgspec import UNSET, Struct, UnsetType, field\n" in text


def test_responses_read_absent_and_null_as_none() -> None:
    text = rewrite_source("response")
    assert "    size: int | None = None\n" in text
    assert "    topK: float | None = field(name='top-k', default=None)\n" in text
    assert "    parts: list[A | B] | None = None\n" in text
    assert "    anything: Any = None\n" in text
    assert "    name: str\n" in text
    assert "from msgspec import Struct, field\n" in text


@pytest.mark.parametrize("side", ["request", "response"])
def test_every_struct_is_frozen_and_keeps_its_tag_and_docstring(side: Side) -> None:
    text = rewrite_source(side)
    assert text.count("(Struct, frozen=True, kw_only=True") == 3
    assert "class A(Struct, frozen=True, kw_only=True, tag_field='t', tag='a'):" in text
    assert '    """What it is."""' in text


def test_classes_follow_the_given_order_and_aliases_what_they_are_made_of() -> None:
    lines = rewrite_source("request").splitlines()
    names = [
        line.split("(")[0].split(":")[0].removeprefix("class ")
        for line in lines
        if line[:1].isupper() or "class " in line
    ]
    assert names == ["B", "Tool", "A", "Inner", "Outer", "Mode"]
    assert "Inner: TypeAlias = A | B" in lines
    assert "Outer: TypeAlias = Inner | None" in lines


def test_strings_inside_literals_stay_strings() -> None:
    assert "Mode: TypeAlias = Literal['A | B', '30m']" in rewrite_source("request")


def test_a_class_the_generator_lost_is_noticed() -> None:
    with pytest.raises(CodegenFailed, match="renamed or dropped Gone"):
        rewrite_module(SOURCE, "request", (*ORDER, "Gone"), "")

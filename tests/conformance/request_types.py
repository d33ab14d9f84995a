"""Mismatches between a request body and a vendor SDK's type for it; unknown keys are mismatches."""

from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeAlias, Union

import typing_extensions
from pydantic import BaseModel, RootModel

from tests.conformance.schema_checking import Mismatch

SEQUENCES = (list, collections.abc.Sequence, collections.abc.Iterable, tuple, set)
MAPPINGS = (dict, collections.abc.Mapping)
TAGS = ("type", "role", "kind")
FREE = (Any, object)
Fields: TypeAlias = dict[str, tuple[Any, bool]]
"""A field's type, and whether it must be there."""


def find_mismatches(value: object, kind: Any, path: str = "$") -> list[Mismatch]:
    """Everything that is wrong; `kind` is a TypedDict, a pydantic model, or whatever their fields are."""
    kind, alternatives = _unwrap(kind)
    if kind in FREE:
        return []
    if alternatives:
        return _find_nearest(value, alternatives, path)
    if kind is None or kind is type(None):
        return [] if value is None else [_report_kind(value, "null", path)]
    origin = typing.get_origin(kind)
    if origin in (Literal, typing_extensions.Literal):
        choices = typing.get_args(kind)
        return [] if value in choices else [Mismatch(path, f"{value!r} is none of {', '.join(map(repr, choices))}")]
    if origin in SEQUENCES or kind in SEQUENCES:
        return _check_list(value, (*typing.get_args(kind), Any)[0], path)
    if origin in MAPPINGS or kind in MAPPINGS:
        return _check_map(value, (*typing.get_args(kind), Any, Any)[1], path)
    if typing_extensions.is_typeddict(kind):
        return _check_fields(value, _read_typed_dict(kind), path)
    if isinstance(kind, type) and issubclass(kind, RootModel):
        return find_mismatches(value, kind.model_fields["root"].annotation, path)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _check_fields(value, _read_model(kind), path)
    return _check_scalar(value, kind, path)


def find_argument_mismatches(
    value: object, function: Callable[..., object], without: tuple[str, ...] = ()
) -> list[Mismatch]:
    """The same for SDKs that take the body's fields as a function's keywords."""
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    fields = {
        name: (hints.get(name, Any), parameters[name].default is inspect.Parameter.empty)
        for name in parameters
        if name not in ("self", *without)
    }
    return find_field_mismatches(value, fields)


def find_field_mismatches(value: object, fields: Fields) -> list[Mismatch]:
    """The same for SDKs that build the body out of several types."""
    return _check_fields(value, fields, "$")


def _unwrap(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type without what only annotates it, and the members of a union."""
    while True:
        origin = typing.get_origin(kind)
        if isinstance(kind, typing_extensions.TypeAliasType):
            kind = kind.__value__
        elif isinstance(origin, typing_extensions.TypeAliasType):
            kind = origin.__value__[typing.get_args(kind)]
        elif isinstance(kind, typing.NewType):
            kind = kind.__supertype__
        elif isinstance(kind, typing.TypeVar):
            kind = kind.__bound__ or Any
        elif origin is typing.Annotated or origin in (typing_extensions.Required, typing_extensions.NotRequired):
            kind = typing.get_args(kind)[0]
        elif origin is Union or origin is types.UnionType:
            return kind, typing.get_args(kind)
        else:
            return kind, ()


def _find_nearest(value: object, alternatives: tuple[Any, ...], path: str) -> list[Mismatch]:
    """What is wrong by the alternative that fits best."""
    nearest: tuple[int, list[Mismatch]] | None = None
    for alternative in alternatives:
        wrong = find_mismatches(value, alternative, path)
        if not wrong:
            return []
        types_ = sum(one.path == path and " is no " in one.reason for one in wrong)
        tags = sum(one.path in {f"{path}.{tag}" for tag in TAGS} for one in wrong)
        distance = len(wrong) + 100 * tags + 10_000 * types_
        if nearest is None or distance < nearest[0]:
            nearest = distance, wrong
    return [] if nearest is None else nearest[1]


def _check_list(value: object, inner: Any, path: str) -> list[Mismatch]:
    if not isinstance(value, list):
        return [_report_kind(value, "list", path)]
    return [one for place, item in enumerate(value) for one in find_mismatches(item, inner, f"{path}[{place}]")]


def _check_map(value: object, inner: Any, path: str) -> list[Mismatch]:
    if not isinstance(value, Mapping):
        return [_report_kind(value, "object", path)]
    return [one for name, item in value.items() for one in find_mismatches(item, inner, f"{path}.{name}")]


def _check_fields(value: object, fields: Fields, path: str) -> list[Mismatch]:
    if not isinstance(value, Mapping):
        return [_report_kind(value, "object", path)]
    found = [
        Mismatch(path, f"{name!r} is missing") for name, (_, needed) in fields.items() if needed and name not in value
    ]
    for name, item in value.items():
        if name in fields:
            found += find_mismatches(item, fields[name][0], f"{path}.{name}")
        else:
            found.append(Mismatch(path, f"{name!r} is not known"))
    return found


@cache
def _read_typed_dict(kind: Any) -> Fields:
    hints = typing_extensions.get_type_hints(kind, include_extras=True)
    return {
        _get_alias(hint) or name: (hint, _is_needed(hint, default=name in kind.__required_keys__))
        for name, hint in hints.items()
    }


def _is_needed(hint: Any, *, default: bool) -> bool:
    """`__required_keys__` does not see what annotations say that are text, as generated ones are."""
    origin = typing.get_origin(hint)
    return origin is typing_extensions.Required or (default and origin is not typing_extensions.NotRequired)


@cache
def _read_model(kind: type[BaseModel]) -> Fields:
    fields: Fields = {}
    for name, field in kind.model_fields.items():
        spelled = field.serialization_alias or field.alias or _find_alias(field.metadata) or name
        fields[spelled] = (field.annotation, field.is_required())
    return fields


def _get_alias(hint: Any) -> str | None:
    """Generated SDKs spell a field's own name in its annotation."""
    while typing.get_origin(hint) in (typing_extensions.Required, typing_extensions.NotRequired):
        hint = typing.get_args(hint)[0]
    return _find_alias(getattr(hint, "__metadata__", ()))


def _find_alias(metadata: Any) -> str | None:
    found: Iterator[str] = (alias for one in metadata if isinstance(alias := getattr(one, "alias", None), str))
    return next(found, None)


def _check_scalar(value: object, kind: Any, path: str) -> list[Mismatch]:
    if isinstance(kind, type) and issubclass(kind, Enum):
        choices = [member.value for member in kind]
        return [] if value in choices else [Mismatch(path, f"{value!r} is none of {choices}")]
    fits = {
        str: isinstance(value, str),
        bool: isinstance(value, bool),
        int: isinstance(value, int) and not isinstance(value, bool),
        float: isinstance(value, int | float) and not isinstance(value, bool),
        bytes: isinstance(value, str),  # in JSON
        datetime: isinstance(value, str),
        date: isinstance(value, str),
    }.get(kind, False)
    return [] if fits else [_report_kind(value, getattr(kind, "__name__", str(kind)), path)]


def _report_kind(value: object, kind: str, path: str) -> Mismatch:
    text = repr(value)
    return Mismatch(path, f"{text if len(text) < 60 else text[:57] + '...'} is no {kind}")

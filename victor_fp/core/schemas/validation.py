"""JSON Schema validation of untrusted values: draft 2020-12 by jsonschema-rs, bounded, without retrieval."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.json import MAX_DEPTH, Json, encode_json, measure_depth
from victor_fp.core.json.cache_keys import build_cache_key, decode_cache_key

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator, PatternOptionsType, ValidationError

SchemaMapping: TypeAlias = Mapping[str, Any]

MAX_ERRORS = 100
"""Maximum number of errors that are collected for one value."""
_MAX_EVALUATIONS = 10_000
"""Maximum number of subschemas evaluated to describe an error of a recursive schema."""
_BACKTRACK_LIMIT = 100_000
"""Maximum steps for one match of a pattern with lookaround or back references; other patterns match in linear time."""
_SHOWN = 60
"""Maximum characters of a value or of a list of choices in an error."""
_TAGS = ("type", "role", "kind")
"""Usual discriminator properties; a branch with a different discriminator is ranked after the others."""
_WORD = re.compile(r"\w+")
_MASK = "value"
MISSING = "the package jsonschema-rs is not installed: pip install 'victor-fp[schema]'"


class SchemaError(msgspec.Struct, frozen=True, gc=False):
    """One reason why a value does not match a schema."""

    path: str
    """JSON path of the value, such as `$.people[0].age`."""
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True)
class SchemaValidator:
    """A compiled schema."""

    compiled: Draft202012Validator
    branching: int = 0
    """Maximum evaluations per level of the value to describe an error; 0 for a schema without recursion."""

    def find_errors(self, value: Json) -> tuple[SchemaError, ...]:
        """Return the errors of a value, at most `MAX_ERRORS`; empty if it matches. Does not raise for any JSON value.

        >>> compile_schema({"type": "integer"}).unwrap().find_errors("a")
        (SchemaError(path='$', reason='expected integer, got string'),)
        """
        depth = measure_depth(value, MAX_DEPTH)
        if depth > MAX_DEPTH:
            return (SchemaError("$", f"nested more than {MAX_DEPTH} levels deep"),)
        try:
            if self.compiled.is_valid(value):
                return ()
            if self.branching and self.branching ** min(depth, 64) > _MAX_EVALUATIONS:
                return (SchemaError("$", f"does not match (nested {depth} levels deep, too deep for details)"),)
            return tuple(dict.fromkeys(_describe_all(self.compiled, value))) or (SchemaError("$", "does not match"),)
        except ValueError as error:
            return (SchemaError("$", f"cannot be validated: {_shorten(str(error))}"),)


def compile_schema(schema: SchemaMapping) -> Result[SchemaValidator, str]:
    """Compile a JSON Schema, or return what is wrong with it.

    References are resolved within the schema and to the published meta-schemas; nothing is read or fetched.
    """
    try:
        import jsonschema_rs  # noqa: F401  the test is whether it is installed
    except ImportError:
        return Failure(MISSING)
    key = build_cache_key(schema)
    return _compile(schema) if key is None else _compile_known(key)


@lru_cache(maxsize=128)
def _compile_known(key: bytes) -> Result[SchemaValidator, str]:
    """Compile a schema once: the rows of a job have the same one."""
    return _compile(decode_cache_key(key))


def _compile(schema: SchemaMapping) -> Result[SchemaValidator, str]:
    import jsonschema_rs as library

    plain = dict(schema)
    # The first engine matches in linear time; lookaround and back references need the second one.
    engines: tuple[PatternOptionsType, ...] = (
        library.RegexOptions(),
        library.FancyRegexOptions(backtrack_limit=_BACKTRACK_LIMIT),
    )
    reason = ""
    for engine in engines:
        try:
            compiled = library.Draft202012Validator(plain, mask=_MASK, offline=True, pattern_options=engine)
            return Success(SchemaValidator(compiled, _count_references(plain) if _is_recursive(plain) else 0))
        except (ValueError, TypeError, RecursionError, library.ReferencingError) as error:
            reason = _shorten(str(error).partition("\n")[0])
    return Failure(reason)


def _is_recursive(schema: SchemaMapping) -> bool:
    """Return whether a reference may lead back to a schema that contains it.

    Only references to whole definitions are analysed: a `$dynamicRef`, or a reference to the root or into a schema,
    counts as recursive.
    """
    uses: dict[str, set[str]] = {}
    for key in ("$defs", "definitions"):
        definitions = schema.get(key)
        if isinstance(definitions, Mapping):
            uses |= {f"#/{key}/{name}": set(_list_references(inner)) for name, inner in definitions.items()}
    root = {key: inner for key, inner in schema.items() if key not in ("$defs", "definitions")}
    if any(target not in uses for targets in (set(_list_references(root)), *uses.values()) for target in targets):
        return True
    settled: set[str] = set()
    while ready := [name for name, targets in uses.items() if name not in settled and targets <= settled]:
        settled.update(ready)
    return len(settled) < len(uses)


def _count_references(schema: SchemaMapping) -> int:
    return max(2, sum(1 for _ in _list_references(schema)))


def _list_references(schema: object) -> Iterator[str]:
    waiting = [schema]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            for key, inner in item.items():
                if key in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(inner, str):
                    yield inner
                else:
                    waiting.append(inner)
        elif isinstance(item, list | tuple):
            waiting += item


def _describe_all(compiled: Draft202012Validator, value: Json) -> Iterator[SchemaError]:
    for count, error in enumerate(compiled.iter_errors(value)):
        if count == MAX_ERRORS:
            return
        yield from _describe(error)


def _describe(error: ValidationError) -> Iterator[SchemaError]:
    """Describe an error; for alternatives, describe the errors of the branch that is closest to the value."""
    path = render_path(error.instance_path)
    keyword = error.kind.name
    branches: list[list[ValidationError]] = getattr(error.kind, "context", [])
    if keyword in ("anyOf", "oneOf") and any(branches) and all(branches):
        yield from (
            found for inner in min(branches, key=lambda one: _measure_distance(one, path)) for found in _describe(inner)
        )
        return
    details: dict[str, Any] = {} if keyword in ("anyOf", "oneOf", "propertyNames") else error.kind.as_dict()
    match keyword:
        case "type":
            reason = f"expected {' or '.join(_list_types(details))}, got {_name_type(error.instance)}"
        case "required":
            reason = f"missing property {details['property']!r}"
        case "additionalProperties" | "unevaluatedProperties":
            reason = f"unknown property {_shorten(', '.join(map(repr, details['unexpected'])))}"
        case "enum":
            choices = ", ".join(_show(choice) for choice in details["options"])
            reason = f"expected one of {_shorten(choices)}, got {_show(error.instance)}"
        case "const":
            reason = f"expected {_show(details['expected_value'])}, got {_show(error.instance)}"
        case "oneOf":
            reason = "matches more than one of the alternatives of 'oneOf'"
        case "anyOf":
            reason = "matches none of the alternatives of 'anyOf'"
        case "falseSchema":
            reason = "not allowed"
        case _:
            reason = _shorten(error.message.removeprefix(f"{_MASK} "))
    yield SchemaError(path, reason)


def _measure_distance(errors: Sequence[ValidationError], path: str) -> int:
    """Return the distance of a branch: wrong types weigh most, then discriminators, the value itself, nested values."""
    located = [(error.kind.name, render_path(error.instance_path)) for error in errors]
    types = sum(where == path and keyword == "type" for keyword, where in located)
    tags = sum(where in {f"{path}.{name}" for name in _TAGS} for _, where in located)
    own = sum(where == path for _, where in located)
    return len(errors) + 10 * own + 100 * tags + 10_000 * types


def _list_types(details: Mapping[str, Any]) -> list[str]:
    found = details.get("types") or details.get("type") or []
    return [found] if isinstance(found, str) else [str(one) for one in found]


def _name_type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case str():
            return "string"
        case Mapping():
            return "object"
        case list():
            return "array"
        case _:
            return "number"


def render_path(steps: Sequence[str | int]) -> str:
    """Return the JSON path of a value.

    >>> render_path(["people", 0, "full name"])
    "$.people[0]['full name']"
    """
    return "$" + "".join(
        f".{step}" if isinstance(step, str) and _WORD.fullmatch(step) else f"[{step!r}]" for step in steps
    )


def _show(value: object) -> str:
    return _shorten(encode_json(value).decode())


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."

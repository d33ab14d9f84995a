"""Mismatches between a value and a JSON Schema, with their paths.

The keywords that schemas of answers, tools and wire formats use are known: types, enums, objects, arrays, bounds, patterns,
combinations, references within the document, and OpenAPI's `nullable`. Others are ignored, as the standard has it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

Schema: TypeAlias = Mapping[str, Any]
AnySchema: TypeAlias = Schema | bool
"""True accepts anything, False nothing."""

_DEPTH = 200
"""How deep references may lead; deeper is a schema that refers to nothing but itself."""
_TAGS = ("type", "role", "kind")
"""Where objects usually say what they are."""
_BOUNDS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "minimum": (operator.lt, "less than"),
    "maximum": (operator.gt, "more than"),
    "exclusiveMinimum": (operator.le, "not more than"),
    "exclusiveMaximum": (operator.ge, "not less than"),
}


class Mismatch(msgspec.Struct, frozen=True, gc=False):
    """One thing that is wrong."""

    path: str
    """As in `$.people[0].age`."""
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def find_mismatches(
    value: object, schema: AnySchema, *, root: Schema | None = None, closed: bool = False
) -> list[Mismatch]:
    """Everything that is wrong with a value; nothing where it fits.

    `root` is the document that references lead into, by default the schema itself. With `closed`, objects whose schema names
    properties and says nothing of others have no others.

    >>> [str(one) for one in find_mismatches({"a": "x"}, {"type": "object", "properties": {"a": {"type": "integer"}}})]
    ["$.a: 'x' is no integer"]
    """
    document = root or (schema if isinstance(schema, Mapping) else {})
    return list(dict.fromkeys(_Checking(root=document, closed=closed).check(value, schema, "$", 0)))


class _Checking(msgspec.Struct, frozen=True, kw_only=True):
    root: Schema
    closed: bool

    def check(
        self,
        value: object,
        schema: AnySchema,
        path: str,
        depth: int,
        sibling: frozenset[str] | None = frozenset(),
        came_from: frozenset[str] = frozenset(),
    ) -> list[Mismatch]:
        """What is wrong with one value by one schema.

        `beside` are names that the schemas around it know, None where those look for strangers; `came_from` are the heirs
        whose ancestor this is.
        """
        if not isinstance(schema, Mapping):  # any other value accepts anything
            return [Mismatch(path, "nothing may stand here")] if schema is False else []
        schema = self._resolve(schema, depth)
        if depth > _DEPTH or (value is None and schema.get("nullable") is True):
            return []
        if (heir := self._find_heir(value, schema)) is not None and heir not in came_from:
            return self.check(value, {"$ref": heir}, path, depth + 1, sibling, came_from | {heir})
        found = [*_check_type(value, schema, path), *_check_choice(value, schema, path)]
        found += self._check_combined(value, schema, path, depth, sibling, came_from)
        match value:
            case Mapping():
                found += self._check_object(value, schema, path, depth, sibling)
            case str():
                found += _check_text(value, schema, path)
            case bool() | None:
                pass
            case int() | float():
                found += _check_number(value, schema, path)
            case Sequence():
                found += self._check_array(value, schema, path, depth)
            case _:
                pass
        return found

    def _resolve(self, schema: Schema, depth: int) -> Schema:
        """The schema that a reference resolves to, with the keywords alongside the reference."""
        reference = schema.get("$ref")
        if not isinstance(reference, str) or depth > _DEPTH:
            return schema
        target: Any = self.root
        for name in reference.removeprefix("#").split("/")[1:]:
            step = name.replace("~1", "/").replace("~0", "~")
            target = target.get(step) if isinstance(target, Mapping) else None
        if not isinstance(target, Mapping):
            return {}
        around = {name: item for name, item in schema.items() if name != "$ref"}
        return {**self._resolve(target, depth + 1), **around}

    def _find_heir(self, value: object, schema: Schema) -> str | None:
        """Where OpenAPI's discriminator leads from a schema that others inherit from; unions are looked through instead."""
        reported = schema.get("discriminator")
        if (
            not isinstance(reported, Mapping)
            or not isinstance(value, Mapping)
            or "oneOf" in schema
            or "anyOf" in schema
        ):
            return None
        tag = value.get(str(reported.get("propertyName")))
        return _get_object(reported, "mapping").get(tag) if isinstance(tag, str) else None

    def _check_combined(
        self,
        value: object,
        schema: Schema,
        path: str,
        depth: int,
        sibling: frozenset[str] | None,
        came_from: frozenset[str],
    ) -> list[Mismatch]:
        found: list[Mismatch] = []
        for part in _get_list(schema, "allOf"):
            found += self.check(value, part, path, depth + 1, None, came_from)
        for keyword in ("anyOf", "oneOf"):
            if branches := _get_list(schema, keyword):
                own = (
                    self._list_known({name: item for name, item in schema.items() if name != keyword}, depth)
                    or frozenset()
                )
                around = None if sibling is None else own | sibling
                found += self._find_nearest(value, branches, path, depth, around)
        return found

    def _find_nearest(
        self, value: object, branches: Sequence[AnySchema], path: str, depth: int, sibling: frozenset[str] | None
    ) -> list[Mismatch]:
        """What is wrong by the branch that fits best: a wrong type, then a wrong tag, is farther off than anything inside."""
        nearest: tuple[int, list[Mismatch]] | None = None
        for branch in branches:
            wrong = self.check(value, branch, path, depth + 1, sibling)
            if not wrong:
                return []
            types = sum(one.path == path and " is no " in one.reason for one in wrong)
            tags = sum(one.path in {f"{path}.{name}" for name in _TAGS} for one in wrong)
            distance = len(wrong) + 100 * tags + 10_000 * types
            if nearest is None or distance < nearest[0]:
                nearest = distance, wrong
        return [] if nearest is None else nearest[1]

    def _list_known(self, schema: Schema, depth: int) -> frozenset[str] | None:
        """Every name that an object may have; None if any is allowed."""
        if schema.get("additionalProperties") not in (None, False) or depth > _DEPTH:
            return None
        known = frozenset(_get_object(schema, "properties"))
        for part in (*_get_list(schema, "allOf"), *_get_list(schema, "anyOf"), *_get_list(schema, "oneOf")):
            more = self._list_known(self._resolve(part, depth), depth + 1) if isinstance(part, Mapping) else frozenset()
            if more is None:
                return None
            known |= more
        return known

    def _check_object(
        self, value: Mapping[str, Any], schema: Schema, path: str, depth: int, sibling: frozenset[str] | None
    ) -> list[Mismatch]:
        own, other = _get_object(schema, "properties"), schema.get("additionalProperties")
        patterns = _get_object(schema, "patternProperties")
        found = [
            Mismatch(path, f"{name!r} is missing")
            for name in _get_list(schema, "required")
            if isinstance(name, str) and name not in value
        ]
        known: frozenset[str] | None = None
        if self.closed and sibling is not None and not _get_list(schema, "anyOf") and not _get_list(schema, "oneOf"):
            # In schemas with branches, unknown fields are found by the branches.
            parts = [self._resolve(part, depth) for part in _get_list(schema, "allOf") if isinstance(part, Mapping)]
            heirs = [{"$ref": heir} for part in parts if (heir := self._find_heir(value, part)) is not None]
            mine = self._list_known({"allOf": [schema, *heirs]}, depth)
            known = None if mine is None else mine | sibling
        for name, item in value.items():
            inner = own.get(name, next((patterns[one] for one in patterns if _has_match(one, name)), other))
            if inner is False and name not in own:
                found.append(Mismatch(path, f"{name!r} is not known"))
            elif isinstance(inner, Mapping | bool):
                found += self.check(item, inner, _extend_path(path, name), depth + 1)
            elif known and name not in known:
                found.append(Mismatch(path, f"{name!r} is not known"))
        return found

    def _check_array(self, value: Sequence[Any], schema: Schema, path: str, depth: int) -> list[Mismatch]:
        found = list(_check_bounds(len(value), schema, "Items", "items", path))
        first = _get_list(schema, "prefixItems")
        for place, item in enumerate(value):
            inner = first[place] if place < len(first) else schema.get("items")
            if isinstance(inner, Mapping | bool):
                found += self.check(item, inner, f"{path}[{place}]", depth + 1)
        return found


def _get_list(schema: Schema, keyword: str) -> Sequence[Any]:
    """A keyword's list; what is none counts as absent."""
    found = schema.get(keyword)
    return found if isinstance(found, Sequence) and not isinstance(found, str) else ()


def _get_object(schema: Schema, keyword: str) -> Schema:
    """A keyword's object; what is none counts as absent."""
    found = schema.get(keyword)
    return found if isinstance(found, Mapping) else {}


def _check_type(value: object, schema: Schema, path: str) -> list[Mismatch]:
    kinds = schema.get("type")
    wanted = [kinds] if isinstance(kinds, str) else kinds
    if not isinstance(wanted, Sequence) or any(_is_a(value, str(kind)) for kind in wanted):
        return []
    return [Mismatch(path, f"{_show(value)} is no {' or '.join(map(str, wanted))}")]


def _is_a(value: object, kind: str) -> bool:
    match kind.lower():
        case "object":
            return isinstance(value, Mapping)
        case "array":
            return isinstance(value, Sequence) and not isinstance(value, str | bytes)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "integer":
            whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            return whole and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case _:
            return True


def _check_choice(value: object, schema: Schema, path: str) -> Iterator[Mismatch]:
    if "const" in schema and not _is_same(value, schema["const"]):
        yield Mismatch(path, f"{_show(value)} is not {_show(schema['const'])}")
    choices = schema.get("enum")
    if isinstance(choices, Sequence) and not any(_is_same(value, choice) for choice in choices):
        yield Mismatch(path, f"{_show(value)} is none of {', '.join(map(_show, choices))}")


def _is_same(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _check_text(value: str, schema: Schema, path: str) -> Iterator[Mismatch]:
    yield from _check_bounds(len(value), schema, "Length", "characters", path)
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and not _has_match(pattern, value):
        yield Mismatch(path, f"{_show(value)} does not match {pattern}")


def _has_match(pattern: str, text: str) -> bool:
    """Whether a text holds a match; a pattern that Python cannot read holds for any."""
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True


def _check_number(value: float, schema: Schema, path: str) -> Iterator[Mismatch]:
    for keyword, (wrong, words) in _BOUNDS.items():
        bound = schema.get(keyword)
        if isinstance(bound, int | float) and not isinstance(bound, bool) and wrong(value, bound):
            yield Mismatch(path, f"{value} is {words} {bound}")


def _check_bounds(size: int, schema: Schema, what: str, unit: str, path: str) -> Iterator[Mismatch]:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if isinstance(least, int) and size < least:
        yield Mismatch(path, f"{size} {unit} where {least} is the least")
    if isinstance(most, int) and size > most:
        yield Mismatch(path, f"{size} {unit} where {most} is the most")


def _extend_path(path: str, name: str) -> str:
    return f"{path}.{name}" if re.fullmatch(r"\w+", name) else f"{path}[{name!r}]"


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

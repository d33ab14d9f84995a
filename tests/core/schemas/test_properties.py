"""Laws of the conversion, for generated schemas and every set of rules: the result keeps to the rules and means the same,
or what changed is named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.example_counts import scale_examples
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.dialects.schemas import OLDER_GEMINI_SCHEMAS, SchemaRules, SchemaSupport
from victor_fp.core.schemas.conversion import convert_schema
from victor_fp.core.schemas.references import find_circular
from victor_fp.core.schemas.validation import compile_schema
from victor_fp.core.schemas.vocabulary import INFORMATIVE, RESTRICTIONS, SINGLE_SCHEMAS, list_types


def _collect_rules() -> dict[str, SchemaRules]:
    """Every set of rules that a catalogue entry has, by the name of the first one."""
    found: dict[str, SchemaRules] = {}
    for spec in CATALOGUE.chats:
        supports: list[SchemaSupport] = [spec.dialect.find_schema_support(spec.default_model or "m")]
        supports += [OLDER_GEMINI_SCHEMAS] if spec.name == "google" else []
        for support in supports:
            for use in ("tools", "strict_tools", "answers", "strict_answers"):
                rules = getattr(support, use)
                if rules is not None and rules not in found.values():
                    found[f"{spec.name} {use}{' (older)' if support is OLDER_GEMINI_SCHEMAS else ''}"] = rules
    return found


RULES = _collect_rules()
NAMES = st.sampled_from(["a", "b", "c d"])
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "bb", "2026-01-01"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=3)
TYPES = st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null"])
REFERENCES = st.sampled_from(["#/$defs/A", "#/$defs/B", "#/$defs/Loop"])


def _generate_schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    optional = {
        "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
        "properties": st.dictionaries(NAMES, inner, max_size=3),
        "required": st.lists(NAMES, unique=True, max_size=2),
        "additionalProperties": st.booleans() | inner,
        "items": inner,
        "prefixItems": st.lists(inner, min_size=1, max_size=2),
        "enum": st.lists(SCALARS, min_size=1, max_size=4, unique_by=repr),
        "const": SCALARS,
        "anyOf": st.lists(inner, min_size=1, max_size=3),
        "oneOf": st.lists(inner, min_size=1, max_size=3),
        "allOf": st.lists(inner, min_size=1, max_size=2),
        "not": inner,
        "minimum": st.integers(-2, 2),
        "exclusiveMaximum": st.integers(-2, 2),
        "minLength": st.integers(0, 2),
        "pattern": st.sampled_from(["^a", "b$", "(?=a)"]),
        "format": st.sampled_from(["date", "color"]),
        "minItems": st.integers(0, 3),
        "uniqueItems": st.booleans(),
        "description": st.just("words"),
        "default": SCALARS,
        "title": st.just("T"),
        "$ref": REFERENCES,
    }
    return st.lists(st.sampled_from(sorted(optional)), max_size=4, unique=True).flatmap(
        lambda keywords: st.fixed_dictionaries({keyword: optional[keyword] for keyword in keywords})
    )


INNER = st.recursive(st.booleans() | _generate_schemas(st.just({"type": "string"})), _generate_schemas, max_leaves=8)
SCHEMAS = st.builds(
    lambda root, one, two: {
        **root,
        "$defs": {
            "A": one,
            "B": {"allOf": [two, {"$ref": "#/$defs/A"}]},
            "Loop": {"type": "object", "properties": {"a": {"$ref": "#/$defs/Loop"}}},
        },
    },
    _generate_schemas(INNER),
    _generate_schemas(st.just({"type": "integer"})),
    _generate_schemas(st.just({"type": "null"})),
)
ODD = st.recursive(
    SCALARS | st.sampled_from(["dict", "float", "any", "#", "String", "tuple"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*sorted(RESTRICTIONS), *sorted(INFORMATIVE), "nullable", "x"]), inner, max_size=4
        )
    ),
    max_leaves=15,
)


def _has_described_root_union(changes: tuple[str, ...]) -> bool:
    """A described union at the root of arguments lists the properties of all its branches, which can narrow one."""
    return any(change.endswith("Of is moved to the description: $") for change in changes)


def test_a_described_union_at_the_root_is_a_named_change() -> None:
    schema: dict[str, Any] = {"$ref": "#/$defs/A", "anyOf": [{}, {"properties": {"a": False}}], "$defs": {"A": {}}}
    conversion = convert_schema(schema, RULES["xai tools"], arguments=True)
    assert _has_described_root_union(conversion.changes)


@given(schema=SCHEMAS, values=st.lists(VALUES | OBJECTS, min_size=12, max_size=12))
@example(schema={"allOf": [{"const": None}], "required": ["a"], "properties": {}}, values=[None, {}, "a"])
@settings(max_examples=scale_examples(200), deadline=None)
def test_a_conversion_without_a_named_change_means_the_same(schema: dict[str, Any], values: list[Any]) -> None:
    """Generating a schema is slower than converting it: each is tried with every set of rules."""
    for name in RULES:
        check_meaning(name, schema, values)


def check_meaning(name: str, schema: dict[str, Any], values: list[Any]) -> None:
    """A schema and its conversion accept the same values, as far as no change was named."""
    rules = RULES[name]
    conversion = convert_schema(schema, rules, arguments=rules.root != "any")
    if conversion.losses:
        return
    # Arguments are objects, whatever their schema says.
    values = [value for value in values if rules.root == "any" or isinstance(value, dict)]
    assert list(_list_violations(conversion.schema, rules, conversion.schema)) == [], name
    narrowing = ("is required", "as one object", "one of their schemas")
    narrowed = rules.objects.startswith("closed") or any(
        word in change for change in conversion.changes for word in narrowing
    )
    widened = bool(conversion.changes)
    before = compile_schema(schema).unwrap()
    after = compile_schema(_without_nullable(conversion.schema)).unwrap()
    for value in values:
        if not before.find_errors(value) and not narrowed:
            assert not after.find_errors(value), (name, value, conversion)
        if not after.find_errors(value) and not widened:
            assert not before.find_errors(value), (name, value, conversion)


@given(schema=st.dictionaries(st.sampled_from(sorted(RESTRICTIONS)), ODD, max_size=5), arguments=st.booleans())
@settings(max_examples=scale_examples(100), deadline=None)
def test_no_schema_raises(schema: dict[str, Any], arguments: bool) -> None:
    for name, rules in RULES.items():
        conversion = convert_schema(schema, rules, arguments=arguments)
        msgspec.json.encode(conversion.schema)
        if not conversion.losses:
            assert list(_list_violations(conversion.schema, rules, conversion.schema)) == [], name


def _without_nullable(schema: Any) -> Any:
    """OpenAPI's `nullable` as JSON Schema says it."""
    if isinstance(schema, list):
        return [_without_nullable(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    out = {
        name: value if name in ("enum", "const", "default") else _without_nullable(value)
        for name, value in schema.items()
    }
    if out.pop("nullable", None) is True:
        return {"anyOf": [out, {"type": "null"}]}
    return out


def _list_violations(schema: Any, rules: SchemaRules, root: Mapping[str, Any], place: str = "$") -> Iterator[str]:
    """What in a converted schema the rules do not accept."""
    if not isinstance(schema, dict):
        return
    circular = find_circular(root)
    for keyword, value in schema.items():
        known = rules.keywords is None or keyword in rules.keywords or (keyword == "nullable" and rules.nullable)
        if not known or keyword in rules.refused:
            yield f"{place}: {keyword}"
        if keyword in rules.values and value not in rules.values[keyword]:
            yield f"{place}: {keyword} {value!r}"
    if keyword_values := schema.get("enum"):
        kinds = {type(one) for one in keyword_values}
        if rules.enum_types == frozenset({"string"}) and kinds != {str}:
            yield f"{place}: enum of {kinds}"
    if len(list_types(schema)) > 1 and not rules.type_lists:
        yield f"{place}: a list of types"
    if "$ref" in schema:
        if rules.references == "none" or (rules.references == "acyclic" and schema["$ref"] in circular):
            yield f"{place}: {schema['$ref']}"
        if rules.lone_references and schema.keys() - {"$ref", "$defs", "definitions"}:
            yield f"{place}: beside a reference"
    if rules.lone_unions and "anyOf" in schema and (schema.keys() & RESTRICTIONS) - {"anyOf"}:
        yield f"{place}: beside a union"
    if rules.refused_patterns and re.search(rules.refused_patterns, str(schema.get("pattern", ""))):
        yield f"{place}: pattern"
    if "object" in list_types(schema) or "properties" in schema:
        yield from _list_object_violations(schema, rules, place)
    if rules.items and "array" in list_types(schema) and not isinstance(schema.get("items"), dict):
        yield f"{place}: no items"
    for keyword, value in schema.items():
        if keyword in ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"):
            for name, inner in value.items():
                yield from _list_violations(inner, rules, root, f"{place}.{name}")
        elif keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
            for number, inner in enumerate(value):
                yield from _list_violations(inner, rules, root, f"{place}.{keyword}[{number}]")
        elif keyword in SINGLE_SCHEMAS:
            yield from _list_violations(value, rules, root, f"{place}.{keyword}")


def _list_object_violations(schema: Mapping[str, Any], rules: SchemaRules, place: str) -> Iterator[str]:
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if rules.objects.startswith("closed") and schema.get("additionalProperties") is not False:
        yield f"{place}: open"
    if rules.objects == "closed_and_required" and [*required] != [*properties]:
        yield f"{place}: required {required}"
    if rules.declared and not {*required} <= {*properties}:
        yield f"{place}: required {required}"
    if rules.property_names and not all(re.fullmatch(rules.property_names, name) for name in properties):
        yield f"{place}: names {[*properties]}"

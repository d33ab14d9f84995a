"""Conversion of a JSON Schema to what a vendor's mechanism accepts. The meaning is preserved, or the change is reported.

Rules: equivalent forms are used silently (`const` as `enum`, `oneOf` as `anyOf` if no value can match two branches, inlined
references). So is closing an object with properties and without `additionalProperties`, if the vendor requires closed objects.
A restriction that the vendor does not accept is moved to the description and reported in `changes`. Anything that would exclude
valid values, or cannot be expressed, is reported in `losses`; the caller of `convert_schema` decides what to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from victor_fp.core.dialects.schemas import SchemaRules
from victor_fp.core.json import Json, encode_json, measure_depth
from victor_fp.core.json.cache_keys import build_cache_key, decode_cache_key
from victor_fp.core.schemas.expansion import expand, resolve
from victor_fp.core.schemas.merging import distribute, extract_restrictions, widen_union
from victor_fp.core.schemas.normalise import describe, describe_keyword
from victor_fp.core.schemas.references import are_disjoint, find_target, is_definition
from victor_fp.core.schemas.unions import fold_null, split_values, spread_types
from victor_fp.core.schemas.vocabulary import (
    DEFINITIONS,
    OF_TYPE,
    RESTRICTIONS,
    SCHEMA_LISTS,
    SCHEMA_MAPS,
    SILENT,
    SINGLE_SCHEMAS,
    Schema,
    is_of_type,
    list_types,
    name_type,
)
from victor_fp.core.schemas.walk import SHOWN_PATHS, SchemaWalk

MAX_DEPTH = 100
"""Maximum nesting of schemas, including inlined references."""
MAX_NODES = 20_000
"""Maximum number of subschemas after references are inlined."""
_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"
_ANYTHING = "a value of any type cannot be strict"
_AS_ANY_OF = "oneOf is sent as anyOf, which also accepts values that match several branches"
_EXCLUSIVE = frozenset({"oneOf", "not", "if", "contains"})
"""Keywords that accept fewer values if a subschema accepts more."""
_COMPOSITIONS = ("anyOf", "oneOf", "allOf", "enum", "const", "not", "if", "then", "else")
"""Keywords that are not allowed alongside the type of a plain object."""


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """A converted schema."""

    schema: Schema
    changes: tuple[str, ...] = ()
    """Parts of the original expressed differently, with their paths: `minimum is moved to the description: $.age`."""
    losses: tuple[str, ...] = ()
    """Parts that cannot be expressed; the schema accepts more, or fewer, values than the original."""


def convert_schema(schema: Mapping[str, Json], rules: SchemaRules, *, arguments: bool = False) -> Conversion:
    """Convert a schema to the rules; `arguments`: it describes the arguments of a tool, which are always an object.

    >>> convert_schema({"oneOf": [{"const": 1}, {"type": "null"}]}, SchemaRules(refused=frozenset({"const"}))).schema
    {'oneOf': [{'enum': [1]}, {'type': 'null'}]}
    """
    key = build_cache_key(schema)
    return _convert(schema, rules, arguments) if key is None else _convert_known(key, rules, arguments)


@lru_cache(maxsize=512)
def _convert_known(key: bytes, rules: SchemaRules, arguments: bool) -> Conversion:  # noqa: FBT001  part of the key
    """Convert a schema of an earlier call at once: the tools of an agent and the format of a job are those of each call."""
    return _convert(decode_cache_key(key), rules, arguments)


def _convert(schema: Mapping[str, Json], rules: SchemaRules, arguments: bool) -> Conversion:  # noqa: FBT001  as above
    if measure_depth(schema, 2 * MAX_DEPTH) > 2 * MAX_DEPTH:
        return Conversion(schema={"type": "object"}, losses=(_TOO_DEEP,))
    walk = _Walk(schema, rules, arguments=arguments)
    converted = walk.convert_root()
    return Conversion(schema=converted, changes=walk.list_changes(), losses=tuple(dict.fromkeys(walk.losses)))


class _Walk(SchemaWalk):
    """One conversion: its state, and the recursion over subschemas."""

    def convert_root(self) -> Schema:
        """Convert the root schema, with the definitions that are used."""
        root = self.root
        if self.rules.root != "any" or self.arguments:
            root = _Level(self, root, "$", inline=True).to_object()
        out = self.convert(root, "$")
        schema = dict(out) if isinstance(out, dict) else {}
        definitions: dict[str, dict[str, Json]] = {}
        done: set[str] = set()
        while pending := [reference for reference in self.used if reference not in done]:
            for reference in pending:
                done.add(reference)
                if reference != "#" and is_definition(reference):
                    _, keyword, name = reference.split("/")
                    converted = self.convert(find_target(self.root, reference), f"$.{keyword}.{name}")
                    decoded = name.replace("~1", "/").replace("~0", "~")
                    definitions.setdefault(self.choose_definitions_keyword(keyword), {})[decoded] = converted
        for keyword, converted_ones in definitions.items():
            existing = schema.get(keyword)
            schema[keyword] = {**(existing if isinstance(existing, dict) else {}), **converted_ones}
        return schema

    def convert(self, given: Json, path: str) -> Json:
        """Convert one schema and its subschemas."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            if self.nodes == MAX_NODES + 1:
                self.report_loss(path, f"more than {MAX_NODES} schemas with references inlined")
            return {}
        if isinstance(given, Mapping):
            if self.level == MAX_DEPTH:
                self.report_loss("$", _TOO_DEEP)
                return {}
            self.level += 1
            converted = _Level(self, given, path).convert()
            self.level -= 1
            return converted
        if self.rules.keywords is None and isinstance(given, bool):
            return given
        if given is False:
            self.report_change(path, "a schema that accepts nothing is moved to the description")
            return {"description": "not allowed"}
        if self.is_closed:
            self.report_loss(path, _ANYTHING)
        return {}


class _Level:
    """One level of a schema during conversion."""

    def __init__(self, walk: _Walk, given: Mapping[str, Json], path: str, *, inline: bool = False) -> None:
        self.walk, self.rules, self.path = walk, walk.rules, path
        expanded = expand(walk, given, path, inline=inline)
        self.node: Schema = expanded.node
        """The remaining part of the original."""
        self.out: Schema = {}
        self.description_texts: list[str] = [*expanded.texts]
        """Texts to append to the description."""

    def _report_change(self, what: str) -> None:
        self.walk.report_change(self.path, what)

    def _report_loss(self, what: str) -> None:
        self.walk.report_loss(self.path, what)

    def _move_to_description(self, keyword: str, value: Json) -> None:
        """Move a restriction to the description."""
        self._report_change(f"{keyword} is moved to the description")
        self.description_texts.append(describe_keyword(keyword, value))

    def convert(self) -> Schema:
        """Convert the level."""
        if "$ref" in self.node:
            return self._convert_reference()
        types = list_types(self.node)
        if types and "object" not in types and (self.rules.declared or self.rules.objects != "open"):
            # Keywords that apply to objects only have no effect here.
            self.node = {keyword: value for keyword, value in self.node.items() if keyword not in OF_TYPE["object"]}
        for keyword, value in self.node.items():
            self._convert_keyword(keyword, value)
        self._convert_object()
        self._convert_array()
        self._spread_types()
        if self.rules.nullable:
            self.out = fold_null(self.out)
        self._move_into_branches()
        if self.walk.is_closed and not self.out.keys() & {"type", "enum", "const", "anyOf", "allOf"}:
            self._report_loss(_ANYTHING)
        return describe(self.out, self.description_texts)

    # The root

    def to_object(self) -> Schema:
        """Convert the level to an object, without the keywords that are not allowed alongside its type."""
        arguments = self.walk.arguments
        types = list_types(self.node)
        node: Schema = self.node
        if not types and (arguments or "properties" in node):
            node = {"type": "object", **node}
        elif "object" in types:
            node = {**node, "type": "object"}
        else:
            self._report_loss("the root is not an object")
            node = {"type": "object"}
        if self.rules.root == "plain_object":
            for keyword in _COMPOSITIONS:
                if keyword in node:
                    value = node.pop(keyword)
                    if not arguments:
                        self._report_loss(f"{keyword} at the root")
                    elif keyword in ("anyOf", "oneOf") and isinstance(value, list):
                        node = widen_union(node, [resolve(self.walk, branch, self.path) for branch in value])
                        self._report_change(f"{keyword} is sent as one object with the properties of its branches")
                    self._move_to_description(keyword, value)
        return describe(node, self.description_texts)

    def _convert_reference(self) -> Schema:
        walk, reference = self.walk, str(self.node["$ref"])
        walk.used[reference] = None
        if self.rules.references == "unrolled" and reference in walk.circular:
            self._report_change("the vendor unrolls a recursive schema to a limited depth")
        sent: Schema = {"$ref": reference}
        if reference != "#" and is_definition(reference):
            _, keyword, name = reference.split("/")
            sent = {"$ref": f"#/{walk.choose_definitions_keyword(keyword)}/{name}"}
        for keyword, value in self.node.items():
            if keyword == "$ref":
                continue
            if keyword in RESTRICTIONS and (self.rules.lone_references or self.walk.has_rules_for({keyword})):
                self._move_to_description(keyword, value)
            else:
                self._convert_keyword(keyword, value)
        siblings = describe(self.out, self.description_texts)
        if not siblings:
            return sent
        return {"anyOf": [sent], **siblings} if self.rules.lone_references else {**sent, **siblings}

    # Keywords

    def _convert_keyword(self, keyword: str, value: Json) -> None:
        walk, rules, out, path = self.walk, self.rules, self.out, self.path
        if keyword == "items" and self.node.get("prefixItems") and not walk.is_accepted("prefixItems"):
            pass  # replaced together with them
        elif keyword in DEFINITIONS:
            # Definitions at the root are added when their uses are known; others are reached by inlined references, or kept.
            if path != "$" and rules.keywords is None:
                out[keyword] = value
        elif keyword in ("enum", "const"):
            values = [value] if keyword == "const" else value if isinstance(value, list) else []
            self._convert_values(keyword, values)
        elif keyword == "discriminator" or not walk.is_accepted(keyword):
            self._replace_keyword(keyword, value)
        elif not self._is_accepted_value(keyword, value):
            self._move_to_description(keyword, value)
        elif keyword == "properties" and isinstance(value, Mapping):
            out[keyword] = self._convert_properties(value)
        elif keyword in SCHEMA_MAPS and isinstance(value, Mapping):
            out[keyword] = {name: walk.convert(inner, f"{path}.{name}") for name, inner in value.items()}
        elif keyword in _EXCLUSIVE:
            self._convert_exclusive(keyword, value)
        elif keyword in SCHEMA_LISTS and isinstance(value, list):
            out[keyword] = self._convert_list(keyword, value)
        elif keyword in SINGLE_SCHEMAS and not (keyword == "additionalProperties" and isinstance(value, bool)):
            out[keyword] = walk.convert(value, f"{path}.{keyword}")
        else:
            out[keyword] = value

    def _is_accepted_value(self, keyword: str, value: Json) -> bool:
        rules = self.rules
        if keyword == "pattern" and rules.refused_patterns:
            return re.search(rules.refused_patterns, str(value)) is None
        return keyword not in rules.values or _is_among(value, rules.values[keyword])

    def _convert_exclusive(self, keyword: str, value: Json) -> None:
        """Convert a keyword of `_EXCLUSIVE`: it is kept only if its subschemas are unchanged."""
        reported = self.walk.reported
        converted: Json = (
            self._convert_list(keyword, value)
            if isinstance(value, list)
            else self.walk.convert(value, f"{self.path}.{keyword}")
        )
        if reported == self.walk.reported:
            self.out[keyword] = converted
        elif keyword == "oneOf" and "anyOf" not in self.node and self.walk.is_accepted("anyOf"):
            self._report_change(_AS_ANY_OF)
            self.out["anyOf"] = converted
        else:
            self._move_to_description(keyword, value)

    def _convert_list(self, keyword: str, branches: Sequence[Json]) -> list[Json]:
        return [self.walk.convert(inner, f"{self.path}.{keyword}[{n}]") for n, inner in enumerate(branches)]

    def _convert_properties(self, properties: Mapping[str, Json]) -> Schema:
        pattern, kept = self.rules.property_names, dict(properties)
        for name in [name for name in properties if pattern and re.fullmatch(pattern, name) is None]:
            self._report_loss(f"the name of the property {name!r} does not match {pattern}")
            self.description_texts.append(describe_keyword(f"property {name}", kept.pop(name)))
        return {name: self.walk.convert(inner, f"{self.path}.{name}") for name, inner in kept.items()}

    def _replace_keyword(self, keyword: str, value: Json) -> None:
        """Replace a keyword that the vendor does not accept."""
        match keyword, value:
            case "oneOf", list() if "anyOf" not in self.node and self.walk.is_accepted("anyOf"):
                if not are_disjoint(value, self.walk.root):
                    self._report_change(_AS_ANY_OF)
                self.out["anyOf"] = self._convert_list(keyword, value)
            case "prefixItems", list() if value:
                self._replace_prefix_items(value)
            case ("additionalProperties", True) | ("default" | "example", None):
                pass
            case _ if keyword in SILENT or keyword.startswith(("x-", "$")):
                pass
            case _ if keyword in RESTRICTIONS:
                self._move_to_description(keyword, value)
            case _:
                self.description_texts.append(describe_keyword(keyword, value))

    def _replace_prefix_items(self, prefix: list[Json]) -> None:
        """Replace the schemas of the first items by one for all items, which accepts each of them."""
        rest, longest = self.node.get("items", True), self.node.get("maxItems")
        self._move_to_description("prefixItems", prefix)
        if rest is False:
            self._move_to_description("items", rest)
        elif isinstance(longest, int) and longest <= len(prefix):
            pass
        elif isinstance(rest, dict) and rest:
            prefix = [*prefix, rest]
        else:
            self._report_change("items after prefixItems must match one of their schemas")
        options = list({encode_json(inner): inner for inner in prefix}.values())
        converted = self._convert_list("prefixItems", options)
        self.out["items"] = converted[0] if len(converted) == 1 else {"anyOf": converted}

    def _convert_values(self, keyword: str, values: list[Json]) -> None:
        """Convert `enum` and `const` to the form that the vendor accepts."""
        rules, types = self.rules, list_types(self.node)
        fitting = [value for value in values if not types or is_of_type(value, types)]
        given: Json = values[0] if keyword == "const" else values
        allowed = rules.enum_types
        if not fitting:
            self._move_to_description(keyword, given)
        elif allowed is None or self._are_allowed(fitting, allowed):
            if self.walk.is_accepted(keyword):
                self.out[keyword] = given if allowed is None or keyword == "const" else fitting
            elif keyword == "const" and self.walk.is_accepted("enum"):
                self.out["enum"] = fitting
            else:
                self._move_to_description(keyword, given)
            if allowed == frozenset({"string"}):
                self.out["type"] = "string"
        else:
            branches = split_values(fitting, allowed)
            if not branches or (len(branches) > 1 and self.node.keys() & {"anyOf", "oneOf"}):
                self._move_to_description(keyword, given)
            elif len(branches) == 1:
                self.out |= branches[0]
            else:
                self.out.pop("type", None)
                self.node = {name: value for name, value in self.node.items() if name != "type"}
                self.out["anyOf"] = [*branches]

    def _are_allowed(self, values: Sequence[Json], allowed: frozenset[str]) -> bool:
        is_uniform = not self.rules.uniform_enums or len({isinstance(value, str) for value in values}) == 1
        return is_uniform and all(name_type(value) in allowed for value in values)

    # Types and unions

    def _spread_types(self) -> None:
        """Convert a type list to a union, if lists are not accepted."""
        if len(types := list_types(self.out)) < 2 or self.rules.type_lists:
            return
        spread = spread_types(self.out, nullable=self.rules.nullable)
        if spread is None:
            del self.out["type"]
            self._move_to_description("type", list(types))
        else:
            self.out = spread

    def _move_into_branches(self) -> None:
        """Move keywords alongside a union into its branches, if none are allowed there."""
        out, branches = self.out, self.out.get("anyOf")
        if not self.rules.lone_unions or not isinstance(branches, list):
            return
        siblings = {keyword: value for keyword, value in extract_restrictions(out).items() if keyword != "anyOf"}
        if not siblings:
            return
        distributed = distribute(branches, siblings)
        if distributed is None:
            self._move_to_description("anyOf", branches)
            del out["anyOf"]
            return
        for keyword in siblings:
            del out[keyword]
        out["anyOf"] = [*distributed]

    # Objects and arrays

    def _convert_object(self) -> None:
        out, rules, types = self.out, self.rules, list_types(self.out)
        properties = out.get("properties")
        names = list(properties) if isinstance(properties, dict) else []
        if "object" not in types and (types or properties is None):
            if types and (rules.declared or rules.objects != "open"):  # such as the type of a constant
                self.out = {keyword: value for keyword, value in out.items() if keyword not in OF_TYPE["object"]}
            return
        if rules.objects == "open_explicit" and properties is None and "additionalProperties" not in self.node:
            out["additionalProperties"] = True
        if rules.objects == "listed" and not names:
            self._check_listed()
        if self.walk.is_closed:
            self._close()
        required = out.get("required")
        if isinstance(required, list) and (rules.declared or self.walk.is_closed):
            undeclared = [name for name in required if name not in names]
            if undeclared and self.walk.is_closed:
                self._report_loss(f"{', '.join(map(str, undeclared))} is required and not among the properties")
            elif undeclared:
                self._move_to_description("required", undeclared)
            kept: list[Json] = [name for name in required if name in names]
            out["required"] = kept
            if not kept and not self.walk.is_closed:
                del out["required"]
        if rules.objects == "closed_and_required":
            listed = required if isinstance(required, list) else []
            if optional := [name for name in names if name not in listed]:
                self._report_change(f"{', '.join(optional[:SHOWN_PATHS])} is required, since every property must be")
            out["required"] = [*names]

    def _check_listed(self) -> None:
        """Report an object without properties, which cannot be expressed, except for a tool without arguments."""
        is_empty = self.node.get("properties", {}) == {} and "additionalProperties" not in self.node
        if not (self.walk.arguments and self.path == "$" and is_empty):
            self._report_loss("an object must list its properties")

    def _close(self) -> None:
        out, free = self.out, self.node.get("additionalProperties")
        if free not in (None, False) or "patternProperties" in self.node:
            self._report_loss("an object with free keys cannot be closed")
        elif not isinstance(out.get("properties"), dict) and free is None:
            self._report_loss("an object without properties, which allows any keys, cannot be closed")
        out.setdefault("type", "object")
        out["additionalProperties"] = False
        out.setdefault("properties", {})

    def _convert_array(self) -> None:
        out = self.out
        if not self.rules.items or "array" not in list_types(out):
            return
        if out.get("items") is False:
            self._move_to_description("items", value=False)
        if isinstance(out.get("items", True), bool):
            if self.walk.is_closed:
                self._report_loss("an array of any values cannot be strict")
            out["items"] = {}


def _is_among(value: Json, accepted: frozenset[str] | frozenset[int]) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value in accepted

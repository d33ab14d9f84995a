"""Comparison of two schemas: additions of the vendor's, and removed or changed parts that ours uses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

from victor_fp.codegen.normalise import Side
from victor_fp.codegen.schema import (
    SchemaNode,
    Schemas,
    find_kind,
    find_reference,
    list_constants,
    list_required,
    list_variants,
    read_properties,
    resolve,
    to_schema,
)

Effect: TypeAlias = Literal["added", "removed", "changed"]


class Change(NamedTuple):
    """One difference from our document to the vendor's; `used` if it affects what our document uses."""

    schema: str
    field: str
    effect: Effect
    detail: str
    used: bool


class Comparison(NamedTuple):
    """Schemas of both documents, their side, and the pairs of components already compared."""

    ours: Schemas
    theirs: Schemas
    side: Side
    compared: set[tuple[str, str]]


class ChangeLocation(NamedTuple):
    """Location of a change: our component and the path of fields in it."""

    schema: str
    field: str = ""

    def step_to(self, step: str) -> ChangeLocation:
        """Return the location one step deeper: a field's name, or "[]", "{}" and "<tag>" for items, values and variants."""
        return ChangeLocation(
            self.schema, self.field + step if step[0] in "[{<" else f"{self.field}.{step}".lstrip(".")
        )


def compare(both: Comparison, ours: SchemaNode, theirs: SchemaNode, location: ChangeLocation) -> list[Change]:
    """Return the differences between two schemas and all they reference, comparing each pair of components once."""
    name = find_reference(ours)
    if name is not None:
        pair = (name, find_reference(theirs) or f"{location.schema}.{location.field}")
        if pair in both.compared:
            return []
        both.compared.add(pair)
        location = ChangeLocation(name)
    mine, other = _list_options(both.ours, ours), _list_options(both.theirs, theirs)
    found = _compare_types(both, mine, other, location)
    if found is None:
        return []
    if any(change.used for change in found) and not _collect_kinds(mine) & _collect_kinds(other):
        return found
    found += _compare_values(mine, other, location)
    for keyword, step in (("items", "[]"), ("additionalProperties", "{}")):
        inner, counterpart = _unite(mine, keyword), _unite(other, keyword)
        if inner and counterpart:
            found += compare(both, inner, counterpart, location.step_to(step))
    return found + _compare_objects(both, _keep_shaped(mine), _keep_shaped(other), location)


def _list_options(schemas: Schemas, schema: SchemaNode, seen: frozenset[str] = frozenset()) -> list[SchemaNode]:
    """Return the plain schemas that a schema allows, with references and unions resolved, without null."""
    name = find_reference(schema)
    if name is not None and name in seen:
        return []
    target = resolve(schemas, schema)
    if "oneOf" in target:
        extra = seen if name is None else seen | {name}
        return [option for variant in list_variants(target) for option in _list_options(schemas, variant, extra)]
    return [] if target.get("type") == "null" else [target]


def _keep_shaped(options: list[SchemaNode]) -> list[SchemaNode]:
    return [option for option in options if "properties" in option]


def _collect_kinds(options: list[SchemaNode]) -> frozenset[str]:
    found = (find_kind({}, option) for option in options)
    return frozenset("object" if shape == "map" else shape for shape in found)


def _compare_types(
    both: Comparison, mine: list[SchemaNode], other: list[SchemaNode], location: ChangeLocation
) -> list[Change] | None:
    """Return the changes of type; None if one of the schemas accepts anything."""
    ours, theirs = _collect_kinds(mine), _collect_kinds(other)
    if not ours or not theirs or "any" in ours | theirs:
        return None
    extra = theirs - ours if both.side == "response" else ours - theirs
    if extra:
        detail = f"{' or '.join(sorted(ours))} -> {' or '.join(sorted(theirs))}"
        return [Change(*location, "changed", detail, used=True)]
    is_integer = "number" in ours and all(item.get("type") != "number" for item in mine)
    if is_integer and both.side == "response" and any(item.get("type") == "number" for item in other):
        return [Change(*location, "changed", "integer -> number", used=True)]
    return []


def _compare_values(mine: list[SchemaNode], other: list[SchemaNode], location: ChangeLocation) -> list[Change]:
    ours, theirs = _list_strings(mine), _list_strings(other)
    if not ours or not theirs:
        return []
    gone = [Change(*location, "removed", f"value {word!r}", used=True) for word in ours if word not in theirs]
    new = [Change(*location, "added", f"value {word!r}", used=False) for word in theirs if word not in ours]
    return gone + new


def _list_strings(options: list[SchemaNode]) -> list[str]:
    """Return the allowed strings; empty if any string is allowed."""
    texts = [list_constants(option) for option in options if find_kind({}, option) == "string"]
    return [word for group in texts for word in group] if all(texts) else []


def _unite(options: list[SchemaNode], keyword: str) -> SchemaNode:
    inner = [to_schema(option[keyword]) for option in options if keyword in option]
    return inner[0] if len(inner) == 1 else {"oneOf": list(inner)} if inner else {}


def _compare_objects(
    both: Comparison, mine: list[SchemaNode], other: list[SchemaNode], location: ChangeLocation
) -> list[Change]:
    if not mine or not other:
        return []
    tag = _find_shared_tag(both, mine, other) if len(mine) > 1 or len(other) > 1 else None
    if tag is None:
        return _compare_fields(both, mine, other, location)
    ours, theirs = _group_by_tag(both.ours, mine, tag), _group_by_tag(both.theirs, other, tag)
    found: list[Change] = []
    for value, members in ours.items():
        if value in theirs:
            inner = location.step_to(f"<{value}>") if len(ours) > 1 else location
            found += _compare_fields(both, members, theirs[value], inner, tag)
        else:
            found.append(Change(*location, "removed", f"variant {tag}={value}", used=True))
    new = [value for value in theirs if value not in ours]
    return found + [Change(*location, "added", f"variant {tag}={value}", used=False) for value in new]


def _find_shared_tag(both: Comparison, mine: list[SchemaNode], other: list[SchemaNode]) -> str | None:
    names = [
        name for name in read_properties(mine[0]) if all(name in read_properties(item) for item in [*mine, *other])
    ]
    for name in names:
        ours = [list_constants(resolve(both.ours, read_properties(item)[name])) for item in mine]
        theirs = [list_constants(resolve(both.theirs, read_properties(item)[name])) for item in other]
        if all(ours) and all(theirs) and _are_disjoint(ours) and _are_disjoint(theirs):
            return name
    return None


def _are_disjoint(groups: list[tuple[str, ...]]) -> bool:
    every = [value for group in groups for value in group]
    return len(every) == len(set(every))


def _group_by_tag(schemas: Schemas, options: list[SchemaNode], tag: str) -> dict[str, list[SchemaNode]]:
    groups: dict[str, list[SchemaNode]] = {}
    for option in options:
        for value in list_constants(resolve(schemas, read_properties(option)[tag])):
            groups.setdefault(value, []).append(option)
    return groups


def _compare_fields(
    both: Comparison, mine: list[SchemaNode], other: list[SchemaNode], location: ChangeLocation, tag: str | None = None
) -> list[Change]:
    """Compare the fields of objects; several objects without a tag are treated as one."""
    ours, theirs = _collect_fields(mine), _collect_fields(other)
    found: list[Change] = []
    for name, schema in ours.items():
        if name == tag:
            continue
        if name in theirs:
            found += compare(both, schema, theirs[name], location.step_to(name))
        else:
            found.append(Change(*location.step_to(name), "removed", "in ours only", used=True))
    needed = {name for name in list_required(other[0]) if all(name in list_required(item) for item in other)}
    for name, schema in theirs.items():
        if name not in ours:
            demanded = both.side == "request" and name in needed
            detail = _describe(both.theirs, schema) + (", required" if demanded else "")
            found.append(Change(*location.step_to(name), "added", detail, used=demanded))
    return found


def _collect_fields(options: Iterable[SchemaNode]) -> dict[str, SchemaNode]:
    found: dict[str, list[SchemaNode]] = {}
    for option in options:
        for name, schema in read_properties(option).items():
            alternatives = found.setdefault(name, [])
            if schema not in alternatives:
                alternatives.append(schema)
    return {name: group[0] if len(group) == 1 else {"oneOf": list(group)} for name, group in found.items()}


def _describe(schemas: Schemas, schema: SchemaNode) -> str:
    name = find_reference(schema)
    shapes = sorted(_collect_kinds(_list_options(schemas, schema))) or ["any"]
    return " or ".join(shapes) + (f" ({name})" if name else "")

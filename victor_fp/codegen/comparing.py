"""Two schemas walked side by side: what the vendor's has that ours lacks, and what ours uses that is gone or different."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

from victor_fp.codegen.normalise import Side
from victor_fp.codegen.schema import (
    Schema,
    Schemas,
    as_schema,
    constants,
    kind,
    list_required,
    properties,
    reference_name,
    resolve,
    variants,
)

Effect: TypeAlias = Literal["added", "removed", "changed"]


class Change(NamedTuple):
    """One difference, from our document to the vendor's; `used` where what we rely on is touched."""

    schema: str
    field: str
    effect: Effect
    detail: str
    used: bool


class Comparison(NamedTuple):
    """Both documents' schemas, which side of the wire they are on, and the pairs of components already met."""

    ours: Schemas
    theirs: Schemas
    side: Side
    met: set[tuple[str, str]]


class Place(NamedTuple):
    """Our component and the path of fields inside it."""

    schema: str
    field: str = ""

    def at(self, step: str) -> Place:
        """One step further in: a field's name, or "[]", "{}" and "<tag>" for items, values and variants."""
        return Place(self.schema, self.field + step if step[0] in "[{<" else f"{self.field}.{step}".lstrip("."))


def compare(both: Comparison, ours: Schema, theirs: Schema, place: Place) -> list[Change]:
    """Every difference between two schemas and all they lead to, each pair of components once."""
    name = reference_name(ours)
    if name is not None:
        pair = (name, reference_name(theirs) or f"{place.schema}.{place.field}")
        if pair in both.met:
            return []
        both.met.add(pair)
        place = Place(name)
    mine, other = _options(both.ours, ours), _options(both.theirs, theirs)
    found = _types(both, mine, other, place)
    if found is None:
        return []
    if any(change.used for change in found) and not _kinds(mine) & _kinds(other):
        return found
    found += _values(mine, other, place)
    for keyword, step in (("items", "[]"), ("additionalProperties", "{}")):
        inner, counterpart = _unite(mine, keyword), _unite(other, keyword)
        if inner and counterpart:
            found += compare(both, inner, counterpart, place.at(step))
    return found + _objects(both, _keep_shaped(mine), _keep_shaped(other), place)


def _options(schemas: Schemas, schema: Schema, seen: frozenset[str] = frozenset()) -> list[Schema]:
    """The plain schemas a schema allows, references and unions resolved, null left out."""
    name = reference_name(schema)
    if name is not None and name in seen:
        return []
    target = resolve(schemas, schema)
    if "oneOf" in target:
        beyond = seen if name is None else seen | {name}
        return [option for variant in variants(target) for option in _options(schemas, variant, beyond)]
    return [] if target.get("type") == "null" else [target]


def _keep_shaped(options: list[Schema]) -> list[Schema]:
    return [option for option in options if "properties" in option]


def _kinds(options: list[Schema]) -> frozenset[str]:
    found = (kind({}, option) for option in options)
    return frozenset("object" if shape == "map" else shape for shape in found)


def _types(both: Comparison, mine: list[Schema], other: list[Schema], place: Place) -> list[Change] | None:
    """Changes of type; None where one of the two allows everything and there is nothing to compare."""
    ours, theirs = _kinds(mine), _kinds(other)
    if not ours or not theirs or "any" in ours | theirs:
        return None
    beyond = theirs - ours if both.side == "response" else ours - theirs
    if beyond:
        detail = f"{' or '.join(sorted(ours))} -> {' or '.join(sorted(theirs))}"
        return [Change(*place, "changed", detail, used=True)]
    whole = "number" in ours and all(item.get("type") != "number" for item in mine)
    if whole and both.side == "response" and any(item.get("type") == "number" for item in other):
        return [Change(*place, "changed", "integer -> number", used=True)]
    return []


def _values(mine: list[Schema], other: list[Schema], place: Place) -> list[Change]:
    ours, theirs = _words(mine), _words(other)
    if not ours or not theirs:
        return []
    gone = [Change(*place, "removed", f"value {word!r}", used=True) for word in ours if word not in theirs]
    new = [Change(*place, "added", f"value {word!r}", used=False) for word in theirs if word not in ours]
    return gone + new


def _words(options: list[Schema]) -> list[str]:
    """The strings allowed; none where any string is."""
    texts = [constants(option) for option in options if kind({}, option) == "string"]
    return [word for group in texts for word in group] if all(texts) else []


def _unite(options: list[Schema], keyword: str) -> Schema:
    inner = [as_schema(option[keyword]) for option in options if keyword in option]
    return inner[0] if len(inner) == 1 else {"oneOf": list(inner)} if inner else {}


def _objects(both: Comparison, mine: list[Schema], other: list[Schema], place: Place) -> list[Change]:
    if not mine or not other:
        return []
    tag = _find_shared_tag(both, mine, other) if len(mine) > 1 or len(other) > 1 else None
    if tag is None:
        return _fields(both, mine, other, place)
    ours, theirs = _group_by_tag(both.ours, mine, tag), _group_by_tag(both.theirs, other, tag)
    found: list[Change] = []
    for value, members in ours.items():
        if value in theirs:
            inner = place.at(f"<{value}>") if len(ours) > 1 else place
            found += _fields(both, members, theirs[value], inner, tag)
        else:
            found.append(Change(*place, "removed", f"variant {tag}={value}", used=True))
    new = [value for value in theirs if value not in ours]
    return found + [Change(*place, "added", f"variant {tag}={value}", used=False) for value in new]


def _find_shared_tag(both: Comparison, mine: list[Schema], other: list[Schema]) -> str | None:
    names = [name for name in properties(mine[0]) if all(name in properties(item) for item in [*mine, *other])]
    for name in names:
        ours = [constants(resolve(both.ours, properties(item)[name])) for item in mine]
        theirs = [constants(resolve(both.theirs, properties(item)[name])) for item in other]
        if all(ours) and all(theirs) and _are_disjoint(ours) and _are_disjoint(theirs):
            return name
    return None


def _are_disjoint(groups: list[tuple[str, ...]]) -> bool:
    every = [value for group in groups for value in group]
    return len(every) == len(set(every))


def _group_by_tag(schemas: Schemas, options: list[Schema], tag: str) -> dict[str, list[Schema]]:
    groups: dict[str, list[Schema]] = {}
    for option in options:
        for value in constants(resolve(schemas, properties(option)[tag])):
            groups.setdefault(value, []).append(option)
    return groups


def _fields(
    both: Comparison, mine: list[Schema], other: list[Schema], place: Place, tag: str | None = None
) -> list[Change]:
    """Fields of objects that are one on both sides, or cannot be told apart and count as one."""
    ours, theirs = _all_fields(mine), _all_fields(other)
    found: list[Change] = []
    for name, schema in ours.items():
        if name == tag:
            continue
        if name in theirs:
            found += compare(both, schema, theirs[name], place.at(name))
        else:
            found.append(Change(*place.at(name), "removed", "in ours only", used=True))
    needed = {name for name in list_required(other[0]) if all(name in list_required(item) for item in other)}
    for name, schema in theirs.items():
        if name not in ours:
            demanded = both.side == "request" and name in needed
            detail = _describe(both.theirs, schema) + (", required" if demanded else "")
            found.append(Change(*place.at(name), "added", detail, used=demanded))
    return found


def _all_fields(options: Iterable[Schema]) -> dict[str, Schema]:
    found: dict[str, list[Schema]] = {}
    for option in options:
        for name, schema in properties(option).items():
            alternatives = found.setdefault(name, [])
            if schema not in alternatives:
                alternatives.append(schema)
    return {name: group[0] if len(group) == 1 else {"oneOf": list(group)} for name, group in found.items()}


def _describe(schemas: Schemas, schema: Schema) -> str:
    name = reference_name(schema)
    shapes = sorted(_kinds(_options(schemas, schema))) or ["any"]
    return " or ".join(shapes) + (f" ({name})" if name else "")

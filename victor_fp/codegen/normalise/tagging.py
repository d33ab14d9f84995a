"""Conversion of unions of objects to tagged unions: one struct per tag value, with the tag as a required constant."""

from __future__ import annotations

from victor_fp.codegen.normalise.unions import MERGED, merge_objects
from victor_fp.codegen.schema import (
    SchemaNode,
    Schemas,
    collect_kinds,
    find_kind,
    find_reference,
    list_constants,
    list_required,
    list_variants,
    make_reference,
    make_unique_name,
    read_properties,
    resolve,
    rewrite_all,
    to_pascal_case,
    to_schema,
)

USUAL_TAGS = ("type", "role", "object", "kind", "event")
TAGGED = "x-tag"
"""Marks, during tagging, a component whose tag is chosen; a struct can have only one."""
COPIED = "x-copied"
"""Marks a copy of a component for another tag or tag value, so that other unions reuse it."""


def tag_unions(schemas: Schemas) -> Schemas:
    """Add a discriminator to every union of objects, and hoist inline unions to components.

    A tag is a property whose constants distinguish the variants. Variants that share a constant are merged, a variant with
    several is split, and a union without a tag becomes one object with the fields of all variants.
    """
    result: Schemas = dict(schemas)
    done: set[str] = set()
    while pending := [name for name in result if name not in done]:
        for name in pending:
            before = result[name]
            changed = _tag_union(result, before, name, root=True)
            result[name] = changed if result[name] is before else _tag_like(changed, result[name])
        done.update(pending)
    unmarked = {
        name: {key: value for key, value in schema.items() if key not in (TAGGED, COPIED, MERGED)}
        for name, schema in result.items()
    }
    return rewrite_all(unmarked, lambda schema: {} if _is_ambiguous(unmarked, schema) else schema)


def _is_ambiguous(schemas: Schemas, schema: SchemaNode) -> bool:
    """Return whether a union has several objects without a tag, as when a recursive union became an object."""
    found = [option for option in list_variants(schema) if "object" in collect_kinds(schemas, option)]
    return len(found) > 1 and "discriminator" not in schema


def _tag_like(changed: SchemaNode, meanwhile: SchemaNode) -> SchemaNode:
    """Tag an object that became a variant of a union inside it while that was tagged."""
    tag = str(meanwhile.get(TAGGED))
    return _with_tag(changed, tag, "".join(list_constants(read_properties(meanwhile).get(tag, {}))))


def collect_tags(schemas: Schemas) -> frozenset[tuple[str, str]]:
    """Return (component, property) for every tag of every union."""
    found: set[tuple[str, str]] = set()
    for schema in schemas.values():
        discriminator = to_schema(schema.get("discriminator"))
        for variant in list_variants(schema):
            name = find_reference(variant)
            if name is not None and isinstance(discriminator.get("propertyName"), str):
                found.add((name, str(discriminator["propertyName"])))
    return frozenset(found)


def _tag_union(result: Schemas, schema: SchemaNode, path: str, *, root: bool) -> SchemaNode:
    changed = dict(schema)
    if "properties" in schema:
        changed["properties"] = {
            name: _tag_union(result, field, path + to_pascal_case(name), root=False)
            for name, field in read_properties(schema).items()
        }
    if isinstance(schema.get("items"), dict):
        changed["items"] = _tag_union(result, to_schema(schema["items"]), path + ("Item" if root else ""), root=False)
    if isinstance(schema.get("additionalProperties"), dict):
        values = to_schema(schema["additionalProperties"])
        changed["additionalProperties"] = _tag_union(result, values, path + "Value", root=False)
    if "oneOf" not in schema:
        return changed
    alternatives = list_variants(schema)
    objects = [item for item in alternatives if find_kind(result, item) == "object"]
    rest = [_tag_union(result, item, path, root=False) for item in alternatives if item not in objects]
    if len(objects) < 2:
        return {**{key: value for key, value in changed.items() if key != "discriminator"}, "oneOf": [*objects, *rest]}
    before = set(result)
    union = _build_tagged_union(result, objects, to_schema(schema.get("discriminator")), path)
    described: SchemaNode = {"description": schema["description"]} if "description" in schema else {}
    if root and not rest:
        merged = find_reference(union)
        if merged is not None and merged not in before:
            union = _tag_union(result, result.pop(merged), path, root=True)
        return {**union, **({} if "$ref" in union else described)}
    inner = _store_component(result, union, path + "Object" if root else path)
    return {**described, "oneOf": [*rest, inner]} if rest else inner


def _store_component(result: Schemas, union: SchemaNode, name: str) -> SchemaNode:
    if "$ref" in union:
        return union
    for existing, schema in result.items():
        if {key: value for key, value in schema.items() if key != "description"} == union:
            return make_reference(existing)
    name = make_unique_name(name, result)
    result[name] = union
    return make_reference(name)


def _build_tagged_union(result: Schemas, objects: list[SchemaNode], discriminator: SchemaNode, path: str) -> SchemaNode:
    mapping = {str(target): tag for tag, target in to_schema(discriminator.get("mapping")).items()}
    declared = discriminator.get("propertyName")
    for tag in _find_candidates(result, objects, declared if isinstance(declared, str) else None):
        groups: dict[str, list[SchemaNode]] = {}
        is_separating = tag == declared or _is_separating_tag(result, objects, tag)
        for item in objects:
            field = read_properties(resolve(result, item)).get(tag, {})
            values = list_constants(resolve(result, field))
            if tag == declared and not values and collect_kinds(result, field) <= {"string", "null", "any"}:
                implied = mapping.get(str(item.get("$ref"))) or find_reference(item)
                values = (implied,) if implied else ()
            is_separating = is_separating and bool(values)
            for value in values:
                groups.setdefault(value, []).append(item)
        if is_separating and len(groups) > 1:
            return _group_by_tag(result, tag, groups, path)
    return make_reference(merge_objects(result, objects, path))


def _is_separating_tag(schemas: Schemas, objects: list[SchemaNode], tag: str) -> bool:
    """Return whether an undeclared property can be a tag: one constant per variant, or no value in two variants."""
    values = [
        list_constants(resolve(schemas, read_properties(resolve(schemas, item)).get(tag, {}))) for item in objects
    ]
    every = [value for group in values for value in group]
    return all(len(group) == 1 for group in values) or len(every) == len(set(every))


def _find_candidates(schemas: Schemas, objects: list[SchemaNode], declared: str | None) -> list[str]:
    fields = [read_properties(resolve(schemas, item)) for item in objects]
    common = [name for name in fields[0] if all(name in other for other in fields)]
    usual = [name for name in USUAL_TAGS if name in common]
    return list(dict.fromkeys([*([declared] if declared else []), *usual, *common]))


def _group_by_tag(result: Schemas, tag: str, groups: dict[str, list[SchemaNode]], path: str) -> SchemaNode:
    mapping: dict[str, object] = {}
    for value, members in groups.items():
        item = members[0]
        if len(members) > 1:
            item = make_reference(merge_objects(result, members, path + to_pascal_case(value)))
        mapping[value] = _pin_tag(result, item, tag, value)["$ref"]
    targets: list[object] = [{"$ref": target} for target in mapping.values()]
    return {"oneOf": targets, "discriminator": {"propertyName": tag, "mapping": mapping}}


def _pin_tag(result: Schemas, item: SchemaNode, tag: str, value: str) -> SchemaNode:
    """Return a reference to the variant with this tag value: itself if it has no other, else a copy."""
    name = _follow_chain(result, find_reference(item) or "")
    schema = result[name]
    settled, values = schema.get(TAGGED), list_constants(read_properties(schema).get(tag, {}))
    if settled is None and len(values) <= 1:
        result[name] = _with_tag(schema, tag, value)
    elif settled != tag or values != (value,):
        origin = f"{name} {tag} {value}"
        copies = [existing for existing, other in result.items() if other.get(COPIED) == origin]
        name = copies[0] if copies else make_unique_name(name + to_pascal_case(value), result)
        result[name] = result[name] if copies else {**_with_tag(schema, tag, value), COPIED: origin}
    return make_reference(name)


def _with_tag(schema: SchemaNode, tag: str, value: str) -> SchemaNode:
    field: SchemaNode = {"type": "string", "const": value}
    fields = {tag: field, **{key: inner for key, inner in read_properties(schema).items() if key != tag}}
    needed = [tag, *(key for key in list_required(schema) if key != tag)]
    return {**schema, "properties": fields, "required": needed, TAGGED: tag}


def _follow_chain(schemas: Schemas, name: str) -> str:
    """Return the component at the end of a chain of references."""
    following = find_reference(schemas[name])
    return name if following is None or following not in schemas else _follow_chain(schemas, following)

"""References in a schema: resolution, detection of cycles, and overlap of the branches of a union."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from victor_fp.core.json import Json
from victor_fp.core.schemas.vocabulary import DEFINITIONS, SCHEMA_LISTS, SCHEMA_MAPS, SINGLE_SCHEMAS, list_types

_MAX_STEPS = 64
"""Maximum number of steps of a pointer, and of chained references."""


def find_target(root: Mapping[str, Json], reference: str) -> Json:
    """Return the target of a reference; None if it is outside of the document or missing.

    >>> find_target({"$defs": {"A": {"type": "null"}}}, "#/$defs/A")
    {'type': 'null'}
    """
    if reference == "#":
        return dict(root)
    if not reference.startswith("#/"):
        return None
    node: Json = dict(root)
    steps = reference[2:].split("/")
    for step in steps[:_MAX_STEPS]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping) and name in node:
            node = node[name]
        elif isinstance(node, list) and name.isdecimal() and len(name) < 6 and int(name) < len(node):
            node = node[int(name)]
        else:
            return None
    if isinstance(node, bool):
        return {} if node else {"not": {}}
    return node if isinstance(node, Mapping) and len(steps) <= _MAX_STEPS else None


def is_definition(reference: str) -> bool:
    """Return whether a reference is to a definition or the root, whose paths conversion preserves.

    >>> is_definition("#/$defs/A"), is_definition("#"), is_definition("#/properties/a")
    (True, True, False)
    """
    steps = reference.split("/")
    return reference == "#" or (len(steps) == 3 and steps[0] == "#" and steps[1] in DEFINITIONS)


def find_circular(root: Mapping[str, Json]) -> frozenset[str]:
    """Return the references on a cycle, or on a path between two cycles."""
    uses: dict[str, set[str]] = {}
    pending = ["#", *_list_references(root)]
    while pending:
        name = pending.pop()
        if name in uses:
            continue
        target = find_target(root, name)
        uses[name] = set(_list_references(target)) if isinstance(target, Mapping) else set()
        pending += uses[name]
    users: dict[str, set[str]] = {name: set() for name in uses}
    for name, targets in uses.items():
        for target in targets:
            users[target].add(name)
    ends = _find_infinite(uses, users)
    return frozenset(_find_infinite({n: users[n] & ends for n in ends}, {n: uses[n] & ends for n in ends}))


def _find_infinite(forward: Mapping[str, set[str]], backward: Mapping[str, set[str]]) -> set[str]:
    """Return the nodes of a graph that have infinite paths; linear in its edges."""
    remaining = {name: len(targets) for name, targets in forward.items()}
    ready = [name for name, count in remaining.items() if not count]
    while ready:
        name = ready.pop()
        del remaining[name]
        for user in backward[name]:
            remaining[user] -= 1
            if not remaining[user]:
                ready.append(user)
    return set(remaining)


def find_reachable(root: Mapping[str, Json]) -> frozenset[str]:
    """Return the references that are reachable from the root, other than through definitions alone."""
    found: set[str] = set()
    pending = list(_list_references({name: value for name, value in root.items() if name not in DEFINITIONS}))
    while pending:
        name = pending.pop()
        if name in found:
            continue
        found.add(name)
        target = find_target(root, name)
        if isinstance(target, Mapping) and name != "#":
            pending += _list_references(target)
    return frozenset(found)


def _list_references(schema: Json) -> Iterator[str]:
    """Yield every reference in a schema, except those in its definitions. An object that occurs several times is read once."""
    pending: list[Json] = [schema]
    seen: set[int] = set()
    while pending:
        node = pending.pop()
        if not isinstance(node, Mapping) or id(node) in seen:
            continue
        seen.add(id(node))
        for keyword, value in node.items():
            if keyword == "$ref" and isinstance(value, str):
                yield value
            elif keyword in DEFINITIONS:
                continue
            elif keyword in SCHEMA_MAPS and isinstance(value, Mapping):
                pending += value.values()
            elif (keyword in SCHEMA_LISTS or keyword in SINGLE_SCHEMAS) and isinstance(value, list):
                pending += value
            elif keyword in SINGLE_SCHEMAS:
                pending.append(value)


def are_disjoint(branches: Sequence[Json], root: Mapping[str, Json]) -> bool:
    """Return whether no value can match two of the schemas, by their types and constants.

    >>> card, cash = ({"properties": {"by": {"const": by}}, "required": ["by"]} for by in ("card", "cash"))
    >>> are_disjoint([card, cash], {})
    True
    """
    resolved = [_resolve(branch, root) for branch in branches]
    types = [_list_covered_types(branch) for branch in resolved]
    if _are_pairwise_disjoint(types):
        return True
    shared = set.intersection(*(_list_tags(branch) for branch in resolved)) if resolved else set()
    return any(_are_pairwise_disjoint([_list_constants(branch, name) for branch in resolved]) for name in shared)


def _resolve(branch: Json, root: Mapping[str, Json]) -> Mapping[str, Json]:
    for _ in range(_MAX_STEPS):
        if not isinstance(branch, Mapping):
            return {}
        target = branch.get("$ref")
        if not isinstance(target, str):
            return branch
        branch = find_target(root, target)
    return {}


def _list_covered_types(branch: Mapping[str, Json]) -> frozenset[str]:
    types = frozenset(list_types(branch))
    return types | {"integer"} if "number" in types else types


def _list_tags(branch: Mapping[str, Json]) -> set[str]:
    """Return the required properties with constant values."""
    required = branch.get("required")
    names = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
    return {name for name in names if _list_constants(branch, name)}


def _list_constants(branch: Mapping[str, Json], name: str) -> frozenset[str]:
    properties = branch.get("properties")
    inner = properties.get(name) if isinstance(properties, Mapping) else None
    if not isinstance(inner, Mapping):
        return frozenset()
    if "const" in inner:
        return frozenset({repr(inner["const"])})
    values = inner.get("enum")
    return frozenset(repr(value) for value in values) if isinstance(values, list) else frozenset()


def _are_pairwise_disjoint(sets: Sequence[frozenset[str]]) -> bool:
    return bool(sets) and all(sets) and sum(map(len, sets)) == len(frozenset().union(*sets))

"""References inside one schema: what they lead to, which of them are circular, and whether branches of a union overlap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from victor_fp.core.json import Json
from victor_fp.core.schemas.vocabulary import DEFINITIONS, SCHEMA_LISTS, SCHEMA_MAPS, SINGLE_SCHEMAS, list_types

_MAX_STEPS = 64
"""Steps of one pointer, and references in a row, that are followed."""


def find_target(root: Mapping[str, Json], reference: str) -> Json:
    """The schema that a reference leads to; None where it leads out of the document or to nothing.

    >>> find_target({"$defs": {"A": {"type": "null"}}}, "#/$defs/A")
    {'type': 'null'}
    """
    if reference == "#":
        return dict(root)
    if not reference.startswith("#/"):
        return None
    place: Json = dict(root)
    steps = reference[2:].split("/")
    for step in steps[:_MAX_STEPS]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(place, Mapping) and name in place:
            place = place[name]
        elif isinstance(place, list) and name.isdecimal() and len(name) < 6 and int(name) < len(place):
            place = place[int(name)]
        else:
            return None
    if isinstance(place, bool):
        return {} if place else {"not": {}}
    return place if isinstance(place, Mapping) and len(steps) <= _MAX_STEPS else None


def is_definition(reference: str) -> bool:
    """Whether a reference leads to a definition or to the root, which keep their place in every conversion.

    >>> is_definition("#/$defs/A"), is_definition("#"), is_definition("#/properties/a")
    (True, True, False)
    """
    steps = reference.split("/")
    return reference == "#" or (len(steps) == 3 and steps[0] == "#" and steps[1] in DEFINITIONS)


def find_circular(root: Mapping[str, Json]) -> frozenset[str]:
    """The references that lead, directly or not, back to a schema that they stand in, or from one such to another."""
    uses: dict[str, set[str]] = {}
    waiting = ["#", *_list_references(root)]
    while waiting:
        name = waiting.pop()
        if name in uses:
            continue
        target = find_target(root, name)
        uses[name] = set(_list_references(target)) if isinstance(target, Mapping) else set()
        waiting += uses[name]
    users: dict[str, set[str]] = {name: set() for name in uses}
    for name, targets in uses.items():
        for target in targets:
            users[target].add(name)
    ends = _find_endless(uses, users)
    return frozenset(_find_endless({n: users[n] & ends for n in ends}, {n: uses[n] & ends for n in ends}))


def _find_endless(forward: Mapping[str, set[str]], backward: Mapping[str, set[str]]) -> set[str]:
    """The nodes of a graph from which a path never has to end; linear in its edges."""
    left = {name: len(targets) for name, targets in forward.items()}
    ready = [name for name, count in left.items() if not count]
    while ready:
        name = ready.pop()
        del left[name]
        for user in backward[name]:
            left[user] -= 1
            if not left[user]:
                ready.append(user)
    return set(left)


def find_reachable(root: Mapping[str, Json]) -> frozenset[str]:
    """The references that can be reached from the root without counting the definitions themselves."""
    found: set[str] = set()
    waiting = list(_list_references({name: value for name, value in root.items() if name not in DEFINITIONS}))
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        target = find_target(root, name)
        if isinstance(target, Mapping) and name != "#":
            waiting += _list_references(target)
    return frozenset(found)


def _list_references(schema: Json) -> Iterator[str]:
    """Every reference in a schema; those inside of its definitions are not its own."""
    waiting: list[Json] = [schema]
    while waiting:
        place = waiting.pop()
        if not isinstance(place, Mapping):
            continue
        for keyword, value in place.items():
            if keyword == "$ref" and isinstance(value, str):
                yield value
            elif keyword in DEFINITIONS:
                continue
            elif keyword in SCHEMA_MAPS and isinstance(value, Mapping):
                waiting += value.values()
            elif (keyword in SCHEMA_LISTS or keyword in SINGLE_SCHEMAS) and isinstance(value, list):
                waiting += value
            elif keyword in SINGLE_SCHEMAS:
                waiting.append(value)


def are_disjoint(branches: Sequence[Json], root: Mapping[str, Json]) -> bool:
    """Whether no value can match two of these schemas, as far as their types and constants show.

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
    """The properties that are required and hold one of a few constants."""
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

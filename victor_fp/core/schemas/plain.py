"""Fast path for schemas that need no conversion: most tool schemas consist of a few keywords that all vendors accept."""

from __future__ import annotations

import re
from collections.abc import Mapping

from victor_fp.core.dialects.schemas import SchemaRules
from victor_fp.core.json import Json
from victor_fp.core.schemas.vocabulary import OF_TYPE

_SCALARS = frozenset(OF_TYPE) - {"object", "array"}
_MAX_SCHEMAS = 200
"""Maximum number of subschemas that are examined, which also bounds their depth."""
_ANNOTATIONS = frozenset({"description", "title"})


def is_plain(schema: Mapping[str, Json], rules: SchemaRules) -> bool:
    """Return whether the rules accept a tool's schema unchanged, by its common keywords; False means unknown.

    >>> is_plain({"type": "object", "properties": {"a": {"type": "string"}}}, SchemaRules())
    True
    """
    if schema.get("type") != "object" or rules.objects not in ("open", "listed") or rules.values.get("type"):
        return False
    names = re.compile(rules.property_names) if rules.property_names else None
    accepted = rules.keywords
    pending, examined = [schema], 0
    while pending:
        node = pending.pop()
        examined += 1
        if examined > _MAX_SCHEMAS or not _has_plain_type(node, rules):
            return False
        for keyword, value in node.items():
            if keyword == "type":
                continue
            if accepted is not None and keyword not in accepted:
                return False
            if keyword in _ANNOTATIONS and type(value) is str:
                continue
            if keyword == "properties" and type(value) is dict:
                if names is not None and not all(map(names.fullmatch, value)):
                    return False
                inner = [schema for schema in value.values() if type(schema) is dict]
                if len(inner) < len(value) or any(type(one.get("required", [])) is not list for one in inner):
                    return False
                pending += inner
            elif keyword == "items" and type(value) is dict:
                pending.append(value)
            elif keyword == "required" and type(value) is list:
                listed = node.get("properties")
                given = set(map(str, value))
                if rules.declared and not (isinstance(listed, dict) and given <= listed.keys()):
                    return False
                if len(given) < len(value) or not all(type(name) is str for name in value):
                    return False
            elif keyword == "enum" and type(value) is list and node["type"] == "string":
                if not value or not all(type(one) is str for one in value):
                    return False
            else:
                return False
    return True


def _has_plain_type(node: Mapping[str, Json], rules: SchemaRules) -> bool:
    """Return whether a schema has one type, and what the rules require of that type."""
    kind = node.get("type")
    match kind:
        case "array":
            return "items" in node or not rules.items
        case "object":
            return rules.objects != "listed" or bool(node.get("properties"))
        case _:
            return type(kind) is str and kind in _SCALARS

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
    needs_items, needs_properties, needs_declared = rules.items, rules.objects == "listed", rules.declared
    accepted = rules.keywords
    pending, examined = [schema], 0
    while pending:
        node = pending.pop()
        examined += 1
        if examined > _MAX_SCHEMAS:
            return False
        kind = node.get("type")
        if type(kind) is not str:
            return False
        if kind not in _SCALARS:
            if kind == "array":
                if "items" not in node and needs_items:
                    return False
            elif kind != "object" or (needs_properties and not node.get("properties")):
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
                for inner in value.values():
                    if type(inner) is not dict or ("required" in inner and type(inner["required"]) is not list):
                        return False
                    pending.append(inner)
            elif keyword == "items" and type(value) is dict:
                pending.append(value)
            elif keyword == "required" and type(value) is list:
                listed = node.get("properties")
                if needs_declared and not (isinstance(listed, dict) and set(map(str, value)) <= listed.keys()):
                    return False
                if len(set(map(str, value))) < len(value) or not all(type(name) is str for name in value):
                    return False
            elif keyword == "enum" and type(value) is list and kind == "string":
                if not value or not all(type(one) is str for one in value):
                    return False
            else:
                return False
    return True

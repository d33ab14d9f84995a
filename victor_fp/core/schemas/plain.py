"""A quick look at a schema: most schemas of tools are made of a few keywords that every vendor accepts as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping

from victor_fp.core.dialects.schemas import SchemaRules
from victor_fp.core.json import Json
from victor_fp.core.schemas.vocabulary import OF_TYPE

_SCALARS = frozenset(OF_TYPE) - {"object", "array"}
_MOST = 200
"""Schemas inside one schema that are looked at, which also bounds how deep they stand."""
_WORDS = frozenset({"description", "title"})


def is_plain(schema: Mapping[str, Json], rules: SchemaRules) -> bool:
    """Whether the rules accept a tool's schema as it is, as far as a look at common keywords tells; False is no answer.

    >>> is_plain({"type": "object", "properties": {"a": {"type": "string"}}}, SchemaRules())
    True
    """
    if schema.get("type") != "object" or rules.objects not in ("open", "listed") or rules.values.get("type"):
        return False
    names = re.compile(rules.property_names) if rules.property_names else None
    needs_items, needs_properties, needs_declared = rules.items, rules.objects == "listed", rules.declared
    accepted = rules.keywords
    waiting, looked_at = [schema], 0
    while waiting:
        place = waiting.pop()
        looked_at += 1
        if looked_at > _MOST:
            return False
        kind = place.get("type")
        if type(kind) is not str:
            return False
        if kind not in _SCALARS:
            if kind == "array":
                if "items" not in place and needs_items:
                    return False
            elif kind != "object" or (needs_properties and not place.get("properties")):
                return False
        for keyword, value in place.items():
            if keyword == "type":
                continue
            if accepted is not None and keyword not in accepted:
                return False
            if keyword in _WORDS and type(value) is str:
                continue
            if keyword == "properties" and type(value) is dict:
                if names is not None and not all(map(names.fullmatch, value)):
                    return False
                for inner in value.values():
                    if type(inner) is not dict or ("required" in inner and type(inner["required"]) is not list):
                        return False
                    waiting.append(inner)
            elif keyword == "items" and type(value) is dict:
                waiting.append(value)
            elif keyword == "required" and type(value) is list:
                listed = place.get("properties")
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

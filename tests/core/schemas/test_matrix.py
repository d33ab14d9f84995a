"""Every feature of a schema at every provider, as a table: nothing is changed silently."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from returns.result import Failure, Success
from syrupy.assertion import SnapshotAssertion

from tests.catalogue_samples import SETTINGS, group_alike
from victor_fp import replay
from victor_fp.core.result import outcome
from victor_fp.core.types import ToolDefinition

STRING: dict[str, Any] = {"type": "string"}
NODE: dict[str, Any] = {
    "type": "object",
    "properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}},
    "required": ["next"],
    "additionalProperties": False,
}
TAGGED: list[dict[str, Any]] = [
    {"type": "object", "properties": {"by": {"const": by}}, "required": ["by"], "additionalProperties": False}
    for by in ("card", "cash")
]

FEATURES: dict[str, dict[str, Any]] = {
    "string": STRING,
    "closed object": {"type": "object", "properties": {"b": STRING}, "required": ["b"], "additionalProperties": False},
    "object": {"type": "object", "properties": {"b": STRING}, "required": ["b"]},
    "optional property": {"type": "object", "properties": {"b": STRING}, "additionalProperties": False},
    "any object": {"type": "object"},
    "map": {"type": "object", "additionalProperties": {"type": "integer"}},
    "any value": {},
    "array": {"type": "array", "items": STRING},
    "any array": {"type": "array"},
    "tuple": {"type": "array", "prefixItems": [STRING, {"type": "integer"}], "items": False},
    "enum": {"type": "string", "enum": ["x", "y"]},
    "enum of numbers": {"enum": [1, 2]},
    "enum of the wrong type": {"type": "array", "items": STRING, "enum": ["x"]},
    "const": {"const": "x"},
    "null in a type list": {"type": ["string", "null"]},
    "types with their keywords": {"type": ["array", "string"], "items": {"type": "integer"}, "minLength": 1},
    "anyOf": {"anyOf": [STRING, {"type": "integer"}]},
    "oneOf, tagged": {"oneOf": TAGGED, "discriminator": {"propertyName": "by"}},
    "oneOf, overlapping": {"oneOf": [{"type": "integer"}, {"type": "number"}]},
    "allOf": {"allOf": [{"type": "string"}, {"enum": ["x"]}]},
    "not": {"type": "string", "not": {"const": "x"}},
    "default": {"type": "integer", "default": 3},
    "minimum": {"type": "integer", "minimum": 1},
    "minLength": {"type": "string", "minLength": 1},
    "maxItems": {"type": "array", "items": STRING, "maxItems": 2},
    "pattern": {"type": "string", "pattern": "^[a-z]+$"},
    "format": {"type": "string", "format": "date-time"},
    "unknown format": {"type": "string", "format": "color"},
    "reference": {"$ref": "#/$defs/Word"},
    "reference with words": {"$ref": "#/$defs/Word", "description": "the first"},
    "recursion": {"$ref": "#/$defs/Node"},
    "type float": {"type": "float"},
    "type dict": {"type": "dict", "properties": {"b": STRING}, "required": ["b"], "additionalProperties": False},
    "type any": {"type": "any"},
    "nullable": {"type": "string", "nullable": True},
}
DEFINITIONS = {"Word": STRING, "Node": NODE}
MODELS = {
    "google": ("gemini-3.5-flash", "gemini-2.0-flash"),
    "anthropic": ("claude-sonnet-4-5", "claude-3-haiku"),
    "bedrock": ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.amazon.nova-2-lite-v1:0"),
}
USES = ("tool", "strict tool", "answer", "strict answer")
SHORT = {
    "same": "=",
    "another form of the same": "~",
    "changed, and said so": "adjusted",
    "refused": "REFUSED",
}


def build_schema(feature: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"a": feature}, "required": ["a"]}
    return {**schema, "$defs": DEFINITIONS} if "$ref" in feature else schema


def describe_cell(provider: str, model: str, use: str, feature: dict[str, Any]) -> str:
    schema, more = build_schema(feature), dict[str, Any]()
    match use:
        case "tool" | "strict tool":
            strict = True if use == "strict tool" else None
            more["tools"] = [ToolDefinition(name="f", parameters=schema, strict=strict)]
        case _:
            form: dict[str, Any] = {"name": "answer", "schema": schema}
            form |= {"strict": True} if use == "strict answer" else {}
            more["response_format"] = {"type": "json_schema", "json_schema": form}
    match outcome(replay.request(provider, "Hi", model=model, settings=SETTINGS, **more)):
        case Failure(fault):
            assert type(fault).__name__ == "UnsupportedParameter", fault
            return "refused"
        case Success(request):
            if request.adjustments:
                return "changed, and said so"
            return "same" if _has_value(request.json(), feature) else "another form of the same"


def _has_value(sent: Any, wanted: Any) -> bool:
    """Whether a JSON value occurs in another one, or as text in a text."""
    if sent == wanted:
        return True
    if isinstance(sent, dict):
        return any(_has_value(inner, wanted) for inner in sent.values())
    if isinstance(sent, list):
        return any(_has_value(inner, wanted) for inner in sent)
    return isinstance(sent, str) and json.dumps(wanted, separators=(",", ":")) in sent


@cache
def collect_rows(use: str) -> dict[tuple[str, ...], list[str]]:
    """The cells of one provider of each group that is sent equal bodies; those with the same cells share a row."""
    found: dict[tuple[str, ...], list[str]] = {}
    for spec, *_ in group_alike():
        for model in MODELS.get(spec.name, (spec.default_model or "m",)):
            cells = tuple(describe_cell(spec.name, model, use, feature) for feature in FEATURES.values())
            name = f"{spec.name} ({model})" if spec.name in MODELS else spec.name
            found.setdefault(cells, []).append(name)
    return found


def render_table(use: str) -> str:
    """Features as rows, groups of providers as columns A, B ..."""
    groups = collect_rows(use)
    letters = [chr(ord("A") + place) for place in range(len(groups))]
    lines = [f"{letter}: {', '.join(names)}" for letter, names in zip(letters, groups.values(), strict=True)]
    widest = max(map(len, FEATURES))
    lines += ["", " ".join([" " * widest, *(letter.ljust(8) for letter in letters)]).rstrip()]
    for place, feature in enumerate(FEATURES):
        cells = [SHORT[cells[place]].ljust(8) for cells in groups]
        lines.append(" ".join([feature.ljust(widest), *cells]).rstrip())
    return "\n".join(lines)


@pytest.mark.parametrize("use", USES)
def test_features_by_providers(use: str, snapshot: SnapshotAssertion) -> None:
    assert snapshot == render_table(use)


def test_every_provider_is_in_the_matrix() -> None:
    named = {name.partition(" ")[0] for names in collect_rows("tool").values() for name in names}
    assert named == {spec.name for spec, *_ in group_alike()}

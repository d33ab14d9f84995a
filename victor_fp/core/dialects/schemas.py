"""JSON Schemas that vendors accept for tool arguments and responses, as data.

Other schemas are converted by `core.schemas.conversion`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

References: TypeAlias = Literal["any", "unrolled", "acyclic", "none"]
"""Accepted `$ref`: all; circular ones unrolled to a limited depth; only acyclic ones; none."""
ObjectRule: TypeAlias = Literal["open", "open_explicit", "listed", "closed", "closed_and_required"]
"""Accepted objects: with any keys; with any keys only with explicit `additionalProperties: true`; with at least one listed
property; without additional properties; without additional properties and with all properties required."""
Root: TypeAlias = Literal["any", "object", "plain_object"]
"""Accepted roots: any schema, an object, or an object without a union or other composition alongside its type."""


class SchemaRules(msgspec.Struct, frozen=True, kw_only=True):
    """JSON Schemas that one mechanism of a vendor accepts; the defaults accept everything."""

    keywords: frozenset[str] | None = None
    """None accepts all of JSON Schema 2020-12."""
    refused: frozenset[str] = frozenset()
    """Keywords that are rejected or have no effect, if all others are accepted."""
    values: Mapping[str, frozenset[str] | frozenset[int]] = {}
    """Accepted values of keywords, if not all are."""
    enum_types: frozenset[str] | None = None
    """Accepted types of values in `enum` and `const`; None for any."""
    uniform_enums: bool = False
    """Whether the values of an `enum` must be all strings or all numbers."""
    type_lists: bool = True
    """Whether a list of types is accepted; otherwise it is converted to a union."""
    nullable: bool = False
    """Whether null is expressed by OpenAPI's `nullable`."""
    references: References = "any"
    lone_references: bool = False
    """Whether `$ref` must have no siblings."""
    lone_unions: bool = False
    """Whether `anyOf` must have no siblings except a description."""
    objects: ObjectRule = "open"
    root: Root = "any"
    items: bool = False
    """Whether arrays must have `items`."""
    declared: bool = False
    """Whether `required` may name only listed properties."""
    property_names: str = ""
    """Pattern that property names must match."""
    refused_patterns: str = ""
    """Pattern that finds regular expression syntax that the vendor does not support."""

    def __hash__(self) -> int:
        """Hash the fields that differ most; `values` has no hash."""
        return hash((self.keywords, self.refused, self.references, self.objects, self.root))


ANYTHING = SchemaRules()


class SchemaSupport(msgspec.Struct, frozen=True, kw_only=True):
    """Schemas that a vendor accepts for a model."""

    tools: SchemaRules = ANYTHING
    """For the arguments of non-strict tools."""
    strict_tools: SchemaRules | None = None
    """For the arguments of strict tools; None if there is no difference."""
    answers: SchemaRules | None = ANYTHING
    """For non-strict response schemas; None if not supported."""
    strict_answers: SchemaRules | None = None
    """For strict response schemas; None if there is no difference."""


_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_LENGTHS = frozenset({"minLength", "maxLength"})
_COUNTS = frozenset({"minItems", "maxItems"})
_REFERENCES = frozenset({"$ref", "$defs", "definitions"})
_PLAIN = frozenset(
    {"type", "properties", "required", "additionalProperties", "items", "enum", "anyOf", "title", "description"}
)

# OpenAI

_OPENAI_FUNCTIONS = SchemaRules(root="plain_object", items=True)
"""The API's errors for functions without strict: the root has the type object and no oneOf, anyOf, allOf, enum or not;
every array has items."""
_OPENAI_STRICT = SchemaRules(
    # https://platform.openai.com/docs/guides/structured-outputs, "Supported schemas".
    keywords=_PLAIN | _REFERENCES | _BOUNDS | _COUNTS | {"const", "pattern", "format"},
    values={
        "format": frozenset(
            {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"},
        )
    },
    lone_references=True,
    objects="closed_and_required",
    root="plain_object",
    items=True,
    declared=True,
)
OPENAI_SCHEMAS = SchemaSupport(tools=_OPENAI_FUNCTIONS, strict_tools=_OPENAI_STRICT, strict_answers=_OPENAI_STRICT)

ANY_SCHEMAS = SchemaSupport(tools=SchemaRules(root="object"))
"""For vendors of OpenAI's format without documented limits."""

# Vendors of OpenAI's format

_CEREBRAS_STRICT = SchemaRules(
    # https://inference-docs.cerebras.ai/capabilities/structured-outputs, "Schema limitations".
    keywords=_PLAIN | {"$ref", "$defs", "const"} | _BOUNDS,
    references="acyclic",
    lone_references=True,
    type_lists=False,
    objects="closed_and_required",
    root="plain_object",
    items=True,
    declared=True,
)
CEREBRAS_SCHEMAS = SchemaSupport(
    tools=_OPENAI_FUNCTIONS, strict_tools=_CEREBRAS_STRICT, strict_answers=_CEREBRAS_STRICT
)

_FIREWORKS = SchemaRules(
    # https://docs.fireworks.ai/structured-responses/structured-response-formatting, "JSON Schema support".
    refused=_LENGTHS | _COUNTS | {"oneOf", "pattern"},
)
FIREWORKS_SCHEMAS = SchemaSupport(tools=_OPENAI_FUNCTIONS, answers=_FIREWORKS)

_XAI = SchemaRules(
    # https://docs.x.ai/docs/guides/structured-outputs, "JSON Schema support": additionalProperties is false by default,
    # oneOf is read as anyOf, references are not circular, tools are always held to their schema.
    refused=frozenset({"oneOf", "not", "if", "then", "else", "patternProperties", "propertyNames", "dependentSchemas"}),
    references="acyclic",
    objects="open_explicit",
)
XAI_SCHEMAS = SchemaSupport(
    tools=msgspec.structs.replace(_XAI, root="plain_object"),
    answers=_XAI,
)

_MOONSHOT = SchemaRules(
    # https://github.com/MoonshotAI/walle/blob/main/docs/mfjs-spec.md
    keywords=frozenset(
        {
            *("type", "properties", "required", "additionalProperties", "items", "enum", "anyOf", "description"),
            *("default", "$ref", "$defs", "$id"),
        }
    ),
    enum_types=frozenset({"string", "number", "integer"}),
    uniform_enums=True,
    type_lists=False,
    lone_references=True,
    root="object",
)
MOONSHOT_SCHEMAS = SchemaSupport(tools=_MOONSHOT, answers=_MOONSHOT)

_GRAMMAR = SchemaRules(
    # grammars/README.md of ggml-org/llama.cpp, "JSON Schemas -> GBNF": these are skipped without an error, and oneOf is
    # read as anyOf.
    refused=frozenset(
        {
            *(
                "oneOf",
                "not",
                "if",
                "then",
                "else",
                "uniqueItems",
                "contains",
                "minContains",
                "maxContains",
                "multipleOf",
            ),
            *("patternProperties", "propertyNames", "dependentRequired", "dependentSchemas"),
            *("unevaluatedProperties", "unevaluatedItems", "minProperties", "maxProperties"),
        }
    ),
    values={"format": frozenset({"date", "time", "date-time", "uuid"})},
)
GRAMMAR_SCHEMAS = SchemaSupport(tools=ANY_SCHEMAS.tools, answers=_GRAMMAR)
"""For servers with llama.cpp's grammars. Tool schemas are passed to the template unchanged."""

# Anthropic

_CLAUDE_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"},
)
_CLAUDE_PROPERTIES = r"[a-zA-Z0-9_.-]{1,64}"
CLAUDE_TOOLS = SchemaRules(
    # The API's errors: "input_schema does not support oneOf, allOf, or anyOf at the top level", and "Property keys should
    # match pattern '^[a-zA-Z0-9_.-]{1,64}$'".
    root="plain_object",
    property_names=_CLAUDE_PROPERTIES,
)
CLAUDE_STRICT = SchemaRules(
    # https://platform.claude.com/docs/en/build-with-claude/structured-outputs, "JSON Schema limitations".
    keywords=_PLAIN | _REFERENCES | {"const", "default", "format", "pattern", "minItems"},
    values={"format": _CLAUDE_FORMATS, "minItems": frozenset({0, 1})},
    enum_types=frozenset({"string", "number", "integer", "boolean", "null"}),
    references="acyclic",
    objects="closed",
    property_names=_CLAUDE_PROPERTIES,
    refused_patterns=r"\(\?[=!<]|\\[1-9bB]",
)
CLAUDE_SCHEMAS = SchemaSupport(
    tools=CLAUDE_TOOLS,
    strict_tools=msgspec.structs.replace(CLAUDE_STRICT, root="plain_object"),
    answers=None,
    strict_answers=CLAUDE_STRICT,
)
"""Also for Bedrock, whose guide on structured outputs has the same limits for all models."""

# Google

_GEMINI = SchemaRules(
    # https://ai.google.dev/api/generate-content, `responseJsonSchema`: everything else may be sent and has no effect;
    # oneOf is read as anyOf, and circular references stand only in properties that are not required.
    keywords=_PLAIN
    | _COUNTS
    | {"$id", "$defs", "$ref", "$anchor", "format", "prefixItems", "minimum", "maximum", "propertyOrdering"},
    enum_types=frozenset({"string", "number", "integer"}),
    references="unrolled",
    lone_references=True,
    items=True,
)
GEMINI_SCHEMAS = SchemaSupport(tools=msgspec.structs.replace(_GEMINI, root="object"), answers=_GEMINI)
_GEMINI_SUBSET = SchemaRules(
    # The API's document, `Schema`: a subset of OpenAPI's schema objects.
    keywords=frozenset(
        {
            *(
                "type",
                "format",
                "title",
                "description",
                "nullable",
                "default",
                "example",
                "enum",
                "items",
                "properties",
            ),
            *("required", "anyOf", "minItems", "maxItems", "minProperties", "maxProperties", "minimum", "maximum"),
            *("minLength", "maxLength", "pattern", "propertyOrdering"),
        }
    ),
    enum_types=frozenset({"string"}),
    type_lists=False,
    nullable=True,
    references="none",
    lone_unions=True,
    # The API's error: "should be non-empty for OBJECT type".
    objects="listed",
    items=True,
    declared=True,
)
OLDER_GEMINI_SCHEMAS = SchemaSupport(
    tools=msgspec.structs.replace(_GEMINI_SUBSET, root="plain_object"), answers=_GEMINI_SUBSET
)

# Cohere

_COHERE = SchemaRules(
    # https://docs.cohere.com/docs/structured-outputs, "Unsupported schema features" and "Parameter types".
    refused=_BOUNDS
    | _LENGTHS
    | _COUNTS
    | {"oneOf", "allOf", "not", "if", "then", "else", "uniqueItems", "patternProperties", "contains", "propertyNames"},
    values={"format": frozenset({"date-time", "uuid", "date", "time"})},
    root="object",
    refused_patterns=r"[\^$]|\(\?",
)
COHERE_SCHEMAS = SchemaSupport(
    tools=SchemaRules(root="object"),
    strict_tools=_COHERE,
    answers=_COHERE,
)

# Ollama

OLLAMA_SCHEMAS = SchemaSupport(
    # api/types.go of ollama/ollama: ToolFunctionParameters and ToolProperty have only these fields; others are dropped.
    tools=SchemaRules(
        keywords=frozenset({"type", "description", "enum", "items", "properties", "required", "anyOf"}),
        references="none",
        root="plain_object",
    ),
    answers=_GRAMMAR,
)

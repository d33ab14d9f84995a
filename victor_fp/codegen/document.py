"""OpenAPI documents: parsing, patching, and slicing of operations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from victor_fp.codegen.bounds import MAX_CHAIN, MAX_SLICE_NODES, CodegenFailed, find_excess, list_json_children
from victor_fp.codegen.schema import (
    SchemaNode,
    Schemas,
    find_reference,
    list_references,
    make_reference,
    make_unique_name,
    rewrite,
    to_list,
    to_pascal_case,
    to_schema,
)

METHODS = ("get", "put", "post", "delete", "patch", "query")
REQUESTS = ("application/json", "application/jsonl")
STREAMS = ("text/event-stream", "application/x-ndjson", "application/jsonl", "application/vnd.amazon.eventstream")


class Document(NamedTuple):
    """A parsed OpenAPI document and the SHA-256 of its bytes."""

    name: str
    content: SchemaNode
    sha256: str


def make_printable_name(document: Document) -> str:
    """Return the document's name, made safe for comments and docstrings."""
    return "".join(sign if sign.isalnum() or sign in "._- " else "?" for sign in document.name)


class Slice(NamedTuple):
    """Schemas of the selected operations, root components of each side, and roots of each operation."""

    schemas: Schemas
    request_roots: tuple[str, ...]
    response_roots: tuple[str, ...]
    roots_by_operation: Mapping[str, Mapping[str, str]] = {}
    """Operation -> role (Request, Response, Event, Error) -> component; of several error bodies, the most general one."""
    bases: Mapping[str, str] = {}
    """Component -> the component whose class its class extends."""


def parse_document(name: str, data: bytes) -> Document:
    """Parse YAML or JSON, by file extension; raises `CodegenFailed` if malformed or too large."""
    content = _parse_json(name, data) if name.endswith(".json") else _parse_yaml(name, data)
    if not isinstance(content, dict) or not ("paths" in content or "components" in content):
        raise CodegenFailed(f"{name} is not an OpenAPI document: it has neither paths nor components")
    return Document(name, to_schema(content), hashlib.sha256(data).hexdigest())


def _parse_json(name: str, data: bytes) -> object:
    try:
        content: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CodegenFailed(f"{name} is not valid JSON: {_describe_error(error)}") from None
    _require_bounds(name, find_excess(content, list_json_children))
    return content


def _parse_yaml(name: str, data: bytes) -> object:
    try:
        import yaml
    except ModuleNotFoundError:
        raise CodegenFailed(
            f"pyyaml is not installed, but required for {name}: pip install 'victor-fp[codegen]'"
        ) from None

    def list_children(node: yaml.Node) -> list[yaml.Node]:
        if isinstance(node, yaml.MappingNode):
            return [inner for pair in node.value for inner in pair]
        return list(node.value) if isinstance(node, yaml.SequenceNode) else []

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(data)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _require_bounds(name, find_excess(node, list_children))  # before merge keys and aliases are expanded
        return loader.construct_document(node)
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CodegenFailed(f"{name} is not valid YAML: {_describe_error(error)}") from None
    finally:
        loader.dispose()


def _require_bounds(name: str, excess: str | None) -> None:
    if excess is not None:
        raise CodegenFailed(f"{name} cannot be compiled: {excess}")


def _describe_error(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__


def load_document(path: Path) -> Document:
    """Read a document from disk; raises `CodegenFailed` if it is unreadable."""
    try:
        return parse_document(path.name, path.read_bytes())
    except OSError as error:
        raise CodegenFailed(f"cannot read {path}: {error.strerror}") from error


def load_patch(path: Path) -> object:
    """Read a JSON merge patch from disk; raises `CodegenFailed` if it is unreadable or malformed."""
    try:
        return _parse_json(path.name, path.read_bytes())
    except OSError as error:
        raise CodegenFailed(f"cannot read {path}: {error.strerror}") from error


def merge_patch(target: object, patch: object) -> object:
    """Apply a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(to_schema(target))
    for key, value in patch.items():
        if value is None:
            merged.pop(str(key), None)
        else:
            merged[str(key)] = merge_patch(merged.get(str(key)), value)
    return merged


def apply_overlay(document: Document, patch: object) -> Document:
    """Apply a JSON merge patch that corrects a vendor's document."""
    return document._replace(content=to_schema(merge_patch(document.content, patch)))


def collect_operations(document: Document) -> dict[str, SchemaNode]:
    """Return operations by id and by "METHOD /path"."""
    found: dict[str, SchemaNode] = {}
    for path, item in to_schema(document.content.get("paths")).items():
        for method, operation in to_schema(item).items():
            if method in METHODS:
                found[f"{method.upper()} {path}"] = to_schema(operation)
                identifier = to_schema(operation).get("operationId")
                if isinstance(identifier, str):
                    found.setdefault(identifier, to_schema(operation))
    return found


def read_component_schemas(document: Document) -> Schemas:
    """Return the named schemas of a document."""
    schemas = to_schema(to_schema(document.content.get("components")).get("schemas"))
    return {name: to_schema(schema) for name, schema in schemas.items()}


def slice_operations(
    document: Document, operation_ids: tuple[str, ...] = (), response_components: tuple[str, ...] = ()
) -> Slice:
    """Select the bodies of operations, by default of all.

    `response_components` adds roots that no operation declares, such as undocumented stream events.
    """
    known = collect_operations(document)
    chosen = operation_ids or tuple(name for name in known if " /" not in name)
    missing = [name for name in chosen if name not in known]
    schemas = read_component_schemas(document)
    absent = [name for name in response_components if name not in schemas]
    if missing or absent:
        raise CodegenFailed(f"{document.name} has no {', '.join([*missing, *absent])}")
    requests: dict[str, None] = {}
    responses: dict[str, None] = {}
    roots: dict[str, dict[str, str]] = {}
    for identifier in chosen:
        own = roots.setdefault(identifier, {})
        for role, schema in list_bodies(document, known[identifier]):
            name = _name_root(schemas, schema, to_pascal_case(identifier) + role)
            (requests if role == "Request" else responses)[name] = None
            if role == "Error":
                own[role] = name  # the last one: documents have `default` after the statuses
            else:
                own.setdefault(role, name)
    responses.update(dict.fromkeys(response_components))
    _resolve_pointers(document, schemas, (*requests, *responses))
    return Slice(schemas, tuple(requests), tuple(responses), roots)


def _resolve_pointers(document: Document, schemas: Schemas, roots: tuple[str, ...]) -> None:
    """Check all references reachable from the roots, and make targets outside of the components into components."""
    reached: dict[str, list[str]] = {}
    count = 0
    pending = list(roots)
    done: set[str] = set()
    while pending:
        name = pending.pop()
        if name in done:
            continue
        done.add(name)
        schemas[name], found = _name_targets(document, schemas, name)
        count += found
        if count > MAX_SLICE_NODES:
            raise CodegenFailed(f"{document.name}: the selected operations have more than {MAX_SLICE_NODES} schemas")
        pending.extend(list_references(schemas[name]))
        bare = {key: value for key, value in schemas[name].items() if key != "properties"}
        reached[name] = list(dict.fromkeys(list_references(bare)))
    if (deepest := _measure_longest_chain(reached)) > MAX_CHAIN:
        raise CodegenFailed(f"{document.name}: a chain of {deepest} schemas; at most {MAX_CHAIN} are supported")


def _measure_longest_chain(reached: Mapping[str, list[str]]) -> int:
    """Return the length of the longest chain of references; a chain ends where it becomes circular."""
    lengths: dict[str, int] = {}
    entered: set[str] = set()
    stack = [(name, False) for name in reached]
    while stack:
        name, complete = stack.pop()
        if complete:
            lengths[name] = 1 + max((lengths.get(inner, 0) for inner in reached.get(name, ())), default=0)
        elif name not in entered:
            entered.add(name)
            stack.append((name, True))
            stack.extend((inner, False) for inner in reached.get(name, ()) if inner not in entered)
    return max(lengths.values(), default=0)


def _name_targets(document: Document, schemas: Schemas, name: str) -> tuple[SchemaNode, int]:
    """Return the component with references to components only, and its number of schemas."""
    count = 0

    def step(schema: SchemaNode) -> SchemaNode:
        nonlocal count
        count += 1
        target = schema.get("$ref")
        if not isinstance(target, str):
            return schema
        if not target.startswith("#/"):
            raise CodegenFailed(f"{document.name}: {name} refers to {target!r}, which is outside the document")
        known = find_reference(schema)
        if known is not None and known in schemas:
            return schema
        pointed = _find(document, target)
        if not isinstance(pointed, dict):
            raise CodegenFailed(f"{document.name}: {name} refers to {target!r}, which does not exist")
        made = "Pointed" + to_pascal_case(target.replace("~1", " ").replace("~0", " "))
        schemas.setdefault(made, to_schema(pointed))
        return {**schema, **make_reference(made)}

    return rewrite(schemas[name], step), count


def _name_root(schemas: Schemas, schema: SchemaNode, name: str) -> str:
    """Return the component of a body, creating one for an inline body or a reference into a component."""
    existing = find_reference(schema)
    if existing is not None and existing in schemas:
        return existing
    if schemas.get(name) == schema:
        return name
    name = make_unique_name(name, schemas)
    schemas[name] = schema
    return name


def list_bodies(document: Document, operation: SchemaNode) -> list[tuple[str, SchemaNode]]:
    """Return the role and schema of every body: Request (one line of JSONL), Response, Event (one frame of a stream), Error.

    For a form, the requests are the content of its files, by the `contentSchema` of the part, and the components of its
    `allOf`, which have its other fields.
    """
    found: list[tuple[str, SchemaNode]] = []
    request = to_schema(follow_pointer(document, operation.get("requestBody")).get("content"))
    found.extend(("Request", schema) for media, schema in _list_schemas(request) if media in REQUESTS)
    for media, form in _list_schemas(request):
        if media == "multipart/form-data":
            parts = map(to_schema, to_schema(form.get("properties")).values())
            found.extend(("Request", to_schema(part["contentSchema"])) for part in parts if "contentSchema" in part)
            found.extend(
                ("Request", fields) for fields in map(to_schema, to_list(form.get("allOf"))) if "$ref" in fields
            )
    for status, response in to_schema(operation.get("responses")).items():
        content = to_schema(follow_pointer(document, response).get("content"))
        for media, schema in _list_schemas(content):
            if media in STREAMS and status.startswith("2"):
                found.append(("Event", schema))
            elif media == "application/json" or media.endswith("+json"):
                found.append(("Response" if status.startswith("2") else "Error", schema))
    return found


def _list_schemas(content: SchemaNode) -> list[tuple[str, SchemaNode]]:
    bodies = [(media.split(";")[0], to_schema(to_schema(body).get("schema"))) for media, body in content.items()]
    return [(media, schema) for media, schema in bodies if schema]


def follow_pointer(document: Document, node: object) -> SchemaNode:
    """Return the node, or the target of its `$ref` in the document."""
    schema = to_schema(node)
    for _ in range(10):
        target = schema.get("$ref")
        if not isinstance(target, str):
            return schema
        if not target.startswith("#/"):
            raise CodegenFailed(f"{document.name}: {target!r} is outside the document")
        schema = to_schema(_find(document, target))
    return {}


def _find(document: Document, pointer: str) -> object:
    """Return the target of a JSON pointer of the form `#/...`; None if it does not exist."""
    found: object = document.content
    for step in pointer[2:].split("/"):
        found = to_schema(found).get(unquote(step).replace("~1", "/").replace("~0", "~"))
    return found

"""Typed descriptors of operations: method, path template, parameters and body types."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias, get_args

from victor_fp.codegen.bounds import CodegenFailed
from victor_fp.codegen.document import METHODS, Document, Slice, follow_pointer
from victor_fp.codegen.schema import (
    SchemaNode,
    list_constants,
    make_unique_name,
    resolve,
    to_list,
    to_pascal_case,
    to_schema,
)

Location: TypeAlias = Literal["path", "query", "header"]
BodyRole: TypeAlias = Literal["REQUEST", "RESPONSE", "EVENT", "ERROR"]

SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
_TEMPLATE = re.compile(r"\{([^{}]*)\}")

RUNTIME = '''
from __future__ import annotations

from typing import ClassVar, Generic, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

T = TypeVar("T")

Method: TypeAlias = Literal["DELETE", "GET", "PATCH", "POST", "PUT", "QUERY"]


class Body(NamedTuple, Generic[T]):
    """The type of a JSON body, or of one event of a stream."""

    wire_type: object


class Parameter(NamedTuple):
    """A parameter of an operation."""

    name: str
    """Name on the wire."""
    field: str
    """Field of the descriptor."""
    location: Literal["path", "query", "header"]
    reserved: bool = False
    """Whether slashes in its value separate path segments."""


class Operation(Protocol):
    """Members of all descriptors; an instance holds the parameter values."""

    ID: ClassVar[str]
    METHOD: ClassVar[Method]
    PATH: ClassVar[str]
    PARAMETERS: ClassVar[tuple[Parameter, ...]]
'''
"""Base types of descriptors, in the package's `__init__.py`; they do not import wire models."""


class ParameterShape(NamedTuple):
    """One parameter of a descriptor to emit."""

    name: str
    field: str
    location: Location
    annotation: str
    required: bool
    reserved: bool


class OperationShape(NamedTuple):
    """One descriptor to emit; `bodies` has qualified class names."""

    identifier: str
    name: str
    method: str
    path: str
    summary: str
    parameters: tuple[ParameterShape, ...]
    bodies: Mapping[BodyRole, str]


def read_operations(
    document: Document, sliced: Slice, requests: Mapping[str, str], responses: Mapping[str, str]
) -> tuple[OperationShape, ...]:
    """Read the operations of a slice; `requests` and `responses` are the class names of its roots."""
    shapes: list[OperationShape] = []
    used_names: set[str] = set()
    selected = sliced.roots_by_operation
    for path, item in to_schema(document.content.get("paths")).items():
        for method, node in to_schema(item).items():
            operation = to_schema(node)
            identifier = _find_identifier(method, path, operation, selected)
            if identifier is None:
                continue
            if not path.startswith("/"):
                raise CodegenFailed(f"{document.name}: the path {path!r} does not begin with a slash")
            name = make_unique_name(_make_class_name(identifier), used_names)
            used_names.add(name)
            shapes.append(
                OperationShape(
                    identifier=identifier,
                    name=name,
                    method=method.upper(),
                    path=path,
                    summary=_to_one_line(operation.get("summary")),
                    parameters=_read_parameters(document, sliced, path, to_schema(item), operation),
                    bodies=_find_bodies(selected[identifier], requests, responses),
                )
            )
    return tuple(shapes)


def emit_operations(shapes: tuple[OperationShape, ...], header: str, *, runtime: str) -> str:
    """Return the Python source of the descriptors; `runtime` is the relative module with `RUNTIME`."""
    used = {body.split(".")[0] for shape in shapes for body in shape.bodies.values()}
    literal = any("Literal[" in parameter.annotation for shape in shapes for parameter in shape.parameters)
    unset = any(not parameter.required for shape in shapes for parameter in shape.parameters)
    lines = [header, "", "from __future__ import annotations", ""]
    lines += [f"from typing import ClassVar{', Literal' if literal else ''}", ""]
    lines += [f"from msgspec import {'UNSET, ' if unset else ''}Struct{', UnsetType' if unset else ''}", ""]
    lines += [f"from {runtime} import {'Body, ' if used else ''}Method, Parameter"]
    lines += [f"from . import {module} as {alias}" for alias, module in _MODULES.items() if alias in used]
    for shape in shapes:
        lines += ["", "", *_render_class(shape)]
    return "\n".join(lines) + "\n"


_MODULES = {"sent": "request", "received": "response"}


def _render_class(shape: OperationShape) -> list[str]:
    title = f"{shape.method} {shape.path}" + (f": {shape.summary}" if shape.summary else "")
    parameters = "".join(f"{_render_parameter(parameter)}, " for parameter in shape.parameters)
    lines = [
        f"class {shape.name}(Struct, frozen=True, kw_only=True):",
        f"    {_render_docstring(title)}",
        "",
        f"    ID: ClassVar[str] = {shape.identifier!r}",
        f"    METHOD: ClassVar[Method] = {shape.method!r}",
        f"    PATH: ClassVar[str] = {shape.path!r}",
        f"    PARAMETERS: ClassVar[tuple[Parameter, ...]] = ({parameters.removesuffix(' ')})",
    ]
    for role in get_args(BodyRole):
        body = shape.bodies.get(role)
        lines.append(
            f"    {role}: ClassVar[None] = None"
            if body is None
            else f"    {role}: ClassVar[Body[{body}]] = Body({body})"
        )
    fields = [
        f"    {parameter.field}: {parameter.annotation}" + ("" if parameter.required else " | UnsetType = UNSET")
        for parameter in shape.parameters
    ]
    return [*lines, *(["", *fields] if fields else [])]


def _render_parameter(parameter: ParameterShape) -> str:
    reserved = ", reserved=True" if parameter.reserved else ""
    return f"Parameter({parameter.name!r}, {parameter.field!r}, {parameter.location!r}{reserved})"


def _render_docstring(text: str) -> str:
    """Return text as a docstring literal, with special characters replaced."""
    plain = "".join(sign if sign.isprintable() else " " for sign in text)
    return '"""' + plain.replace("\\", "\\\\").replace('"', "'") + '"""'


def _to_one_line(value: object) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""


def _find_identifier(
    method: str, path: str, operation: SchemaNode, selected: Mapping[str, Mapping[str, str]]
) -> str | None:
    """Return the name of an operation in a slice; None if it is not selected."""
    if method not in METHODS:
        return None
    own = operation.get("operationId")
    return next(
        (name for name in (own, f"{method.upper()} {path}") if isinstance(name, str) and name in selected), None
    )


def _make_class_name(identifier: str) -> str:
    name = to_pascal_case(identifier)
    return name if name.isidentifier() and not keyword.iskeyword(name) else f"Operation{name}"


def _find_bodies(
    roots: Mapping[str, str], requests: Mapping[str, str], responses: Mapping[str, str]
) -> dict[BodyRole, str]:
    found: dict[BodyRole, str] = {}
    for role in get_args(BodyRole):
        root = roots.get(role.capitalize(), "")
        names, module = (requests, "sent") if role == "REQUEST" else (responses, "received")
        if root in names:
            found[role] = f"{module}.{names[root]}"
    return found


def _read_parameters(
    document: Document, sliced: Slice, path: str, item: SchemaNode, operation: SchemaNode
) -> tuple[ParameterShape, ...]:
    """Read path parameters in the order of the template, then query and header parameters as declared."""
    declared: dict[tuple[str, str], SchemaNode] = {}
    for node in (*to_list(item.get("parameters")), *to_list(operation.get("parameters"))):
        parameter = follow_pointer(document, node)
        name, location = parameter.get("name"), parameter.get("in")
        if isinstance(name, str) and isinstance(location, str):
            declared[name, location] = parameter
    in_path: list[tuple[str, Location]] = [(name, "path") for name in dict.fromkeys(_TEMPLATE.findall(path))]
    others: list[tuple[str, Location]] = [
        (name, location)
        for name, declared_in in declared
        for location in get_args(Location)
        if declared_in == location != "path"
    ]
    shapes: list[ParameterShape] = []
    used_names: set[str] = set()
    for name, location in (*in_path, *others):
        node = declared.get((name, location), {})
        field = make_unique_name(_make_field_name(name), used_names)
        used_names.add(field)
        shapes.append(
            ParameterShape(
                name=name,
                field=field,
                location=location,
                annotation=_build_annotation(resolve(sliced.schemas, to_schema(node.get("schema")))),
                required=location == "path" or node.get("required") is True,
                reserved=location == "path" and node.get("allowReserved") is True,
            )
        )
    return tuple(shapes)


def _make_field_name(name: str) -> str:
    """Return a Python field name for a parameter such as `pageSize`, `Cancel-After` or `class`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    field = "_".join(re.findall(r"[A-Za-z0-9]+", spaced)).lower() or "parameter"
    if field[0].isdigit():
        return f"parameter_{field}"
    return f"{field}_" if keyword.iskeyword(field) else field


def _build_annotation(schema: SchemaNode) -> str:
    """Return the Python type of a parameter; other types than scalars and lists of scalars are strings."""
    values = list_constants(schema)
    if values:
        return f"Literal[{', '.join(repr(value) for value in values)}]"
    kind = schema.get("type")
    if kind == "array":
        inner = to_schema(schema.get("items")).get("type")
        return f"tuple[{SCALARS.get(str(inner), 'str')}, ...]"
    return SCALARS.get(str(kind), "str")

"""Operations become typed descriptors: method, path, parameters and the types of their bodies."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest

from victor_fp.codegen.bounds import CodegenFailed
from victor_fp.codegen.document import parse_document, slice_operations
from victor_fp.codegen.operations import emit_operations, read_operations


def build_document(**paths: Any) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "paths": {f"/{name}": item for name, item in paths.items()} if "paths" not in paths else paths["paths"],
        "components": {"schemas": {"Size": {"type": "integer"}}},
    }


def emit_source(content: dict[str, Any], *wanted: str) -> str:
    parsed = parse_document("x.json", json.dumps(content).encode())
    shapes = read_operations(parsed, slice_operations(parsed, wanted), {}, {})
    return emit_operations(shapes, "# header", runtime="..")


def load_source(source: str) -> ModuleType:
    """Import the descriptors as the compiler's output would be."""
    import victor_fp_wire

    module = ModuleType("victor_fp_wire.loaded.operations")
    module.__package__ = "victor_fp_wire.loaded"
    package = ModuleType("victor_fp_wire.loaded")
    package.__path__ = []
    known = {"victor_fp_wire": victor_fp_wire, package.__name__: package, module.__name__: module}
    with patch.dict(sys.modules, known):
        exec(compile(source, "operations.py", "exec"), module.__dict__)
    return module


PAGES = {
    "paths": {
        "/shelves/{shelf}/{book-id}:read": {
            "parameters": [{"name": "shelf", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {
                "operationId": "readBook",
                "summary": "One book.",
                "parameters": [
                    {"name": "pageSize", "in": "query", "schema": {"$ref": "#/components/schemas/Size"}},
                    {"name": "X-Trace", "in": "header", "required": True, "schema": {"type": "string"}},
                    {"name": "alt", "in": "query", "schema": {"type": "string", "enum": ["sse"]}},
                    {"name": "ids", "in": "query", "schema": {"type": "array", "items": {"type": "integer"}}},
                    {"name": "class", "in": "query", "schema": {"type": "boolean"}},
                    {"name": "session", "in": "cookie", "schema": {"type": "string"}},
                ],
                "responses": {},
            },
        }
    }
}


def test_parameters_are_typed_fields_with_their_names_on_the_wire() -> None:
    read_book = load_source(emit_source(build_document(**PAGES))).ReadBook
    assert (read_book.ID, read_book.METHOD, read_book.PATH) == ("readBook", "GET", "/shelves/{shelf}/{book-id}:read")
    assert [tuple(parameter) for parameter in read_book.PARAMETERS] == [
        ("shelf", "shelf", "path", False),
        ("book-id", "book_id", "path", False),
        ("pageSize", "page_size", "query", False),
        ("X-Trace", "x_trace", "header", False),
        ("alt", "alt", "query", False),
        ("ids", "ids", "query", False),
        ("class", "class_", "query", False),
    ]
    assert {name: kind for name, kind in read_book.__annotations__.items() if name.islower()} == {
        "shelf": "str",
        "book_id": "str",
        "page_size": "int | UnsetType",
        "x_trace": "str",
        "alt": "Literal['sse'] | UnsetType",
        "ids": "tuple[int, ...] | UnsetType",
        "class_": "bool | UnsetType",
    }
    assert (read_book.REQUEST, read_book.RESPONSE, read_book.EVENT, read_book.ERROR) == (None, None, None, None)


def test_operations_without_an_id_are_named_after_method_and_path() -> None:
    content = build_document(paths={"/stamps/{id}": {"get": {"responses": {}}}, "/other": {"get": {"responses": {}}}})
    assert load_source(emit_source(content, "GET /stamps/{id}")).GETStampsId.ID == "GET /stamps/{id}"
    assert "other" not in emit_source(content, "GET /stamps/{id}")


def test_operations_whose_names_collide_stay_apart() -> None:
    content = build_document(
        paths={"/a": {"get": {"operationId": "do.it", "responses": {}}}, "/b": {"get": {"operationId": "do it"}}}
    )
    names = load_source(emit_source(content))
    assert (names.DoIt.PATH, names.DoIt2.PATH) == ("/a", "/b")


HOSTILE = '"""; FORGED = 1\nFORGED = 1 #\\'


@pytest.mark.parametrize("place", ["id", "path", "summary", "name", "enum", "file"])
def test_no_text_of_a_document_becomes_code(place: str) -> None:
    def choose_text(name: str, text: str) -> str:
        return HOSTILE if place == name else text

    parameter = {
        "name": choose_text("name", "q"),
        "in": "query",
        "schema": {"type": "string", "enum": [choose_text("enum", "a")]},
    }
    operation = {
        "operationId": choose_text("id", "x"),
        "summary": choose_text("summary", "s"),
        "parameters": [parameter],
    }
    content = build_document(paths={"/" + choose_text("path", "p"): {"get": operation}})
    assert "FORGED" not in vars(load_source(emit_source(content)))


def test_a_path_without_a_slash_is_refused() -> None:
    with pytest.raises(CodegenFailed, match=r"x\.json: the path 'a' does not begin with a slash"):
        emit_source(build_document(paths={"a": {"get": {"operationId": "x"}}}))


def test_descriptors_carry_the_types_of_their_bodies() -> None:
    from victor_fp_wire.anthropic_messages import request, response
    from victor_fp_wire.anthropic_messages.operations import CountTokens, CreateMessage

    assert CreateMessage.REQUEST.wire_type is request.CreateMessageParams
    assert CreateMessage.RESPONSE.wire_type is response.Message
    assert CreateMessage.EVENT.wire_type is response.MessageStreamEvent
    assert CreateMessage.ERROR.wire_type is response.ErrorResponse
    assert CountTokens.EVENT is None


def test_importing_the_root_loads_no_wire_model() -> None:
    root = Path(__file__).parents[2] / "generated" / "victor_fp_wire" / "__init__.py"
    imports = [line for line in root.read_text().splitlines() if line.startswith(("import", "from"))]
    assert all("typing" in line or "__future__" in line for line in imports)


def test_a_form_has_the_content_of_its_files_and_the_components_of_its_other_fields() -> None:
    line = {"contentMediaType": "application/jsonl", "contentSchema": {"$ref": "#/components/schemas/Size"}}
    form = {
        "allOf": [{"$ref": "#/components/schemas/Fields"}, {"required": ["file"]}],
        "properties": {"file": {"type": "string", **line}},
    }
    content = build_document(
        files={"post": {"operationId": "upload", "requestBody": {"content": {"multipart/form-data": {"schema": form}}}}}
    )
    content["components"]["schemas"]["Fields"] = {"type": "object", "properties": {"purpose": {"type": "string"}}}
    assert slice_operations(parse_document("x.json", json.dumps(content).encode())).request_roots == ("Size", "Fields")

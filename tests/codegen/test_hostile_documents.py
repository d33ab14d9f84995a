"""Untrusted documents: nothing outside is read, the size is bounded, text never becomes code, errors are reported."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.example_counts import scale_examples
from victor_fp.codegen import CodegenFailed, compile_vendor
from victor_fp.codegen.bounds import find_excess, list_json_children
from victor_fp.codegen.document import parse_document, slice_operations
from victor_fp.codegen.emit import emit
from victor_fp.codegen.normalise import normalise
from victor_fp.codegen.operations import emit_operations, read_operations
from victor_fp.codegen.rewriting import rewrite_module

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("datamodel_code_generator") is None, reason="the extra `codegen` is not installed"
)


def build_document(schema: Any, **components: Any) -> dict[str, Any]:
    body = {"content": {"application/json": {"schema": schema}}}
    return {
        "openapi": "3.1.0",
        "paths": {"/x": {"post": {"operationId": "x", "requestBody": body, "responses": {"200": body}}}},
        "components": {"schemas": components},
    }


def compile_content(tmp_path: Path, content: Any, name: str = "spec.json") -> str:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    compile_vendor(path, ("x",), tmp_path / "out")
    return "".join(file.read_text() for file in (tmp_path / "out").rglob("*.py"))


REFERENCES: dict[str, Any] = {
    "property": lambda target: {"type": "object", "properties": {"a": {"$ref": target}}},
    "items": lambda target: {"type": "array", "items": {"$ref": target}},
    "items of a tuple": lambda target: {"type": "array", "items": [{"$ref": target}]},
    "values": lambda target: {"type": "object", "additionalProperties": {"$ref": target}},
    "variant": lambda target: {"oneOf": [{"$ref": target}, {"type": "object", "properties": {"a": {}}}]},
    "part": lambda target: {"allOf": [{"$ref": target}, {"type": "object", "properties": {"a": {}}}]},
    "itself": lambda target: {"$ref": target},
    "mapping": lambda target: {
        "oneOf": [
            {"type": "object", "properties": {"t": {"type": "string"}, "a": {}}},
            {"type": "object", "properties": {"t": {"type": "string"}, "b": {}}},
        ],
        "discriminator": {"propertyName": "t", "mapping": {"one": target}},
    },
}


_HOOKED: list[bool] = []
_OPENED: list[str] | None = None
"""Where the audit hook records accesses to the private document during a test."""


def _note_private(event: str, given: object) -> None:
    if _OPENED is not None and "private.json" in str(given):
        _OPENED.append(f"{event} {given}")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done with the private document. A hook cannot be taken out again: there is one, which rests between tests."""
    if not _HOOKED:
        sys.addaudithook(_note_private)
        _HOOKED.append(True)
    found: list[str] = []
    monkeypatch.setattr(sys.modules[__name__], "_OPENED", found)
    return found


@pytest.mark.parametrize("spot", REFERENCES)
def test_nothing_outside_the_document_is_read(
    spot: str, opened: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "private.json"
    secret.write_text('{"type": "object", "properties": {"SECRET": {"type": "string"}}}')
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for target in (
        secret.as_uri(),
        str(secret),
        "../private.json",
        "private.json#/a",
        "http://127.0.0.1:9/private.json",
    ):
        opened.clear()
        try:
            text = compile_content(tmp_path / "work", build_document(REFERENCES[spot](target)))
        except CodegenFailed as failure:
            text = str(failure)
        assert "SECRET" not in text
        assert [event for event in opened if event.startswith(("open", "socket", "urllib"))] == []


def test_a_reference_outside_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        CodegenFailed, match=r"spec\.json: R refers to '\.\./other\.json', which is outside the document"
    ):
        compile_content(
            tmp_path, build_document({"$ref": "#/components/schemas/R"}, R=REFERENCES["property"]("../other.json"))
        )


def test_a_reference_to_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CodegenFailed, match=r"refers to '#/components/schemas/Gone', which does not exist"):
        compile_content(tmp_path, build_document(REFERENCES["property"]("#/components/schemas/Gone")))


def test_a_body_that_refers_to_nothing_is_named(tmp_path: Path) -> None:
    content = build_document({"$ref": "#/components/schemas/Gone"})
    with pytest.raises(CodegenFailed, match=r"refers to '#/components/schemas/Gone', which does not exist"):
        compile_content(tmp_path, content)


def test_a_body_that_refers_into_a_component_is_compiled(tmp_path: Path) -> None:
    inner = {"type": "object", "properties": {"inner": {"type": "string"}}}
    content = build_document(
        {"$ref": "#/components/schemas/A/properties/b"}, A={"type": "object", "properties": {"b": inner}}
    )
    assert "inner: str" in compile_content(tmp_path, content)


def test_a_reference_to_another_part_of_the_document_is_followed(tmp_path: Path) -> None:
    inner = {"type": "object", "properties": {"deep": {"type": "string"}}}
    holder = {"type": "object", "properties": {"inner": inner}}
    content = build_document(REFERENCES["property"]("#/components/schemas/Holder/properties/inner"), Holder=holder)
    assert "deep: str" in compile_content(tmp_path, content)


def test_parameters_and_responses_outside_are_refused(tmp_path: Path) -> None:
    content = build_document({"type": "object"})
    content["paths"]["/x"]["post"]["parameters"] = [{"$ref": "other.yaml#/p"}]
    with pytest.raises(CodegenFailed, match="outside the document"):
        compile_content(tmp_path, content)


MALFORMED = {
    "a.yaml": "a: [",
    "b.json": "{",
    "c.json": '{"paths": {}, "a": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "d.json": '{"paths": {}, "a": ' + "[" * 500 + "]" * 500 + "}",
    "e.yaml": "paths: {}\ncomponents: {schemas: {R: &r {type: object, properties: {a: *r}}}}\n",
    "f.yaml": "paths: !!python/object/apply:os.system [x]",
    "g.yaml": "paths: {a: 2020-99-99}",
    "h.yaml": "{? [a, b] : 1, ? {c: d} : 2, paths: {}}",
    "i.yaml": "",
    "j.yaml": "- paths",
    "k.yaml": "paths: {}\na: &a {<<: *a}\n",
    "l.yaml": "paths: {}\n--- {}\n",
    "m.yaml": "\x00",
    "n.json": '{"paths": {}, "n": ' + "9" * 5000 + "}",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_document_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(CodegenFailed, match=rf"{name[0]}\.(yaml|json) "):
        compile_content(tmp_path, MALFORMED[name], name)


def test_bytes_that_are_not_text_are_reported() -> None:
    for name in ("a.yaml", "a.json"):
        with pytest.raises(CodegenFailed, match=name):
            parse_document(name, b"\xff\xfe\xfa")


def build_aliases(levels: int, *, merge: bool = False) -> str:
    first = "x:\n  a0: &a0 {type: object, properties: {z: {type: string}}}\n"
    level = "  a{0}: &a{0} {{type: object, properties: {{{1}}}}}\n" if not merge else "  a{0}: &a{0} {{<<: [{1}]}}\n"
    for number in range(1, levels + 1):
        items = ", ".join(f"*a{number - 1}" if merge else f"p{item}: *a{number - 1}" for item in range(9))
        first += level.format(number, items)
    body = "{content: {application/json: {schema: {$ref: '#/components/schemas/R'}}}}"
    paths = f"paths: {{/x: {{post: {{operationId: x, requestBody: {body}, responses: {{}}}}}}}}\n"
    return f"openapi: 3.1.0\n{first}components: {{schemas: {{R: *a{levels}}}}}\n{paths}"


def test_aliases_do_not_multiply_the_output(tmp_path: Path) -> None:
    sizes = [len(compile_content(tmp_path, build_aliases(level), "spec.yaml")) for level in (1, 2, 3)]
    assert sizes[2] - sizes[1] <= 2 * (sizes[1] - sizes[0])


@pytest.mark.parametrize("merge", [False, True])
def test_aliases_that_expand_without_end_are_refused(merge: bool, tmp_path: Path) -> None:
    with pytest.raises(CodegenFailed, match="more than 1000000 parts"):
        compile_content(tmp_path, build_aliases(30, merge=merge), "spec.yaml")


def test_the_bound_counts_shared_parts_as_often_as_they_are_reached() -> None:
    shared: list[object] = [[], []]
    whole: object = [shared, shared]
    excess = "it has more than 6 parts with expanded aliases"
    assert (find_excess(whole, list_json_children, limit=7), find_excess(whole, list_json_children, limit=6)) == (
        None,
        excess,
    )
    shared.append(shared)
    assert find_excess(whole, list_json_children) == "a part of it contains itself"


CODE = [
    'x"; FORGED = 1 #',
    '"""\nFORGED = 1\n"""',
    "x\nFORGED = 1",
    "'] + [FORGED]",
    "__import__('os')",
    "{{7*7}}",
    "{% x %}",
]


SPOTS = ["component", "property", "enum", "const", "description", "tag", "title", "type"]


@pytest.mark.parametrize(
    ("spot", "text"),
    [
        pytest.param(spot, text, marks=pytest.mark.slow if (row + column) % 3 else ())
        for row, spot in enumerate(SPOTS)
        for column, text in enumerate(CODE)
    ],
)
def test_no_text_of_a_document_becomes_code(spot: str, text: str, tmp_path: Path) -> None:
    def choose_text(name: str, otherwise: str) -> str:
        return text if spot == name else otherwise

    tagged = [
        {"type": "object", "properties": {"kind": {"const": choose_text("tag", "a")}, "one": {}}, "required": ["kind"]},
        {"type": "object", "properties": {"kind": {"const": "b"}, "two": {}}, "required": ["kind"]},
    ]
    schema = {
        "type": "object",
        "title": choose_text("title", "T"),
        "description": choose_text("description", "D"),
        "properties": {
            choose_text("property", "p"): {"type": choose_text("type", "string")},
            "e": {"type": "string", "enum": [choose_text("enum", "v"), "w"]},
            "c": {"const": choose_text("const", "v")},
            "u": {"oneOf": tagged},
        },
    }
    name = choose_text("component", "R").replace("/", "~1")
    content = build_document({"$ref": f"#/components/schemas/{name}"}, **{name: schema})
    try:
        compile_content(tmp_path, content)
    except CodegenFailed:
        return
    for module in ("__init__", "request", "response"):
        names: dict[str, Any] = {"__name__": f"made_{module}"}
        sys.modules[names["__name__"]] = type(sys)(names["__name__"])
        exec((tmp_path / "out" / f"{module}.py").read_text(), names)
        assert names.get("FORGED") != 1


JUNK = st.sampled_from(
    [None, True, 0, -1, 1.5, "", "x", "object", [], {}, [None], {"a": None}, ["object", 5], {"$ref": 5}]
)
KEYWORDS = [
    "type",
    "properties",
    "required",
    "items",
    "additionalProperties",
    "enum",
    "const",
    "oneOf",
    "allOf",
    "anyOf",
]
KEYWORDS += ["discriminator", "nullable", "$ref", "description"]


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """A sound document with junk in one to three places."""
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["a"],
        "properties": {
            "a": {"type": "array", "items": {"$ref": "#/components/schemas/B"}},
            "b": {
                "oneOf": [{"$ref": "#/components/schemas/B"}, {"type": "object", "properties": {"t": {"const": "c"}}}]
            },
            "c": {"allOf": [{"$ref": "#/components/schemas/B"}]},
        },
    }
    other: dict[str, Any] = {"type": "object", "properties": {"t": {"type": "string", "enum": ["b"]}}}
    content = build_document({"$ref": "#/components/schemas/A"}, A=schema, B=other)
    targets: list[dict[str, Any]] = [
        schema,
        schema["properties"],
        schema["properties"]["a"],
        schema["properties"]["b"],
        schema["properties"]["c"],
        other,
        other["properties"]["t"],
        content["paths"],
        content["paths"]["/x"],
        content["paths"]["/x"]["post"],
        content["paths"]["/x"]["post"]["responses"],
    ]
    for _ in range(draw(st.integers(1, 3))):
        target = draw(st.sampled_from(targets))
        key = draw(st.sampled_from(sorted({*target, *KEYWORDS, "parameters", "requestBody"})))
        target[key] = draw(JUNK)
    return content


@given(damaged())
@settings(max_examples=scale_examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_document_compiles_or_is_refused(content: dict[str, Any]) -> None:
    """Everything but the generator, which is slow and guarded by itself."""
    try:
        parsed = parse_document("x.json", json.dumps(content).encode())
        sliced = slice_operations(parsed)
        for side, roots in (("request", sliced.request_roots), ("response", sliced.response_roots)):
            normalise(sliced.schemas, roots, "request" if side == "request" else "response")
        emit_operations(read_operations(parsed, sliced, {}, {}), "# header", runtime=".")
    except CodegenFailed:
        pass


def test_code_in_the_generators_output_is_refused() -> None:
    for source in (
        "class A(Struct):\n    x: int = print(1)\n",
        "class A(Struct):\n    def f(self): ...\n",
        "class A(:\n",
    ):
        with pytest.raises(CodegenFailed, match="the generator's output"):
            rewrite_module(source, "request", (), "")


def test_references_to_files_never_reach_the_generator() -> None:
    with pytest.raises(CodegenFailed, match=r"reference '\.\./x\.json' is not to a schema of the document"):
        emit({"A": {"type": "array", "items": [{"$ref": "../x.json"}]}})


def chain(keyword: str, length: int, width: int = 1) -> dict[str, Any]:
    """Components each of which is made of the next one, or of all that have the next number."""

    def build_link(number: int) -> Any:
        targets = [{"$ref": f"#/components/schemas/C{number + 1}x{column}"} for column in range(width)]
        if keyword == "$ref":
            return targets[0]
        if keyword == "items":
            return {"type": "array", "items": targets[0]}
        return {keyword: targets}

    components = {f"C{number}x{column}": build_link(number) for number in range(length) for column in range(width)}
    ends = {f"C{length}x{column}": {"type": "object", "properties": {f"p{column}": {}}} for column in range(width)}
    return build_document({"$ref": "#/components/schemas/C0x0"}, **components, **ends)


@pytest.mark.parametrize("keyword", ["$ref", "allOf", "oneOf", "anyOf", "items"])
def test_a_chain_of_components_is_bounded(keyword: str, tmp_path: Path) -> None:
    compile_content(tmp_path, chain(keyword, 12))
    with pytest.raises(CodegenFailed, match=r"a chain of [0-9]+ schemas"):
        compile_content(tmp_path, chain(keyword, 3000))


@pytest.mark.parametrize("keyword", ["allOf", "oneOf", "anyOf"])
def test_components_that_are_reached_on_many_ways_are_walked_once_or_refused(keyword: str) -> None:
    """Fourteen levels of three are 4.8 million ways to the last one."""
    parsed = parse_document("x.json", json.dumps(chain(keyword, 14, width=3)).encode())
    sliced = slice_operations(parsed)
    if keyword == "allOf":
        with pytest.raises(CodegenFailed, match="expand beyond the limit of the compiler"):
            normalise(sliced.schemas, sliced.response_roots, "response")
    else:
        assert normalise(sliced.schemas, sliced.response_roots, "response").schemas


def test_a_union_of_thousands_is_refused() -> None:
    options = [{"type": "object", "properties": {f"p{number}": {}}} for number in range(3000)]
    sliced = slice_operations(parse_document("x.json", json.dumps(build_document({"oneOf": options})).encode()))
    with pytest.raises(CodegenFailed, match="a union has more than 1000 variants"):
        normalise(sliced.schemas, sliced.response_roots, "response")


@pytest.mark.parametrize("patch", ["{", "[" * 100_000, "\udcff"])
def test_a_malformed_overlay_is_named(patch: str, tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(build_document({"type": "object"})))
    overlay = tmp_path / "patch.json"
    overlay.write_bytes(patch.encode("utf-8", "surrogateescape"))
    with pytest.raises(CodegenFailed, match=r"patch\.json is not valid JSON"):
        compile_vendor(tmp_path / "spec.json", ("x",), tmp_path / "out", overlay_path=overlay)

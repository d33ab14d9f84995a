"""A misspelt field of a request body is a type error: fields are renamed in copies of the modules, which mypy checks.

Renamed are keywords of the generated models and of typed dicts, wherever they are called, and those of
`msgspec.structs.replace`, which mypy does not check: a copy reads each of them as an attribute of the replaced value. That
takes all modules they import, and is left to the slow suite.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from victor_fp_wire.cohere_batches import request as cohere_batches
from victor_fp_wire.gemini import request as gemini_wire
from victor_fp_wire.ollama_chat import request as ollama_chat_wire
from victor_fp_wire.replicate import request as replicate_wire

import victor_fp.core.protocols as protocols
from tests.syntax_trees import parse_file
from victor_fp.core.options import Options
from victor_fp.core.protocols.batches import cohere, vertex
from victor_fp.core.protocols.ollama_chat.request import RuntimeOptions
from victor_fp.core.protocols.replicate.request import UnknownInputs
from victor_fp.core.requests import ChatRequest

ROOT = Path(protocols.__file__).parents[3]
PACKAGES = Path(protocols.__file__).parent
PROTOCOLS = sorted(path.name for path in PACKAGES.iterdir() if (path / "__init__.py").exists())
MODULES = [path for protocol in PROTOCOLS for path in sorted((PACKAGES / protocol).glob("*.py"))]
SHARED = {"openai_family"}
"""Packages that several protocols share and that build no body themselves."""
MYPY = [sys.executable, "-m", "mypy", "--no-error-summary"]
ALONE = """
[mypy]
strict = True
[mypy-victor_fp.*]
follow_imports = skip
"""
"""Settings that check modules without those they import, except for the generated ones."""


class Edit(NamedTuple):
    """Text to insert at a position, as `ast` counts lines and columns."""

    line: int
    column: int
    text: str


class Called(NamedTuple):
    """What a module calls with fields: generated models, modules of such, and typed dicts."""

    models: frozenset[str]
    modules: frozenset[str]
    typed_dicts: frozenset[str]


def find_called(tree: ast.Module) -> Called:
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    models = {
        alias.asname or alias.name
        for node in imports
        if re.fullmatch(r"victor_fp_wire\.\w+\.request", node.module or "")
        for alias in node.names
    }
    modules = {
        alias.asname or alias.name
        for node in imports
        if re.fullmatch(r"victor_fp_wire\.\w+", node.module or "")
        for alias in node.names
        if alias.name == "request"
    }
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    typed = {node.name for node in classes if "TypedDict" in map(ast.unparse, node.bases)}
    return Called(frozenset(models), frozenset(modules), frozenset(typed))


def list_misspellings(tree: ast.Module, numbers: Iterator[int], *, replaced: bool) -> Iterator[tuple[str, list[Edit]]]:
    """Misspell every field of a request body that the module names, each with its own number, and tell how."""
    called = find_called(tree)
    if not called.models and not called.modules:
        return
    for call in ast.walk(tree):
        match call:
            case ast.Call(func=ast.Name(id=name)) if name in called.models | called.typed_dicts:
                is_model = True
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name))) if name in called.modules:
                is_model = True
            case ast.Call(func=ast.Attribute(attr="replace") | ast.Name(id="replace"), args=[_]) if replaced:
                is_model = False
            case _:
                continue
        for keyword in call.keywords:
            if keyword.arg is None:
                continue
            suffix = f"_x{next(numbers)}"
            wrong = keyword.arg + suffix
            if is_model:
                yield wrong, [Edit(keyword.lineno, keyword.col_offset + len(keyword.arg), suffix)]
            else:
                value = ast.unparse(call.args[0])
                opened = Edit(call.lineno, call.col_offset, f"({value}.{keyword.arg}, {value}.{wrong}, ")
                yield wrong, [opened, Edit(call.end_lineno or 0, call.end_col_offset or 0, ")[-1]")]


def insert(source: str, edits: list[Edit]) -> str:
    lines = source.encode().splitlines(keepends=True)
    for line, column, text in sorted(edits, reverse=True):
        lines[line - 1] = lines[line - 1][:column] + text.encode() + lines[line - 1][column:]
    return b"".join(lines).decode()


def check_misspelt(folder: Path, *, replaced: bool) -> tuple[dict[str, str], list[str]]:
    """Check misspelt copies of all modules that build bodies: the module of each misspelling, and what mypy prints.

    `replaced`: with the keywords of `replace`.
    """
    options: list[str] = []
    modules: list[str] = []
    misspelt: dict[str, str] = {}
    numbers = count()
    for path in MODULES:
        source = path.read_text(encoding="utf-8")
        found = dict(list_misspellings(parse_file(path), numbers, replaced=replaced))
        if found:
            shadow = folder / f"{path.parent.name}-{path.name}"
            shadow.write_text(insert(source, [edit for edits in found.values() for edit in edits]), encoding="utf-8")
            options += ["--shadow-file", str(path), str(shadow)]
            modules.append(str(path))
            misspelt |= dict.fromkeys(found, path.parent.name)
    if not replaced:
        (folder / "mypy.ini").write_text(ALONE, encoding="utf-8")
        options += ["--config-file", str(folder / "mypy.ini")]
    done = subprocess.run(
        [*MYPY, "--cache-dir", str(folder / "cache"), *options, *modules],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT / "generated")},
        capture_output=True,
        text=True,
        check=False,
    )
    return misspelt, done.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("replaced", [False, True])
def test_every_misspelt_field_is_an_error(replaced: bool, tmp_path: Path) -> None:
    """One run of mypy over misspelt copies of the modules that build bodies reports every single misspelling."""
    misspelt, printed = check_misspelt(tmp_path, replaced=replaced)
    unknown = [
        line for line in printed if re.search(r"\[(call-arg|typeddict-unknown-key|attr-defined|union-attr)\]", line)
    ]
    named = [name for line in unknown for name in re.findall(r'"(\w+)"', line)]
    assert set(misspelt.values()) == set(PROTOCOLS) - SHARED
    assert len(misspelt) > 500
    assert {name: module for name, module in misspelt.items() if name not in named} == {}, printed[-20:]
    correct = {
        line for line in unknown if (read := re.search(r'has no attribute "(\w+)"', line)) and read[1] not in misspelt
    }
    assert correct == set()


REQUESTS = re.compile(r"from victor_fp_wire\.\w+(\.request)? import")
BUILDERS = [
    pytest.param(path, id=f"{path.parent.name}/{path.name}")
    for path in MODULES
    if REQUESTS.search(path.read_text(encoding="utf-8"))  # no other needs to be parsed
    and any(list_misspellings(parse_file(path), count(), replaced=False))
]
OPTIONS = frozenset(Options.__struct_fields__ + ChatRequest.__struct_fields__)
"""Dicts with these keys say which options of a request are set."""
_BATCHES: Mapping[str, str] = {
    "content-type": "a header",
    **dict.fromkeys(
        ("error", "message", "code", "status", "details"), "an error of a result in the form of live calls"
    ),
}
_NOTES = "metadata of a response"
FREE: Mapping[str, Mapping[str, str]] = {
    "anthropic_messages/turns.py": {"cache": "a field of our messages", "invalid_json": "an argument of a tool"},
    "bedrock_converse/turns.py": {"invalid_json": "an argument of a tool"},
    "gemini/parts.py": {"arguments": "an argument of a tool"},
    "ollama_chat/messages.py": {"invalid_json": "an argument of a tool"},
    "bedrock_invoke/embeddings.py": {"id": _NOTES},
    "cohere_v2/embeddings.py": {"id": _NOTES},
    "google_retrieval/vertex.py": {"truncated": _NOTES},
    "rerank/__init__.py": dict.fromkeys(("cost", "id", "search_units"), _NOTES),
    **{
        f"batches/{name}.py": _BATCHES
        for name in ("bedrock", "cohere", "fireworks", "gemini", "mistral", "openai", "vertex", "xai")
    },
}
"""Other keys written as text in modules that build bodies, and why none is a field of a body."""


@pytest.mark.parametrize("path", BUILDERS)
def test_no_field_is_written_under_its_name_as_text(path: Path) -> None:
    """Neither as the key of a dict, nor by an assignment to a key; and no body is an untyped dict."""
    tree = parse_file(path)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = [node for function in functions for node in ast.walk(function)]
    keys = [key for node in inside if isinstance(node, ast.Dict) for key in node.keys]
    keys += [node.slice for node in inside if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)]
    written = {key.value for key in keys if isinstance(key, ast.Constant)}
    assert written - OPTIONS <= FREE.get(f"{path.parent.name}/{path.name}", {}).keys()
    assert "dict[str, object]" not in {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Subscript)}


@pytest.mark.parametrize(
    ("typed_dict", "model"),
    [
        (RuntimeOptions, ollama_chat_wire.ChatRequest),
        (UnknownInputs, replicate_wire.PredictionRequest),
        (cohere.Converted, cohere_batches.ChatBody),
        (vertex.Labelled, gemini_wire.GenerateContentRequest),
    ],
    ids=lambda kind: kind.__name__,
)
def test_fields_of_typed_dicts_are_those_of_the_body(typed_dict: type, model: type[msgspec.Struct]) -> None:
    assert typed_dict.__annotations__.keys() <= {field.encode_name for field in msgspec.structs.fields(model)}

"""A misspelt field of a request body is a type error: one field per protocol is renamed in a copy that mypy checks."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import victor_fp.core.protocols as protocols

ROOT = Path(protocols.__file__).parents[3]
PACKAGES = Path(protocols.__file__).parent
SHARED = {"openai_family"}
"""Packages that several protocols share and that build no body themselves."""

MYPY = [sys.executable, "-m", "mypy", "--no-error-summary"]

pytestmark = pytest.mark.slow


def keywords(path: Path) -> list[tuple[int, str]]:
    """Line and name of every keyword of a call of a generated request model."""
    text = path.read_text(encoding="utf-8")
    if "victor_fp_wire" not in text:
        return []
    tree = ast.parse(text)
    models = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and re.fullmatch(r"victor_fp_wire\.\w+\.request", node.module or "")
        for alias in node.names
    }
    modules = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and re.fullmatch(r"victor_fp_wire\.\w+", node.module or "")
        for alias in node.names
        if alias.name == "request"
    }
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in models:
                found += [(keyword.value.lineno, keyword.arg) for keyword in node.keywords if keyword.arg]
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name))) if name in modules:
                found += [(keyword.value.lineno, keyword.arg) for keyword in node.keywords if keyword.arg]
            case _:
                pass
    return found


def misspell(path: Path) -> tuple[str, Counter[str]]:
    """The module with every such keyword misspelt, and how often each misspelling occurs."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    changed: Counter[str] = Counter()
    for number, name in keywords(path):
        for line in (number, number - 1):
            mutated = re.sub(rf"\b{name}=(?!=)", f"{name}_x=", lines[line - 1], count=1)
            if mutated != lines[line - 1]:
                lines[line - 1] = mutated
                changed[f"{name}_x"] += 1
                break
    return "".join(lines), changed


PROTOCOLS = sorted(path.name for path in PACKAGES.iterdir() if (path / "__init__.py").exists())


def test_every_misspelt_field_is_an_error(tmp_path: Path) -> None:
    """One run of mypy over misspelt copies of all modules that build bodies reports every single misspelling."""
    options: list[str] = []
    expected: Counter[tuple[str, str]] = Counter()
    for protocol in PROTOCOLS:
        for path in sorted((PACKAGES / protocol).glob("*.py")):
            mutated, changed = misspell(path)
            if changed:
                shadow = tmp_path / protocol / path.name
                shadow.parent.mkdir(exist_ok=True)
                shadow.write_text(mutated, encoding="utf-8")
                options += ["--shadow-file", str(path), str(shadow)]
                expected.update({(str(path.relative_to(ROOT)), name): count for name, count in changed.items()})
    assert {Path(name).parent.name for name, _ in expected} == set(PROTOCOLS) - SHARED
    assert expected.total() > 150
    done = subprocess.run(
        [*MYPY, "--cache-dir", str(tmp_path / "cache"), *options, *sorted({str(ROOT / name) for name, _ in expected})],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT / "generated")},
        capture_output=True,
        text=True,
        check=False,
    )
    reported = {
        (error[1], error[2])
        for line in done.stdout.splitlines()
        if (error := re.match(r'(.+?):\d+:.*Unexpected keyword argument "(\w+_x)"', line)) is not None
    }
    assert expected.keys() - reported == set(), done.stdout[-3000:]


BUILDERS = [
    pytest.param(path, id=f"{protocol}/{path.name}")
    for protocol in PROTOCOLS
    for path in sorted((PACKAGES / protocol).glob("*.py"))
    if keywords(path)
]
FREE = {
    "bedrock_converse/model_fields.py",  # fields of the models behind the API, which its document leaves open
    "gemini/json_schema.py",
    "ollama_chat/discovery.py",
}
"""Modules that build a body and handle JSON of no fixed form as well."""


@pytest.mark.parametrize("path", BUILDERS)
def test_no_body_is_written_as_a_plain_dict(path: Path) -> None:
    """`dict[str, object]` is an untyped body."""
    if f"{path.parent.name}/{path.name}" in FREE:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert "dict[str, object]" not in {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Subscript)}


OPEN_AI = ("openai_chat", "openai_responses", "mistral")


@pytest.mark.parametrize("protocol", OPEN_AI)
def test_no_field_is_written_under_its_name_as_text(protocol: str) -> None:
    """Neither by an assignment to a constant key nor by `msgspec.structs.replace`, which accepts any keyword."""
    for path in sorted((PACKAGES / protocol).glob("*.py")):
        if keywords(path):
            source = path.read_text(encoding="utf-8")
            assigned = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assign)]
            targets = [target for node in assigned for target in node.targets if isinstance(target, ast.Subscript)]
            assert [ast.unparse(target) for target in targets if isinstance(target.slice, ast.Constant)] == []
            assert set(re.findall(r"structs\.replace\((\w+)", source)) <= {"turn"}, path.name

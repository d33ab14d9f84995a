"""The programs of the pages: all compile, and run against servers on loopback; both type checkers accept them."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.documentation.blocks import DOCS, PAGES, README, ROOT, Block, find_blocks, find_commands, find_other_blocks
from tests.documentation.vendors import AnyVendor
from tests.loopback import serving
from victor_fp.cli.app import app

PROGRAM = {
    ast.Import,
    ast.ImportFrom,
    ast.Call,
    ast.Await,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.With,
}
"""What makes a text a program, not a value."""

BLOCKS = {page: find_blocks(page) for page in (README, *PAGES)}
RUN = [page for page, blocks in BLOCKS.items() if not all(block.runs_elsewhere for block in blocks)]


def test_pages_have_code_blocks() -> None:
    assert len(RUN) >= 25


@pytest.mark.parametrize("page", BLOCKS)
def test_every_block_compiles(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    assert len(BLOCKS[page]) == text.count("```py"), "a block begins in a way that no test reads"
    for block in BLOCKS[page]:
        compile(block.code, f"{page}:{block.line}", "exec")


@pytest.mark.parametrize("page", BLOCKS)
def test_no_program_is_hidden_in_another_block(page: str) -> None:
    for text in find_other_blocks((DOCS / page).read_text("utf-8")):
        try:
            tree = ast.parse(text)
        except SyntaxError:
            continue
        kinds = {type(node) for node in ast.walk(tree)}
        assert not kinds & PROGRAM, f"{page}: fence this program, so that it is run:\n{text}"


@cache
def _build_command() -> Any:
    return typer.main.get_command(app)


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{page}" for page in PAGES)])
def test_the_commands_of_a_page_have_the_options_that_it_names(page: str) -> None:
    group = _build_command()
    for line in find_commands((ROOT / page).read_text("utf-8")):
        words = shlex.split(line, comments=True)
        command: Any = group
        context = command.make_context("victor", [], resilient_parsing=True)
        while isinstance(getattr(command, "commands", None), dict) and words and words[0] in command.commands:
            command = command.commands[words.pop(0)]
            context = command.make_context(command.name, [], parent=context, resilient_parsing=True)
        is_group = hasattr(command, "commands")
        assert not (is_group and words and words[0].islower() and words[0].isalpha()), f"there is no command {words[0]}"
        command.make_parser(context).parse_args(words)


def test_programs_in_other_blocks_are_found() -> None:
    page = "Text.\n\n    import os\n\n```python\nimport sys\n```\n\n```text\nimport re\n```\n\n```sh\nls\n```\n"
    assert find_other_blocks(page) == ["import os\n", "import re\n", "ls\n"]


def test_commands_are_found_and_wrong_ones_are_not_accepted() -> None:
    page = "    victor chat 'Hi' | jq\n    cat x | victor chat -q && deploy\n`victor keys list`\nthe victor of `victor --version`\n"
    assert find_commands(page) == ["chat 'Hi'", "chat -q", "keys list", "--version"]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
async def test_the_programs_of_a_page_run(page: str, tmp_path: Path) -> None:
    fetcher = tmp_path / "uvx"  # stands for the program that starts an MCP server
    fetcher.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{ROOT}/examples/mcp_server.py'\n", "utf-8")
    fetcher.chmod(0o700)
    async with serving(AnyVendor()) as server:
        variables = {
            "PATH": os.pathsep.join([str(tmp_path), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "generated")]),
            "OPENAI_API_KEY": "k",
            "ANTHROPIC_API_KEY": "k",
            "COHERE_API_KEY": "k",
            "OPENAI_BASE_URL": f"{server.url}/v1",
            "ANTHROPIC_BASE_URL": server.url,
            "CO_API_URL": server.url,
            "VLLM_BASE_URL": f"{server.url}/v1",
            "OLLAMA_HOST": server.url,
        }
        command = [sys.executable, "-m", "tests.documentation.run_blocks", page]
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **variables},
        )
    assert done.returncode == 0, done.stderr
    assert "<Failure" not in done.stdout


MYPY = """
[mypy]
strict = true
[mypy-dask.*,pandas.*,pyspark.*,ray.*]
ignore_missing_imports = true
"""
"""Only the session `ray` has these libraries; the rest of the programs that use them is checked."""
PYRIGHT = '{"typeCheckingMode": "standard", "reportMissingImports": false}'  # mypy reports these


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [["mypy", "--no-error-summary"], ["pyright", "--pythonpath", sys.executable]],
    ids=["mypy", "pyright"],
)
def test_type_checkers_accept_the_programs(command: list[str], tmp_path: Path) -> None:
    files = [_write(block, tmp_path) for blocks in BLOCKS.values() for block in blocks if not block.is_foreign]
    assert len(files) > 80
    (tmp_path / "mypy.ini").write_text(MYPY, "utf-8")
    (tmp_path / "pyrightconfig.json").write_text(PYRIGHT, "utf-8")
    environment = {
        **os.environ,
        "MYPYPATH": f"{ROOT}:{ROOT / 'generated'}",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}",
    }
    done = subprocess.run(
        [sys.executable, "-m", *command, *files],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _write(block: Block, folder: Path) -> str:
    path = folder / f"{re.sub('[^a-z]+', '_', block.page.lower())}_{block.line}.py"
    path.write_text(block.code, "utf-8")
    return path.name

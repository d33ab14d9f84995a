"""The programs of the pages: all compile, and run against servers on loopback; both type checkers accept them."""

from __future__ import annotations

import ast
import asyncio
import os
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.documentation.blocks import DOCS, PAGES, ROOT, Block, find_blocks, find_commands, find_indented_blocks
from tests.documentation.vendors import answer_any
from tests.loopback import serving
from victor_fp.cli.app import app

IN_TEST_README = {
    "chat.md",
    "sync.md",
    "recordings.md",
    "tools.md",
    "jobs.md",
    "embeddings.md",
    "local-engine.md",
    "adding-a-provider.md",
}
"""Pages whose blocks run in tests/test_readme.py, which says more of what they print."""

IN_TEST_RAY = {"jobs-at-scale.md"}
"""Pages whose blocks run in tests/ray_jobs: they need Ray, Dask and Spark, which only that session has."""

CONTINUED = {
    "managed.md": """
from victor_fp import Message, ProviderRegistry
from victor_fp.providers.factory import *
messages = [Message(role="user", content="Hi")]
question = messages[0]
settings = {}
""",
    "many-processes.md": "",
    "testing.md": """
import os
import shlex
from tests.acme import SPEC
from victor_fp import ProviderRegistry
ProviderRegistry.register_spec(SPEC)
del os.environ["OPENAI_BASE_URL"]
""",
    "tool-calling.md": "",
}
"""Pages whose blocks continue each other, with what they assume."""

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

WITH_BLOCKS = [page for page in PAGES if find_blocks(page)]
ELSEWHERE = IN_TEST_README | IN_TEST_RAY
RUN = [page for page in WITH_BLOCKS if page not in ELSEWHERE and not all(b.is_foreign for b in find_blocks(page))]


def test_pages_have_code_blocks() -> None:
    assert len(RUN) >= 15
    assert set(WITH_BLOCKS) >= ELSEWHERE | set(CONTINUED)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_compiles(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    blocks = find_blocks(page)
    assert len(blocks) == text.count("```python"), "a block begins in a way that no test reads"
    for block in blocks:
        compile(block.code, f"{page}:{block.line}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("page", PAGES)
def test_no_program_is_hidden_in_an_indented_block(page: str) -> None:
    for text in find_indented_blocks((DOCS / page).read_text("utf-8")):
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


def test_commands_are_found_and_wrong_ones_are_not_accepted() -> None:
    page = "    victor chat 'Hi' | jq\n    cat x | victor chat -q && deploy\n`victor keys list`\nthe victor of `victor --version`\n"
    assert find_commands(page) == ["chat 'Hi'", "chat -q", "keys list", "--version"]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
async def test_the_programs_of_a_page_run(page: str, tmp_path: Path) -> None:
    mode = ("continued", CONTINUED[page]) if page in CONTINUED else ("each",)
    async with serving(answer_any) as server:
        variables = {
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
        command = [sys.executable, "-m", "tests.documentation.run_blocks", page, *mode]
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


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [["mypy", "--strict", "--config-file=", "--no-error-summary"], ["pyright", "--pythonpath", sys.executable]],
    ids=["mypy", "pyright"],
)
def test_type_checkers_accept_the_programs(command: list[str], tmp_path: Path) -> None:
    files = [_write(block, tmp_path) for page in WITH_BLOCKS for block in find_blocks(page) if _is_program(block)]
    assert len(files) > 40
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


def _is_program(block: Block) -> bool:
    """Whether a block is independent of others."""
    return not block.is_foreign and block.page not in IN_TEST_RAY and block.page not in CONTINUED


def _write(block: Block, folder: Path) -> str:
    path = folder / f"{block.page.removesuffix('.md').replace('/', '_').replace('-', '_')}_{block.line}.py"
    path.write_text(block.code, "utf-8")
    return path.name

"""The programs of the page about integrations run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.documentation.blocks import ROOT, Block, find_blocks
from tests.loopback import Loopback

BLOCKS = find_blocks("integrations.md")


def test_the_page_has_a_program_for_each_library() -> None:
    assert [block.title for block in BLOCKS] == ["langchain", "pydantic-ai"]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.title)
def test_a_program_of_the_page_runs(block: Block, server: Loopback) -> None:
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}",
        "OPENAI_API_KEY": "k",
        "OPENAI_BASE_URL": f"{server.url}/v1",
    }
    done = subprocess.run(
        [sys.executable, "-c", block.code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Hello! How can I help you today?" in done.stdout

"""A command line that finds nobody's keys and no server but the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loopback import Loopback, Received, Serve, Talk, serving_in_a_thread
from tests.openai_shapes import body, chunks
from victor_fp.core.catalogue import CATALOGUE

KEY = "sk-canary-0123456789"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment without keys, servers or colours, with a configuration directory of its own."""
    strange = {name for spec in CATALOGUE for name in (*spec.key_variables, *spec.base_url_variables)}
    strange |= {name for name in os.environ if name.startswith(("VICTOR_FP_", "OLLAMA_", "PYTHON_KEYRING"))}
    for name in strange:
        monkeypatch.delenv(name, raising=False)
    return dict(os.environ) | {
        "VICTOR_FP_CONFIG_DIR": str(tmp_path / "config"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "generated")]),
        "COLUMNS": "120",
        "NO_COLOR": "1",
    }


@pytest.fixture
def keyed(world: dict[str, str]) -> dict[str, str]:
    """The same with a key for openai."""
    return world | {"OPENAI_API_KEY": KEY}


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers on loopback that run beside the test."""
    with serving_in_a_thread() as start:
        yield start


async def friendly(talk: Talk, received: Received) -> None:
    """Answers in OpenAI's format: "Hello there!", streamed or whole, and one model."""
    if received.method == "GET":
        await talk.answer(
            {"object": "list", "data": [{"id": "m-1", "object": "model"}, {"id": "m-2", "object": "model"}]}
        )
    elif received.json().get("stream"):
        await talk.events(*chunks("Hello", " there", "!"))
    else:
        await talk.answer(body("Hello there!"))


def at(server: Loopback) -> list[str]:
    """Options that lead to the server."""
    return ["--provider", "openai", "--model", "m-1", "--base-url", f"{server.url}/v1"]


def victor(*arguments: str, env: dict[str, str], stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", "from victor_fp.cli import main; main()", *arguments],
        env=env,
        input="" if stdin is None else stdin,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

"""The fixture `recording`, in test runs of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acme import KEY
from tests.loopback import Received, Serve, Talk, serve_in_thread
from tests.openai_shapes import build_body, build_chunks

ROOT = Path(__file__).parents[2]
TESTS = """
    import os
    import pytest
    from victor_fp import ProviderRegistry
    from victor_fp.sync import create
    from victor_fp.testing import snapshot_of

    URL = {url!r}

    def test_sync(recording, snapshot):
        with create("openai/m", base_url=URL) as provider:
            assert snapshot_of(provider.chat("Hi")) == snapshot
            assert snapshot_of(list(provider.stream("Hi"))) == snapshot

    @pytest.mark.parametrize("word", ["a b", "c/d"])
    def test_words(recording, word):
        with create("openai/m", base_url=URL) as provider:
            assert provider.chat(word).content == "Hello!"

    class TestAsync:
        @pytest.mark.recording(match="loose", path="mine/own.yaml")
        def test_loose(self, recording):
            import asyncio

            async def main():
                async with ProviderRegistry.create("openai/m", base_url=URL) as provider:
                    return await provider.chat(os.environ.get("WORDS", "first"))

            assert asyncio.run(main()).content == "Hello!"
    """


@pytest.fixture
def serve() -> Iterator[Serve]:
    with serve_in_thread() as start:
        yield start


async def answer_hello(talk: Talk, received: Received) -> None:
    await (talk.send_events(*build_chunks("Hel", "lo")) if received.json().get("stream") else talk.answer(build_body()))


def run(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    bare = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    path = os.pathsep.join([str(ROOT), str(ROOT / "generated")])
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "victor_fp.pytest_plugin",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(folder),
            *arguments,
            str(folder),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=folder,
        env={**bare, "PYTHONPATH": path, **environment},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_tests_are_recorded_once_and_replayed_without_key_or_network(serve: Serve, tmp_path: Path) -> None:
    server = serve(answer_hello)
    file = tmp_path / "test_it.py"
    file.write_text(textwrap.dedent(TESTS.format(url=f"{server.url}/v1")))

    code, said = run(tmp_path)
    assert code == 1
    assert "no recording of POST" in said
    assert "test_it/test_sync.yaml, which is empty. Record with --record" in said
    assert server.received == []

    code, said = run(tmp_path, "--record", "--snapshot-update", OPENAI_API_KEY=KEY)
    assert code == 0, said
    assert len(server.received) == 5
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.yaml"))
    assert files == [
        "mine/own.yaml",
        "recordings/test_it/test_sync.yaml",
        "recordings/test_it/test_words-a-b.yaml",
        "recordings/test_it/test_words-c-d.yaml",
    ]
    assert all(KEY not in path.read_text() for path in tmp_path.rglob("*.yaml"))

    code, said = run(tmp_path, WORDS="others")
    assert code == 0, said
    assert len(server.received) == 5

    file.write_text(file.read_text().replace('"Hi"', '"Hello"'))
    code, said = run(tmp_path)
    assert code == 1
    assert 'body.messages[0].content: recorded "Hi", now "Hello"' in " ".join(said.split())
    code, said = run(tmp_path, "--record-new", OPENAI_API_KEY=KEY)
    assert code == 0, said
    assert len(server.received) == 7
    code, said = run(tmp_path)
    assert code == 0, said


def test_the_plugin_loads_nothing_but_itself() -> None:
    code = "import victor_fp.pytest_plugin, sys; print(*[name for name in sys.modules if name.split('.')[0] in ('pydantic', 'msgspec', 'victor_fp')])"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "generated")])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["victor_fp", "victor_fp.pytest_plugin"]

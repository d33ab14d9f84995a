"""Every example of the README and the docs runs as it is written: those of the docs in the session `examples`."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import openai_shapes as shapes
from tests.core.protocols.openai_responses.answers import build_message, response
from tests.loopback import Loopback, Received, Talk, serving
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.testing.answers import Received as Seen
from victor_fp.testing.retrieval import answer_retrieval

ROOT = Path(__file__).parents[1]
PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
TITLED = re.compile(r'^```python title="([^"]*)"\n(.*?)^```', re.DOTALL | re.MULTILINE)
README = PYTHON.findall((ROOT / "README.md").read_text())
HOSTED = [code for code in README if 'create("openai/' in code or 'create("anthropic/' in code]
LOCAL = [code for code in README if '"local/' in code] + PYTHON.findall((ROOT / "docs" / "local-engine.md").read_text())
SYNC = PYTHON.findall((ROOT / "docs" / "sync.md").read_text())
CHAT = PYTHON.findall((ROOT / "docs" / "chat.md").read_text())
RECORDINGS = PYTHON.findall((ROOT / "docs" / "recordings.md").read_text())
TOOLS = PYTHON.findall((ROOT / "docs" / "tools.md").read_text())
JOBS = PYTHON.findall((ROOT / "docs" / "jobs.md").read_text())
EMBEDDINGS = PYTHON.findall((ROOT / "docs" / "embeddings.md").read_text())
PURE = [code for code in README if "replay.request" in code]


async def answer_in_format(talk: Talk, received: Received) -> None:
    """OpenAI's or Anthropic's format, by the path of the request; a tool is called once."""
    if received.path.endswith("/chat/completions") and received.json().get("stream"):
        await talk.send_events(*shapes.build_chunks("Hello ", "from ", "loopback."))
        return
    if received.path.endswith("/chat/completions"):
        form = received.json().get("response_format")
        await talk.answer(
            shapes.build_body('{"name": "Oslo", "inhabitants": 717710}' if form else "Hello from loopback.")
        )
        return
    if "/responses" in received.path:
        await talk.answer(response(build_message("Two."), store=True))
        return
    asked = received.json()["messages"]
    done = isinstance(asked, list) and len(asked) > 1
    text = {"type": "text", "text": "It rains."}
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}
    await talk.answer(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": [text if done else call],
            "stop_reason": "end_turn" if done else "tool_use",
            "usage": {"input_tokens": 3, "output_tokens": 2},
        }
    )


async def answer_retrievals(talk: Talk, received: Received) -> None:
    """Embeds and ranks by the words of texts, and answers chats."""
    found = answer_retrieval(Seen(method=received.method, path=received.path, body=received.body))
    if found is None:
        await talk.answer(shapes.build_body(f"Seen: {received.body.count(b'sky')}"))
    else:
        await talk.answer(b"".join(found.pieces))


def run(code: str, directory: Path = ROOT) -> str:
    """What an example prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300, cwd=directory
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_are_examples_of_every_kind() -> None:
    assert (len(HOSTED), len(LOCAL), len(PURE)) == (3, 4, 1)


@pytest.mark.parametrize("code", HOSTED, ids=["failures", "tools", "form"])
async def test_examples_with_a_key_run(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answer_in_format) as server:
        _set_addresses(server, monkeypatch)
        printed = await asyncio.to_thread(run, code)
    assert printed.strip() in ("Hello from loopback.", "It rains.", "Oslo 717710")


def _set_addresses(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'generated'}")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)


@pytest.mark.examples
@pytest.mark.parametrize(
    ("code", "printed"),
    list(zip(CHAT, ["What do these have in common?", "Oslo 717710", "Two.", "Two.", "Success"], strict=True)),
    ids=["parts", "form", "continued", "background", "settings"],
)
async def test_examples_of_chats_run(code: str, printed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answer_in_format) as server:
        _set_addresses(server, monkeypatch)
        shown = await asyncio.to_thread(run, code)
    assert printed in shown
    assert "Failure" not in shown


@pytest.mark.examples
@pytest.mark.parametrize(
    ("code", "printed"),
    list(zip(RECORDINGS, ["1 recorded, 0 not used", "2 hits"], strict=True)),
    ids=["recording", "cache"],
)
async def test_examples_of_recordings_run(code: str, printed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answer_in_format) as server:
        _set_addresses(server, monkeypatch)
        shown = await asyncio.to_thread(run, code)
    assert "Hello from loopback." in shown
    assert printed in shown
    assert len(server.received) == 1


@pytest.mark.examples
@pytest.mark.parametrize("page", ["README.md", "docs/recordings.md"])
async def test_tests_with_recordings_pass_with_a_server_and_then_without(
    page: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ((name, code),) = TITLED.findall((ROOT / page).read_text())
    (tmp_path / name).write_text(code)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # loading all installed plugins would dominate the time
    plugins = ("pytest_asyncio.plugin", "syrupy", "victor_fp.pytest_plugin")
    named = [word for plugin in ("no:cacheprovider", *plugins) for word in ("-p", plugin)]
    command = [sys.executable, "-m", "pytest", "-q", *named, name]

    async def run_tests(*options: str) -> str:
        done = await asyncio.to_thread(
            subprocess.run, [*command, *options], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    async def answer_colours(talk: Talk, received: Received) -> None:
        await talk.answer(shapes.build_body("Red, green and blue."))

    async with serving(answer_colours) as server:
        _set_addresses(server, monkeypatch)
        count = code.count("def test_")
        await run_tests("--record", *(["--snapshot-update"] if "snapshot" in code else []))
    assert len(server.received) == count
    assert (tmp_path / "recordings" / name.removesuffix(".py") / "test_colours.yaml").is_file()
    assert f"{count} passed" in await run_tests()  # the server is gone


@pytest.mark.examples
@pytest.mark.parametrize("code", SYNC)
async def test_synchronous_examples_run(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answer_in_format) as server:
        _set_addresses(server, monkeypatch)
        shown = await asyncio.to_thread(run, code)
    assert "Hello from loopback." in shown


@pytest.mark.examples
@pytest.mark.parametrize(
    ("code", "printed"),
    list(zip(TOOLS, ["12 degrees C in Oslo", "It rains.", "Hello from loopback."], strict=True)),
    ids=["definitions", "agent", "streamed"],
)
async def test_examples_of_tools_run(code: str, printed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answer_in_format) as server:
        _set_addresses(server, monkeypatch)
        shown = await asyncio.to_thread(run, code)
    assert printed in shown
    messages = server.received[-1].json()["messages"] if server.received else []
    assert isinstance(messages, list)
    assert printed != "It rains." or "12 degrees and rain in Oslo" in str(messages)


@pytest.mark.examples
@pytest.mark.parametrize("code", EMBEDDINGS)
async def test_the_retrieval_of_the_docs_embeds_ranks_and_answers(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answer_retrievals) as server:
        _set_addresses(server, monkeypatch)
        monkeypatch.setenv("COHERE_API_KEY", "k")
        monkeypatch.setenv("CO_API_URL", server.url)
        printed = await asyncio.to_thread(run, code)
    assert printed.strip() == "Seen: 4"  # three paragraphs and the question
    assert [received.path for received in server.received] == [
        "/v1/embeddings", "/v1/embeddings", "/v2/rerank", "/v1/chat/completions"
    ]  # fmt: skip


@pytest.mark.parametrize("code", PURE)
def test_examples_without_a_network_run(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'generated'}")
    printed = run(code)
    assert "'role': 'user'" in printed
    assert "content='Hello'" in printed


@pytest.mark.e2e
@pytest.mark.parametrize("code", LOCAL, ids=["ask", "stream", "job", "docs"])
def test_examples_with_the_local_model_run(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'generated'}")
    assert len(run(code, tmp_path)) > 20


def test_the_record_of_the_docs_is_a_provider() -> None:
    (code, *_) = PYTHON.findall((ROOT / "docs" / "adding-a-provider.md").read_text())
    try:
        exec(compile(code, "docs", "exec"), {})
        assert ProviderRegistry.is_registered("acme")
    finally:
        ProviderRegistry.restore()


@pytest.mark.examples
@pytest.mark.parametrize("code", JOBS)
async def test_the_job_of_the_docs_runs_and_resumes(code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = code.replace('sys.argv[1] if len(sys.argv) > 1 else "."', repr(str(tmp_path)))
    async with serving(answer_in_format) as server:
        _set_addresses(server, monkeypatch)
        printed = await asyncio.to_thread(run, code)
    assert printed.count("Hello from loopback.") == 10
    again = await asyncio.to_thread(run, code)  # the server is gone: results come from the ledger
    assert again.splitlines()[-1] == "10 rows exported"
    assert again.count("Hello from loopback.") == 10

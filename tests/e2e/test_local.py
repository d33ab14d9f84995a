"""Provider `local`: the real llama.cpp in a child process."""

from __future__ import annotations

import asyncio
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from returns.result import Failure

from tests.e2e.conftest import require_module
from tests.e2e.conversations import CAPITAL, PERSON, STORY, TOOLS, WEATHER, count_tokens, gather_stream
from victor_fp.core.faults import ContextLengthExceeded, InvalidRequest, ModelNotFound
from victor_fp.core.retrieval.vectors import Vector
from victor_fp.providers.base import Message
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.transport.local.engine_process import POOL

MODEL = "smollm2-135m-instruct"


@pytest.fixture(autouse=True)
def engine(small_gguf: Path) -> None:
    require_module("xllamacpp", "xllamacpp")


async def test_chat_and_stream_agree_and_closing_unloads_the_model() -> None:
    async with ProviderRegistry.create("local") as provider:
        whole = await provider.chat(CAPITAL, model=MODEL, temperature=0.0, max_tokens=30)
        assert "Paris" in whole.content
        assert (whole.stop_reason, whole.model) == ("stop", MODEL)
        text, last = await gather_stream(provider.stream(CAPITAL, model=MODEL, temperature=0.0, max_tokens=30))
        assert text == whole.content
        assert count_tokens(last) == count_tokens(whole)
        assert POOL._held
    assert POOL._held == {}


async def test_a_path_to_any_gguf_file_is_a_model(small_gguf: Path) -> None:
    async with ProviderRegistry.create("local") as provider:
        response = await provider.chat(CAPITAL, model=str(small_gguf), max_tokens=10)
        assert response.content


async def test_tools_and_schemas() -> None:
    async with ProviderRegistry.create("local") as provider:
        called = await provider.chat(WEATHER, model=MODEL, temperature=0.0, max_tokens=100, tools=TOOLS)
        assert called.tool_calls is not None
        assert [(call["name"], call["arguments"]) for call in called.tool_calls] == [("get_weather", {"city": "Paris"})]
        asked = [Message(role="user", content="Describe a person.")]
        person = await provider.chat(asked, model=MODEL, max_tokens=100, response_format=PERSON)
        assert json.loads(person.content).keys() == {"name", "age"}


async def test_faults_are_those_of_any_server(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(1000))
    async with ProviderRegistry.create("local") as provider:
        match await provider.chat_result([Message(role="user", content="word " * 9000)], model=MODEL):
            case Failure(ContextLengthExceeded(provider="local")):
                pass
            case other:
                pytest.fail(f"unexpected {other}")
        match await provider.chat_result(CAPITAL, model="gpt-4"):
            case Failure(ModelNotFound(provider="local", model="gpt-4")):
                pass
            case other:
                pytest.fail(f"unexpected {other}")
        match await provider.chat_result(CAPITAL, model=str(broken)):
            case Failure(InvalidRequest(code="model_load_failed")):
                pass
            case other:
                pytest.fail(f"unexpected {other}")


async def test_leaving_a_stream_and_cancelling_a_call_stop_the_generation() -> None:
    async with ProviderRegistry.create("local") as provider:
        async for chunk in provider.stream(STORY, model=MODEL, max_tokens=5000, extra_body={"ignore_eos": True}):
            if chunk.content:
                break
        call = asyncio.create_task(provider.chat(STORY, model=MODEL, max_tokens=5000, extra_body={"ignore_eos": True}))
        await asyncio.sleep(0.3)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(10):
            assert (await provider.chat(CAPITAL, model=MODEL, max_tokens=5)).content


async def test_concurrent_calls() -> None:
    async with ProviderRegistry.create("local") as provider:
        answers = await asyncio.gather(
            *(
                provider.chat([Message(role="user", content=f"Say the number {n}.")], model=MODEL, max_tokens=8)
                for n in range(6)
            )
        )
        assert all(answer.content for answer in answers)


def test_one_provider_serves_one_event_loop_after_another() -> None:
    provider = ProviderRegistry.create("local")

    async def ask() -> str:
        return (await provider.chat(CAPITAL, model=MODEL, max_tokens=5)).content

    assert asyncio.run(ask())
    assert asyncio.run(ask())
    asyncio.run(provider.close())


LEFT_OPEN = """
import asyncio
from victor_fp.core.retrieval.vectors import Vector
from victor_fp.providers.base import Message
from victor_fp.providers.registry import ProviderRegistry

async def main() -> None:
    provider = ProviderRegistry.create("local")
    stream = provider.stream(
        [Message(role="user", content="Tell me a long story.")], model="smollm2-135m-instruct",
        max_tokens=5000, extra_body={"ignore_eos": True},
    )
    async for chunk in stream:
        if chunk.content:
            print("first", flush=True)
            {END}

asyncio.run(main())
"""


@pytest.mark.parametrize("end", ["return", "raise SystemExit(0)"])
def test_a_program_that_leaves_everything_open_ends_at_once(end: str) -> None:
    """In silence too, where its event loop had the time to close what was open."""
    done = subprocess.run(
        [sys.executable, "-c", LEFT_OPEN.replace("{END}", end)],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    assert (done.returncode, done.stdout) == (0, "first\n"), done.stderr
    if end == "return":
        assert done.stderr == ""


async def test_texts_are_embedded_by_the_small_model() -> None:
    texts = ["The cat sat on the mat.", "A cat lies on a rug.", "Interest rates rose sharply."]
    async with ProviderRegistry.create("local", timeout=300) as provider:
        response = await provider.embed(texts, model=MODEL)
        listed = await provider.embed(texts, model=MODEL, extra_body={"encoding_format": "float"})
        assert (await provider.chat(CAPITAL, model=MODEL, max_tokens=5)).content
    assert (len(response), response.vectors.columns, response.model) == (3, 576, MODEL)
    assert response.usage is not None
    assert response.usage["prompt_tokens"] > 15
    cat, rug, rates = (compute_similarity(response.vectors[0], vector) for vector in response.vectors)
    assert cat > rug > rates
    for packed, plain in zip(response.vectors, listed.vectors, strict=True):
        assert compute_similarity(packed, plain) > 0.999


def compute_similarity(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / math.hypot(*one) / math.hypot(*other)

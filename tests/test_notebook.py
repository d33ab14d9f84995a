"""A notebook, whose kernel runs an event loop in the thread that runs its cells."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loopback import Received, Serve, Talk, serve_in_thread
from tests.openai_shapes import build_body, build_chunks

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture
def serve() -> Iterator[Serve]:
    with serve_in_thread() as start:
        yield start


async def answer_hello(talk: Talk, received: Received) -> None:
    await (talk.send_events(*build_chunks("Hel", "lo")) if received.json().get("stream") else talk.answer(build_body()))


@pytest.mark.filterwarnings("ignore")  # the kernel's client, not ours
def test_cells_of_a_real_kernel_call_and_stream(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    jupyter_client = pytest.importorskip("jupyter_client")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "generated")]))
    url = serve(answer_hello).url
    manager, client = jupyter_client.manager.start_new_kernel(kernel_name="python3")
    try:
        said: list[str] = []

        def show(message: dict[str, dict[str, object]]) -> None:
            content = message["content"]
            said.append(str(content.get("text") or content.get("traceback") or ""))

        for cell in (
            "import asyncio; asyncio.get_running_loop()",
            f"from tests.acme import build_acme; from victor_fp.sync import SyncProvider; p = SyncProvider(build_acme({url!r}))",
            "print(p.chat('Hi', model='m').content)",
            "print(*[c.content for c in p.stream('Hi', model='m')])",
            "print((await p.provider.chat('Hi', model='m')).content)",  # and the asynchronous face in the kernel's loop
            "for c in p.stream('Hi', model='m'): break\np.close(); print('closed')",
        ):
            reply = client.execute_interactive(cell, timeout=60, output_hook=show)
            assert reply["content"]["status"] == "ok", said
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert [text for text in said if text.strip()] == ["Hello!\n", "Hel lo \n", "Hello!\n", "closed\n"]

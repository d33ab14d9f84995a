"""No key is written into a recording or a cache, even if a server repeats it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acme import HI
from tests.faults.canaries import (
    ANSWERS,
    CANARIES,
    KEY,
    KINDS,
    MODEL,
    CapturedLogs,
    check_clean,
    collect_failures,
    render_provider,
    repeat_headers,
)
from tests.loopback import Received, Talk, serving
from tests.openai_shapes import build_body, build_chunk, build_chunks
from victor_fp.recording import Cache, Recording


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.__name__)
@pytest.mark.parametrize("kind", KINDS)
async def test_no_kind_of_key_is_recorded(kind: str, answer: Any, captured_logs: CapturedLogs, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    async with serving(answer) as server:
        with Recording(path, mode="record") as recording:
            async with KINDS[kind](server.url) as provider:
                check_clean(await collect_failures(provider))
                check_clean(render_provider(provider))
            assert recording.exchanges
            check_clean(repr(recording) + repr(recording.exchanges))
    check_clean(path.read_text())
    check_clean("\n".join(captured_logs.lines))
    sent = "".join(value for received in server.received for value in received.headers.values())
    assert any(secret in sent for secret in CANARIES), "nothing secret was sent, so nothing was tested"


@pytest.mark.parametrize("size", [1, 7, 64])
async def test_a_key_that_a_response_repeats_in_chunks_is_not_recorded(size: int, tmp_path: Path) -> None:
    async def repeat_in_chunks(talk: Talk, received: Received) -> None:
        said = repeat_headers(received)
        if received.json().get("stream"):
            await talk.send_head(content_type="text/event-stream")
            for payload in (build_chunk(said), *build_chunks("done")):
                data = f"data: {json.dumps(payload)}\n\n".encode()
                for at in range(0, len(data), size):
                    await talk.send_chunk(data[at : at + size])
            await talk.send_chunk(b"data: [DONE]\n\n")
            await talk.end()
        else:
            await talk.answer(build_body(said))

    async with serving(repeat_in_chunks) as server:
        with Recording(tmp_path / "r.yaml", mode="record"):
            async with KINDS["bearer"](server.url, transport=Cache(tmp_path, lifetime=60).transport()) as provider:
                content = (await provider.chat(HI, model=MODEL)).content
                assert KEY in content, "nothing secret was repeated, so nothing was tested"
                assert KEY in (await provider.stream(HI, model=MODEL).response()).content  # type: ignore[attr-defined]  # a built-in one
    files = [path.read_text() for path in tmp_path.iterdir()]
    assert len(files) == 3
    for text in files:
        check_clean(text)

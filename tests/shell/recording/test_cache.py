"""A cache of responses: what is cached, for how long, and what is never cached."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.acme import HI, KEY, build_acme
from tests.loopback import Received, Talk, serving
from tests.openai_shapes import build_body, build_chunk, build_chunks, build_error
from victor_fp.recording import Cache, read_recording


class Clock:
    """A date that a test moves."""

    def __init__(self) -> None:
        self.date = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.date


async def answer_request(talk: Talk, received: Received) -> None:
    await (talk.send_events(*build_chunks("Hel", "lo")) if received.json().get("stream") else talk.answer(build_body()))


async def test_the_same_request_is_sent_once_in_a_lifetime(tmp_path: Path) -> None:
    clock = Clock()
    async with serving(answer_request) as server:
        with Cache(tmp_path / "c", lifetime=60, now=clock) as cache:
            async with build_acme(server.url) as provider:
                for _ in range(3):
                    assert (await provider.chat(HI, model="m")).content == "Hello!"
                    assert [one.content async for one in provider.stream(HI, model="m")] == ["Hel", "lo", ""]
                assert len(server.received) == 2
                await provider.chat(HI, model="other")
                assert (len(server.received), cache.hits, cache.misses) == (3, 4, 3)
                clock.date += timedelta(seconds=61)
                await provider.chat(HI, model="m")
                assert len(server.received) == 4
    files = list((tmp_path / "c").glob("*.yaml"))
    assert len(files) == 3
    assert all(KEY not in path.read_text() and len(read_recording(path)) == 1 for path in files)
    assert cache.clear(expired_only=True) == 2
    assert cache.clear() == 1
    assert list((tmp_path / "c").iterdir()) == []


@pytest.mark.parametrize("kind", ["error", "error in 200", "error in a stream", "truncated", "left", "html"])
async def test_incomplete_and_failed_responses_are_not_cached(tmp_path: Path, kind: str) -> None:
    async def answer_badly(talk: Talk, _: Received) -> None:
        match kind:
            case "error":
                await talk.answer(build_error("boom"), 500)
            case "error in 200":
                await talk.answer(build_error("boom"))
            case "error in a stream":
                await talk.send_events(build_chunk("Hel"), build_error("overloaded"))
            case "truncated":
                await talk.send_events(build_chunk("Hel"), done=False)
            case "html":
                await talk.answer("<html>", content_type="text/html")
            case _:
                await talk.send_head(content_type="text/event-stream")
                await talk.send_event(build_chunk("Hel"))
                await talk.wait_for_close(5)

    async with serving(answer_badly, answer_request) as server:
        cache = Cache(tmp_path, lifetime=60)
        async with build_acme(server.url, max_retries=0, transport=cache.transport()) as provider:
            if kind in ("error in a stream", "truncated", "left"):
                async for _ in provider.stream_result(HI, model="m"):
                    if kind == "left":
                        break
                assert (await provider.stream(HI, model="m").response()).content == "Hello"
            else:
                assert (await provider.chat_result(HI, model="m")).value_or(None) is None
                assert (await provider.chat(HI, model="m")).content == "Hello!"
        assert len(server.received) == 2


async def test_only_post_requests_are_cached(tmp_path: Path) -> None:
    async def models(talk: Talk, _: Received) -> None:
        await talk.answer({"object": "list", "data": [{"id": "m-1", "object": "model"}]})

    async with serving(models) as server, build_acme(server.url) as provider:
        with Cache(tmp_path, lifetime=60):
            await provider.list_models()
            await provider.list_models()
    assert len(server.received) == 2


async def test_damaged_file_and_unwritable_directory_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    async with serving(answer_request) as server, build_acme(server.url) as provider:
        with Cache(tmp_path / "file", lifetime=60):
            assert (await provider.chat(HI, model="m")).content == "Hello!"
        with Cache(tmp_path / "c", lifetime=60):
            await provider.chat(HI, model="m")
            (path,) = (tmp_path / "c").iterdir()
            path.write_text("victor_fp_recording: 1\n---\nnothing")
            assert (await provider.chat(HI, model="m")).content == "Hello!"
    assert len(server.received) == 3

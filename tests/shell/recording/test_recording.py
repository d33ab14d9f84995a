"""Exchanges recorded over real HTTP, and replayed without it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.acme import HI, KEY, build_acme
from tests.loopback import Received, Talk, serving
from tests.openai_shapes import build_body, build_chunk, build_chunks, build_error
from victor_fp.core.faults import ConnectionFailed, InvalidRequest, RateLimited, StreamInterrupted
from victor_fp.core.requests import HttpRequest
from victor_fp.core.types import StreamChunk
from victor_fp.providers.base import ProviderError
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.recording import Exchange, Piece, RecordedRequest, RecordedResponse, Recording, read_recording
from victor_fp.testing import Answer, ScriptedWire, Turn

URL = "http://127.0.0.1:9"
"""Where nothing listens."""


async def repeat_prompt(talk: Talk, received: Received) -> None:
    asked = received.json()
    messages: Any = asked["messages"]
    text = f"You said {messages[-1]['content']}."
    if asked.get("stream"):
        await talk.send_events(*build_chunks(*text.split(" ")))
    else:
        await talk.answer(build_body(text), x_request_id="req_1", set_cookie=f"session={KEY}")


async def limit_rate(talk: Talk, _: Received) -> None:
    await talk.answer(build_error(f"slow down, {KEY}", "rate_limit_exceeded"), 429, retry_after="7")


def dump_chunks(chunks_: list[StreamChunk]) -> list[dict[str, object]]:
    return [one.model_dump() for one in chunks_]


async def test_calls_and_streams_are_replayed_exactly_and_hold_no_key(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down.yaml"
    async with serving(repeat_prompt, repeat_prompt, limit_rate) as server:
        recording = Recording(path, mode="record")
        provider = build_acme(server.url, max_retries=0, transport=recording.transport())
        whole = await provider.chat(f"my key is {KEY}", model="m")
        streamed = [one async for one in provider.stream(HI, model="m")]
        failed = (await provider.chat_result(HI, model="m")).failure()
        await provider.close()
        url = server.url
    assert KEY not in path.read_text()
    assert "session" not in path.read_text()

    replayed = Recording(path)
    again = build_acme(url, max_retries=0, transport=replayed.transport())
    said = await again.chat(f"my key is {KEY}", model="m")
    assert said.content == whole.content.replace(KEY, "[redacted]")
    assert said.metadata == whole.metadata
    assert dump_chunks([one async for one in again.stream(HI, model="m")]) == dump_chunks(streamed)
    fault = (await again.chat_result(HI, model="m")).failure()
    assert isinstance(fault, RateLimited)
    assert (fault.retry_after, fault.status) == (7.0, 429)
    assert type(failed) is type(fault)
    assert replayed.unused == ()


async def test_streams_are_recorded_with_their_pieces_and_times(tmp_path: Path) -> None:
    ticks = itertools.count()
    wire = ScriptedWire(
        Answer(headers={"content-type": "text/event-stream"}, pieces=(b"data: {}\n", b"\n", b"data: [DONE]\n\n"))
    )
    recording = Recording(tmp_path / "r.yaml", mode="record", clock=lambda: next(ticks) * 0.5)
    transport = recording.transport(wire)
    response: Any = await transport.open(HttpRequest(url="https://x.test"), None, 5)
    while await response.receive() is not None:
        pass
    await response.aclose()
    (exchange,) = recording.exchanges
    assert exchange == Exchange(
        request=RecordedRequest(method="POST", url="https://x.test"),
        response=RecordedResponse(
            status=200,
            headers={"content-type": "text/event-stream"},
            pieces=(Piece(b"data: {}\n", 0.5), Piece(b"\n", 0.5), Piece(b"data: [DONE]\n\n", 0.5)),
            is_stream=True,
            after=0.5,
        ),
    )


async def test_abandoned_or_broken_stream_is_replayed_up_to_its_end(tmp_path: Path) -> None:
    async def stop_after_one_chunk(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        await talk.send_event(build_chunk("Hel"))
        await talk.wait_for_close(5)

    async def reset_after_one_chunk(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        await talk.send_event(build_chunk("Hel"))
        await talk.reset()

    path = tmp_path / "r.yaml"
    async with serving(stop_after_one_chunk, reset_after_one_chunk) as server:
        recording = Recording(path, mode="record")
        provider = build_acme(server.url, max_retries=0, transport=recording.transport())
        async for _ in provider.stream("one", model="m"):
            break
        with pytest.raises(ProviderError):
            await provider.stream("two", model="m").response()
        await provider.close()
        url = server.url
    again = build_acme(url, max_retries=0, transport=Recording(path).transport())
    left = (await again.stream_result("one", model="m").response()).failure()
    assert isinstance(left, StreamInterrupted)
    assert "the recording ends here" in left.message
    broken = (await again.stream_result("two", model="m").response()).failure()
    assert isinstance(broken, StreamInterrupted)
    assert broken.partial is not None
    assert broken.partial.content == "Hel"


@pytest.mark.usefixtures("no_pauses")
async def test_faults_of_the_connection_are_recorded(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    recording = Recording(path, mode="record")
    await build_acme(
        URL,
        max_retries=1,
        transport=recording.transport(ScriptedWire(ConnectionFailed(message="refused"), Turn(text="Hi"))),
    ).chat(HI, model="m")
    recording.save()
    replayed = Recording(path)
    response = await build_acme(URL, max_retries=1, transport=replayed.transport()).chat(HI, model="m")
    assert response.content == "Hi"
    assert [attempt["outcome"] for attempt in (response.metadata or {})["attempts"]] == ["ConnectionFailed", "ok"]


async def test_binary_bodies_are_replayed(tmp_path: Path) -> None:
    pieces = (b"\x00\xff\x00", bytes(range(256)))
    recording = Recording(tmp_path / "r.yaml", mode="record")
    for mode in ("record", "replay"):
        if mode == "record":
            transport = recording.transport(ScriptedWire(Answer(pieces=pieces)))
        else:
            recording.save()
            transport = Recording(tmp_path / "r.yaml").transport()
        streamed: Any = await transport.open(HttpRequest(url="https://x.test/1"), None, 5)
        assert (await streamed.receive(), await streamed.receive(), await streamed.receive()) == (*pieces, None)
        whole: Any = await transport.open(HttpRequest(url="https://x.test/2"), None, 5)
        assert await whole.read(1000) == b"".join(pieces)


def build_exchanges(*texts: str, model: str = "m") -> list[Exchange]:
    def build_exchange(text: str) -> Exchange:
        request = RecordedRequest(
            method="POST",
            url=f"{URL}/v1/chat/completions",
            body=f'{{"model": "{model}", "messages": [{{"role": "user", "content": "{text}"}}], "temperature": 0.7, "max_tokens": 4096}}'.encode(),
        )
        answer = f'{{"choices":[{{"message":{{"content":"re: {text}"}},"finish_reason":"stop"}}]}}'.encode()
        return Exchange(request=request, response=RecordedResponse(status=200, pieces=(Piece(answer),)))

    return [build_exchange(text) for text in texts]


async def test_strict_replays_answer_equal_requests_once_in_their_order() -> None:
    recording = Recording(exchanges=build_exchanges("a", "b"))
    provider = build_acme(URL, transport=recording.transport())
    assert (await provider.chat("b", model="m")).content == "re: b"
    assert [b'"a"' in one.request.body for one in recording.unused] == [True]
    assert (await provider.chat("a", model="m")).content == "re: a"
    fault = (await provider.chat_result("a", model="m")).failure()
    assert isinstance(fault, InvalidRequest)
    assert "the request was recorded 1 times, and all were used" in fault.message


async def test_missing_recording_shows_the_closest_and_its_differences() -> None:
    provider = build_acme(
        URL,
        transport=Recording(exchanges=build_exchanges("something else entirely", "Hello"), path="r.yaml").transport(),
    )
    fault = (await provider.chat_result("Hello!", model="m", temperature=0.1, max_tokens=4096)).failure()
    assert isinstance(fault, InvalidRequest)
    assert fault.message.startswith(
        f"no recording of POST {URL}/v1/chat/completions in r.yaml. The closest, exchange 1, differs: "
    )
    assert 'body.messages[0].content: recorded "something else entirely", now "Hello!"' in fault.message
    assert "body.temperature: recorded 0.7, now 0.1" in fault.message
    assert len(fault.attempts) == 1  # it is not retried
    empty = (await build_acme(URL, transport=Recording(path="r.yaml").transport()).chat_result(HI, model="m")).failure()
    assert "which is empty. Record with --record" in empty.message


async def test_loose_replays_go_by_path_and_model_and_repeat_the_last() -> None:
    provider = build_acme(URL, transport=Recording(exchanges=build_exchanges("a", "b"), match="loose").transport())
    said = [(await provider.chat(text, model="m")).content for text in ("b", "x", "y", "z", "a")]
    assert said == ["re: b", "re: a", "re: b", "re: b", "re: a"]
    other = (await provider.chat_result("a", model="other")).failure()
    assert 'body.model: recorded "m", now "other"' in other.message
    assert isinstance((await provider.stream_result("a", model="m").response()).failure(), InvalidRequest)


async def test_add_mode_sends_only_missing_requests(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    async with serving(repeat_prompt) as server:
        for texts in (["a"], ["a", "b"], ["a", "b"]):
            with Recording(path, mode="add"):
                async with build_acme(server.url) as provider:
                    for text in texts:
                        assert (await provider.chat(text, model="m")).content == f"You said {text}."
    assert len(server.received) == 2
    assert len(read_recording(path)) == 2


async def test_active_recording_intercepts_every_provider(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    async with serving(repeat_prompt) as server:
        before = build_acme(server.url)
        await before.chat("unrecorded", model="m")
        with Recording(path, mode="record"):
            await before.chat("a", model="m")
            async with build_acme(server.url) as inside:
                await inside.chat("b", model="m")
        with Recording(path) as replay:
            assert (await before.chat("a", model="m")).content == "You said a."
            assert len(replay.unused) == 1
        await before.chat("unrecorded", model="m")
        await before.close()
    assert len(server.received) == 4


async def test_a_file_is_written_only_where_something_was_recorded(tmp_path: Path) -> None:
    with Recording(tmp_path / "r.yaml", mode="record"):
        pass
    assert list(tmp_path.iterdir()) == []


async def test_concurrent_calls_are_written_in_the_order_in_which_they_were_sent(tmp_path: Path) -> None:
    import asyncio

    later = asyncio.Event()

    async def answer_last(talk: Talk, _: Received) -> None:
        await later.wait()
        await talk.answer(build_body("first"))

    async def answer_first(talk: Talk, _: Received) -> None:
        await talk.answer(build_body("second"))
        later.set()

    async with serving(answer_last, answer_first) as server:
        recording = Recording(mode="record")
        provider = build_acme(server.url, transport=recording.transport())
        first = asyncio.ensure_future(provider.chat("1", model="m"))
        while not server.received:
            await asyncio.sleep(0.001)
        await provider.chat("2", model="m")
        assert len(recording.exchanges) == 1
        await first
        await provider.close()
    kept = [one.response.body for one in recording.exchanges if isinstance(one.response, RecordedResponse)]
    assert [b"first" in kept[0], b"second" in kept[1]] == [True, True]


async def test_file_that_is_not_a_recording_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("hello")
    with pytest.raises(ValueError, match=r"r\.yaml is not a recording"):
        Recording(tmp_path / "r.yaml")


async def test_scrubbed_texts_match_again(tmp_path: Path) -> None:
    def replace_name(text: str) -> str:
        return text.replace("Alice", "NAME")

    path = tmp_path / "r.yaml"
    async with serving(repeat_prompt) as server:
        with Recording(path, mode="record", scrub=replace_name):
            async with build_acme(server.url) as provider:
                await provider.chat("I am Alice", model="m")
        url = server.url
    assert "Alice" not in path.read_text()
    with Recording(path, scrub=replace_name):
        assert (await build_acme(url).chat("I am Alice", model="m")).content == "You said I am NAME."


async def test_the_embedded_engine_is_recorded_as_servers_are(tmp_path: Path) -> None:
    path = tmp_path / "local.yaml"
    async with serving(repeat_prompt) as server:
        provider = build_acme(server.url, transport=(recording := Recording(path, mode="record")).transport())
        await provider.chat(HI, model="m")
        await provider.close()
    assert len(recording.exchanges) == 1

    local = ProviderRegistry.create("local")
    with Recording(path, match="loose") as replayed:
        said = await local.chat(HI, model="m")
        refused = (await local.chat_result(HI, model="another")).failure()
    await local.close()
    assert said.content == f"You said {HI[0].text}."
    assert isinstance(refused, InvalidRequest)
    assert not replayed.unused

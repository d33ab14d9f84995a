"""Observers and structured logs: events of calls, without keys."""

from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import openai_shapes as shapes
from tests.acme import HI, KEY
from tests.fake_runtime import FakeRuntime
from tests.loopback import Received, Talk, serving
from tests.managed_shapes import answer_hello, create_managed, fail_with_500, stream_hello
from victor_fp.core.security.redaction import redact_text
from victor_fp.shell.engine.telemetry import Begun, Ended, OnEnd


class Notes:
    """An observer that writes down."""

    def __init__(self, *, content: bool = False) -> None:
        self.wants_content = content
        self.begun_: list[Begun] = []
        self.ended: list[Ended] = []

    def begun(self, operation: Begun) -> OnEnd:
        self.begun_.append(operation)
        return self.ended.append


class Clumsy:
    """An observer that fails whenever it can."""

    wants_content = False

    def begun(self, operation: Begun) -> OnEnd:
        def raise_error(_: Ended) -> None:
            raise RuntimeError("dropped it")

        if operation.spec.stream:
            raise RuntimeError("never got it")
        return raise_error


async def test_observer_is_notified_of_start_and_end() -> None:
    notes = Notes(content=True)
    async with (
        serving(answer_hello, stream_hello) as server,
        await create_managed(server.url, observers=[notes]) as provider,
    ):
        await provider.chat(HI)
        async with provider.stream(HI, model="m-9") as stream:
            assert [chunk async for chunk in stream]
    assert [(one.provider, one.model, one.spec.stream) for one in notes.begun_] == [
        ("acme", "m-1", False),
        ("acme", "m-9", True),
    ]
    call, streamed = notes.ended
    assert (call.sample.outcome, call.sample.tries, call.sample.prompt_tokens) == ("ok", 1, 5)
    assert (streamed.text, streamed.sample.streamed) == ("Hello", True)


async def test_observer_exceptions_do_not_affect_calls(caplog: pytest.LogCaptureFixture) -> None:
    notes = Notes()
    async with serving(answer_hello, stream_hello) as server:
        async with await create_managed(server.url, observers=[Clumsy(), notes]) as provider:
            await provider.chat(HI)
            assert [chunk async for chunk in provider.stream(HI)]
    assert len(notes.ended) == 2
    assert sum("an observer failed" in record.message for record in caplog.records) == 2


async def test_observer_without_wants_content_is_accepted() -> None:
    class Bare:
        def begun(self, operation: Begun) -> OnEnd:
            return self.ended.append

        def __init__(self) -> None:
            self.ended: list[Ended] = []

    class Raising(Bare):
        @property
        def wants_content(self) -> bool:
            raise RuntimeError("cannot say")

    bare, raising = Bare(), Raising()
    async with serving(stream_hello) as server:
        async with await create_managed(server.url, observers=[bare, raising]) as provider:
            assert (await provider.stream(HI).response()).content == "Hello"
    assert [one.text for one in (*bare.ended, *raising.ended)] == [None, None]


async def test_log_records_have_details_without_keys(caplog: pytest.LogCaptureFixture) -> None:
    async def repeat_key(talk: Talk, received: Received) -> None:
        await talk.answer(shapes.build_error(f"bad header: {received.headers['authorization']}"), 500)

    runtime = FakeRuntime()
    with caplog.at_level(logging.DEBUG, "victor_fp"):
        async with serving(answer_hello, repeat_key, answer_hello, repeat_key) as server:
            async with await create_managed(server.url, runtime=runtime, max_retries=1) as provider:
                await provider.chat(HI)
                await provider.chat(HI)
                await provider.chat_result(HI)
    records = [record for record in caplog.records if record.name == "victor_fp"]
    assert [record.levelname for record in records] == ["DEBUG", "INFO", "WARNING"]
    fields = [getattr(record, "victor_fp", {}) for record in records]
    assert [one["outcome"] for one in fields] == ["ok", "ok", "ServerFailed"]
    assert (fields[0]["provider"], fields[0]["prompt_tokens"], fields[1]["tries"]) == ("acme", 5, 2)
    assert fields[2]["fault"]["status"] == 500
    assert KEY not in json.dumps(fields) + "".join(record.getMessage() for record in caplog.records)
    assert "Hi" not in json.dumps(fields)


async def test_a_log_record_is_one_printable_line(caplog: pytest.LogCaptureFixture) -> None:
    async with await create_managed("https://acme.test") as provider:
        await provider.chat_result(HI, model="m\n2026 ERROR \x1b[31m\ud800")
    message = caplog.records[0].getMessage()
    assert message.startswith("acme m\\n2026 ERROR \\x1b[31m\\ud800: InvalidRequest after ")
    assert message.isprintable()


async def test_without_logging_configuration_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    async with serving(fail_with_500) as server, await create_managed(server.url, max_retries=0) as provider:
        await provider.chat_result(HI)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abcdefghijklmnopqrst",
        "Authorization: Bearer abcdefghijklmnop",
        '{"x-api-key": "sk-ant-api03-abcdefghijkl"}',
        "https://host.test/v1?api_key=abcdefghijklmnop&x=1",
        "key AIzaSyA1234567890abcdefgh is wrong",
        "gsk_abcdefghijklmnopqrstuv, xai-abcdefghijklmnopqrstuv, hf_abcdefghijklmnopqrstuv",
        "http://user:abcdefghijklmnop@proxy.test:3128",
        "AKIAABCDEFGHIJKLMNOP",
    ],
)
def test_credentials_are_removed_from_messages(text: str) -> None:
    reported = redact_text(text, names=True)
    assert "[redacted]" in reported
    assert "abcdefghijkl" not in reported.lower()


@given(st.text(alphabet="abcdefghij ,.", max_size=200))
def test_plain_text_is_not_redacted(text: str) -> None:
    assert redact_text(text, names=True) == text

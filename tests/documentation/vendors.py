"""OpenAI's, Anthropic's and Cohere's formats on loopback, for the programs of the pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests import openai_shapes as shapes
from tests.batches.openai_vendor import OpenAIVendor
from tests.core.protocols.openai_responses.answers import build_message, response
from tests.loopback import Received, Talk
from victor_fp.testing.answers import Received as Seen
from victor_fp.testing.retrieval import answer_retrieval

TEXT = "Hello from loopback."
SCHEMA_ANSWER = '{"name": "Oslo", "inhabitants": 717710}'


class AnyVendor:
    """Answers a chat, a stream, embeddings or a ranking; the first tool that is offered is called once. A batch ends at once."""

    def __init__(self) -> None:
        self._batches = OpenAIVendor()

    async def __call__(self, talk: Talk, received: Received) -> None:
        seen = Seen(method=received.method, path=received.path, body=received.body)
        if (found := answer_retrieval(seen)) is not None:
            await talk.answer(b"".join(found.pieces))
        elif received.path.startswith(("/v1/files", "/v1/batches")):
            await self._batches(talk, received)
            for job in self._batches.jobs.values():
                if job.state == "pending":
                    self._batches.finish()
        elif "/responses" in received.path:
            await talk.answer(response(build_message(TEXT), store=True))
        elif received.method == "GET":
            await talk.answer({"object": "list", "data": [{"id": "gpt-5-mini", "object": "model"}]})
        elif received.path.endswith("/messages"):
            await _answer_anthropic(talk, received.json())
        else:
            await _answer_openai(talk, received.json())


async def _answer_openai(talk: Talk, asked: Mapping[str, object]) -> None:
    call = _call(asked)
    text = SCHEMA_ANSWER if asked.get("response_format") else TEXT
    if not asked.get("stream"):
        body = shapes.build_body(text)
        if call is not None:
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
            body["choices"][0] = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        await talk.answer(body)
    elif call is not None:
        first = shapes.build_chunk()
        first["choices"][0]["delta"] = {"tool_calls": [{"index": 0, **call}]}
        await talk.send_events(first, shapes.build_chunk(finish="tool_calls"))
    else:
        await talk.send_events(*shapes.build_chunks(*(f"{word} " for word in text.split())))


async def _answer_anthropic(talk: Talk, asked: Mapping[str, object]) -> None:
    call = _call(asked)
    content: dict[str, object] = {"type": "text", "text": TEXT}
    if call is not None:
        function = call["function"]
        arguments = json.loads(function["arguments"])
        content = {"type": "tool_use", "id": "toolu_1", "name": function["name"], "input": arguments}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [content]}
    usage = {"input_tokens": 3, "output_tokens": 2}
    stop_reason = "end_turn" if call is None else "tool_use"
    if not asked.get("stream"):
        await talk.answer({**message, "stop_reason": stop_reason, "usage": usage})
        return
    await talk.send_events(
        {"type": "message_start", "message": {**message, "content": [], "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    )


def _call(asked: Mapping[str, object]) -> dict[str, Any] | None:
    """Return a call of the first tool in OpenAI's form; None where none is offered or the call was answered."""
    messages, tools = asked["messages"], asked.get("tools")
    assert isinstance(messages, list)
    if not isinstance(tools, list) or any("tool_calls" in turn or "tool_use" in str(turn) for turn in messages):
        return None
    name = tools[0]["function"]["name"] if "function" in tools[0] else tools[0]["name"]
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": '{"city": "Oslo"}'}}

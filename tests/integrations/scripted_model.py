"""A model without a network that follows the prompts of the standard suites: it calls tools and returns structured output."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.loopback import Received, Talk
from tests.openai_shapes import build_body, build_chunk
from victor_fp.testing import Call, CallRecord, Turn
from victor_fp.testing.answers import Received as Seen
from victor_fp.testing.retrieval import answer_retrieval

QUOTED = re.compile(r"'([^']+)'")
NUMBER = re.compile(r"\((\d+)\)")


def decide(prompt: str, tools: Mapping[str, Any], choice: Any, form: Any, *, is_answered: bool) -> Turn:
    """The turn that a reasonable model would take. `tools` are JSON Schemas by name; `form` is a JSON Schema, or True for any JSON."""
    if form:
        return Turn(text=json.dumps(fill(form if isinstance(form, dict) else JOKE, prompt), ensure_ascii=False))
    wants = bool(re.search(r"tool|weather|Create|\d \+ \d", prompt)) and choice != "none"
    if tools and not is_answered and (choice not in (None, "auto", "none") or wants):
        name = str(choice) if choice in tools else next(iter(tools))
        return Turn(calls=(Call(name=name, arguments=fill(tools[name], prompt)),))
    return Turn(text="Hello! How can I help you today?")


JOKE: dict[str, Any] = {"properties": {"setup": {"type": "string"}, "punchline": {"type": "string"}}}


def fill(schema: Mapping[str, Any], prompt: str) -> dict[str, Any]:
    """Values for the properties of a schema."""
    return {name: build_value(one, prompt) for name, one in (schema.get("properties") or {}).items()}


def build_value(schema: Mapping[str, Any], prompt: str) -> Any:
    kind = schema.get("type") or next((one.get("type") for one in schema.get("anyOf", ())), "string")
    match kind:
        case "integer" | "number":
            found = NUMBER.search(prompt)
            return int(found[1]) if found else 3
        case "boolean":
            return True
        case "object":
            return fill(schema, prompt)
        case "array":
            return []
        case _:
            found = QUOTED.search(prompt)
            return found[1] if found else "Pirate"


async def answer_over_http(talk: Talk, received: Received) -> None:
    """The same in OpenAI's format, and embeddings."""
    found = answer_retrieval(Seen(method=received.method, path=received.path, body=received.body))
    if found is not None:
        await talk.answer(b"".join(found.pieces))
        return
    asked: dict[str, Any] = received.json()
    messages = asked["messages"]
    tools = {one["function"]["name"]: one["function"]["parameters"] for one in asked.get("tools") or ()}
    choice = asked.get("tool_choice")
    choice = choice["function"]["name"] if isinstance(choice, dict) else choice
    given = asked.get("response_format") or {}
    form = given.get("json_schema", {}).get("schema", given.get("type") == "json_object")
    last = messages[-1]
    turn = decide(get_text(last["content"]), tools, choice, form, is_answered=last["role"] == "tool")
    calls = [
        {
            "id": f"call_{n}",
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments), ensure_ascii=False)},
        }
        for n, call in enumerate(turn.calls)
    ]
    finish = "tool_calls" if calls else "stop"
    usage = {
        "prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13,
        "prompt_tokens_details": {"cached_tokens": 2}, "completion_tokens_details": {"reasoning_tokens": 1},
    }  # fmt: skip
    model = {"model": asked["model"], "usage": usage}
    if not asked.get("stream"):
        message = {"role": "assistant", "content": turn.text or None, **({"tool_calls": calls} if calls else {})}
        await talk.answer(build_body(**model, choices=[{"index": 0, "message": message, "finish_reason": finish}]))
        return
    chunks = [build_chunk(piece, model=asked["model"]) for piece in re.findall(r"\S+\s*", turn.text)]
    for index, call in enumerate(calls):
        function: Any = call["function"]
        text = function["arguments"]
        begun = {"index": index, **call, "function": {"name": function["name"], "arguments": ""}}
        parts = [
            begun,
            *({"index": index, "function": {"arguments": text[at : at + 5]}} for at in range(0, len(text), 5)),
        ]
        chunks += [
            build_chunk(
                choices=[{"index": 0, "delta": {"tool_calls": [part]}, "finish_reason": None}],
                model=asked["model"],
            )
            for part in parts
        ]
    await talk.send_events(*chunks, build_chunk(finish=finish, model=asked["model"]), build_chunk(choices=[], **model))


def answer_call(call: CallRecord) -> Turn:
    """The same for a provider without a wire."""
    tools = {one.name: one.parameters for one in call.tools}
    choice = call.options.get("tool_choice")
    choice = choice["name"] if isinstance(choice, dict) else choice
    given = call.options.get("response_format")
    form = given.get("json_schema", {}).get("schema") if isinstance(given, dict) else given == "json"
    return decide(call.text, tools, choice, form, is_answered=call.messages[-1].role == "tool")


def get_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") for part in content or ())

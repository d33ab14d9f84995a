"""Prompts for models without native tool calling: tools as instructions, earlier calls and results as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from victor_fp.core.conversation import append_instructions, read_call_arguments
from victor_fp.core.json import JsonObject, encode_json
from victor_fp.core.text_tools.formats import TextFormat
from victor_fp.core.types import Message, ToolCall, ToolDefinition

_RESULT = "<tool_response>\n{}\n</tool_response>"
"""The form of Hermes and Qwen; other models understand it too."""


def write_instructions(
    tools: Sequence[ToolDefinition],
    form: TextFormat,
    *,
    choice: str | Mapping[str, str] | None = None,
    parallel: bool | None = None,
) -> str:
    """Write the instructions of a system message: the tools, and how they are called in this format.

    `choice` and `parallel` are the options `tool_choice` and `parallel_tool_calls`.
    """
    described = "\n".join(
        encode_json({"name": tool.name, "description": tool.description, "parameters": tool.parameters}).decode()
        for tool in tools
    )
    example = form.write("TOOL_NAME", {"PARAMETER_NAME": "VALUE"})
    several = "Call one tool at a time." if parallel is False else "Several calls may follow each other."
    return (
        "You can call these tools, described by JSON Schema:\n"
        f"{described}\n\n"
        "To call a tool, write a call of exactly this form, and stop after it:\n"
        f"{example}\n\n"
        f"{several} The results come in the next message. {_describe_choice(choice)}"
    )


def _describe_choice(choice: str | Mapping[str, str] | None) -> str:
    if isinstance(choice, Mapping):
        return f"Answer with a call of {choice['name']}."
    if choice == "required":
        return "Answer with a call."
    return "Call a tool only where it is needed; otherwise answer in plain text."


def write_conversation(
    messages: Iterable[Message],
    tools: Sequence[ToolDefinition],
    form: TextFormat,
    *,
    choice: str | Mapping[str, str] | None = None,
    parallel: bool | None = None,
) -> tuple[Message, ...]:
    """Write the conversation for a model without tools: instructions first, calls and results as text."""
    turns: list[Message] = []
    results: list[str] = []
    for message in messages:
        if message.role == "tool":
            text = f"Error: {message.text}" if message.is_error else message.text
            results.append(_RESULT.format(text))
            continue
        turns += _join_results(results)
        results = []
        if message.tool_calls:
            calls = "\n".join(_write_call(call, form) for call in message.tool_calls)
            text = f"{message.text}\n{calls}" if message.text else calls
            turns.append(Message(role="assistant", content=text))
        else:
            turns.append(message)
    turns += _join_results(results)
    if not tools:
        return tuple(turns)
    instructions = write_instructions(tools, form, choice=choice, parallel=parallel)
    return append_instructions(turns, instructions)


def _join_results(results: Sequence[str]) -> list[Message]:
    """Join the results of one turn to one user message."""
    return [Message(role="user", content="\n".join(results))] if results else []


def _write_call(call: ToolCall, form: TextFormat) -> str:
    arguments = read_call_arguments(call["arguments"])
    known: JsonObject = {"arguments": arguments} if isinstance(arguments, str) else arguments
    return form.write(call["name"], known)

"""The messages of a conversation, its commands, and its transcript as a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.cli.attachments import describe_part
from victor_fp.cli.exit_codes import CommandError, build_usage_error
from victor_fp.cli.output import format_call
from victor_fp.core.json import encode_json
from victor_fp.core.types import Message, Part, TextPart

COMMANDS = {
    "/model": "[NAME] show or change the model; PROVIDER/MODEL changes the provider as well",
    "/system": "[TEXT] show or change the instructions; /system - removes them",
    "/attach": "[FILE] attach an image, PDF or audio file to the next prompt",
    "/retry": "send the last prompt again",
    "/save": "FILE write the conversation to a file: Markdown, or JSON for a name that ends in .json",
    "/clear": "start a new conversation",
    "/help": "show this",
    "/exit": "exit, like Ctrl-D",
}
KEYS = "Enter sends, Alt-Enter inserts a new line, Ctrl-C stops a response."
_COMMAND = re.compile(r"(/[a-z?]+)(?:\s+(.*))?", re.DOTALL)
_ALIASES = {"/?": "/help", "/quit": "/exit"}


class Command(msgspec.Struct, frozen=True):
    """A command of a conversation."""

    name: str
    argument: str = ""


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """The turns of a conversation."""

    system: str | None = None
    turns: tuple[tuple[Message, ...], ...] = ()
    """Each turn starts with the user's message."""

    def append(self, turn: Sequence[Message]) -> Conversation:
        """Return the conversation with one more turn."""
        return msgspec.structs.replace(self, turns=(*self.turns, tuple(turn)))

    def drop_last(self) -> Conversation:
        """Return the conversation without its last turn."""
        return msgspec.structs.replace(self, turns=self.turns[:-1])

    def clear(self) -> Conversation:
        """Return the conversation without its turns; the instructions are kept."""
        return msgspec.structs.replace(self, turns=())

    @property
    def messages(self) -> list[Message]:
        """All messages, instructions first."""
        opening = [Message(role="system", content=self.system)] if self.system else []
        return [*opening, *(message for turn in self.turns for message in turn)]


def parse_command(text: str) -> Command | None:
    """Parse a command; None for a prompt. Paths and, except for /system, texts of several lines are prompts.

    >>> parse_command("/model gpt-5-mini"), parse_command("/etc/hosts is what?"), parse_command("hi")
    (Command(name='/model', argument='gpt-5-mini'), None, None)
    """
    found = _COMMAND.fullmatch(text.strip())
    if found is None or ("\n" in text.strip() and found[1] != "/system"):
        return None
    return Command(_ALIASES.get(found[1], found[1]), (found[2] or "").strip())


def format_help() -> str:
    """Return the commands, one a line."""
    return "\n".join([*(f"{name:8} {text}" for name, text in COMMANDS.items()), KEYS])


def save_conversation(conversation: Conversation, path: Path) -> Result[None, CommandError]:
    """Write a conversation to a new file."""
    if path.suffix.lower() == ".json":
        text = encode_json([message.to_dict() for message in conversation.messages]).decode() + "\n"
    else:
        text = "\n".join(render_markdown(conversation.messages))
    try:
        with path.expanduser().open("x", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except FileExistsError:
        return Failure(build_usage_error(f"{path} exists", todo="Choose another file."))
    except OSError as error:
        return Failure(build_usage_error(f"{path} cannot be written", error.strerror or type(error).__name__))
    return Success(None)


def render_markdown(messages: Sequence[Message]) -> Iterator[str]:
    """Yield the lines of a transcript."""
    for message in messages:
        name = f" {message.name}" if message.role == "tool" and message.name else ""
        yield f"## {message.role}{name}\n"
        for part in _list_parts(message):
            yield f"{part.text}\n" if part.type == "text" else f"[{describe_part(part)}]\n"
        for call in message.tool_calls or ():
            yield f"`{format_call(call['name'], call['arguments'])}`\n"


def _list_parts(message: Message) -> Sequence[Part]:
    if isinstance(message.content, str):
        return [TextPart(text=message.content)] if message.content else []
    return message.content

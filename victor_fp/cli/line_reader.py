"""Reading of prompts on a terminal with prompt_toolkit: pasted text, several lines, history, and type-ahead."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TextIO, TypeVar

from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input, create_input
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPress, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import Output, create_output
from prompt_toolkit.output.plain_text import PlainTextOutput
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.utils import is_dumb_terminal

from victor_fp.cli.state import CleanText, make_private_file

T = TypeVar("T")

HISTORY_FILE = "history"


class ReadingStopped(Exception):
    """Ctrl-C was typed during a request."""


class PromptReader(Protocol):
    """Reads the user's input."""

    async def read(self, prompt: str) -> str | None:
        """Return a prompt of one or more lines; None at Ctrl-D. Raises KeyboardInterrupt at Ctrl-C."""
        ...

    async def ask(self, question: str) -> str | None:
        """Return the answer to a question, which is not added to the history; None at Ctrl-D. ReadingStopped at Ctrl-C.

        Earlier input is not used as the answer.
        """
        ...

    async def attend(self, work: Coroutine[Any, Any, T]) -> T:
        """Run work; input is kept for the next prompt. Raises ReadingStopped at Ctrl-C, after cancelling the work."""
        ...


class TerminalReader:
    """A reader of this process's terminal. Within `take_over` keys are echoed only by prompts."""

    def __init__(self, output: TextIO, history: History | None = None) -> None:
        self._input: Input = create_input()
        self._output = PlainTextOutput(output) if is_dumb_terminal() else _make_output(output)
        self._typed: list[KeyPress] = []
        """Keys typed during work, in order."""
        self._is_open = False
        # The default output of the session, which supports terminals without escape sequences.
        with create_app_session(input=self._input, output=self._output):
            self._session: PromptSession[str] = PromptSession(
                history=history or InMemoryHistory(),
                multiline=True,
                key_bindings=_prompt_keys(),
                prompt_continuation="  ",
                reserve_space_for_menu=0,
                enable_history_search=True,
                enable_suspend=True,
            )

    @contextmanager
    def take_over(self) -> Iterator[TerminalReader]:
        """Take over the terminal, and restore it at the end."""
        with ExitStack() as stack:
            stack.enter_context(self._input.raw_mode())
            stack.callback(self._set_open, is_open=False)
            self._set_open(is_open=True)
            yield self

    async def read(self, prompt: str) -> str | None:
        """See `PromptReader`."""
        try:
            return await self._session.prompt_async(prompt)
        except EOFError:
            return None
        finally:
            self._set_paste(is_on=self._is_open)  # the prompt has disabled it

    async def ask(self, question: str) -> str | None:
        """See `PromptReader`."""
        with self._input.raw_mode():
            while keys := self._input.read_keys():
                self._typed += keys
            ahead = get_typeahead(self._input)
            with create_app_session(input=self._input, output=self._output):
                one_line: PromptSession[str] = PromptSession(history=InMemoryHistory(), reserve_space_for_menu=0)
            try:
                return await one_line.prompt_async(question)
            except EOFError:
                return None
            except KeyboardInterrupt:
                raise ReadingStopped from None
            finally:
                store_typeahead(self._input, [*ahead, *get_typeahead(self._input)])
                self._set_paste(is_on=self._is_open)

    async def attend(self, work: Coroutine[Any, Any, T]) -> T:
        """See `PromptReader`."""
        task = asyncio.ensure_future(work)
        is_stopped = False

        def on_keys() -> None:
            nonlocal is_stopped
            keys = self._input.read_keys()
            if self._input.closed or any(one.key is Keys.ControlC for one in keys):
                is_stopped = True
                task.cancel()
            self._typed += (one for one in keys if one.key not in (Keys.ControlC, Keys.CPRResponse))

        try:
            with self._input.attach(on_keys):
                return await task
        except asyncio.CancelledError:
            if is_stopped:
                raise ReadingStopped from None
            raise
        finally:
            store_typeahead(self._input, self._typed)
            self._typed = []

    def _set_open(self, *, is_open: bool) -> None:
        self._is_open = is_open
        self._set_paste(is_on=is_open)

    def _set_paste(self, *, is_on: bool) -> None:
        """Enable bracketed paste, also while no prompt is shown."""
        if is_on:
            self._output.enable_bracketed_paste()
        else:
            self._output.disable_bracketed_paste()
        self._output.flush()


class CleanedHistory(FileHistory):
    """A history file without secrets; within this conversation prompts are kept unchanged."""

    def __init__(self, path: Path, clean: CleanText) -> None:
        super().__init__(make_private_file(path))
        self._clean = clean

    def store_string(self, string: str) -> None:
        """Append a prompt to the file; failures are ignored."""
        with suppress(OSError):
            super().store_string(self._clean(string).encode("utf-8", "replace").decode())


def make_reader(output: TextIO, directory: Path | None, clean: CleanText) -> TerminalReader:
    """Return a reader with its history in this directory, or in memory if it is None."""
    history: History | None = None
    if directory is not None:
        with suppress(OSError):
            history = CleanedHistory(directory / HISTORY_FILE, clean)
    return TerminalReader(output, history)


def _make_output(stream: TextIO) -> Output:
    output = create_output(stdout=stream)
    if isinstance(output, Vt100_Output):
        output.enable_cpr = False  # cursor position reports would mix with the input
    return output


def _prompt_keys() -> KeyBindings:
    """Bind keys: Enter sends; Alt-Enter, or Enter after a backslash, adds a line break; Ctrl-C clears, then exits."""
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.char_before_cursor == "\\" and buffer.document.is_cursor_at_the_end:
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-c")
    def _(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt)

    return keys

"""Terminal output: streamed text, notes on stderr, and tables, which are plain lines in a pipe."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from io import TextIOBase, TextIOWrapper
from typing import TextIO

from victor_fp.cli.layout import render_rows

_CONTROLS = (*range(0x20), 0x7F, *range(0x80, 0xA0))
_BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Characters that reorder text (Unicode Standard Annex 9): terminals may show a misleading text."""
_SEPARATORS = (0x2028, 0x2029)
_REMOVED = {code: None for code in (*_CONTROLS, *_BIDI, *_SEPARATORS) if chr(code) not in "\n\t"}


def strip_controls(text: str) -> str:
    """Remove control and bidirectional formatting characters, newline and tab excepted.

    Text from models, vendors and files could otherwise change the clipboard, the title or the order of the output.
    """
    return text.translate(_REMOVED)


def to_one_line(text: str) -> str:
    """Strip control characters and join lines, for prompts, tables and one-line messages."""
    return " ".join(strip_controls(text).split())


def escape_controls(text: str) -> str:
    r"""Show the characters removed by `strip_controls` as escapes, for text that the user must confirm.

    >>> escape_controls("rm \u202etxt")
    'rm \\u202etxt'
    """
    return text.translate({code: f"\\u{code:04x}" for code in _REMOVED}).replace("\n", "\\n").replace("\t", "\\t")


class Terminal:
    """The terminal: stdout for responses, stderr for notes."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        for stream in (self.out, self.err):
            if isinstance(stream, TextIOWrapper):
                # If the locale cannot encode a character, replace it rather than fail.
                stream.reconfigure(errors="replace")
        self.shown = self.out.isatty()
        """Whether stdout is a terminal."""
        self.watched = self.err.isatty()
        """Whether stderr is a terminal."""
        self._colour = self.shown and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def write(self, text: str, *, dim: bool = False) -> None:
        """Write and flush text: unchanged to a pipe, without control characters to a terminal."""
        if not text:
            return
        if self.shown:
            text = strip_controls(text)
            text = f"\x1b[2m{text}\x1b[0m" if dim and self._colour else text
        self.out.write(text)
        self.out.flush()

    def write_line(self, text: str = "") -> None:
        """Write a line of output."""
        self.write(text + "\n")

    def note(self, text: str) -> None:
        """Write a line to stderr."""
        self.err.write(strip_controls(text) + "\n")
        self.err.flush()

    def write_hint(self, text: str) -> None:
        """Write a line to stderr if that is a terminal; no line for an empty text."""
        if self.watched and text:
            self.note(text)

    def write_table(self, columns: Sequence[str], rows: Iterable[Sequence[str]], *, cut_last: bool = False) -> None:
        """Write rows under their columns; to a pipe one line for each row, fields separated by tabs.

        On a terminal columns that do not fit are omitted; with `cut_last` the last one is truncated first.
        """
        cells = [tuple(map(to_one_line, row)) for row in rows]
        if not self.shown:
            for row in cells:
                self.write_line("\t".join(row))
            return
        for line in render_rows(columns, cells, self.width, cut_last=cut_last):
            self.write_line(line)

    @property
    def width(self) -> int:
        """The number of columns of the terminal, or COLUMNS of the environment if set."""
        return shutil.get_terminal_size().columns


class NoteStream(TextIOBase):
    """stderr as a stream for output of functions, without control characters."""

    def __init__(self, terminal: Terminal) -> None:
        self._err = terminal.err

    def write(self, text: str, /) -> int:
        """Write text."""
        self._err.write(strip_controls(text))
        return len(text)

    def flush(self) -> None:
        """Flush stderr."""
        self._err.flush()


class DownloadProgress:
    """Reports a download: a counter on a terminal, one line elsewhere."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._percent = -1

    def __call__(self, done: int, total: int) -> None:
        """Report that `done` of `total` bytes have been received."""
        percent = 100 * done // total if total else 100
        if percent == self._percent:
            return
        text = f"downloading the model (once): {percent:3d} % of {total / 1e6:.0f} MB"
        if self._terminal.watched:
            self._terminal.err.write(f"\r{text}" + ("\n" if percent >= 100 else ""))
            self._terminal.err.flush()
        elif self._percent < 0:
            self._terminal.note(f"victor: downloading the model (once): {total / 1e6:.0f} MB")
        self._percent = percent

"""What the command shows: text as it comes, notes aside on stderr, tables that become plain lines in a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from typing import TextIO

_HARMLESS = {code: None for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """Without control characters: what a model says must not drive the terminal that shows it."""
    return text.translate(_HARMLESS)


class Terminal:
    """stdout for answers, stderr for notes."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        for stream in (self.out, self.err):
            if isinstance(stream, TextIOWrapper):
                # A locale without the answer's letters is no reason to lose the answer.
                stream.reconfigure(errors="replace")
        self.shown = self.out.isatty()
        self.watched = self.err.isatty()
        self._colour = self.shown and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def write(self, text: str, *, dim: bool = False) -> None:
        """Put text out at once, as it is in a pipe, harmless on a terminal."""
        if not text:
            return
        if self.shown:
            text = printable(text)
            text = f"\x1b[2m{text}\x1b[0m" if dim and self._colour else text
        self.out.write(text)
        self.out.flush()

    def line(self, text: str = "") -> None:
        """A line of output."""
        self.write(text + "\n")

    def note(self, text: str) -> None:
        """A line aside."""
        self.err.write(printable(text) + "\n")
        self.err.flush()

    def hint(self, text: str) -> None:
        """A line aside that only somebody who watches needs."""
        if self.watched:
            self.note(text)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Rows under their columns; in a pipe one line a row, fields apart by tabs."""
        if not self.shown:
            for row in rows:
                self.line("\t".join(" ".join(field.split()) for field in row))
            return
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(Text(printable(field)) for field in row))
        Console(file=self.out).print(table)


class FetchNotice:
    """Tells how a download goes: a line that counts up where somebody watches, one plain line elsewhere."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._told = -1

    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` bytes are here."""
        percent = 100 * done // total if total else 100
        if percent == self._told:
            return
        text = f"fetching the model, once: {percent:3d} % of {total / 1e6:.0f} MB"
        if self._terminal.watched:
            self._terminal.err.write(f"\r{text}" + ("\n" if percent >= 100 else ""))
            self._terminal.err.flush()
        elif self._told < 0:
            self._terminal.note(f"victor: fetching the model, once: {total / 1e6:.0f} MB")
        self._told = percent

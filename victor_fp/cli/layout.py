"""Tables as lines of text that fit a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from unicodedata import combining, east_asian_width

GAP = 2
"""Spaces between columns."""
MIN_WIDTH = 16
"""Minimum characters of a truncated column."""


def measure_cell(text: str) -> int:
    """Return the width of a text in terminal columns.

    >>> measure_cell("abc"), measure_cell("\\u4f60\\u597d"), measure_cell("e\\u0301")
    (3, 4, 1)
    """
    if text.isascii():
        return len(text)
    return sum(0 if combining(char) else 1 + (east_asian_width(char) in "WF") for char in text)


def cut_cell(text: str, width: int) -> str:
    """Truncate a text to a width, with an ellipsis.

    >>> cut_cell("abcdef", 4), cut_cell("abcd", 4)
    ('abc\u2026', 'abcd')
    """
    if measure_cell(text) <= width:
        return text
    kept, room = [], width - 1
    for char in text:
        room -= measure_cell(char)
        if room < 0:
            break
        kept.append(char)
    return f"{''.join(kept)}\N{HORIZONTAL ELLIPSIS}"


def render_rows(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, cut_last: bool = False
) -> Iterator[str]:
    """Yield a heading and the rows, at most `width` characters wide if possible.

    Columns that do not fit are omitted, the last first; two are always kept. If these do not fit, the second one is
    printed below the first. With `cut_last` the last column is truncated instead, and the columns before it are
    omitted.
    """
    table = [tuple(columns), *(tuple(row) for row in rows)]
    widths = [max(map(measure_cell, column)) for column in zip(*table, strict=True)]
    shown = list(range(len(widths)))
    last_width = min(widths[-1], MIN_WIDTH) if cut_last else widths[-1]
    while len(shown) > 2 and _sum_widths([*(widths[at] for at in shown[:-1]), last_width]) > width:
        shown.pop(-2 if cut_last else -1)
        last_width = last_width if cut_last else widths[shown[-1]]
    if cut_last:
        before = sum(widths[at] + GAP for at in shown[:-1])
        widths[shown[-1]] = min(widths[shown[-1]], max(MIN_WIDTH, width - before))
    is_stacked = _sum_widths([widths[at] for at in shown]) > width and len(shown) == 2
    for number, row in enumerate(table):
        cells = [cut_cell(row[at], widths[at]) for at in shown]
        if is_stacked:
            yield from (cells[0], f"  {cells[1]}") if number else (f"{cells[0]} / {cells[1]}",)
        else:
            padded = (f"{cell}{' ' * (widths[at] - measure_cell(cell))}" for cell, at in zip(cells, shown, strict=True))
            yield (" " * GAP).join(padded).rstrip()
        if not number:
            yield "-" * min(width, _sum_widths([widths[at] for at in shown]))


def _sum_widths(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)

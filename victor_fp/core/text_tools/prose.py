"""Tracking of the position in Markdown text: code, quotation or prose, and indentation in the line."""

from __future__ import annotations

import re

import msgspec

from victor_fp.core.text_tools.formats.form import MarkPosition

_MARK = re.compile(r"\n|`+|~{3,}|\"{3,}|'{3,}")
_CODE = re.compile(
    r"\s*(?:import\s|from\s+[\w.]+\s+import\b|(?:async\s+)?def\s|class\s|@\w|return\b|raise\b|yield\b|await\s|assert\s|del\s"
    r"|(?:if|elif|for|while|with|except|match|case)\b.*:\s*(?:#.*)?\Z|(?:try|else|finally)\s*:"
    r"|[A-Za-z_][\w.]*(?:\[[^\]]{0,40}\])?\s*(?:[-+*/|&]|//|\*\*)?=(?!=)|>>>|\.\.\.\s|\#!|\$\s)"
)
"""A line of Python code or of a terminal session."""
_LINE = 160
"""Number of characters of a line that are examined."""
_QUOTED = frozenset(" \t\r\n\"'`<([{=/\\|#-$>\u00ab\u201c\u2018")
"""After one of these, a mark is quoted and not a call."""
_RUNS = frozenset("`~\"'")


class Prose(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Context of an offset: the text before it."""

    line: str = ""
    """The current line so far, truncated to `_LINE` characters."""
    last: str = ""
    """The two preceding characters."""
    indent: int = 0
    """Indentation of the line so far; -1 after other characters."""
    run: str = ""
    """Quotes or backticks at the end, which may continue."""
    fence: str = ""
    """The marks that opened the current code fence."""
    inline: bool = False
    """Whether the fence was opened in this line, after other text."""
    ticks: bool = False
    """Whether the offset is in code between single backticks."""
    docstring: str = ""
    """The quotes that opened the current triple-quoted text."""
    code: bool = False
    """Whether the paragraph has a line of code."""

    def can_start(self, position: MarkPosition) -> bool:
        """Return whether a call with this start position may begin here."""
        if self.run:
            return _with_run(msgspec.structs.replace(self, run=""), self.run).can_start(position)
        if self.fence or self.ticks:
            return False
        if position == "column":
            return self.indent == 0 and not self.code and not self.docstring
        if self.indent >= 0:
            return True
        return position == "mark" and (self.last == "|>" or self.last[-1:] not in _QUOTED)

    def advance_opaque(self, text: str, start: int, end: int) -> Prose:
        """Advance over text without interpreting fences and quotes."""
        if start >= end:
            return self
        line_start = text.rfind("\n", start, end) + 1
        continued = Prose() if line_start else Prose(line=self.line, indent=self.indent)
        last = (self.last + text[max(start, end - 2) : end])[-2:]
        state = msgspec.structs.replace(continued, last=last, fence=self.fence, docstring=self.docstring)
        return _with_text(state, text, max(start, line_start), end)

    def advance_call(self) -> Prose:
        """Advance over a call, after which another may follow as at the start of a line."""
        return Prose(docstring=self.docstring)

    def advance(self, text: str, start: int = 0, end: int | None = None) -> Prose:
        """Advance over text."""
        end = len(text) if end is None else end
        if start >= end:
            return self
        state, at = self, start
        if self.run:
            while at < end and text[at] == self.run[0]:
                at += 1
            run = (self.run + text[start:at])[:_LINE]
            if at == end:
                return msgspec.structs.replace(self, run=run, last=(self.last + text[start:end])[-2:])
            state = _with_run(msgspec.structs.replace(self, run=""), run)
        stop = end
        if text[end - 1] in _RUNS:
            while stop > at and text[stop - 1] == text[end - 1]:
                stop -= 1
        while (found := _MARK.search(text, at, stop)) is not None:
            state = _with_text(state, text, at, found.start())
            mark, at = found.group(), found.end()
            state = _with_line_end(state) if mark == "\n" else _with_run(state, mark)
        state = _with_text(state, text, at, stop)
        last = (self.last + text[max(start, end - 2) : end])[-2:]
        return msgspec.structs.replace(state, run=text[stop:end][:_LINE], last=last)


def _with_text(state: Prose, text: str, start: int, end: int) -> Prose:
    """Advance over text of one line without marks."""
    if start >= end:
        return state
    line, indent = state.line, state.indent
    if indent >= 0:
        indent += end - start
        indent = indent if indent <= _LINE and text[start:end].isspace() else -1
    if len(line) < _LINE:
        line += text[start : min(end, start + _LINE - len(line))]
    return msgspec.structs.replace(state, line=line, indent=indent)


def _with_line_end(state: Prose) -> Prose:
    blank = not state.line.strip()
    code = False if blank else state.code or (not state.fence and _CODE.match(state.line) is not None)
    return msgspec.structs.replace(state, line="", indent=0, inline=False, ticks=False, code=code)


def _with_run(state: Prose, run: str) -> Prose:
    """Advance over a complete run of backticks, tildes or quotes."""
    fence, inline, ticks, docstring = state.fence, state.inline, state.ticks, state.docstring
    if run[0] in "\"'":
        if not fence and len(run) >= 3 and (not docstring or docstring[0] == run[0]) and (len(run) // 3) % 2:
            docstring = "" if docstring else run[:3]
    elif fence:
        if fence[0] == run[0] and len(run) >= len(fence) and (inline or state.indent >= 0):
            fence = ""
    elif len(run) >= 3 and (run[0] == "`" or state.indent >= 0):
        fence, inline = run, state.indent < 0
    elif run[0] == "`":
        ticks = ticks != bool(len(run) % 2)
    return msgspec.structs.replace(
        state,
        line=state.line + run[:_LINE] if len(state.line) < _LINE else state.line,
        indent=-1,
        fence=fence,
        inline=inline,
        ticks=ticks,
        docstring=docstring,
    )

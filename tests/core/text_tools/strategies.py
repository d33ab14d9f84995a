"""Texts that mix calls, pieces of calls and prose."""

# ruff: noqa: RUF001  the bars are DeepSeek's

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from victor_fp.core.text_tools import FORMATS, DetectedPiece, Tools, feed, flush, start_detector
from victor_fp.core.text_tools.detector import join_pieces

TOOLS = Tools(
    {
        "search": {"type": "object", "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}}},
        "get-time.v2": {"type": "object", "properties": {}},
    }
)

MARKS = sorted(
    {
        *(opening.text for form in FORMATS for opening in form.openings),
        *(trailer for form in FORMATS for trailer in form.trailers),
        *("</tool_call>", "</function>", "<parameter=query>", "</parameter>", "</function_call>", "<name>", "</name>"),
        *("<arguments>", "</arguments>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", "</tool_code>"),
        *("[END_TOOL_REQUEST]", "<|END_ACTION|>", "[ARGS]", "[CALL_ID]", "<|tool_call_argument_begin|>"),
        *("<|tool_call_end|>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>", ' name="search">', ' name="nope">'),
        *(
            "<｜DSML｜parameter",
            "</｜DSML｜parameter>",
            "</｜DSML｜invoke>",
            "<parameter",
            "</invoke>",
            ' string="false">',
        ),
        *("search>", "get-time.v2>", "nope>", "search", "get-time.v2", "functions.", "nope", ".call", "function"),
        *('{"name": "search", "arguments": {"query": "a"}}', '{"name": "nope", "arguments": {}}', "{'name': 'search',"),
        *('{"query": "a"}', '"name"', '"arguments"', '"tool_calls"', '"function"', '{"name": "search", "arg', "uments"),
        *('search(query="a")', "(query='a', limit=3)", '("""a"""', "get-time.v2()", "print(", "default_api."),
        *("```json\n", "```tool_code\n", "```python\n", "```", "`", "json", "tool_code", "Action: "),
        *(
            "{",
            "}",
            "[",
            "]",
            "(",
            ")",
            ",",
            ";",
            ":",
            '"',
            "'",
            "\\",
            "\n",
            "\n\n",
            " ",
            "x",
            "talk of it",
            "1",
            "true",
        ),
    }
)

_CALLS = [
    '<tool_call>\n{"name": "search", "arguments": {"query": "a"}}\n</tool_call>',
    "<function=search>\n<parameter=query>\na\n</parameter>\n</function>",
    "<tool_call>search\n<arg_key>query</arg_key>\n<arg_value>a</arg_value>\n</tool_call>",
    '[TOOL_CALLS]search[CALL_ID]abcdefghi[ARGS]{"query": "a"}',
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>search<｜tool▁sep｜>{"query": "a"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    '<｜DSML｜invoke name="search"><｜DSML｜parameter name="limit" string="false">3</｜DSML｜parameter></｜DSML｜invoke>',
    '\nAction: ```json\n[{"tool_name": "search", "parameters": {"query": "a"}}]\n```',
    "```tool_code\nprint(search('a'))\n```",
    '\n[search(query="a"), get-time.v2()]\n',
    '{"name": "search", "arguments": {"query": "a"}}',
    '```json\n[{"name": "search", "arguments": "{}"}]\n```',
]


@st.composite
def broken_calls(draw: st.DrawFn) -> str:
    """A call in which something is missing, doubled or put in between."""
    call = draw(st.sampled_from(_CALLS))
    at, length = draw(st.integers(0, len(call))), draw(st.integers(0, 6))
    return call[:at] + draw(st.sampled_from(["", "", *MARKS])) + call[at + length :]


def generate_texts() -> st.SearchStrategy[str]:
    """Anything a model might write, and worse."""
    return st.lists(st.sampled_from(MARKS) | st.sampled_from(_CALLS) | broken_calls(), max_size=7).map("".join)


def cut(text: str, places: Sequence[int]) -> list[str]:
    """The text in pieces."""
    edges = sorted({0, len(text), *(place for place in places if place < len(text))})
    return [text[start:end] for start, end in zip(edges, edges[1:], strict=False)]


def detect_pieces(
    pieces: Sequence[str], tools: Tools = TOOLS, names: Sequence[str] | None = None
) -> list[DetectedPiece]:
    """What is found in a text that comes in these pieces."""
    forms = FORMATS if names is None else [form for form in FORMATS if form.name in names]
    state, out = start_detector(tools, forms), []
    for piece in pieces:
        state, found = feed(state, piece)
        out += found
    return join_pieces([*out, *flush(state)[1]])

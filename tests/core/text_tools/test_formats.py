"""Each textual format, as models write it, with common errors."""

# ruff: noqa: ISC004, RUF001  long examples in a table; the bars are DeepSeek's

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.text_tools.strategies import TOOLS, detect_pieces
from tests.example_counts import scale_examples
from victor_fp.core.json import Json
from victor_fp.core.text_tools import FORMATS, DetectedPiece, Remark, TextCall, TextFormat, find_calls, find_formats
from victor_fp.core.text_tools.detector import join_pieces

A = ("search", {"query": "a"})
B = ("search", {"query": "b"})
NOW: tuple[str, dict[str, Any]] = ("get-time.v2", {})


def parse_calls(text: str, name: str = "any") -> list[tuple[str, Any] | str]:
    """Calls as pairs and texts, in order."""
    pieces: list[DetectedPiece] = [
        piece for piece in find_calls(text, TOOLS, find_formats(name)) if not isinstance(piece, Remark)
    ]
    found = join_pieces(pieces)
    return [(piece.name, piece.arguments) if isinstance(piece, TextCall) else str(piece) for piece in found]


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("json", '{"name": "search", "arguments": {"query": "a"}}', [A]),
        ("json", '{"name": "search", "parameters": {"query": "a"}}; {"name": "search", "args": {"query": "b"}}', [A, B]),
        ("json", '[{"name": "search", "arguments": {"query": "a"}}, {"name": "get-time.v2", "arguments": {}}]', [A, NOW]),
        ("json", '{"type": "function", "function": {"name": "search", "arguments": "{\\"query\\": \\"a\\"}"}}', [A]),
        ("json", '{"tool_calls": [{"id": "1", "function": {"name": "search", "arguments": {"query": "a"}}}]}', [A]),
        ("json", '{"action": "search", "action_input": {"query": "a"}}', [A]),
        ("json", '{"arguments": {"query": "a"}, "name": "search"}', [A]),
        ("json", 'So:\n{"name": "search", "arguments": {"query": "a"}}\nthen.', ["So:\n", A, "\nthen."]),
        ("json", '```json\n{"name": "search", "arguments": {"query": "a"}}\n```\nDone', [A, "\nDone"]),
        ("json", '```\n[{"name": "search", "arguments": {"query": "a"}}]\n```', [A]),
        ("json", '```tool_call\n{"name": "search", "arguments": {"query": "a"}}\n```', [A]),
        ("json", '{"name": "search", "arguments": {"query": "a"}}\n{"name": "search", "arguments": "no json"}',
         [A, ("search", "no json")]),
        ("hermes", '<tool_call>\n{"name": "search", "arguments": {"query": "a"}}\n</tool_call>', [A]),
        ("hermes", '<tool_call>{"name": "search", "arguments": {"query": "</tool_call>"}}</tool_call>',
         [("search", {"query": "</tool_call>"})]),
        ("hermes", '<tool_call>{"name": "search", "arguments": {"query": "a"}}\n{"name": "get-time.v2"}</tool_call>',
         [A, NOW]),
        ("hermes", '<tool_call>{"name": "search", "arguments": {"query": "a"}}', [A]),
        ("hermes", "<tool_call><function=search><parameter=query>a</parameter></function></tool_call>", [A]),
        ("hermes", "<tool_call><name>search</name><arguments>{\"query\": \"a\"}</arguments></tool_call>", [A]),
        ("hermes", "<tool_call>search\n<arg_key>query</arg_key>\n<arg_value>a</arg_value>\n</tool_call>", [A]),
        ("hermes", "<tool_call>get-time.v2</tool_call>", [NOW]),
        ("function_tags", "<function=search>\n<parameter=query>\na\n</parameter>\n</function>", [A]),
        ("function_tags", "<function=search>\n<parameter=query>\n a\nb \n</parameter>\n<parameter=limit>\n3\n</parameter>\n</function>",
         [("search", {"query": " a\nb ", "limit": 3})]),
        ("function_tags", "<function=search>\n<parameter=query>\na\n<parameter=limit>3\n</function>",
         [("search", {"query": "a", "limit": 3})]),
        ("function_tags", "<function=search><parameter=query>a</parameter></tool_call>", [A]),
        ("function_tags", '<function=search>{"query": "a"}</function>', [A]),
        ("function_tags", '<function="get-time.v2"></function>\n</tool_call>\nok', [NOW, "\nok"]),
        ("function_call", '<function_call>{"name": "search", "arguments": {"query": "a"}}</function_call>', [A]),
        ("function_call", '<functioncall> {"name": "search", "arguments": \'{"query": "a"}\'}</functioncall>', [A]),
        ("function_call", "<function_call><name>get-time.v2</name><arguments></arguments></function_call>", [NOW]),
        ("python_tag", '<|python_tag|>{"name": "search", "parameters": {"query": "a"}}<|eom_id|>', [A]),
        ("python_tag", '<|python_tag|>{"name": "search", "parameters": {"query": "a"}}; '
         '{"name": "search", "parameters": {"query": "b"}}', [A, B]),
        ("python_tag", '<|python_tag|>search.call(query="a")', [A]),
        ("python_tag", '<|python_tag|>[search("a"), get-time.v2()]', [A, NOW]),
        ("mistral", '[TOOL_CALLS] [{"name": "search", "arguments": {"query": "a"}, "id": "abcdefghi"}]</s>', [A]),
        ("mistral", '[TOOL_CALLS]search{"query": "a"}[TOOL_CALLS]get-time.v2{}', [A, NOW]),
        ("mistral", '[TOOL_CALLS]search[ARGS]{"query": "a"}[TOOL_CALLS]search[CALL_ID]abcdefghi[ARGS]{"query": "b"}', [A, B]),
        ("lm_studio", '[TOOL_REQUEST]\n{"name": "search", "arguments": {"query": "a"}}\n[END_TOOL_REQUEST]', [A]),
        ("deepseek", "x<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>search\n"
         '```json\n{"query": "a"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>search\n'
         '```json\n{"query": "b"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>', ["x", A, B]),
        ("deepseek", '<|tool▁calls▁begin|><|tool▁call▁begin|>search<|tool▁sep|>{"query": "a"}<|tool▁call▁end|>'
         '<|tool▁calls▁end|>', [A]),
        ("deepseek", '<｜tool_call_begin｜>get-time.v2<｜tool_sep｜>{}<｜tool_call_end｜>', [NOW]),
        ("kimi", '<|tool_calls_section_begin|><|tool_call_begin|>functions.search:0<|tool_call_argument_begin|>'
         '{"query": "a"}<|tool_call_end|><|tool_calls_section_end|>', [A]),
        ("dsml", '<｜DSML｜function_calls>\n<｜DSML｜invoke name="search">\n<｜DSML｜parameter name="query" string="true">a'
         '</｜DSML｜parameter>\n<｜DSML｜parameter name="limit" string="false">3</｜DSML｜parameter>\n</｜DSML｜invoke>\n'
         "</｜DSML｜function_calls>", [("search", {"query": "a", "limit": 3})]),
        ("dsml", '<|DSML|tool_calls><|DSML|invoke name="search">{"query": "a"}</|DSML|invoke>'
         '<|DSML|invoke name="get-time.v2"></|DSML|invoke></|DSML|tool_calls>.', [A, NOW, "."]),
        ("invoke", '<function_calls><invoke name="search"><parameter name="query">a</parameter></invoke></function_calls>',
         [A]),
        ("command_r", 'Plan: look\nAction: ```json\n[{"tool_name": "search", "parameters": {"query": "a"}}]\n```',
         ["Plan: look\n", A]),
        ("command_r", '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "search", "parameters": {"query": "a"}}]'
         "<|END_ACTION|>", [A]),
        ("granite", '<|tool_call|>[{"name": "search", "arguments": {"query": "a"}}]<|end_of_text|>', [A]),
        ("granite", '<|tool_call|>[{"type": "function", "function": {"name": "search", "arguments": {"query": "a"}}}]'
         "<|/tool_call|>", [A]),
        ("granite", 'functools[{"name": "search", "arguments": {"query": "a"}}]', [A]),
        ("harmony", '<|channel|>commentary to=functions.search <|constrain|>json<|message|>{"query": "a"}<|call|>', [A]),
        ("harmony", '<|start|>assistant to=functions.search<|channel|>commentary json<|message|>{"query": "a"}<|call|>', [A]),
        ("harmony", '<|channel|>analysis<|message|>I look.<|end|><|start|>assistant<|channel|>commentary '
         'to=functions.get-time.v2 <|constrain|>json<|message|>{}<|call|>',
         ["<|channel|>analysis<|message|>I look.<|end|>", NOW]),
        ("lfm2", '<|tool_call_start|>[search(query="a"), get-time.v2()]<|tool_call_end|>I look.', [A, NOW, "I look."]),
        ("lfm2", '<|tool_call_start|>[{"name": "search", "arguments": {"query": "a"}}]<|tool_call_end|>', [A]),
        ("function_gemma", "<start_function_call>call:search{limit:3,query:<escape>a, b}<escape>}<end_function_call>",
         [("search", {"limit": 3, "query": "a, b}"})]),
        ("function_gemma", "<start_function_call>call:get-time.v2{}<end_function_call><start_function_response>", [NOW]),
        ("python_tag", '<|python_start|>[search(query="a")]<|python_end|>', [A]),
        ("tool_code", "```tool_code\nprint(default_api.search(query='a'))\nget-time.v2()\n```", [A, NOW]),
        ("tool_code", "<tool_code>search('a')</tool_code>", [A]),
        ("python", '[search(query="a"), get-time.v2()]', [A, NOW]),
        ("python", 'I look:\nsearch("a")\n\nprint(search(query="b"))', ["I look:\n", A, B]),
        ("python", "search(query='''a''', limit=-3)", [("search", {"query": "a", "limit": -3})]),
    ],
)  # fmt: skip
def test_calls_are_found_as_models_write_them(name: str, text: str, found: list[Any]) -> None:
    assert parse_calls(text, name) == found
    assert parse_calls(text) == found


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "nobody", "arguments": {"query": "a"}}',
        '{"name": "search"}',
        '{"name": "search", "arguments": {}, "color": "red"}',
        '{"name": "search", "description": "Finds", "parameters": {"type": "object"}}',
        '{"results": [{"name": "search", "arguments": {"query": "a"}}]}',
        '{"quoted": "{\\"name\\": \\"search\\", \\"arguments\\": {}}"}',
        '[{"name": "search", "arguments": {}}, {"name": "nobody", "arguments": {}}]',
        '```python\nsearch(query="a")\n{"name": "search", "arguments": {}}\n```',
        'Write `{"name": "search", "arguments": {}}` for that.',
        "Use search(query='a') to look.",
        "search(query=open('x').read())",
        "search(query=a)",
        "search(*['a'])",
        "search('a', 1, 2)",
        'search("a", query="b")',
        "```tool_code\nimport os\nsearch('a')\n```",
        "<|python_tag|>import math\nprint(math.pi)",
        "The tag <tool_call> opens a call, </tool_call> ends it.",
        "<tool_call>nobody<arg_key>query</arg_key><arg_value>a</arg_value></tool_call>",
        "<function=search>talk",
        "<function=nobody><parameter=content><function=search></function></parameter></function>",
        '<invoke name="search"><parameter>a</parameter></invoke>',
        '<｜DSML｜invoke name="search"><｜DSML｜parameter name="limit" string="false">3,</｜DSML｜parameter></｜DSML｜invoke>',
        '[TOOL_CALLS]search[CALL_ID]abc{"query": "a"}',
        "[TOOL_REQUEST]soon[END_TOOL_REQUEST]",
        "Action: I search.",
        "A list [1, 2] and [a link](https://example.com), {braces} and a [ ] box",
        "<|channel|>final<|message|>It is sunny.<|return|>",
        "<|channel|>commentary to=functions.search <|message|>{1}<|call|>",
        "<start_function_call>call:search{limit:<end_function_call>",
        "functools is a module",
        "<|tool_call|> is a token",
        "",
        " \n ",
    ],
)
def test_text_that_is_not_a_call_is_unchanged(text: str) -> None:
    assert parse_calls(text) == ([text] if text else [])


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ('<tool_call>{"name": "search", "arguments": {"query": "a', Remark(format="hermes", reason="truncated", name="search")),
        ('{"name": "search", "arguments": {"query": ', Remark(format="json", reason="truncated", name="search")),
        ("<function=search><parameter=query>a", Remark(format="function_tags", reason="truncated", name="search")),
        ('search(query="a', Remark(format="python", reason="truncated", name="search")),
        ("<function=rm></function>", Remark(format="function_tags", reason="no call of a known tool")),
        ('<tool_call>{"name": "search", "arguments": [1 2]}</tool_call>', Remark(format="hermes", reason="no call of a known tool")),
        ('[TOOL_REQUEST]{"name": "search", "arguments": {1}}[END_TOOL_REQUEST]', Remark(format="lm_studio", reason="a key cannot begin with '1}}'")),
    ],
)  # fmt: skip
def test_malformed_calls_are_reported_and_stay_text(text: str, remark: Remark) -> None:
    pieces = find_calls(text, TOOLS, FORMATS)
    assert remark in pieces
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == text


HERMES = '<tool_call>{"name": "search", "arguments": {"query": "a"}}</tool_call>'
MARKED = [
    HERMES,
    "<function=search><parameter=query>a</parameter></function>",
    '[TOOL_CALLS]search{"query": "a"}',
    '<|python_tag|>{"name": "search", "parameters": {"query": "a"}}',
    '<|channel|>commentary to=functions.search<|message|>{"query": "a"}<|call|>',
    '{"name": "search", "arguments": {"query": "a"}}',
    'search(query="a")',
]


@pytest.mark.parametrize("call", MARKED)
@pytest.mark.parametrize(
    "quote",
    [
        "The page contains:\n```html\n{}\n```\nDo not run it.",
        "The page contains: ```html\n{}\n```\nDo not run it.",
        "~~~\n{}\n~~~",
        "````\n```\n{}\n```\n````",
        "```\nan open fence\n{}",
        "It says `{}` there.",
        "`{}` is what it says.",
        "> {}",
        "The log reads {} on line 3.",
        '"{}" is a call.',
        "x = {}",
        "(see {})",
        "<p>{}</p>",
        "1. {}",
    ],
)
def test_quoted_calls_are_not_calls(call: str, quote: str) -> None:
    text = quote.replace("{}", call)
    assert parse_calls(text) == [text]
    for pieces in (list(text), [text[at : at + 3] for at in range(0, len(text), 3)]):
        assert not any(isinstance(piece, TextCall) for piece in detect_pieces(pieces))


@pytest.mark.parametrize(
    "text",
    [
        'You could write\n\nif not keep:\n    search(query="/data")\nelse:\n    pass\n',
        'def f():\n    """\n    search(query="/data")\n    """\n',
        '"""\nsearch(query="/data")\n"""\n',
        'import os\nsearch(query="/data")\n',
        'found = 3\nsearch(query="/data")\n',
        '>>> search(query="/data")\n',
        'with open("x") as f:\n    x()\nsearch(query="/data")\n',
    ],
)
def test_a_function_call_in_code_is_not_a_tool_call(text: str) -> None:
    assert parse_calls(text) == [text]
    assert detect_pieces(list(text)) == [text]


def test_a_call_after_code_and_a_blank_line_is_a_call() -> None:
    assert parse_calls('```python\nx = 1\n```\n\nsearch(query="a")\n') == ["```python\nx = 1\n```\n\n", A]


@pytest.mark.parametrize("call", MARKED[:5])
def test_markers_directly_after_a_word_are_not_quotes(call: str) -> None:
    assert parse_calls(f"Let me look.{call}") == ["Let me look.", A]


def test_text_inside_a_rejected_call_is_not_a_call() -> None:
    inner = '<tool_call>{"name": "search", "arguments": {}}</tool_call>'
    for outer in (
        f"<function=nobody><parameter=content>{inner}</parameter></function>",
        f'<tool_call>{{"name": "nobody", "arguments": {{"content": "x"}}}} {inner}',
        f'<invoke name="nobody"><parameter name="content">{inner}</parameter></invoke>',
        f"<function=search><parameter=query>{inner}",
        f'{{"story": 1, "text": "{inner}',
    ):
        assert not any(isinstance(piece, TextCall) for piece in detect_pieces([outer])), outer


def test_a_selected_format_leaves_calls_in_other_formats_as_text() -> None:
    text = '<tool_call>{"name": "search", "arguments": {"query": "a"}}</tool_call>'
    assert parse_calls(text, "mistral") == [text]
    assert parse_calls(text, "mistral, hermes") == [A]


def test_formats_are_called_by_name() -> None:
    assert find_formats("any") == FORMATS
    assert [form.name for form in find_formats("json,hermes")] == ["json", "hermes"]
    assert find_formats("json,nonsense") == ()
    assert len({form.name for form in FORMATS}) == len(FORMATS)


WRITABLE = st.text(st.characters(codec="utf-8", exclude_characters="<>\r\x00"), max_size=12)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: str(form.name))
@settings(max_examples=scale_examples(40), deadline=None)
@given(query=WRITABLE, limit=st.none() | st.integers(-99, 99), before=st.sampled_from(["", "I look.\n"]))
def test_each_format_parses_what_it_renders(form: TextFormat, query: str, limit: int | None, before: str) -> None:
    arguments: dict[str, Json] = {"query": query}
    if limit is not None:
        arguments["limit"] = limit
    pieces = find_calls(before + form.write("search", arguments), TOOLS, [form])
    call = TextCall(name="search", arguments=arguments, format=form.name)
    assert pieces == ([before] if before else []) + [call]

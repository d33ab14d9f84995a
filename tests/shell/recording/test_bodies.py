"""Bodies in recordings: any bytes round-trip exactly."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_fp.shell.recording.bodies import render_body, restore_body

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b"", {}),
        (b'{"a":[1,2.5,null,"x"]}', {"json": {"a": [1, 2.5, None, "x"]}}),
        (b'{"a": 1}', {"json": {"a": 1}, "layout": "spaced"}),
        (b'{\n  "a": 1\n}', {"json": {"a": 1}, "layout": "indented"}),
        (b'{"a":"\\u00e9"}', {"json": {"a": "é"}, "layout": "compact-ascii"}),
        (b'{"a":1,"a":2}', {"text": '{"a":1,"a":2}'}),
        (b'{"a":1e2}', {"text": '{"a":1e2}'}),
        (b'{"a":"\\ud800"}', {"text": '{"a":"\\ud800"}'}),
        (b"data: 1\n\n", {"text": "data: 1\n\n"}),
        (b"\xff\x00", {"base64": "/wA="}),
    ],
)
def test_bodies_are_kept_in_the_most_readable_form_that_is_exact(data: bytes, form: object) -> None:
    assert render_body(data) == form
    assert restore_body(render_body(data)) == data


@given(st.binary(max_size=200))
def test_any_bytes_round_trip(data: bytes) -> None:
    assert restore_body(render_body(data)) == data


@given(VALUES, st.sampled_from([None, 2]), st.booleans())
def test_any_json_round_trips(value: object, indent: int | None, ascii_only: bool) -> None:
    data = json.dumps({"v": value}, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert restore_body(render_body(data)) == data


@pytest.mark.parametrize("form", [{"json": 1, "layout": "strange"}, {"other": 1}, {"text": 1}])
def test_other_forms_are_refused(form: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"layout|a body requires"):
        restore_body(form)

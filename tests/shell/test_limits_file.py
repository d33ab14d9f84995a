"""The user's file of limits: written as a whole, read strictly, and ignored by calls where it is damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from returns.result import Failure, Success

from tests.acme import HI
from tests.example_counts import scale_examples
from tests.loopback import Received, Talk, serving
from tests.openai_shapes import build_body
from victor_fp.core.catalogue.spec import ModelLimit
from victor_fp.core.models.limits import LimitTable
from victor_fp.core.result import outcome
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.limits_file import FileInvalid, find_limits_file, load_limits, read_limits, write_limits

LIMITS: LimitTable = {
    "groq": (ModelLimit(pattern="m-*", context_window=131_072, max_output=8_192, source="list", date="2026-11-20"),),
    "acme": (ModelLimit(pattern="m", context_window=1),),
}


def store_limits(tmp_path: Path, text: str | bytes) -> dict[str, str]:
    (tmp_path / "limits.json").write_bytes(text.encode() if isinstance(text, str) else text)
    return {"VICTOR_FP_CONFIG_DIR": str(tmp_path)}


def test_written_limits_are_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "limits.json"
    assert isinstance(outcome(write_limits(path, LIMITS)), Success)
    assert outcome(read_limits(path)) == Success(LIMITS)
    assert [entry.name for entry in path.parent.iterdir()] == ["limits.json"]
    assert load_limits({"VICTOR_FP_CONFIG_DIR": str(path.parent)}) == LIMITS


_TEXT = st.text(max_size=20)
_LIMITS = st.builds(
    ModelLimit,
    pattern=st.text(min_size=1, max_size=20),
    context_window=st.integers(1, 10**7),
    max_output=st.none() | st.integers(1, 10**6),
    source=_TEXT,
    date=_TEXT,
)


@settings(max_examples=scale_examples(50))
@given(limits=st.dictionaries(_TEXT, st.lists(_LIMITS, max_size=3).map(tuple), max_size=3))
def test_limits_file_round_trips(limits: dict[str, Any], tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("limits") / "limits.json"
    assert isinstance(outcome(write_limits(path, limits)), Success)
    assert outcome(read_limits(path)) == Success(limits)


def test_a_missing_file_and_a_missing_home_have_no_limits(tmp_path: Path) -> None:
    assert outcome(read_limits(tmp_path / "none.json")) == Success({})
    assert load_limits({}) == {}
    assert find_limits_file({}) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "truncated"),
        ("{", "truncated"),
        ("[]", "object"),
        (b"\xff\xfe", "malformed"),
        ('{"groq": [{"pattern": "m", "context_window": "many"}]}', "int"),
        ('{"groq": [{"pattern": "m", "context_window": 0}]}', ">= 1"),
        ('{"groq": [{"pattern": "m", "context_window": 1e400}]}', ""),
        ('{"groq": [{"pattern": "", "context_window": 1}]}', "length"),
        ('{"groq": [{"pattern": "m", "context_window": 1, "colour": "red"}]}', "colour"),
        ('{"groq": ' + "[" * 100_000, ""),
        ('"\\ud800"', ""),
    ],
)
def test_a_damaged_file_is_a_failure_that_names_it_and_counts_as_absent_for_calls(
    tmp_path: Path, text: str | bytes, reason: str
) -> None:
    environment = store_limits(tmp_path, text)
    match outcome(read_limits(tmp_path / "limits.json")):
        case Failure(FileInvalid(found, location)):
            assert reason in found
            assert location == str(tmp_path / "limits.json")
        case Success(_):
            raise AssertionError("it was read")
    assert load_limits(environment) == {}


def test_a_file_that_is_too_large_or_a_directory_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("victor_fp.shell.limits_file.MAX_BYTES", 10)
    store_limits(tmp_path, '{"groq": [], "acme": []}')
    assert "larger than 10 bytes" in read_limits(tmp_path / "limits.json").failure().reason
    assert read_limits(tmp_path).failure().location == str(tmp_path)


def test_a_file_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be written" in write_limits(tmp_path / "file" / "limits.json", LIMITS).failure().reason


async def test_stored_limits_count_for_providers_and_damage_changes_no_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer_request(talk: Talk, received: Received) -> None:
        if received.method == "GET":
            await talk.answer({}, status=404)
        else:
            await talk.answer(build_body("Hello!"))

    monkeypatch.setenv("VICTOR_FP_CONFIG_DIR", str(tmp_path))
    async with serving(answer_request) as server:
        async with ProviderRegistry.create("groq", api_key="k", base_url=f"{server.url}/v1") as provider:
            before = await provider.discover_capabilities("m-new")
            write_limits(tmp_path / "limits.json", LIMITS)
            after = await provider.discover_capabilities("m-new")
            store_limits(tmp_path, "{")
            damaged = await provider.discover_capabilities("m-new")
            answer = await provider.chat(HI, model="m-new")
    assert (after.context_window, after.max_output_tokens) == (131_072, 8_192)
    assert damaged == before
    assert answer.content == "Hello!"

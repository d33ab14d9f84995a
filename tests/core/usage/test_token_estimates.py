"""Token estimates of calls."""

from __future__ import annotations

from victor_fp.core.types import ImagePart, Message, TextPart, ToolDefinition
from victor_fp.core.usage.token_estimates import ANSWER, ATTACHMENT, MESSAGE, estimate_tokens


def test_text_counts_by_its_length_and_the_answer_by_its_bound() -> None:
    assert estimate_tokens([Message(role="user", content="x" * 400)], max_tokens=50) == MESSAGE + 100 + 50


def test_an_answer_without_a_chosen_bound_counts_as_a_usual_one() -> None:
    assert estimate_tokens([Message(role="user", content="")]) == MESSAGE + ANSWER


def test_attachments_tools_and_calls_count() -> None:
    image = Message(role="user", content=[TextPart(text="abcd"), ImagePart(url="http://x.test/y.png")])
    assert estimate_tokens([image], max_tokens=0) == MESSAGE + 1 + ATTACHMENT
    tool = ToolDefinition(name="weather", description="tells", parameters={})
    assert estimate_tokens([], [tool], max_tokens=0) == 4
    call = Message(role="assistant", tool_calls=[{"id": "a", "name": "f", "arguments": {"city": "Oslo"}}])
    assert estimate_tokens([call], max_tokens=0) > MESSAGE

"""Tests of integrations run in a session of their own, where the other libraries are installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.loopback import Loopback, serve_in_thread

collect_ignore = [
    *(
        ["test_langchain.py", "test_langchain_standard.py", "test_langchain_embeddings.py", "test_pages.py"]
        if find_spec("langchain_tests") is None
        else []
    ),
    *(["test_vcrpy.py"] if find_spec("vcr") is None else []),
    *(["test_pydantic_ai.py"] if find_spec("pydantic_ai") is None else []),
]


@pytest.fixture(scope="session")
def server() -> Iterator[Loopback]:
    """A vendor of OpenAI's format that does what simple prompts ask."""
    from tests.integrations.scripted_model import answer_over_http

    with serve_in_thread() as start:
        yield start(answer_over_http)

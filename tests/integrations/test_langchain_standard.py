"""LangChain's standard suites, over a plain provider, a managed one, and a provider class of the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from tests.integrations.scripted_model import answer_call
from tests.loopback import Loopback
from victor_fp.integrations.langchain import ChatVictor
from victor_fp.sync import create_managed
from victor_fp.testing import ScriptedProvider

pytestmark = pytest.mark.filterwarnings("ignore")  # the suites' own, and those of old pydantic models in them


class Unit(ChatModelUnitTests):
    """What needs no server."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatVictor

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "openai/m-1"}


class TestUnit(Unit):
    """By the model's name."""

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"OPENAI_API_KEY": "k"}, {"model": "openai/m-1"}, {"model_name": "openai/m-1"}


class Integration(ChatModelIntegrationTests):
    """What needs a model."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatVictor

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str | None:
        return "m-2"

    @pytest.fixture(autouse=True)
    def _server(self, server: Loopback) -> None:
        self.url = f"{server.url}/v1"


class TestPlain(Integration):
    """Over HTTP."""

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "openai/m-1", "api_key": "k", "base_url": self.url}

    @property
    def supported_usage_metadata_details(self) -> dict[Literal["invoke", "stream"], list[Any]]:
        return {"invoke": ["cache_read_input", "reasoning_output"], "stream": ["cache_read_input", "reasoning_output"]}

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> Any:
        return self._invoke(stream=stream)

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> Any:
        return self._invoke(stream=stream)

    def _invoke(self, *, stream: bool) -> Any:
        model = ChatVictor(**self.chat_model_params)
        if not stream:
            return model.invoke("Hello")
        first, *rest = model.stream("Hello")
        whole = first
        for one in rest:
            whole += one
        return whole


class TestByItsOwnJson(TestPlain):
    """Structured output by the vendor's own mechanism."""

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {"method": "json_schema"}


class TestManaged(Integration):
    """With everything on that a managed provider has."""

    @pytest.fixture(autouse=True)
    def _managed(self, server: Loopback) -> Iterator[None]:
        with create_managed("openai/m-1", api_key="k", base_url=f"{server.url}/v1") as self.managed:
            yield

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"provider": self.managed}


class TestOwnClass(Integration):
    """A provider class that a program brings."""

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"provider": ScriptedProvider(answer_call), "model": "m-1"}

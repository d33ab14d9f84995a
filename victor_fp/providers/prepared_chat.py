"""Chats of a provider that differ only in their messages: their model, tools and options are validated once."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

from msgspec.structs import replace
from returns.result import Result, Success

from victor_fp.core.faults import Fault
from victor_fp.core.result import outcome
from victor_fp.core.types import (
    DEFAULT_MAX_TOKENS,
    DEFAULT_TEMPERATURE,
    CompletionResponse,
    Message,
    ToolDefinition,
)
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.calls import build_chat_spec, complete
from victor_fp.providers.provider_backend import find_engine_pool


class PreparedChat:
    """`chat_result` of a provider with fixed keywords. A provider whose methods are overridden is called by them."""

    def __init__(
        self, provider: BaseProvider, model: str, tools: tuple[ToolDefinition, ...], options: Mapping[str, Any]
    ) -> None:
        self._model = model
        self._tools = tools
        self._options = options
        self._provider = provider
        # `priority` is a keyword of managed providers, and for others an option of the vendor.
        self._pool = pool = None if "priority" in options else find_engine_pool(provider)
        if pool is None:
            return
        keywords = {"temperature": DEFAULT_TEMPERATURE, "max_tokens": DEFAULT_MAX_TOKENS}
        named = {name: options.get(name, default) for name, default in keywords.items()}
        self._spec = build_chat_spec(
            pool.plan[0].provider,
            (),
            {name: value for name, value in options.items() if name not in named},
            model=model,
            tools=tools or None,
            stream=False,
            **named,
        )

    def has_keywords(self, model: str, tools: tuple[ToolDefinition, ...], options: Mapping[str, Any]) -> bool:
        """Return whether these are its keywords: the same objects, since to compare values costs more than to prepare."""
        return options is self._options and tools is self._tools and model == self._model

    def __call__(self, messages: tuple[Message, ...]) -> Awaitable[Result[CompletionResponse, Fault]]:
        """Complete a chat."""
        if self._pool is None:
            keywords: Mapping[str, Any] = self._options
            return self._provider.chat_result(messages, model=self._model, tools=self._tools or None, **keywords)
        match outcome(self._spec):
            case Success(spec):
                return complete(self._pool, Success(replace(spec, messages=messages)))
            case refused:
                return complete(self._pool, refused)

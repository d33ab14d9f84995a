"""The batch APIs of vendors, one module for each family, as pure functions bound to one endpoint.

A submission, and the reading of results, may take several exchanges: each is a step whose reader gives the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, assert_never

import msgspec
from returns.result import Failure, Result

from victor_fp.core.batching.types import BatchHandle, BatchItem, BatchStatus, ItemResult
from victor_fp.core.catalogue.batches import find_batch_support
from victor_fp.core.dialects.batches import (
    AnthropicBatches,
    BatchSupport,
    GeminiBatches,
    MistralBatches,
    OpenAIBatches,
    OpenRouterBatches,
    XAIBatches,
)
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.protocols import Codec
from victor_fp.core.requests import Endpoint, HttpRequest


class SubmitStep(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange of a submission, and how its response is read: the next exchange, or the handle."""

    request: HttpRequest
    read: Callable[[bytes], Result[SubmitStep | BatchHandle, Fault]]
    creates: bool = False
    """Whether it creates the batch: repeated after a failure that leaves its end open, it could create a second one."""


class ResultPage(msgspec.Struct, frozen=True):
    """Results that came together, and where further ones are."""

    items: tuple[ItemResult, ...]
    following: ResultStep | None = None


class ResultStep(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange that brings results."""

    request: HttpRequest
    read: Callable[[bytes], Result[ResultPage, Fault]]
    """Reads the whole body; or, where it is a stream of lines, some whole lines of it."""
    is_lines: bool = False
    following: ResultStep | None = None
    """After the last line."""


StatusPage: TypeAlias = tuple[tuple[BatchStatus, ...], str | None]
"""Some batches, and the cursor of the next page."""


class BatchCodec(msgspec.Struct, frozen=True, kw_only=True):
    """One vendor's batch API, bound to one endpoint."""

    support: BatchSupport
    stores_token: bool = False
    """Whether the vendor keeps our mark with a batch, so that one can be found whose handle was lost."""
    codec: Codec
    """Builds the requests of items and reads their answers."""
    encode_item: Callable[[str, str, HttpRequest], BatchItem]
    """From key, model and the request of a live call to the item of a batch."""
    submit: Callable[[Sequence[BatchItem], str], SubmitStep]
    """From items and our own mark to the first exchange."""
    status: Callable[[BatchHandle], HttpRequest]
    read_status: Callable[[BatchHandle, bytes], Result[BatchStatus, Fault]]
    results: Callable[[BatchStatus], ResultStep | None]
    """None where there are none."""
    cancel: Callable[[BatchHandle], HttpRequest]
    list_page: Callable[[str | None], HttpRequest]
    """From a cursor to the request for some batches, newest first."""
    read_list: Callable[[bytes], Result[StatusPage, Fault]]


def build_batch_codec(endpoint: Endpoint) -> Result[BatchCodec, Fault]:
    """The batch API of an endpoint; InvalidRequest where it has none."""
    support = find_batch_support(endpoint.spec)
    if support is None:
        message = f"{endpoint.spec.title} has no batch API that is known here"
        return Failure(InvalidRequest(provider=endpoint.spec.name, message=message))
    dialect = support.dialect
    match dialect:
        case OpenAIBatches():
            from victor_fp.core.protocols.batches import openai

            return openai.bind_batch_codec(endpoint, support, dialect)
        case AnthropicBatches():
            from victor_fp.core.protocols.batches import anthropic

            return anthropic.bind_batch_codec(endpoint, support)
        case GeminiBatches():
            from victor_fp.core.protocols.batches import gemini

            return gemini.bind_batch_codec(endpoint, support)
        case MistralBatches():
            from victor_fp.core.protocols.batches import mistral

            return mistral.bind_batch_codec(endpoint, support)
        case XAIBatches():
            from victor_fp.core.protocols.batches import xai

            return xai.bind_batch_codec(endpoint, support, dialect)
        case OpenRouterBatches():
            from victor_fp.core.protocols.batches import openrouter

            return openrouter.bind_batch_codec(endpoint, support)
        case _:
            assert_never(dialect)

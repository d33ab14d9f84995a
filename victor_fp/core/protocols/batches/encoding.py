"""Encoding of rows as batch items, with the request of a live call."""

from __future__ import annotations

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.batching.types import BatchItem, ItemContext
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.jobs.rows import CheckedRow
from victor_fp.core.protocols.batches.codec import BatchCodec
from victor_fp.core.request_building.inputs import build_chat_request
from victor_fp.core.requests import Adjustment, Endpoint, HttpRequest, resolve_unsupported
from victor_fp.core.result import outcome
from victor_fp.core.types import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from victor_fp.core.usage.token_estimates import ANSWER, estimate_tokens

LIVE_ONLY = frozenset({"timeout", "deadline", "max_retries", "priority"})
"""Options of a call that do not affect its request."""
STREAMING = ("stream", "stream_options")
"""Options of streams, which vendors do not accept in batches."""
HEADERS = Adjustment(parameter="extra_headers", reason="requests of a batch have no headers of their own")


def encode_row(batch: BatchCodec, endpoint: Endpoint, row: CheckedRow) -> Result[BatchItem, Fault]:
    """Encode a row as an item, or return the fault."""
    provider = endpoint.spec.name
    options = {name: value for name, value in row.options.items() if name not in LIVE_ONLY}
    temperature, max_tokens = (
        options.pop("temperature", DEFAULT_TEMPERATURE),
        options.pop("max_tokens", DEFAULT_MAX_TOKENS),
    )
    lost = [
        Adjustment(parameter=name, reason="results of batches are not streamed")
        for name in STREAMING
        if options.pop(name, None)
    ]
    built = build_chat_request(
        provider,
        row.messages,
        model=row.model,
        temperature=temperature,
        max_tokens=max_tokens,
        tools=row.tools,
        options=options,
    )
    match outcome(built):
        case Failure(fault):
            return Failure(fault)
        case Success(chat):
            pass
    if chat.text_tools:
        message = "textual tool calls are not supported in batches"
        return Failure(InvalidRequest(provider=provider, model=row.model, message=message))
    codec = batch.codec.for_model(row.model)
    if codec is not batch.codec:
        message = f"model {row.model!r} is served by another protocol, which the batch API does not support"
        return Failure(InvalidRequest(provider=provider, model=row.model, message=message))
    answer = ANSWER if chat.max_tokens is None else chat.max_tokens
    if chat.options.extra_headers:
        lost = [*lost, HEADERS]
    return resolve_unsupported(endpoint, chat, lost).bind(
        lambda adjustments: codec.request(chat).map(
            lambda request: _encode_request(batch, row, request, adjustments, answer)
        )
    )


def _encode_request(
    batch: BatchCodec, row: CheckedRow, request: HttpRequest, adjustments: tuple[Adjustment, ...], answer: int
) -> BatchItem:
    item = batch.encode_item(row.key, row.model, request)
    context = ItemContext(
        model=row.model,
        tool_names=request.tool_names,
        required_call=request.required_call,
        adjustments=(*request.adjustments, *adjustments),
    )
    prompt = estimate_tokens(row.messages, row.tools, 0)
    return msgspec.structs.replace(item, context=context, prompt_tokens=prompt, answer_tokens=answer)

"""Lists of models: one operation for each page, up to a limit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.faults import Fault
from victor_fp.core.protocols import Codec
from victor_fp.core.requests import Endpoint, HttpRequest, find_missing_setting
from victor_fp.core.responses.completions import ResponseContext
from victor_fp.core.result import outcome
from victor_fp.shell.engine.backend import Kind, KnownResult, PreparedExchange
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.operation import Operation
from victor_fp.shell.engine.target import TargetPool

MAX_PAGES = 20
"""Maximum number of pages; vendors list up to a thousand models on each."""


class ModelPage(msgspec.Struct, frozen=True):
    """One page of a list of models."""

    models: tuple[ModelInfo, ...] = ()
    next_request: HttpRequest | None = None
    """Request for the next page; None if this is the last."""


def build_model_page_kind(request: HttpRequest | None = None) -> Kind[ModelPage]:
    """Return the kind for one page of a list of models: the first page, or that of `request`."""
    compile_page = partial(_compile_model_page, request)
    return Kind(name="models", compile=compile_page, operation="list_models", uses_breaker=False)


def _compile_model_page(
    request: HttpRequest | None,
    codec: Codec,
    endpoint: Endpoint,
    spec: CallSpec,  # noqa: ARG001  every kind is compiled from the same arguments
    model: str,  # noqa: ARG001
    options: Mapping[str, Any],  # noqa: ARG001
) -> Result[PreparedExchange[ModelPage] | KnownResult[ModelPage], Fault]:
    if (missing := find_missing_setting(endpoint)) is not None:
        return Failure(missing)
    discovery = codec.discovery
    if discovery is None:
        return Success(KnownResult(ModelPage()))

    def read(body: bytes) -> Result[ModelPage, Fault]:
        following = None if discovery.next_page is None else discovery.next_page(body)
        return Success(ModelPage(tuple(discovery.read_list(body)), following))

    requested = discovery.list_request() if request is None else request
    context = ResponseContext(endpoint=endpoint, url=requested.url)
    return Success(PreparedExchange(request=requested, codec=codec, context=context, read=read))


async def list_models(pool: TargetPool, spec: CallSpec) -> Result[list[ModelInfo], Fault]:
    """Return the models of all pages without duplicates; a repeated page ends the list."""
    models: dict[str, ModelInfo] = {}
    requested: set[str] = set()
    request: HttpRequest | None = None
    for _ in range(MAX_PAGES):
        match outcome(await Operation(pool, build_model_page_kind(request), spec).result()):
            case Failure(fault):
                return Failure(fault)
            case Success(page):
                for info in page.models:
                    models.setdefault(info.id, info)
                request = page.next_request
        if request is None or request.url in requested:
            break
        requested.add(request.url)
    return Success(list(models.values()))

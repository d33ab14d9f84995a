"""Lists of models: one operation for each page that a vendor has, up to a bound."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault
from victor_fp.core.protocols import Codec, ModelInfo
from victor_fp.core.requests import Endpoint, HttpRequest, find_missing_setting
from victor_fp.core.result import outcome
from victor_fp.shell.engine.backend import Kind, Known, PreparedExchange
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.kinds import build_response_context
from victor_fp.shell.engine.operation import Operation
from victor_fp.shell.engine.target import TargetPool

MAX_PAGES = 20
"""Pages that are followed; vendors list up to a thousand models on each."""


class ModelPage(msgspec.Struct, frozen=True):
    """One page of a list of models."""

    models: tuple[ModelInfo, ...] = ()
    next_request: HttpRequest | None = None
    """Asks for the page after this one; None where it is the last."""


def build_model_page_kind(request: HttpRequest | None = None) -> Kind[ModelPage]:
    """The kind of one page of a list of models: the first page, or the one that `request` asks for."""
    return Kind(name="models", compile=partial(_compile_model_page, request), uses_breaker=False)


def _compile_model_page(
    request: HttpRequest | None,
    codec: Codec,
    endpoint: Endpoint,
    spec: CallSpec,  # noqa: ARG001  every kind is compiled from the same arguments
    model: str,  # noqa: ARG001
    options: Mapping[str, Any],  # noqa: ARG001
) -> Result[PreparedExchange[ModelPage] | Known[ModelPage], Fault]:
    if (missing := find_missing_setting(endpoint)) is not None:
        return Failure(missing)
    discovery = codec.discovery
    if discovery is None:
        return Success(Known(ModelPage()))

    def read(body: bytes) -> Result[ModelPage, Fault]:
        following = None if discovery.next_page is None else discovery.next_page(body)
        return Success(ModelPage(tuple(discovery.read_list(body)), following))

    asked = discovery.list_request() if request is None else request
    context = build_response_context(endpoint, asked)
    return Success(PreparedExchange(request=asked, codec=codec, context=context, read=read))


async def list_models(pool: TargetPool, spec: CallSpec) -> Result[list[ModelInfo], Fault]:
    """The models of every page, each once; a page that was asked for already ends the list."""
    models: dict[str, ModelInfo] = {}
    asked: set[str] = set()
    request: HttpRequest | None = None
    for _ in range(MAX_PAGES):
        match outcome(await Operation(pool, build_model_page_kind(request), spec).result()):
            case Failure(fault):
                return Failure(fault)
            case Success(page):
                for info in page.models:
                    models.setdefault(info.id, info)
                request = page.next_request
        if request is None or request.url in asked:
            break
        asked.add(request.url)
    return Success(list(models.values()))

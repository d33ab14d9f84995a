"""The transport of provider `local`: sends requests to an engine on this machine, which is started by the first one."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
from pydantic import SecretStr
from returns.result import Failure, Success

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.shell.transport.local.engine_process import POOL, Engine, EngineSettings
from victor_fp.shell.transport.local.exchange import send_request
from victor_fp.shell.transport.local.gguf import read_trained_context
from victor_fp.shell.transport.local.model_cache import ignore_progress, resolve
from victor_fp.shell.transport.local.package_fetch import Progress
from victor_fp.shell.transport.local.small_model import CHATML_WITH_TOOLS, SMALL_MODEL
from victor_fp.shell.transport.protocol import TransportResponse

T = TypeVar("T")

DEFAULT_CONTEXT = 8192
LIMITS: Mapping[str, tuple[int, int]] = {
    "context": (256, 10_000_000),
    "threads": (1, 512),
    "gpu_layers": (-1, 100_000),
}
"""Minimum and maximum of each setting. llama.cpp aborts with a context of 1 and with 0 threads."""


class _Named(msgspec.Struct):
    model: str = ""


class LocalTransport:
    """Sends requests to one engine per model. A request names the path of a GGUF file, or the small model."""

    def __init__(
        self,
        *,
        model_path: str | None = None,
        context: int = DEFAULT_CONTEXT,
        chat_template: str = "",
        threads: int | None = None,
        gpu_layers: int | None = None,
        environment: Mapping[str, str] | None = None,
        progress: Progress = ignore_progress,
    ) -> None:
        """`model_path` (or `VICTOR_FP_LOCAL_MODEL`) is used for every request whose model is not a path.

        Nothing is fetched or loaded before the first request. `context` is in tokens and limited to the context length
        of the model. `threads` is limited to the number of processors; its default is described in `choose_threads`. A
        value outside of `LIMITS` is InvalidRequest.
        """
        self._environment = os.environ if environment is None else environment
        self._model_path = model_path or self._environment.get("VICTOR_FP_LOCAL_MODEL")
        self._context = context
        self._chat_template = chat_template
        self._threads = threads
        self._gpu_layers = gpu_layers
        self._invalid: Fault | None = _check_limits(context=context, threads=threads, gpu_layers=gpu_layers)
        self._progress = progress
        self._engines: dict[EngineSettings, Engine] = {}
        self._known: dict[tuple[str, bool], EngineSettings] = {}
        self._latest: EngineSettings | None = None

    @classmethod
    def from_settings(cls, settings: Mapping[str, str], *, progress: Progress = ignore_progress) -> LocalTransport:
        """Create a transport from a provider's settings: `model_path`, and the integers `context`, `threads`, `gpu_layers`."""
        numbers: dict[str, int | None] = {}
        invalid: Fault | None = None
        for name in LIMITS:
            text = settings.get(name)
            try:
                numbers[name] = None if text is None else int(text)
            except ValueError:
                invalid = _build_setting_fault(name, text)
        context = numbers.get("context")
        transport = cls(
            model_path=settings.get("model_path"),
            context=DEFAULT_CONTEXT if context is None else context,
            threads=numbers.get("threads"),
            gpu_layers=numbers.get("gpu_layers"),
            progress=progress,
        )
        if invalid is not None:
            transport._invalid = invalid
        return transport

    async def open(
        self,
        request: HttpRequest,
        secret: SecretStr | None,  # noqa: ARG002  the engine has its own key
        timeout: float | None,
    ) -> TransportResponse | Fault:
        """Send the request to the engine of its model."""
        settings = await self._choose_settings(request)
        if not isinstance(settings, EngineSettings):
            return settings
        engine = self._get_engine(settings)
        address = engine.address
        if address is None:
            match outcome(await _run_in_thread(engine.start)):
                case Failure(fault):
                    return fault
                case Success(started):
                    address = started
        return await send_request(engine, address, request, _read_target(request.url), timeout)

    async def prepare(self, model: str) -> Fault | None:
        """Find the file of the model, or fetch the small model, once."""
        found = await self._find_settings(model)
        return None if isinstance(found, EngineSettings) else found

    async def aclose(self) -> None:
        """Release the engines; an engine without holders is stopped, also while it loads."""
        held, self._engines, self._latest = list(self._engines), {}, None
        for settings in held:
            await _run_in_thread(partial(POOL.give_back, settings))

    def _get_engine(self, settings: EngineSettings) -> Engine:
        if settings not in self._engines:
            self._engines[settings] = POOL.take(settings)
        self._latest = settings
        return self._engines[settings]

    async def _choose_settings(self, request: HttpRequest) -> EngineSettings | Fault:
        """Return the settings for a request; one without a body is for the model that was used last."""
        if not request.body and self._latest is not None:
            return self._latest
        name = _read_model(request)
        if name is None:
            return InvalidRequest(provider="local", message="the request's body is not a JSON object")
        return await self._find_settings(name, embeddings=urlsplit(request.url).path.endswith("/embeddings"))

    async def _find_settings(self, name: str, *, embeddings: bool = False) -> EngineSettings | Fault:
        """Return the settings for a model, after its file was found or fetched."""
        if self._invalid is not None:
            return self._invalid
        if (known := self._known.get((name, embeddings))) is not None:
            return known
        chosen = name if name.lower().endswith(".gguf") or self._model_path is None else self._model_path
        found = await _run_in_thread(
            lambda: resolve(chosen, self._environment, progress=self._progress).map(
                partial(self._describe, embeddings=embeddings)
            )
        )
        match outcome(found):
            case Failure(fault):
                return fault
            case Success(settings):
                self._known[name, embeddings] = settings
                return settings

    def _describe(self, path: Path, *, embeddings: bool) -> EngineSettings:
        small = path.name == SMALL_MODEL.file
        trained = read_trained_context(path)
        return EngineSettings(
            path=str(path.resolve()),
            name=SMALL_MODEL.name if small else path.stem,
            context=self._context if trained is None else min(self._context, max(trained, LIMITS["context"][0])),
            chat_template=self._chat_template or (CHATML_WITH_TOOLS if small else ""),
            threads=choose_threads(self._threads, count_processors()),
            gpu_layers=self._gpu_layers,
            embeddings=embeddings,
            mean_pooling=small and embeddings,
        )


def count_processors() -> int:
    """Return how many processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_threads(asked: int | None, processors: int) -> int:
    """Return the number of threads for llama.cpp.

    Its default is one thread for each physical core (`common/common.cpp` of ggml-org/llama.cpp; if it cannot count them,
    half of the processors if there are more than four). The threads wait for each other by spinning, so that another
    process on one of the cores slows down all of them. Therefore one processor is left free.
    """
    if asked is not None:
        return min(asked, processors)
    return max(1, min(processors - 1, max(3, processors // 2)))


async def _run_in_thread(function: Callable[[], T]) -> T:
    """Run a function in a thread. If the caller is cancelled, the thread continues and its result is discarded."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # None is a T where the function returned it

    def run() -> None:
        result, error = None, None
        try:
            result = function()
        except BaseException as raised:  # raised in the awaiting task
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:  # the loop was closed meanwhile
            return

    threading.Thread(target=run, name="victor_fp-local", daemon=True).start()
    return await future


def _check_limits(**settings: int | None) -> Fault | None:
    for name, value in settings.items():
        least, greatest = LIMITS[name]
        if value is not None and not least <= value <= greatest:
            return _build_setting_fault(name, value)
    return None


def _build_setting_fault(name: str, value: object) -> Fault:
    least, greatest = LIMITS[name]
    message = f"{name} must be an integer from {least} to {greatest}, not {str(value)[:20]!r}"
    return InvalidRequest(provider="local", code="invalid_setting", message=message)


def _read_target(url: str) -> str:
    """Return the path and query of the URL; its host is a placeholder."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _read_model(request: HttpRequest) -> str | None:
    if not request.body:
        return ""
    try:
        return msgspec.json.decode(request.body, type=_Named).model
    except msgspec.DecodeError:
        return None

"""The wire of provider `local`: it carries requests to an engine in this process, loading the model on first use."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec
from pydantic import SecretStr
from returns.result import Failure, Success

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.shell.local.exchange import exchange
from victor_fp.shell.local.llamacpp import POOL, Engine, EngineSettings
from victor_fp.shell.local.model_cache import resolve, silent
from victor_fp.shell.local.package_fetch import Progress
from victor_fp.shell.local.small_model import CHATML_WITH_TOOLS, SMALL_MODEL
from victor_fp.shell.transport.protocol import TransportResponse


class _Named(msgspec.Struct):
    model: str = ""


class LocalWire:
    """Requests name their model: a GGUF file's path, or the small model. One engine serves each."""

    def __init__(
        self,
        *,
        model_path: str | None = None,
        context: int = 8192,
        chat_template: str = "",
        threads: int | None = None,
        gpu_layers: int | None = None,
        environment: Mapping[str, str] | None = None,
        progress: Progress = silent,
    ) -> None:
        """`model_path` (or `VICTOR_FP_LOCAL_MODEL`) serves every request whose model is no path itself.

        Nothing is fetched or loaded before the first request. `context` in tokens.
        """
        self._environment = os.environ if environment is None else environment
        self._model_path = model_path or self._environment.get("VICTOR_FP_LOCAL_MODEL")
        self._context = context
        self._chat_template = chat_template
        self._threads = threads
        self._gpu_layers = gpu_layers
        self._progress = progress
        self._engines: dict[EngineSettings, Engine] = {}
        self._known: dict[str, EngineSettings] = {}
        self._latest: EngineSettings | None = None

    async def open(
        self,
        request: HttpRequest,
        secret: SecretStr | None,  # noqa: ARG002  the engine takes no key
        timeout: float | None,
    ) -> TransportResponse | Fault:
        """Send to the engine of the model that the request names."""
        settings = await self._settings_for(request)
        if not isinstance(settings, EngineSettings):
            return settings
        engine = self._engine(settings)
        address = engine.address
        if address is None:
            match outcome(await asyncio.to_thread(engine.start)):
                case Failure(fault):
                    return fault
                case Success(started):
                    address = started
        return await exchange(engine, address, request, _target(request.url), timeout)

    async def prepare(self, model: str) -> Fault | None:
        """Find the model's file, or fetch the small model, once."""
        found = await self._settings_of(model)
        return None if isinstance(found, EngineSettings) else found

    async def aclose(self) -> None:
        """Give the engines back; the last holder's going unloads them."""
        held, self._engines, self._latest = list(self._engines), {}, None
        for settings in held:
            await asyncio.to_thread(POOL.give_back, settings)

    def _engine(self, settings: EngineSettings) -> Engine:
        if settings not in self._engines:
            self._engines[settings] = POOL.take(settings)
        self._latest = settings
        return self._engines[settings]

    async def _settings_for(self, request: HttpRequest) -> EngineSettings | Fault:
        """A request without a body asks about the model that was used last."""
        if not request.body and self._latest is not None:
            return self._latest
        name = _model_named(request)
        if name is None:
            return InvalidRequest(provider="local", message="the request's body is no JSON object")
        return await self._settings_of(name)

    async def _settings_of(self, name: str) -> EngineSettings | Fault:
        """The engine that serves a model, after its file was found or fetched."""
        if (known := self._known.get(name)) is not None:
            return known
        chosen = name if name.lower().endswith(".gguf") or self._model_path is None else self._model_path
        found = await asyncio.to_thread(resolve, chosen, self._environment, progress=self._progress)
        match outcome(found):
            case Failure(fault):
                return fault
            case Success(path):
                small = path.name == SMALL_MODEL.file
                self._known[name] = EngineSettings(
                    path=str(path.resolve()),
                    name=SMALL_MODEL.name if small else path.stem,
                    context=self._context,
                    chat_template=self._chat_template or (CHATML_WITH_TOOLS if small else ""),
                    threads=self._threads,
                    gpu_layers=self._gpu_layers,
                )
                return self._known[name]


def local_wire(settings: Mapping[str, str], *, progress: Progress = silent) -> LocalWire:
    """A wire with a provider's settings: `model_path`, and `context`, `threads` and `gpu_layers` as whole numbers."""
    return LocalWire(
        model_path=settings.get("model_path"),
        context=int(settings.get("context", 8192)),
        threads=_parse_whole(settings.get("threads")),
        gpu_layers=_parse_whole(settings.get("gpu_layers")),
        progress=progress,
    )


def _parse_whole(text: str | None) -> int | None:
    return None if text is None else int(text)


def _target(url: str) -> str:
    """What of the URL the engine is asked for; the place in it is nowhere."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _model_named(request: HttpRequest) -> str | None:
    if not request.body:
        return ""
    try:
        return msgspec.json.decode(request.body, type=_Named).model
    except msgspec.DecodeError:
        return None

"""Background responses in the object API: start, resume by a handle, cancel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from typing_extensions import Unpack

from victor_fp.core.types import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE

if TYPE_CHECKING:
    from returns.result import Result

    from victor_fp.core.faults import Fault
    from victor_fp.core.long_running.background import BackgroundHandle
    from victor_fp.core.options import ChatOptions
    from victor_fp.core.request_building.inputs import Messages, ToolsInput
    from victor_fp.core.types import CompletionResponse
    from victor_fp.shell.engine.call_spec import CallSpec
    from victor_fp.shell.engine.target import TargetPool


class BackgroundMethods:
    """The methods for background responses. Providers without support return OperationUnsupported.

    handle = await provider.start_background("Prove it.", model="gpt-5.1")
    path.write_text(json.dumps(handle))
    ...
    response = await provider.resume_background(json.loads(path.read_text()))

    `chat(..., background=True)` starts and awaits the response, and cancels it if the caller leaves.
    """

    @property
    def name(self) -> str:
        """The provider's name."""
        raise NotImplementedError

    def choose_background_pool(self, provider: str | None) -> TargetPool | None:  # noqa: ARG002  overridden
        """Return the targets that start responses, or the target of `provider`; None if there is none."""
        return None

    async def start_background(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> BackgroundHandle:
        """Start a background response; the returned handle is plain JSON and can be resumed in another process.

        The vendor stores the response. Raises ProviderError.
        """
        from victor_fp.providers.errors import unwrap_or_raise

        return unwrap_or_raise(
            await self.start_background_result(
                messages, model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, **kwargs
            )
        )

    async def start_background_result(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> Result[BackgroundHandle, Fault]:
        """Like `start_background`, but return a Result instead of raising."""
        from returns.result import Failure, Success

        from victor_fp.core.result import outcome
        from victor_fp.providers.calls import build_chat_spec
        from victor_fp.shell.engine.background_kinds import START
        from victor_fp.shell.engine.operation import Operation

        pool = self.choose_background_pool(None)
        if pool is None:
            return Failure(self._build_lacks_background())
        spec = build_chat_spec(
            self.name,
            messages,
            kwargs,
            model=model,
            temperature=temperature,
            max_tokens=max_tokens,
            tools=tools,
            stream=False,
        )
        match outcome(spec):
            case Failure(fault):
                return Failure(fault)
            case Success(call):
                return await Operation(pool, START, call).result()

    async def resume_background(
        self, handle: Mapping[str, Any], *, timeout: float | None = None, deadline: float | None = None
    ) -> CompletionResponse:
        """Wait for a background response. Leaving does not cancel it; it can be resumed again.

        Raises ProviderError, with the fault TimedOut or DeadlineExceeded if the response takes longer.
        """
        from victor_fp.providers.errors import unwrap_or_raise

        return unwrap_or_raise(await self.resume_background_result(handle, timeout=timeout, deadline=deadline))

    async def resume_background_result(
        self, handle: Mapping[str, Any], *, timeout: float | None = None, deadline: float | None = None
    ) -> Result[CompletionResponse, Fault]:
        """Like `resume_background`, but return a Result instead of raising."""
        from victor_fp.core.resilience.bounds import MAX_SECONDS
        from victor_fp.shell.engine.background_kinds import RESUME

        limits = {"timeout": MAX_SECONDS if timeout is None else timeout, "deadline": deadline}
        return await self._run(RESUME, handle, limits)

    async def cancel_background(self, handle: Mapping[str, Any]) -> None:
        """Cancel a background response. Raises ProviderError."""
        from victor_fp.providers.errors import unwrap_or_raise

        unwrap_or_raise(await self.cancel_background_result(handle))

    async def cancel_background_result(self, handle: Mapping[str, Any]) -> Result[None, Fault]:
        """Like `cancel_background`, but return a Result instead of raising."""
        from victor_fp.shell.engine.background_kinds import CANCEL

        return await self._run(CANCEL, handle, {})

    async def _run(self, kind: Any, handle: object, limits: Mapping[str, Any]) -> Result[Any, Fault]:
        from returns.result import Failure, Success

        from victor_fp.core.long_running.background import read_handle
        from victor_fp.core.result import outcome
        from victor_fp.providers.calls import build_chat_spec
        from victor_fp.shell.engine.operation import Operation

        match outcome(read_handle(self.name, handle)):
            case Failure(fault):
                return Failure(fault)
            case Success(read):
                pool = self.choose_background_pool(read["provider"])
        if pool is None:
            return Failure(self._build_lacks_background(read["provider"]))
        spec = build_chat_spec(
            self.name, (), limits, model=read["model"], temperature=None, max_tokens=None, tools=None, stream=False
        )
        match outcome(spec):
            case Failure(fault):
                return Failure(fault)
            case Success(call):
                return await Operation(pool, kind, _with_handle(call, read)).result()

    def _build_lacks_background(self, provider: str | None = None) -> Fault:
        from victor_fp.core.faults import OperationUnsupported

        message = f"{self.name} does not support background responses"
        if provider is not None and provider != self.name:
            message = f"{self.name} has no target of provider {provider!r}, which generates the response"
        return OperationUnsupported(provider=self.name, operation="background", message=message)


def _with_handle(call: CallSpec, handle: BackgroundHandle) -> CallSpec:
    """Return the call for the response of a handle."""
    return replace(call, background_id=handle["id"], background_tool_names=handle.get("tool_names", {}))

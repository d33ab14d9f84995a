"""Calls made through a manager: on the current provider, and, where it fails for its own reasons, on the next one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Protocol

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.agent.provider_state import ProviderState
from victor_fp.core.faults import Attempt, Fault, InvalidRequest
from victor_fp.core.resilience import fallback
from victor_fp.core.resilience.fallback import Ask, FallbackPolicy, Target
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Message, StreamChunk
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.custom_source import CustomPieces, PreparedCustom, is_plain, says
from victor_fp.providers.errors import value_or_raise
from victor_fp.providers.managed_provider import ManagedProvider
from victor_fp.shell.call import attempts_as_dicts, with_attempts
from victor_fp.shell.managed_source import Asking
from victor_fp.shell.runtime import SYSTEM

_FAR = 1e9


class Current(Protocol):
    """Who is asked, and who is asked after that."""

    @property
    def state(self) -> ProviderState | None:
        """The current provider."""
        ...

    @property
    def policy(self) -> FallbackPolicy:
        """Which faults move on, and how often."""
        ...

    def fallbacks(self) -> list[tuple[str, str | None]]:
        """Names and models, in order."""
        ...

    async def fall_back(
        self, name: str, model: str | None, failing: ProviderState, fault: Fault
    ) -> ProviderState | Fault:
        """The provider to go on with, in the place of one that failed."""
        ...


class _Plan:
    """One call over the current provider and its fallbacks."""

    def __init__(self, current: Current, model: str | None, options: Mapping[str, Any]) -> None:
        self._current = current
        self._model = model
        self._fault: Fault | None = None
        self.state = current.state
        deadline = options.get("deadline")
        self._bounded = isinstance(deadline, int | float)
        self._options = dict(options)
        began = SYSTEM.now()
        targets: list[Target] = []
        if self.state is not None:
            targets.append(Target(provider=self.state.provider_name, model=model or self.state.model))
            self._following = [
                (name, model)
                for name, model in current.fallbacks()
                if name != self.state.provider_name or model not in {None, self.state.model}
            ]
            targets += [Target(provider=name, model=model or "") for name, model in self._following]
        ends = began + deadline if isinstance(deadline, int | float) else began + _FAR
        self._plan, self.order = fallback.begin(tuple(targets), current.policy, began, ends)

    async def arrive(self, ask: Ask) -> Fault | None:
        """Make the target the current provider; why not, where it cannot be."""
        if ask.place > 0 and self.state is not None and self._fault is not None:
            name, model = self._following[ask.place - 1]
            found = await self._current.fall_back(name, model, self.state, self._fault)
            if not isinstance(found, ProviderState):
                return found
            self.state, self._model = found, None
        return None

    @property
    def asked_model(self) -> str:
        """The model to ask for."""
        return self._model or ("" if self.state is None else self.state.model)

    async def chatted(self, provider: BaseProvider, messages: Sequence[Message]) -> Result[CompletionResponse, Fault]:
        """One provider's answer. Anybody's own provider is bounded in time, and whatever it raises is a fault."""
        if _keeps_its_word(provider):
            return await provider.chat_result(messages, model=self.asked_model, **self._keywords())
        allowed = provider.timeout * (provider.max_retries + 1)
        left = self._left()
        return await self._prepared(provider, messages).attempt(allowed if left is None else min(allowed, left))

    def streamed(
        self, provider: BaseProvider, messages: Sequence[Message]
    ) -> AsyncIterator[Result[StreamChunk, Fault]]:
        """The same in pieces."""
        if _keeps_its_word(provider):
            return provider.stream_result(messages, model=self.asked_model, **self._keywords())
        return _results(self._prepared(provider, messages).pieces(provider.timeout, self._left()))

    def _keywords(self) -> dict[str, Any]:
        """The caller's options, with what is left of the deadline."""
        left = self._left()
        return self._options if left is None else {**self._options, "deadline": left}

    def _left(self) -> float | None:
        return max(0.001, self._plan.deadline - SYSTEM.now()) if self._bounded else None

    def _prepared(self, provider: BaseProvider, messages: Sequence[Message]) -> PreparedCustom:
        options = dict(self._options)
        asking = Asking(
            messages=messages,
            temperature=options.pop("temperature", None),
            max_tokens=options.pop("max_tokens", None),
            tools=options.pop("tools", None),
        )
        return PreparedCustom(provider, asking, self.asked_model, options)

    def failed(self, fault: Fault) -> None:
        """The target failed."""
        self._fault = fault
        self._advance(fallback.Failed(fault))

    def answered(self, metadata: Mapping[str, Any] | None) -> tuple[Attempt, ...]:
        """The target answered; all tries."""
        told = (metadata or {}).get("attempts")
        own = msgspec.convert(told, tuple[Attempt, ...]) if told else (self._single(),)
        self._advance(fallback.Answered(own))
        return self._plan.attempts

    @property
    def committing(self) -> bool:
        """Whether nothing of the answer has reached the caller yet."""
        return isinstance(self.order, Ask)

    def committed(self) -> None:
        """A piece of the answer is about to reach the caller."""
        self._advance(fallback.Committed())

    def _advance(self, event: fallback.Event) -> None:
        self._plan, self.order = fallback.advance(self._plan, event, SYSTEM.now())

    def _single(self) -> Attempt:
        name = "" if self.state is None else self.state.provider_name
        return Attempt(provider=name, model=self.asked_model, seconds=SYSTEM.now() - self._plan.asked)


def _keeps_its_word(provider: BaseProvider) -> bool:
    """Whether `chat_result` is known to keep deadlines and never to raise."""
    return isinstance(provider, ManagedProvider) or is_plain(type(provider))


async def _results(pieces: CustomPieces) -> AsyncGenerator[Result[StreamChunk, Fault], None]:
    try:
        while True:
            batch = await pieces.batch()
            for chunk in batch.chunks:
                yield Success(chunk)
                if chunk.is_final:
                    return
            if batch.fault is not None:
                yield Failure(batch.fault)
                return
    finally:
        await pieces.aclose()


async def chatted(
    current: Current, messages: Sequence[Message], model: str | None, options: Mapping[str, Any]
) -> Result[CompletionResponse, Fault]:
    """A whole answer."""
    plan = _Plan(current, model, options)
    while isinstance(plan.order, Ask):
        fault = await plan.arrive(plan.order)
        if fault is not None or plan.state is None:
            plan.failed(fault or _nobody())
            continue
        match outcome(await plan.chatted(plan.state.provider, messages)):
            case Success(response):
                return Success(with_attempts(response, plan.answered(response.metadata)))
            case Failure(failed):
                plan.failed(failed)
    return Failure(_ending(plan))


async def streamed(
    current: Current,
    messages: Sequence[Message],
    model: str | None,
    options: Mapping[str, Any],
    begun: Callable[[], None],
) -> AsyncGenerator[Result[StreamChunk, Fault], None]:
    """An answer as it comes: successes, then at most one failure."""
    begun()
    plan = _Plan(current, model, options)
    while isinstance(plan.order, Ask):
        fault = await plan.arrive(plan.order)
        if fault is not None or plan.state is None:
            plan.failed(fault or _nobody())
            continue
        held: list[StreamChunk] = []
        async with _closing(plan.streamed(plan.state.provider, messages)) as results:
            async for result in results:
                match outcome(result):
                    case Failure(failed):
                        plan.failed(failed)
                        break
                    case Success(chunk):
                        final = chunk.is_final
                        held.append(_with_attempts(chunk, plan.answered(chunk.metadata)) if final else chunk)
                        if plan.committing and not final and not says(chunk):
                            continue
                        plan.committed()
                        for one in held:
                            yield Success(one)
                        held.clear()
                        if final:
                            return
            else:
                for one in held:
                    yield Success(one)
                return
    yield Failure(_ending(plan))


async def raising(results: AsyncGenerator[Result[StreamChunk, Fault], None]) -> AsyncGenerator[StreamChunk, None]:
    """The chunks alone; the failure is raised."""
    async with aclosing(results):
        async for result in results:
            yield value_or_raise(result)


@asynccontextmanager
async def _closing(
    results: AsyncIterator[Result[StreamChunk, Fault]],
) -> AsyncGenerator[AsyncIterator[Result[StreamChunk, Fault]], None]:
    """Results that are closed when they are left, where they can be."""
    try:
        yield results
    finally:
        close = getattr(results, "aclose", None)
        if close is not None:
            await close()


def _with_attempts(chunk: StreamChunk, attempts: tuple[Attempt, ...]) -> StreamChunk:
    if len(attempts) < 2:
        return chunk
    metadata = {**(chunk.metadata or {}), "attempts": attempts_as_dicts(attempts)}
    return chunk.model_copy(update={"metadata": metadata})


def _ending(plan: _Plan) -> Fault:
    settled = plan.order
    fault = settled.fault if isinstance(settled, fallback.Settle) else None
    return _nobody() if plan.state is None or fault is None else fault


def _nobody() -> Fault:
    return InvalidRequest(message="the manager has no provider: switch to one first")

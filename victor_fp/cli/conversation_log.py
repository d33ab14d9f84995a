"""Writes the conversation of a command to the log, turn by turn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.cli.commands import TargetOptions
from victor_fp.cli.exit_codes import CommandError, ExitCode
from victor_fp.cli.log_store import LoggedConversation, LoggedTurn, LogStore
from victor_fp.cli.state import CleanText
from victor_fp.cli.terminal import Terminal
from victor_fp.cli.tool_calls import ToolTurn
from victor_fp.core.model_names import split_model_name
from victor_fp.core.result import outcome
from victor_fp.core.security.redaction import redact_url
from victor_fp.core.types import Message
from victor_fp.providers.registry import ProviderRegistry


def _get_time() -> datetime:
    return datetime.now(UTC)


class ConversationLog:
    """Writes turns. A failure to write is reported once and does not stop the conversation."""

    def __init__(
        self,
        store: LogStore | None,
        terminal: Terminal,
        clean: CleanText,
        *,
        base_url: str | None = None,
        options: Sequence[str] = (),
        settings: Sequence[str] = (),
        conversation: int | None = None,
        now: Callable[[], datetime] = _get_time,
    ) -> None:
        self._store = store
        self._terminal = terminal
        self._clean = clean
        self._base_url = base_url
        self._options = tuple(options)
        self._settings = tuple(settings)
        self._conversation = conversation
        self._now = now
        self._last_turn: int | None = None

    def begin(self) -> None:
        """Start a new conversation with the next turn."""
        self._conversation = self._last_turn = None

    def use_default_server(self) -> None:
        """Forget the base URL and the settings of the command line, after the provider was changed."""
        self._base_url, self._settings = None, ()

    def record(
        self, provider: str, model: str, prompt: Message, turn: ToolTurn, *, system: str | None, is_retry: bool = False
    ) -> None:
        """Write a turn; a retried turn replaces the previous one."""
        if self._store is None:
            return
        logged = LoggedTurn(
            provider=provider,
            model=model,
            messages=(prompt, *turn.messages),
            prompt_tokens=turn.spent.prompt_tokens,
            completion_tokens=turn.spent.completion_tokens,
            dollars=turn.spent.dollars,
        )
        written = self._store.append(
            self._conversation,
            logged,
            base_url=self._base_url,
            system=system,
            options=self._options,
            settings=self._settings,
            replaces=self._last_turn if is_retry else None,
            now=self._now(),
            clean=self._clean,
        )
        match outcome(written):
            case Failure(failure):
                self._terminal.note(f"victor: not logged: {failure.reason}")
                self._store = None
            case Success((conversation, turn_id)):
                self._conversation, self._last_turn = conversation, turn_id


def load_last(store: LogStore | None) -> Result[LoggedConversation, CommandError]:
    """Return the conversation to continue."""
    missing = CommandError(code=ExitCode.NOT_FOUND, what="no conversation to continue", todo="See: victor log list")
    if store is None:
        return Failure(missing)
    match outcome(store.find_last()):
        case Failure(failure):
            return Failure(CommandError(code=ExitCode.FAILED, what=failure.reason))
        case Success(last):
            found = Success(None) if last is None else store.load(last)
    match outcome(found):
        case Failure(failure):
            return Failure(CommandError(code=ExitCode.FAILED, what=failure.reason))
        case Success(loaded):
            return Failure(missing) if loaded is None else Success(loaded)


def choose_target(target: TargetOptions, last: LoggedConversation) -> TargetOptions:
    """Return the target: that of the command line, else that of the conversation.

    The base URL and the settings are kept with the provider, so that a conversation with a local server is not continued with a vendor.
    """
    if target.provider is not None:
        return target
    if target.model is not None:
        name, named = split_model_name(target.model)
        if named and ProviderRegistry.is_registered(name):
            return target
    return msgspec.structs.replace(
        target,
        provider=last.provider,
        model=target.model or last.model,
        base_url=target.base_url or last.base_url,
        settings=merge_pairs(last.settings, target.settings),
    )


def merge_pairs(earlier: Sequence[str], given: Sequence[str], names: Collection[str] = ()) -> tuple[str, ...]:
    """Return the `NAME=VALUE` pairs that are given, after the earlier ones of other names; `names` are given otherwise.

    >>> merge_pairs(["top_p=0.5", "seed=1"], ["top-p=0.9"])
    ('seed=1', 'top-p=0.9')
    """
    known = {*names, *(_get_name(pair) for pair in given)}
    return (*(pair for pair in earlier if _get_name(pair) not in known), *given)


def _get_name(pair: str) -> str:
    return pair.partition("=")[0].strip().replace("-", "_")


def redact_address(base_url: str | None) -> str | None:
    """Return the base URL without credentials, for the log."""
    return None if base_url is None else redact_url(base_url)

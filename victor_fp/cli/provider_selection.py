"""Selection of the provider: as requested, else the first with a key, a running local server, or the embedded model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.cli.exit_codes import CommandError, ExitCode, build_usage_error, error_from_fault
from victor_fp.cli.local_servers import find_running_server
from victor_fp.cli.terminal import DownloadProgress, Terminal
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.model_names import split_model_name
from victor_fp.core.protocols.endpoints import build_endpoint
from victor_fp.core.result import outcome
from victor_fp.providers.base import BaseProvider, ProviderError
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.credentials.key_file import KeyFile, open_key_file
from victor_fp.shell.credentials.key_ring import KeyRing, NoKeyRing, get_system_key_ring
from victor_fp.shell.credentials.lookup import Credential, build_key_query, find_key


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """The selected provider and model, and why."""

    provider: str
    model: str | None = None
    reason: str = ""
    """Empty if the provider is given on the command line."""


async def select_provider(
    provider: str | None,
    model: str | None,
    environment: Mapping[str, str],
    *,
    specs: Iterable[ProviderSpec] | None = None,
    key_ring: KeyRing | None = None,
) -> Selection:
    """Return the requested provider, or the first usable one.

    `openai/gpt-5-mini` sets both provider and model, in either argument.
    """
    if provider:
        name, named = split_model_name(provider, ProviderRegistry.is_registered)
        return Selection(provider=name, model=model or named)
    if model:
        name, named = split_model_name(model)
        if named and ProviderRegistry.is_registered(name):
            return Selection(provider=name, model=named)
    specs = tuple(ProviderRegistry.catalogue() if specs is None else specs)
    if found := find_first_with_key(specs, environment, key_ring or get_system_key_ring(), open_key_file(environment)):
        spec, credential = found
        return Selection(provider=spec.name, model=model, reason=f"key from {credential.source} {credential.location}")
    if running := await find_running_server(specs, environment):
        first = running.models[0].id
        return Selection(provider=running.spec.name, model=model or first, reason=f"running at {running.base_url}")
    embedded = next((spec.name for spec in specs if spec.transport == "embedded"), "local")
    return Selection(provider=embedded, model=model, reason="no key and no local server found")


def find_first_with_key(
    specs: Iterable[ProviderSpec], environment: Mapping[str, str], ring: KeyRing, file: KeyFile
) -> tuple[ProviderSpec, Credential] | None:
    """Return the first remote provider with a key and all required settings: environment, then keyring, then file.

    It must have a default model and a key that is for models alone, so that no prompt is sent to a provider because of a
    token for another purpose, such as GITHUB_TOKEN.
    """
    remote = [
        spec
        for spec in specs
        if spec.auth.kind == "key"
        and not (spec.local or spec.key_optional or spec.key_shared)
        and spec.default_model is not None
    ]
    ready = [spec for spec in remote if isinstance(build_endpoint(spec, environment=environment), Success)]
    nowhere: tuple[Mapping[str, str], KeyRing, KeyFile] = ({}, NoKeyRing(), KeyFile(None))
    for world, keys, stored in (
        (environment, nowhere[1], nowhere[2]),
        (nowhere[0], ring, nowhere[2]),
        (nowhere[0], nowhere[1], file),
    ):
        for spec in ready:
            match outcome(find_key(build_key_query(spec), None, world, key_ring=keys, key_file=stored)):
                case Success(Credential() as credential):
                    return spec, credential
                case _:
                    continue
    return None


def create_provider(
    name: str,
    terminal: Terminal,
    *,
    base_url: str | None = None,
    timeout: float | None = None,
    settings: Mapping[str, str] | None = None,
) -> Result[BaseProvider, CommandError]:
    """Create a provider by name with its settings."""
    keywords: dict[str, Any] = dict(settings or {})
    match outcome(ProviderRegistry.catalogue().find(name)):
        case Success(spec):
            if wrong := _find_unknown_setting(spec, keywords):
                return Failure(wrong)
            if spec.transport == "embedded":
                keywords["transport"] = _create_local_transport(terminal, settings or {})
        case Failure(_):
            pass
    keywords |= {} if base_url is None else {"base_url": base_url}
    keywords |= {} if timeout is None else {"timeout": timeout}
    try:
        return Success(ProviderRegistry.create(name, **keywords))
    except ProviderError as error:
        return Failure(error_from_fault(error.fault))
    except TypeError as error:
        return Failure(build_usage_error(f"provider {name} cannot be created", str(error)))


def _find_unknown_setting(spec: ProviderSpec, settings: Mapping[str, object]) -> CommandError | None:
    known = [setting.name for setting in spec.settings]
    unknown = next((name for name in settings if name not in known), None)
    if unknown is None:
        return None
    return build_usage_error(
        f"{spec.name} does not have the setting {unknown}", f"its settings: {', '.join(known) or 'none'}"
    )


def _create_local_transport(terminal: Terminal, settings: Mapping[str, str]) -> object:
    from victor_fp.shell.transport.local.transport import LocalTransport

    return LocalTransport.from_settings(settings, progress=DownloadProgress(terminal))


def find_server_address(provider: BaseProvider) -> str | None:
    """Return the URL of the server; None for the embedded model."""
    inside = outcome(
        ProviderRegistry.catalogue().find(provider.name).map(lambda spec: spec.transport == "embedded")
    ).value_or(False)
    return None if inside else provider.base_url


async def select_model(provider: BaseProvider, model: str | None) -> Result[str, CommandError]:
    """Return the requested model, the provider's default, or the first model that it lists."""
    if model or (model := provider.default_model):
        return Success(model)
    try:
        listed = await provider.list_models()
    except ProviderError as error:
        return Failure(error_from_fault(error.fault, find_server_address(provider)))
    if listed:
        return Success(listed[0].id)
    what = f"{provider.name} lists no models"
    return Failure(CommandError(code=ExitCode.NOT_FOUND, what=what, todo="Choose one with --model."))

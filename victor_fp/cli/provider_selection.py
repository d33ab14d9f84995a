"""Whom to ask where the command line does not say: who has a key, else who runs here, else the embedded model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.cli.exit_codes import Ending, ExitCode, fault_ending, wrong_usage
from victor_fp.cli.local_servers import running_server
from victor_fp.cli.terminal import FetchNotice, Terminal
from victor_fp.core.catalogue import CATALOGUE, find
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.request_building.endpoints import build_endpoint
from victor_fp.core.result import outcome
from victor_fp.providers.base import BaseProvider, ProviderError
from victor_fp.shell.credentials.key_file import KeyFile, key_file
from victor_fp.shell.credentials.key_ring import KeyRing, NoKeyRing, system_key_ring
from victor_fp.shell.credentials.lookup import Credential, find_key, key_wanted_by


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to ask, and why."""

    provider: str
    model: str | None = None
    reason: str = ""
    """Empty where the caller chose."""


async def chosen(
    provider: str | None,
    model: str | None,
    environment: Mapping[str, str],
    *,
    specs: Iterable[ProviderSpec] = CATALOGUE,
    key_ring: KeyRing | None = None,
) -> Choice:
    """The caller's choice, or the best there is."""
    if provider:
        return Choice(provider=provider, model=model)
    specs = tuple(specs)
    if found := first_with_key(specs, environment, key_ring or system_key_ring(), key_file(environment)):
        spec, credential = found
        return Choice(provider=spec.name, model=model, reason=f"key from {credential.source} {credential.place}")
    if running := await running_server(specs, environment):
        first = running.models[0].id
        return Choice(provider=running.spec.name, model=model or first, reason=f"it runs at {running.base_url}")
    embedded = next((spec.name for spec in specs if spec.transport == "in_process"), "local")
    return Choice(provider=embedded, model=model, reason="no key and no local server was found")


def first_with_key(
    specs: Iterable[ProviderSpec], environment: Mapping[str, str], ring: KeyRing, file: KeyFile
) -> tuple[ProviderSpec, Credential] | None:
    """The first remote provider that has a key and every setting it needs: by environment, else keyring, else file."""
    remote = [spec for spec in specs if spec.auth.kind == "key" and not spec.local and not spec.key_optional]
    ready = [spec for spec in remote if isinstance(build_endpoint(spec, environment=environment), Success)]
    nowhere: tuple[Mapping[str, str], KeyRing, KeyFile] = ({}, NoKeyRing(), KeyFile(None))
    for world, keys, stored in (
        (environment, nowhere[1], nowhere[2]),
        (nowhere[0], ring, nowhere[2]),
        (nowhere[0], nowhere[1], file),
    ):
        for spec in ready:
            match outcome(find_key(key_wanted_by(spec), None, world, key_ring=keys, key_file=stored)):
                case Success(Credential() as credential):
                    return spec, credential
                case _:
                    continue
    return None


def created(
    name: str,
    terminal: Terminal,
    *,
    base_url: str | None = None,
    timeout: float | None = None,
    settings: Mapping[str, str] | None = None,
) -> Result[BaseProvider, Ending]:
    """A provider by name, at the place that the settings say."""
    from victor_fp.providers.registry import ProviderRegistry

    keywords: dict[str, Any] = dict(settings or {})
    match outcome(find(name)):
        case Success(spec):
            if wrong := _strange_setting(spec, keywords):
                return Failure(wrong)
            if spec.transport == "in_process":
                keywords["transport"] = _embedded_wire(terminal, settings or {})
        case Failure(_):
            pass
    keywords |= {} if base_url is None else {"base_url": base_url}
    keywords |= {} if timeout is None else {"timeout": timeout}
    try:
        return Success(ProviderRegistry.create(name, **keywords))
    except ProviderError as error:
        return Failure(fault_ending(error.fault))
    except TypeError as error:
        return Failure(wrong_usage(f"provider {name} cannot be made", str(error)))


def _strange_setting(spec: ProviderSpec, settings: Mapping[str, object]) -> Ending | None:
    known = [setting.name for setting in spec.settings]
    strange = next((name for name in settings if name not in known), None)
    if strange is None:
        return None
    return wrong_usage(f"{spec.name} has no setting {strange}", f"its settings: {', '.join(known) or 'none'}")


def _embedded_wire(terminal: Terminal, settings: Mapping[str, str]) -> object:
    from victor_fp.shell.local.engine import local_wire

    return local_wire(settings, progress=FetchNotice(terminal))


def place_of(provider: BaseProvider) -> str | None:
    """The server's address, where there is a server."""
    inside = outcome(find(provider.name).map(lambda spec: spec.transport == "in_process")).value_or(False)
    return None if inside else provider.base_url


async def model_for(provider: BaseProvider, model: str | None) -> Result[str, Ending]:
    """The model asked for, else the catalogue's default, else the first that the provider lists."""
    default = outcome(find(provider.name).map(lambda spec: spec.default_model)).value_or(None)
    if model or (model := default):
        return Success(model)
    try:
        listed = await provider.list_models()
    except ProviderError as error:
        return Failure(fault_ending(error.fault, place_of(provider)))
    if listed:
        return Success(listed[0].id)
    what = f"{provider.name} names no model"
    return Failure(Ending(code=ExitCode.NOT_FOUND, what=what, todo="Give one with --model."))

"""From what a caller says to a request for the wire: options read, conversation checked, protocol applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.defaults import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.options import read_options
from victor_fp.core.request_building.conversation import validate_conversation
from victor_fp.core.request_building.message_input import MessagesInput, ToolInput, read_messages, read_tools
from victor_fp.core.requests import ChatRequest, Endpoint
from victor_fp.core.result import outcome
from victor_fp.core.tool_calling.hearing import in_text


def build_chat_request(
    provider: str,
    messages: MessagesInput,
    *,
    model: str,
    temperature: float | None = DEFAULT_TEMPERATURE,
    max_tokens: int | None = DEFAULT_MAX_TOKENS,
    tools: Sequence[ToolInput] | None = None,
    stream: bool = False,
    options: Mapping[str, object],
) -> Result[ChatRequest, Fault]:
    """A checked request, or the typed fault that says what is wrong with it."""
    match outcome(read_messages(messages, provider=provider, model=model)):
        case Success(typed):
            fault = validate_conversation(typed, provider=provider, model=model)
        case Failure(unreadable):
            return Failure(unreadable)
    if fault is not None:
        return Failure(fault)
    match outcome(read_tools(tools, provider=provider, model=model)):
        case Success(definitions):
            pass
        case Failure(unreadable):
            return Failure(unreadable)
    if not model:
        return Failure(InvalidRequest(provider=provider, message="model is empty"))
    match outcome(read_options(options, provider=provider)):
        case Success(read):
            request = ChatRequest(
                messages=typed,
                model=model,
                temperature=temperature,
                max_tokens=max_tokens,
                tools=definitions,
                stream=stream,
                options=read,
            )
            return in_text(provider, request)
        case Failure(fault):
            return Failure(fault)


def build_endpoint(
    spec: ProviderSpec,
    *,
    base_url: str | None = None,
    settings: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    keyed: bool | None = None,
) -> Result[Endpoint, Fault]:
    """The endpoint for a catalogue entry: keyword > environment > default, for the base URL and every setting."""
    environment = environment or {}
    given = settings or {}
    found: dict[str, str] = {}
    for setting in spec.settings:
        value = given.get(setting.name)
        if value is None:
            value = next((environment[name] for name in setting.variables if environment.get(name)), setting.default)
        if value is not None:
            found[setting.name] = str(value)
        elif setting.required:
            places = " or ".join(setting.variables)
            hint = f" (or set {places})" if places else ""
            return Failure(InvalidRequest(provider=spec.name, message=f"{spec.title} needs {setting.name}={hint}"))
    url = base_url or next((environment[name] for name in spec.base_url_variables if environment.get(name)), None)
    return Success(
        Endpoint(
            spec=spec,
            base_url=normalise_url(url or _fill_base_url(spec, found)),
            settings=found,
            keyed=spec.auth.kind != "none" if keyed is None else keyed,
        )
    )


def _fill_base_url(spec: ProviderSpec, settings: Mapping[str, str]) -> str:
    """The entry's base URL with its settings in place; one that is missing stays open, see `find_missing_setting`."""
    chosen = (spec.base_urls.get(f"{name}={value}") for name, value in settings.items())
    url = next((url for url in chosen if url is not None), spec.base_url)
    for name, value in settings.items():
        url = url.replace(f"{{{name}}}", quote(value, safe=""))
    return url


def apply_key_auth(endpoint: Endpoint) -> Endpoint:
    """The endpoint for a caller who has a plain key where the entry else signs or fetches tokens."""
    spec = endpoint.spec
    if spec.key_auth is None:
        return endpoint
    elsewhere = spec.key_base_url if "{" in endpoint.base_url else ""
    return msgspec.structs.replace(
        endpoint,
        spec=msgspec.structs.replace(spec, auth=spec.key_auth),
        base_url=elsewhere or endpoint.base_url,
        keyed=True,
    )


def normalise_url(url: str) -> str:
    """With a scheme, without a trailing slash: `host:port` is taken for plain HTTP, as OLLAMA_HOST is written."""
    url = url.strip().rstrip("/")
    return url if "://" in url else f"http://{url}"

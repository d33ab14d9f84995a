"""Objects with a key do not show it in any representation, and are not pickled with it."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from msgspec.structs import replace
from pydantic import SecretStr
from returns.result import Failure

from tests.acme import HI, SPEC, AcmeProvider, build_acme
from tests.fake_runtime import FakeRuntime
from tests.faults.canaries import (
    KEY,
    KINDS,
    MODEL,
    CapturedLogs,
    check_clean,
    render_error,
    render_pickle,
    render_provider,
)
from victor_fp.agent.provider_health import check_provider
from victor_fp.agent.provider_manager import ProviderManager, ProviderManagerConfig
from victor_fp.core import faults
from victor_fp.core.catalogue.spec import Setting
from victor_fp.core.faults import FAULT_TYPES, Attempt, InvalidRequest, redact_fault
from victor_fp.core.options import read_options
from victor_fp.core.requests import HttpRequest
from victor_fp.core.security.redaction import is_secret_name
from victor_fp.core.security.secrets import HiddenValuesDict, Secret, find_secrets
from victor_fp.core.types import CompletionResponse, Message, StreamChunk
from victor_fp.providers.base import BaseProvider, ProviderError
from victor_fp.providers.errors import error_from
from victor_fp.providers.factory import ManagedProviderFactory, ProviderConfig
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.credentials.lookup import Credential
from victor_fp.shell.runtime import SYSTEM
from victor_fp.testing.answers import Received


class Own(BaseProvider):
    """Somebody's own provider, careless with what it raises."""

    raised: Exception | None = None

    @property
    def name(self) -> str:
        return "own"

    async def chat(self, messages: list[Message], **options: Any) -> CompletionResponse:
        if self.raised is not None:
            raise self.raised
        return CompletionResponse(content="Hi", model="m")

    async def stream(self, messages: list[Message], **options: Any) -> AsyncIterator[StreamChunk]:
        yield StreamChunk(content="Hi")
        if self.raised is not None:
            raise self.raised

    async def close(self) -> None:
        pass


class Strict(Own):
    """A provider that refuses its key, and says it."""

    def __init__(self, api_key: str, **keywords: Any) -> None:
        raise ValueError(f"odd key {api_key}, odd keywords {keywords}")


HOLDERS: dict[str, Callable[[], Any]] = {
    "a custom provider": lambda: Own(api_key=KEY),
    "a custom provider with a SecretStr": lambda: Own(api_key=SecretStr(KEY)),
    "a custom provider with a keyword": lambda: Own(access_token=KEY),
    "a custom provider with headers": lambda: Own(default_headers={"X-Api-Key": KEY}),
    "a custom provider with a SecretStr for a keyword": lambda: Own(anything=SecretStr(KEY)),
    "a configuration": lambda: ProviderConfig("acme", MODEL, api_key=KEY),
    "a configuration with a keyword": lambda: ProviderConfig("acme", MODEL, extra_kwargs={"client_secret": KEY}),
    "a configuration's fallback": lambda: ProviderConfig(
        "acme", MODEL, fallback_providers=[ProviderConfig("acme", MODEL, api_key=KEY)]
    ),
    "a credential": lambda: Credential(secret=Secret(KEY), source="argument", location="api_key"),
    "a secret": lambda: Secret(KEY),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_objects_with_a_key_are_not_pickled_and_do_not_show_it(holder: str) -> None:
    thing = HOLDERS[holder]()
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(thing)
    check_clean(render_pickle(thing) + repr(thing) + str(thing))
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        check_clean(repr(dataclasses.asdict(thing)) + repr(vars(thing)))
        check_clean(repr(dataclasses.replace(thing, model="m-2")))
    elif isinstance(thing, BaseProvider):
        check_clean(repr(vars(thing)) + repr(thing.__getstate__()))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_a_copy_of_a_provider_has_its_key(copied: Callable[[Any], Any]) -> None:
    own = copied(Own(api_key=KEY, client_secret=KEY, region="x"))
    assert (own.api_key, own.extra_config) == (KEY, {"client_secret": KEY, "region": "x"})
    config = copied(ProviderConfig("acme", MODEL, api_key=KEY, extra_kwargs={"client_secret": KEY}))
    assert (config.api_key.get_secret_value(), config.extra_kwargs) == (KEY, {"client_secret": KEY})
    check_clean(render_pickle(own) + repr(own.extra_config) + render_pickle(config) + repr(config.extra_kwargs))
    provider = copied(build_acme("http://127.0.0.1:9"))
    assert provider.api_key == provider.connection.secret.get_secret_value()
    assert provider._breaker_cell is provider._pool.targets[0].shared_state.breaker


def test_a_deep_copy_has_a_breaker_of_its_own() -> None:
    provider = build_acme("http://127.0.0.1:9")
    assert copy.deepcopy(provider)._breaker_cell is not provider._breaker_cell


def test_without_a_key_a_provider_and_a_configuration_are_pickled() -> None:
    own = pickle.loads(pickle.dumps(Own(base_url="http://own.test", max_tokens=5)))
    assert (own.base_url, own.api_key, own.extra_config) == ("http://own.test", None, {"max_tokens": 5})
    config = ProviderConfig("acme", MODEL, extra_kwargs={"max_retries": 1})
    assert pickle.loads(pickle.dumps(config)) == config


def test_a_configuration_keeps_a_key_that_is_set_later() -> None:
    config = ProviderConfig("acme", MODEL)
    config.api_key = KEY
    check_clean(repr(dataclasses.asdict(config)) + render_pickle(config))


async def test_a_custom_provider_is_given_the_key_of_a_configuration_as_text() -> None:
    ProviderRegistry.register("own", Own)
    try:
        async with await ManagedProviderFactory.create(
            "own", "m", api_key=SecretStr(KEY), client_secret=KEY
        ) as provider:
            assert provider.provider.api_key == KEY
            assert provider.provider.extra_config["client_secret"] == KEY
            check_clean(render_managed(provider))
    finally:
        ProviderRegistry.restore()


def render_managed(provider: Any) -> str:
    return repr(provider) + repr(vars(provider)) + repr(vars(provider._pool)) + render_pickle(provider)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_provider_that_was_never_used_shows_no_key(kind: str) -> None:
    async with KINDS[kind]("http://127.0.0.1:9") as provider:
        check_clean(render_provider(provider))


def test_the_environment_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMEBODYS_TOKEN", KEY)
    check_clean(render_provider(build_acme("http://127.0.0.1:9", runtime=SYSTEM)))

    class Placed(AcmeProvider):
        SPEC = replace(SPEC, settings=(Setting(name="place", required=True),))

    with pytest.raises(ProviderError, match="requires place") as caught:
        Placed(api_key=KEY)
    check_clean(render_error(caught.value))


async def test_a_constructor_that_raises_shows_no_key() -> None:
    with pytest.raises(TypeError) as caught:
        ProviderRegistry.create("openai", api_key=KEY, api_keey=KEY)
    check_clean(render_error(caught.value))
    with pytest.raises(TypeError) as caught:
        await ManagedProviderFactory.create("openai", MODEL, api_key=KEY, api_keey=KEY)
    check_clean(render_error(caught.value))


async def test_a_manager_shows_no_key_of_its_settings(captured_logs: CapturedLogs) -> None:
    ProviderRegistry.register("strict", Strict)
    ProviderRegistry.register("own", Own)
    Own.raised = RuntimeError(f"bad header 'Bearer {KEY}'")
    try:
        settings = {"strict": {"api_key": KEY, "client_secret": KEY}, "own": {"api_key": KEY}}
        with pytest.raises(ProviderError) as caught:
            ProviderManager(settings, provider_name="strict")
        check_clean(render_error(caught.value).replace(repr(settings), ""))
        config = ProviderManagerConfig(enable_health_checks=False, auto_fallback=False)
        async with ProviderManager(settings, provider_name="own", initial_model="m", config=config) as manager:
            check_clean(repr(await manager.chat_result(HI)) + repr(manager.get_info()) + repr(manager.state))
            fault = (await check_provider(Own(api_key=KEY), "m")).fault
            assert fault is not None
            check_clean(fault.message)
    finally:
        Own.raised = None
        ProviderRegistry.restore()
    check_clean("\n".join(captured_logs.lines))


@pytest.mark.parametrize(
    "raised",
    [
        ValueError(f"Illegal header value b'Bearer {KEY}'"),
        RuntimeError(f"Illegal header value b'Bearer {KEY}'"),
        ProviderError(f"rejected: {KEY}", "own", 401),
    ],
    ids=lambda raised: type(raised).__name__,
)
async def test_a_custom_providers_exception_may_quote_its_key(
    raised: Exception, captured_logs: CapturedLogs, monkeypatch: Any
) -> None:
    monkeypatch.setattr(Own, "raised", raised)
    ProviderRegistry.register("own", Own)
    try:
        async with await ManagedProviderFactory.create("own", "m", api_key=KEY, max_retries=0) as managed:
            reported = [repr(await one.chat_result(HI, model="m")) for one in (managed, Own(api_key=KEY))]
            for one in (managed, Own(api_key=KEY)):
                reported += [repr(result) async for result in one.stream_result(HI, model="m")]
            reported.append(repr(managed.get_metrics()))
    finally:
        ProviderRegistry.restore()
    check_clean("".join(reported))
    assert "[redacted]" in reported[0]
    check_clean("\n".join(captured_logs.lines))


def test_header_values_are_not_shown() -> None:
    signed = HttpRequest(url="https://x.test", headers={"authorization": f"Bearer {KEY}"}, body=b"{}")
    check_clean(repr(signed) + str(signed))
    options = read_options({"extra_headers": {"x-gateway": KEY}}).unwrap()
    assert options.extra_headers == {"x-gateway": KEY}
    check_clean(repr(options))


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("api_key", True),
        ("apiKey", True),
        ("APIKEY", True),
        ("aws_secret_access_key", True),
        ("X-Amz-Security-Token", True),
        ("Authorization", True),
        ("db.password", True),
        ("max_tokens", False),
        ("tokenizer", False),
        ("keyboard", False),
        ("monkey", False),
        ("", False),
    ],
)
def test_names_that_look_secret(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret


def test_secrets_are_found_among_keywords() -> None:
    given = {"token": "t", "n": 1, "auth": {"user": "u"}, "hidden": SecretStr("s"), "password": b"p", "region": "x"}
    assert list(find_secrets({**given, "secret": "", "key": None})) == ["t", "u", "s", "p"]
    assert repr(HiddenValuesDict(given, one="x")).count("...") == len(given) + 1


@pytest.mark.parametrize("kind", FAULT_TYPES, ids=lambda kind: kind.__name__)
def test_every_kind_of_fault_is_redacted(kind: Any) -> None:
    fault = kind(provider="acme", message=f"{KEY}, I said {KEY}", code=KEY, request_id=f"r-{KEY}", status=401)
    hidden = redact_fault(fault, KEY)
    assert (hidden.message, hidden.code, hidden.request_id) == (
        "[redacted], I said [redacted]",
        "[redacted]",
        "r-[redacted]",
    )
    assert (type(hidden), hidden.status, hidden.provider) == (kind, 401, "acme")
    check_clean(render_error(error_from(hidden)))


def test_redaction_keeps_other_text() -> None:
    fault = InvalidRequest(message="no such model: none", attempts=(Attempt(provider="acme"),))
    assert redact_fault(fault, "none", "", KEY) is fault
    longer = KEY + "-longer"
    assert redact_fault(InvalidRequest(message=longer), KEY, longer).message == "[redacted]"


async def test_a_failing_signer_is_a_fault_without_secrets() -> None:
    async def sign(request: HttpRequest) -> Any:
        raise OSError(f"{KEY} was refused")

    async with AcmeProvider(base_url="http://127.0.0.1:9", sign=sign, runtime=FakeRuntime(), max_retries=0) as one:
        match await one.chat_result(HI, model=MODEL):
            case Failure(faults.CredentialMissing() as fault):
                check_clean(repr(fault))
                assert "OSError" in fault.message
            case other:
                raise AssertionError(other)


def test_what_the_testing_kit_received_is_reported_without_keys() -> None:
    received = Received(method="POST", path="/v1", headers={"authorization": f"Bearer {KEY}"}, body=b"{}")
    check_clean(repr(received))
    assert received.headers["authorization"].endswith(KEY)

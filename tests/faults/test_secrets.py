"""Keys are sent and seen nowhere else: not in logs, errors, reprs, pickles or addresses, nor when a vendor echoes them."""

from __future__ import annotations

import json
import logging
import pickle
import random
import string
import traceback
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from pydantic import SecretStr
from returns.result import Failure

from tests.acme import HI, SPEC, acme
from tests.faults.asking import CLIENTS, brought
from tests.loopback import Received, Talk, serving
from tests.paper import PaperRuntime
from victor_fp.core.catalogue import built_in
from victor_fp.core.faults import FAULTS, Attempt, InvalidRequest, redacted
from victor_fp.core.requests import HttpRequest
from victor_fp.providers.base import BaseProvider, ProviderError
from victor_fp.providers.classes import provider_class
from victor_fp.providers.errors import error_from
from victor_fp.providers.factory import ManagedProviderFactory, ProviderConfig
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.credentials import Credential, Secret

_LUCK = random.Random(20)


def canary(prefix: str) -> str:
    return prefix + "".join(_LUCK.choices(string.ascii_letters + string.digits, k=32))


KEY = canary("sk-canary-")
AWS_KEY, AWS_SECRET, AWS_SESSION = canary("AKIA"), canary("aws/"), canary("IQoJ+/")
TOKEN = canary("ya29.")
CANARIES = (KEY, AWS_SECRET, AWS_SESSION, TOKEN)
MODEL = "m-1"


class GoogleToken:
    """Google's credentials, fetched."""

    token = TOKEN

    def before_request(self, request: Any, method: str, url: str, headers: dict[str, str]) -> None:
        headers["authorization"] = f"Bearer {TOKEN}"


def plain(name: str, url: str, **more: Any) -> BaseProvider:
    made: BaseProvider = provider_class(built_in()[name])(
        api_key=KEY, base_url=url, max_retries=1, runtime=PaperRuntime(), **more
    )
    return made


def bedrock(url: str, **more: Any) -> BaseProvider:
    if find_spec("botocore") is None:
        pytest.skip("the extra `bedrock` is not installed")
    variables = {
        "AWS_ACCESS_KEY_ID": AWS_KEY,
        "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
        "AWS_SESSION_TOKEN": AWS_SESSION,
        "AWS_REGION": "eu-west-1",
    }
    kind = provider_class(built_in()["bedrock"])
    made: BaseProvider = kind(base_url=url, max_retries=1, runtime=PaperRuntime(variables=variables), **more)
    return made


def vertex(url: str, **more: Any) -> BaseProvider:
    if find_spec("google.auth") is None or find_spec("requests") is None:
        pytest.skip("the extra `vertex` is not installed")
    from victor_fp.shell.google_token import GoogleSigner

    spec = built_in()["vertex"]
    place = PaperRuntime(variables={"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "europe-west4"})
    signer = GoogleSigner(spec, GoogleToken())
    made: BaseProvider = provider_class(spec)(base_url=url, max_retries=1, runtime=place, sign=signer, **more)
    return made


KINDS: dict[str, Callable[..., BaseProvider]] = {
    "bearer": lambda url, **more: acme(url, api_key=KEY, max_retries=1, runtime=PaperRuntime(), **more),
    "api-key": lambda url, **more: plain("azure", url, **more),
    "x-api-key": lambda url, **more: plain("anthropic", url, **more),
    "x-goog-api-key": lambda url, **more: plain("google", url, **more),
    "cohere": lambda url, **more: plain("cohere", url, **more),
    "responses": lambda url, **more: plain("openai-responses", url, **more),
    "replicate": lambda url, **more: plain("replicate", url, **more),
    "sigv4": bedrock,
    "google-token": vertex,
}


def echoed(received: Received) -> str:
    """All that a careless vendor could repeat."""
    return f"bad key in {json.dumps(dict(received.headers))}"


def error_of(said: str) -> dict[str, Any]:
    """An error in everybody's form at once."""
    return {
        "type": "error",
        "message": said,
        "detail": said,
        "error": {"message": said, "type": said, "code": said, "status": said, "param": said},
    }


async def refuses(talk: Talk, received: Received) -> None:
    said = echoed(received)
    await talk.answer(error_of(said), 401, x_request_id=said)


async def breaks(talk: Talk, received: Received) -> None:
    said = echoed(received)
    await talk.answer(error_of(said), 500, request_id=said)


async def says_html(talk: Talk, received: Received) -> None:
    await talk.answer(f"<html>{echoed(received)}</html>", 403, content_type="text/html")


async def refuses_in_a_200(talk: Talk, received: Received) -> None:
    said = error_of(echoed(received))
    if received.json().get("stream") or "tream" in received.path:
        await talk.head(content_type="text/event-stream")
        await talk.piece(f"event: error\ndata: {json.dumps(said)}\n\n".encode())
        await talk.end()
    else:
        await talk.answer(said)


async def resets(talk: Talk, _: Received) -> None:
    await talk.reset()


async def redirects(talk: Talk, received: Received) -> None:
    await talk.answer(b"", 307, location=f"http://127.0.0.1:9/{echoed(received)}")


class Heard(logging.Handler):
    """Everything that anybody logs, at any level, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(logging.Formatter("%(name)s %(message)s").format(record) + repr(record.__dict__))


@pytest.fixture
def heard() -> Iterator[Heard]:
    heard, root = Heard(), logging.getLogger()
    level = root.level
    root.addHandler(heard)
    root.setLevel(logging.DEBUG)
    try:
        yield heard
    finally:
        root.setLevel(level)
        root.removeHandler(heard)


def shown(error: BaseException) -> str:
    """Every way in which an exception comes before people's eyes."""
    told = "".join(traceback.format_exception(error)) + repr(error) + str(error) + repr(error.args)
    if isinstance(error, ProviderError):
        told += repr(error.fault) + error.message + repr(error.details) + repr(error.raw_error)
        told += repr(error.__reduce__()) + repr(pickle.dumps(error)) + str(pickle.loads(pickle.dumps(error)))
    return told


def reprs(provider: Any) -> str:
    lines = [one._line for one in getattr(provider, "_providers", (provider,))]
    told = [repr(provider), str(provider), *(repr(line) + repr(line.wire) + repr(line.endpoint) for line in lines)]
    for thing in (provider, *lines):
        try:
            told.append(repr(pickle.dumps(thing)))
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            told.append(shown(error))
    return "".join(told)


async def failed(provider: BaseProvider) -> str:
    """What a call, a stream and a question about models show when they fail."""
    told = ""
    with pytest.raises(ProviderError) as caught:
        await provider.chat(HI, model=MODEL)
    told += shown(caught.value)
    with pytest.raises(ProviderError) as caught:
        async for _ in provider.stream(HI, model=MODEL):
            pass
    told += shown(caught.value)
    told += repr(await provider.chat_result(HI, model=MODEL))
    told += "".join([repr(result) async for result in provider.stream_result(HI, model=MODEL)])
    try:
        told += repr(await provider.list_models())
    except Exception as error:
        told += shown(error)
    return told


def assert_clean(text: str) -> None:
    for secret in CANARIES:
        at = text.find(secret)
        assert at < 0, f"a secret is shown: {text[max(0, at - 200) : at]}<here>"


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        *((kind, answer) for kind in KINDS for answer in (refuses, refuses_in_a_200)),
        *(("bearer", answer) for answer in (breaks, says_html, resets, redirects)),
        *(("sigv4", answer) for answer in (says_html, resets)),
    ],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
async def test_no_kind_of_key_is_seen_in_any_failure(kind: str, answer: Any, heard: Heard) -> None:
    async with serving(answer) as server, KINDS[kind](server.url) as provider:
        told = await failed(provider)
        told += reprs(provider)
    assert_clean(told)
    assert_clean("\n".join(heard.lines))
    assert_clean("\n".join(received.path for received in server.received))
    sent = "".join(value for received in server.received for value in received.headers.values())
    assert any(secret in sent for secret in CANARIES), "nothing secret was sent, so nothing was tested"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("answer", [says_html, refuses_in_a_200, resets], ids=lambda answer: answer.__name__)
async def test_no_client_logs_a_key(client: str, answer: Any, heard: Heard) -> None:
    async with brought(client) as own, serving(answer) as server:
        async with KINDS["bearer"](server.url, http_client=own) as provider:
            assert_clean(await failed(provider))
    logged = "\n".join(heard.lines)
    assert_clean(logged)
    assert client == "aiohttp" or "httpcore" in logged, "nothing was heard, so nothing was tested"


@pytest.mark.parametrize("answer", [refuses, breaks, refuses_in_a_200], ids=lambda answer: answer.__name__)
async def test_a_managed_provider_shows_no_key(answer: Any, heard: Heard) -> None:
    ProviderRegistry.register_spec(SPEC)
    async with serving(answer) as server:
        place = f"{server.url}/v1"
        config = ProviderConfig("acme", MODEL, api_key=KEY, base_url=place, extra_kwargs={"max_retries": 0})
        async with await ManagedProviderFactory.create(
            "acme", MODEL, api_key=KEY, base_url=place, fallback_configs=[config], max_retries=0
        ) as provider:
            told = await failed(provider)
            told += reprs(provider) + repr(config)
            told += repr(provider.get_metrics()) + repr(provider.get_resilience_stats())
            told += repr(provider.get_rate_limit_stats())
    assert_clean(told)
    assert_clean("\n".join(heard.lines))


def test_what_holds_a_key_does_not_show_it() -> None:
    credential = Credential(secret=Secret(KEY), source="argument", place="api_key")
    signed = HttpRequest(url="https://x.test", headers={"authorization": f"Bearer {KEY}"}, body=b"{}")
    assert_clean(repr(credential) + str(credential) + repr(signed) + str(signed))
    with pytest.raises(TypeError) as caught:
        pickle.dumps(credential)
    assert_clean(shown(caught.value))
    assert_clean(repr(acme("http://x.test", api_key=SecretStr(KEY))))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_provider_that_was_never_used_shows_no_key(kind: str) -> None:
    async with KINDS[kind]("http://127.0.0.1:9") as provider:
        assert_clean(reprs(provider))


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
def test_every_kind_of_fault_is_redacted(kind: Any) -> None:
    fault = kind(provider="acme", message=f"{KEY}, I said {KEY}", code=KEY, request_id=f"r-{KEY}", status=401)
    hidden = redacted(fault, KEY)
    assert (hidden.message, hidden.code, hidden.request_id) == (
        "[redacted], I said [redacted]",
        "[redacted]",
        "r-[redacted]",
    )
    assert (type(hidden), hidden.status, hidden.provider) == (kind, 401, "acme")
    assert_clean(shown(error_from(hidden)))


def test_redaction_leaves_other_words_alone() -> None:
    fault = InvalidRequest(message="no such model: none", attempts=(Attempt(provider="acme"),))
    assert redacted(fault, "none", "", KEY) is fault
    longer = KEY + "-longer"
    assert redacted(InvalidRequest(message=longer), KEY, longer).message == "[redacted]"


async def test_a_fault_that_never_met_the_network_shows_no_key() -> None:
    bad = KEY[:10] + " " + KEY[10:]
    async with acme("http://127.0.0.1:9", api_key=bad) as provider:
        match await provider.chat_result(HI, model=MODEL):
            case Failure(fault):
                assert bad not in shown(error_from(fault))
                assert KEY[10:] not in shown(error_from(fault))
            case other:
                raise AssertionError(other)

"""Seeded keys of every kind, providers that use them, servers that repeat them, and all visible representations."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
import random
import string
import traceback
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
from pydantic import SecretStr

from tests.acme import HI, build_acme
from tests.fake_runtime import FakeRuntime
from tests.loopback import Received, Talk
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.security.secrets import HiddenValuesDict
from victor_fp.providers.base import BaseProvider, ProviderError
from victor_fp.providers.classes import make_provider_class

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
    made: BaseProvider = make_provider_class(CATALOGUE.find(name).unwrap())(
        api_key=KEY, base_url=url, max_retries=1, runtime=FakeRuntime(), **more
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
    place = FakeRuntime(
        variables=HiddenValuesDict(variables)
    )  # as the real environment, it is handed on without being shown
    kind = make_provider_class(CATALOGUE.find("bedrock").unwrap())
    made: BaseProvider = kind(base_url=url, max_retries=1, runtime=place, **more)
    return made


def vertex(url: str, **more: Any) -> BaseProvider:
    if find_spec("google.auth") is None or find_spec("requests") is None:
        pytest.skip("the extra `vertex` is not installed")
    from victor_fp.shell.credentials.google_token import GoogleSigner

    spec = CATALOGUE.find("vertex").unwrap()
    place = FakeRuntime(variables={"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "europe-west4"})
    signer = GoogleSigner(spec, GoogleToken())
    made: BaseProvider = make_provider_class(spec)(base_url=url, max_retries=1, runtime=place, sign=signer, **more)
    return made


KINDS: dict[str, Callable[..., BaseProvider]] = {
    "bearer": lambda url, **more: build_acme(url, api_key=KEY, max_retries=1, runtime=FakeRuntime(), **more),
    "api-key": lambda url, **more: plain("azure", url, **more),
    "x-api-key": lambda url, **more: plain("anthropic", url, **more),
    "x-goog-api-key": lambda url, **more: plain("google", url, **more),
    "cohere": lambda url, **more: plain("cohere", url, **more),
    "responses": lambda url, **more: plain("openai-responses", url, **more),
    "replicate": lambda url, **more: plain("replicate", url, **more),
    "mistral": lambda url, **more: plain("mistral", url, **more),
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
        await talk.send_head(content_type="text/event-stream")
        await talk.send_chunk(f"event: error\ndata: {json.dumps(said)}\n\n".encode())
        await talk.end()
    else:
        await talk.answer(said)


async def resets(talk: Talk, _: Received) -> None:
    await talk.reset()


async def redirects(talk: Talk, received: Received) -> None:
    await talk.answer(b"", 307, location=f"http://127.0.0.1:9/{echoed(received)}")


class CapturedLogs(logging.Handler):
    """Everything that anybody logs, at any level, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.lines.append(logging.Formatter("%(name)s %(message)s").format(record) + repr(record.__dict__))


def shown(error: BaseException) -> str:
    """Every way in which an exception comes before people's eyes, the variables of its frames among them."""
    told = "".join(traceback.format_exception(error)) + repr(error) + str(error) + repr(error.args)
    told += frames_of(error)
    if isinstance(error, ProviderError):
        told += repr(error.fault) + error.message + repr(error.details) + repr(error.raw_error) + repr(vars(error))
        told += repr(error.__reduce__()) + repr(pickle.dumps(error)) + str(pickle.loads(pickle.dumps(error)))
    return told


def frames_of(error: BaseException) -> str:
    """The variables of each frame, of causes and contexts too, and the attributes of what they hold: as error trackers show them."""
    told: list[str] = []
    chain: list[BaseException] = [error]
    for one in chain:
        chain += [cause for cause in (one.__cause__, one.__context__) if cause is not None and cause not in chain]
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if "/tests/" not in frame.f_code.co_filename:
                where = f"\n{frame.f_code.co_filename}:{frame.f_code.co_name} "
                told += [where + name + repr(value) + seen_inside(value) for name, value in frame.f_locals.items()]
    return "".join(told)


def seen_inside(thing: object) -> str:
    """An object's attributes; those of a secret itself are where it is."""
    return repr(vars(thing)) if hasattr(thing, "__dict__") and not isinstance(thing, type | SecretStr) else ""


def pickled(thing: object) -> str:
    """The pickle, or the refusal."""
    try:
        return repr(pickle.dumps(thing))
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        return shown(error)


def reprs(provider: Any) -> str:
    """All that a provider shows of itself."""
    lines = [one.connection for one in getattr(provider, "_providers", (provider,))]
    told = [str(provider), *(repr(line.transport) + repr(line.endpoint) for line in lines)]
    for thing in (provider, *lines):
        told += [repr(thing), seen_inside(thing), repr(thing.__getstate__()), pickled(thing)]
        told += [pickled(copy.copy(thing)), repr(copy.copy(thing))]
    told += [
        repr(dataclasses.replace(line)) + seen_inside(line.find_secret) + seen_inside(line.signer) for line in lines
    ]
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


ANSWERS = (refuses, refuses_in_a_200, breaks, says_html, resets, redirects)

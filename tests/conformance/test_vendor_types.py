"""Every shape of conversation, for every provider, checked against the vendor's SDK; unknown keys are mismatches."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest
from returns.result import Success

from tests.conformance.accepted_differences import EXPLAINED, find_unexplained
from tests.conformance.conversations import SHAPES, build_request, list_models
from tests.conformance.schema_checking import Mismatch
from tests.conformance.vendor_types import OF_PROVIDER, Held, find_held
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome

pytestmark = pytest.mark.conformance

HELD = [(spec, held) for spec in CATALOGUE.chats if (held := find_held(spec)) is not None]


def is_installed(held: Held) -> bool:
    try:
        return importlib.util.find_spec(held.module) is not None
    except ModuleNotFoundError:
        return False


def iterate_requests(spec: ProviderSpec) -> Iterator[tuple[str, str, bool, HttpRequest]]:
    """Every request that this provider can send."""
    for model in list_models(spec):
        for name, shape in SHAPES.items():
            for stream in (False, True):
                match outcome(build_request(spec, shape, model, stream=stream)):
                    case Success(request):
                        yield name, model, stream, request
                    case _:
                        pass


def list_mismatches(spec: ProviderSpec, held: Held) -> Iterator[tuple[str, list[Mismatch]]]:
    for name, model, stream, request in iterate_requests(spec):
        yield f"{name} to {model}{' as a stream' if stream else ''}", held.complain(request, model, stream)


@pytest.mark.parametrize(("spec", "held"), HELD, ids=[spec.name for spec, _ in HELD])
def test_requests_are_what_the_vendors_sdk_would_send(spec: ProviderSpec, held: Held) -> None:
    if not is_installed(held):
        pytest.skip(f"{held.package} is not installed")
    wrong = [
        f"{what}: {said}"
        for what, mismatches in list_mismatches(spec, held)
        for said in find_unexplained("type", spec.name, mismatches)
    ]
    assert wrong == []


@pytest.mark.parametrize(("name", "held"), OF_PROVIDER.items(), ids=list(OF_PROVIDER))
def test_a_key_that_the_sdk_does_not_have_would_be_noticed(name: str, held: Held) -> None:
    if not is_installed(held):
        pytest.skip(f"{held.package} is not installed")
    spec = next(spec for spec in CATALOGUE.chats if spec.name == name)
    model = list_models(spec)[0]
    shape = SHAPES["text"]
    request = build_request(spec, shape, model).unwrap()
    spoilt = HttpRequest(url=request.url, body=request.body.replace(b'"messages":', b'"surprise":1,"messages":', 1))
    spoilt = (
        spoilt
        if spoilt.body != request.body
        else HttpRequest(url=request.url, body=b'{"surprise":1,' + request.body[1:])
    )
    assert any("surprise" in mismatch.reason for mismatch in held.complain(spoilt, model, False))


def test_every_explanation_is_still_needed() -> None:
    if not all(is_installed(held) for _, held in HELD):
        pytest.skip("not every SDK is installed")
    found = {
        explained
        for spec, held in HELD
        for _, mismatches in list_mismatches(spec, held)
        for mismatch in mismatches
        for explained in EXPLAINED
        if explained.can_explain("type", spec.name, mismatch)
    }
    assert [one.why for one in EXPLAINED if one.of == "type" and one not in found] == []

"""Stored state is rejected by name at every endpoint whose protocol or vendor does not store responses."""

from __future__ import annotations

from typing import Any

import pytest
from returns.result import Failure, Result, Success

from tests.catalogue_samples import SETTINGS
from victor_fp import replay
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.faults import Fault, UnsupportedParameter
from victor_fp.core.protocols import load_protocol
from victor_fp.core.request_building.stored_state import STATE_OPTIONS, count_stored
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.types import Message

HI = Message(role="user", content="Hi")
STATELESS = [spec for spec in CATALOGUE.chats if load_protocol(spec.dialect.protocol).state_options != STATE_OPTIONS]


def build_request(spec: ProviderSpec, **options: Any) -> Result[HttpRequest, Fault]:
    model = spec.default_model or "model-1"
    return replay.request(spec.name, [HI], model=model, settings=SETTINGS, **options)


@pytest.mark.parametrize("spec", STATELESS, ids=lambda spec: spec.name)
def test_a_protocol_without_storage_rejects_by_name_or_drops_visibly(spec: ProviderSpec) -> None:
    for name, value in {"previous_response_id": "r1", "background": True, "store": True}.items():
        check_option(spec, name, {name: value})


def check_option(spec: ProviderSpec, name: str, option: dict[str, Any]) -> None:
    if name == "store" and isinstance(spec.dialect, ChatDialect) and name not in spec.dialect.refuses:
        sent = build_request(spec, **option).unwrap().json()
        assert isinstance(sent, dict)
        assert sent["store"] is True
        return
    match outcome(build_request(spec, **option)):
        case Failure(UnsupportedParameter(parameter=parameter)):
            assert parameter == name
        case other:
            raise AssertionError(name, other)
    adjusted = build_request(spec, **option, on_unsupported="adjust").unwrap()
    assert [adjustment.parameter for adjustment in adjusted.adjustments] == [name]
    assert adjusted.body == build_request(spec).unwrap().body, name


@pytest.mark.parametrize("spec", STATELESS, ids=lambda spec: spec.name)
def test_store_false_is_accepted_without_storage(spec: ProviderSpec) -> None:
    sent = build_request(spec, store=False)
    assert isinstance(outcome(sent), Success)
    assert sent.unwrap().adjustments == ()


def test_the_newest_turn_of_a_response_counts() -> None:
    turn = Message(role="assistant", content="Yes", metadata={"response_id": "r1"})
    assert count_stored([HI, turn, HI, turn, HI], "r1") == 4
    assert count_stored([HI, turn, HI], "r2") == 0
    assert count_stored([HI, turn, HI], None) == 0

"""The asynchronous and the synchronous API have the same methods, with the same parameters and the same results."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import pytest

from victor_fp import sync
from victor_fp.agent.provider_manager import ProviderManager
from victor_fp.agent.sync_manager import SyncProviderManager
from victor_fp.jobs import JobRun, embed_rows
from victor_fp.jobs import run as run_job
from victor_fp.jobs.sync_run import SyncJobRun
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.calls import ChatStream
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.factory import ManagedProviderFactory
from victor_fp.providers.managed_provider import ManagedProvider
from victor_fp.providers.sync_provider import SyncManagedProvider, SyncProvider
from victor_fp.providers.sync_stream import SyncStream

PAIRS: list[tuple[type, type, set[str]]] = [
    (BaseProvider, SyncProvider, {"api_key", "choose_background_pool", "open_batches"}),
    (
        CatalogueProvider,
        SyncProvider,
        {
            "api_key",
            "SPEC",
            "backend",
            "choose_background_pool",
            "connection",
            "discover_on",
            "engine_pool",
            "in_flight",
            "open_batches",
            "open_batches_on",
        },
    ),
    (
        ManagedProvider,
        SyncManagedProvider,
        {"api_key", "choose_background_pool", "engine_pool", "in_flight", "open_batches"},
    ),
    (ProviderManager, SyncProviderManager, set()),
    (ChatStream, SyncStream, {"aclose"}),
    (JobRun, SyncJobRun, {"aclose", "take_ready"}),
]
"""Both faces, and what only the asynchronous one has: the engine's own, and the name `aclose`, which is `close` here."""

SPELLINGS = [
    (r"ChatStream\[", "SyncStream["),
    (r"AsyncIterator\[", "SyncStream["),
    (r"\bBaseProvider\b", "SyncProvider"),
    (r"SyncProvider \| SyncProvider", "SyncProvider"),
]


def format_annotation(value: object) -> str:
    text = str(value)
    for pattern, spelling in SPELLINGS:
        text = re.sub(pattern, spelling, text)
    return text


def describe_signature(function: Callable[..., object]) -> list[tuple[str, object, object, str]]:
    signature = inspect.signature(function)
    parameters = [
        (one.name, one.kind, one.default, format_annotation(one.annotation)) for one in signature.parameters.values()
    ]
    return [*parameters, ("return", None, None, format_annotation(signature.return_annotation))]


def list_public(kind: type) -> dict[str, object]:
    return {name: inspect.getattr_static(kind, name) for name in dir(kind) if not name.startswith("_")}


METHODS = [
    pytest.param(one, other, name, id=f"{one.__name__}.{name}")
    for one, other, apart in PAIRS
    for name, member in list_public(one).items()
    if name not in apart and name not in dir(object)
]


@pytest.mark.parametrize(("one", "other", "name"), METHODS)
def test_every_method_is_in_both_apis(one: type, other: type, name: str) -> None:
    ours, theirs = inspect.getattr_static(other, name, None), inspect.getattr_static(one, name)
    assert ours is not None, f"{other.__name__} lacks {name}"
    if not inspect.isfunction(theirs):
        assert not inspect.isfunction(ours)
        return
    assert inspect.isfunction(ours)
    assert not inspect.iscoroutinefunction(ours)
    if one is BaseProvider:  # its subclasses in this list accept more; what it accepts, the other does
        assert {each[0] for each in describe_signature(theirs)} <= {each[0] for each in describe_signature(ours)}
        return
    assert describe_signature(ours) == describe_signature(theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (sync.create_managed, ManagedProviderFactory.create),
        (sync.create_from_config, ManagedProviderFactory.create_from_config),
        (SyncProviderManager.__init__, ProviderManager.__init__),
        (sync.run_job, run_job),
        (sync.embed_rows, embed_rows),
    ],
)
def test_constructors_have_equal_signatures(ours: Callable[..., object], theirs: Callable[..., object]) -> None:
    assert describe_signature(ours)[:-1] == describe_signature(theirs)[:-1]


def test_the_comparison_notices_differences() -> None:
    def ask_first(self: object, text: str, *, model: str | None = None) -> int: ...  # type: ignore[empty-body]
    def ask_second(self: object, text: str, *, model: str = "m") -> int: ...  # type: ignore[empty-body]

    assert describe_signature(ask_first) != describe_signature(ask_second)
    assert describe_signature(ask_first) == describe_signature(ask_first)

"""The pytest plugin: the fixture `recording`, and the option `--record`.

    def test_weather(recording):
        with create("openai/gpt-5-mini") as provider:
            assert "rain" in provider.chat("How is the weather?").content

While a test uses the fixture, every provider of the process answers from `recordings/<module>/<test>.yaml`, and opens no connection.
`pytest --record` sends the requests and writes the files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from victor_fp.recording import Mode, Recording

FOLDER = "recordings"
_STAND_INS = {
    "AWS_ACCESS_KEY_ID": "replayed",
    "AWS_SECRET_ACCESS_KEY": "replayed",
}
"""Credentials of providers that sign requests, while nothing is sent."""
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--record` and `--record-new`."""
    group = parser.getgroup("victor_fp", "recordings of LLM providers")
    group.addoption(
        "--record",
        dest="victor_fp_record",
        action="store_const",
        const="record",
        default="replay",
        help="send the requests of tests that use the fixture `recording`, and overwrite their recordings",
    )
    group.addoption(
        "--record-new",
        dest="victor_fp_record",
        action="store_const",
        const="add",
        help="the same for requests that have no recording yet",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Describe the mark."""
    config.addinivalue_line(
        "markers",
        "recording(path=None, match='strict', pace=0.0, scrub=None): settings of the fixture `recording`",
    )


@pytest.fixture
def recording(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    """Answer every provider of the process from the test's recording; see `victor_fp.recording.Recording`.

    Settings are given by a mark: `@pytest.mark.recording(match="loose")`. Keys that are not in the environment are replaced, so that
    tests pass where there are none.
    """
    from victor_fp.recording import Recording

    mark = request.node.get_closest_marker("recording")
    settings = dict(mark.kwargs) if mark is not None else {}
    mode = cast("Mode", request.config.getoption("victor_fp_record"))
    path = settings.pop("path", None)
    place = _choose_path(request) if path is None else request.path.parent / path
    if mode == "replay":
        _set_stand_in_keys(monkeypatch)
    with Recording(place, mode=mode, **settings) as active:
        yield active


def _choose_path(request: pytest.FixtureRequest) -> Path:
    """`recordings/<module>/<class>.<test>[<parameters>].yaml`, next to the module."""
    names = [] if request.cls is None else [request.cls.__name__]
    name = _NOT_IN_NAMES.sub("-", ".".join([*names, request.node.name])).strip("-")
    return request.path.parent / FOLDER / request.path.stem / f"{name}.yaml"


def _set_stand_in_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    from victor_fp.core.catalogue import CATALOGUE

    variables = {name: "replayed" for spec in CATALOGUE for name in spec.key_variables[:1]} | _STAND_INS
    for name, value in variables.items():
        if not os.environ.get(name):
            monkeypatch.setenv(name, value)

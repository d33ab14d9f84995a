"""Work grows linearly with the input, for every framer, protocol, textual format and checker.

The calls are counted for all cells: every fifteenth in the default suite, the others in the slow one. CPU times, in which copying shows
as well, are compared for one cell of ten in the slow suite, and for all of them by `nox -s growth`.
"""

from __future__ import annotations

import pytest

from tests.core.growth.measurement import check_calls_grow_linearly, check_time_grows_linearly
from tests.core.growth.shapes import CELLS, Cell
from victor_fp.core.protocols import PROTOCOLS
from victor_fp.core.text_tools import FORMATS


def test_every_protocol_and_format_has_cells() -> None:
    names = [cell.name for cell in CELLS]
    assert len(set(names)) == len(names)
    for protocol in PROTOCOLS:
        for kind, least in (("body", 9), ("stream", 9), ("error", 9), ("request", 3)):
            assert sum(name.startswith(f"{protocol} {kind}:") for name in names) >= least
    for form in FORMATS:
        assert sum(name.startswith(f"text calls, {form.name},") for name in names) == 18


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(cell, id=cell.name, marks=pytest.mark.slow if number % 15 else ())
        for number, cell in enumerate(CELLS)
    ],
)
def test_calls_grow_with_the_input(cell: Cell) -> None:
    check_calls_grow_linearly(cell.make, cell.size // 4)


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(cell, id=cell.name, marks=pytest.mark.growth if number % 10 else pytest.mark.slow)
        for number, cell in enumerate(CELLS)
    ],
)
def test_time_grows_with_the_input(cell: Cell) -> None:
    check_time_grows_linearly(cell.make, cell.size, largest=cell.largest)

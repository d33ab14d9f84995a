"""The text of a report."""

from __future__ import annotations

import pytest

from victor_fp.core.jobs.report import Report, format_report


@pytest.mark.parametrize(
    ("cost", "unpriced", "line"),
    [
        (1.5, 0, "cost: $1.5000"),
        (1.5, 2, "cost: $1.5000 (2 responses of unknown price)"),
        (None, 3, "cost: unknown (3 responses of unknown price)"),
    ],
)
def test_the_cost_names_responses_of_unknown_price(cost: float | None, unpriced: int, line: str) -> None:
    assert line in format_report(Report(cost_usd=cost, unpriced=unpriced)).splitlines()


def test_the_cost_is_omitted_without_responses() -> None:
    assert "cost" not in format_report(Report())

"""Vendors' rate-limit headers, spelling by spelling."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.example_counts import scale_examples
from victor_fp.core.resilience import ratelimit_headers
from victor_fp.core.resilience.ratelimit_headers import NOTHING, Reported, ReportedBudget, read_budgets

DATE = {"date": "Mon, 02 Mar 2026 10:00:00 GMT"}
WALL = 1772445600.0
"""The same moment."""


@pytest.fixture(autouse=True)
def _read_every_name_anew() -> None:
    for function in vars(ratelimit_headers).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()


def test_openai_style_names_with_durations() -> None:
    headers = {
        "content-type": "application/json",
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "29000",
        "x-ratelimit-reset-tokens": "6m0.5s",
    }
    assert read_budgets(headers) == Reported(
        requests=ReportedBudget(limit=500, remaining=499, reset=0.12),
        tokens=ReportedBudget(limit=30000, remaining=29000, reset=360.5, per_minute=True),
    )


def test_anthropic_names_with_times_of_day() -> None:
    headers = DATE | {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2026-03-02T10:00:07Z",
        "anthropic-ratelimit-tokens-limit": "38000",
        "anthropic-ratelimit-tokens-remaining": "38000",
        "anthropic-ratelimit-tokens-reset": "2026-03-02T10:00:00Z",
        "anthropic-ratelimit-output-tokens-limit": "8000",
        "anthropic-ratelimit-output-tokens-remaining": "0",
        "anthropic-ratelimit-output-tokens-reset": "2026-03-02T10:00:30Z",
    }
    assert read_budgets(headers) == Reported(
        requests=ReportedBudget(limit=50, remaining=49, reset=7.0, per_minute=True),
        tokens=ReportedBudget(limit=38000, remaining=38000, reset=0.0, per_minute=True),
        others=(ReportedBudget(limit=8000, remaining=0, reset=30.0, per_minute=True),),
    )


def test_windows_in_the_name() -> None:
    headers = {
        "x-ratelimit-limit-req-minute": "60",
        "x-ratelimit-remaining-req-minute": "0",
        "x-ratelimit-limit-tokens-minute": "500000",
        "x-ratelimit-remaining-tokens-minute": "499000",
        "x-ratelimit-limit-tokens-month": "1000000000",
        "x-ratelimit-remaining-tokens-month": "0",
    }
    assert read_budgets(headers) == Reported(
        requests=ReportedBudget(limit=60, remaining=0, reset=60.0, per_minute=True),
        tokens=ReportedBudget(limit=500000, remaining=499000, per_minute=True),
        others=(ReportedBudget(limit=1000000000, remaining=0, reset=2592000.0),),
    )


def test_by_size_means_tokens() -> None:
    headers = {"ratelimitbysize-limit": "500000", "ratelimitbysize-remaining": "9", "ratelimitbysize-reset": "41"}
    assert read_budgets(headers).tokens == ReportedBudget(limit=500000, remaining=9, reset=41.0, per_minute=True)


def test_of_several_budgets_the_one_with_the_least_remaining_is_reported() -> None:
    headers = {
        "x-ratelimitbysize-limit-minute": "500000",
        "x-ratelimitbysize-remaining-minute": "70",
        "x-ratelimit-limit-tokens": "9000",
        "x-ratelimit-remaining-tokens": "8000",
    }
    assert read_budgets(headers).tokens == ReportedBudget(limit=500000, remaining=70, per_minute=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("17", 17.0),
        ("7.66s", 7.66),
        ("2m59.56s", 179.56),
        ("1h0m2s", 3602.0),
        ("1d", 86400.0),
        ("4ms", 0.004),
        ("500us", 0.0005),
        ("1772445612", 12.0),
        ("1772445612000", 12.0),
        ("2026-03-02T10:00:12+00:00", 12.0),
        ("2026-03-02T09:00:00Z", 0.0),
        ("2026-03-02T10:00:12", None),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("nan", None),
    ],
)
def test_resets(value: str, seconds: float | None) -> None:
    headers = DATE | {"ratelimit-remaining": "3", "ratelimit-reset": value}
    reported = read_budgets(headers).requests
    assert reported is not None
    assert reported.reset == (None if seconds is None else pytest.approx(seconds))


def test_times_of_day_are_measured_against_the_date_first_and_the_wall_clock_then() -> None:
    headers = {"x-ratelimit-remaining": "3", "x-ratelimit-reset": "1772445612000"}
    assert read_budgets(headers).requests == ReportedBudget(remaining=3)
    assert read_budgets(headers, wall=WALL).requests == ReportedBudget(remaining=3, reset=12.0)
    assert read_budgets(headers | DATE, wall=0.0).requests == ReportedBudget(remaining=3, reset=12.0)


@pytest.mark.parametrize(
    ("value", "remaining"),
    [("12", 12), ("12.0", 12), ("-1", 0), ("9223372036854767616", 9223372036854767616), ("many", None), ("", None)],
)
def test_counts(value: str, remaining: int | None) -> None:
    reported = read_budgets({"x-ratelimit-remaining-requests": value}).requests
    assert reported is not None
    assert reported.remaining == remaining


def test_unrelated_headers_are_ignored() -> None:
    assert read_budgets({"content-type": "text/plain", "retry-after": "3"}) is NOTHING
    assert (
        read_budgets({"x-ratelimit-over-limit": "no", "x-ratelimit-key": "m", "x-ratelimit-tokens-query-cost": "9"})
        == NOTHING
    )


names = st.sampled_from(
    [
        f"x-ratelimit-{field}-{what}"
        for field in ("limit", "remaining", "reset")
        for what in ("requests", "tokens", "x-day")
    ]
    + ["anthropic-ratelimit-tokens-reset", "ratelimit-reset", "ratelimitbysize-limit-month", "x-ratelimit--", "date"]
)


@settings(max_examples=scale_examples(100), deadline=None)
@given(st.dictionaries(names, st.text(max_size=12) | st.from_regex(r"[0-9TZ:.dhms+-]{0,14}"), max_size=8))
def test_no_header_raises(headers: dict[str, str]) -> None:
    reported = read_budgets(headers, wall=WALL)
    for budget in (reported.requests, reported.tokens, *reported.others):
        assert budget is None or budget.reset is None or budget.reset >= 0


def test_an_infinite_reset_is_ignored() -> None:
    reported = read_budgets({"ratelimit-remaining": "3", "ratelimit-reset": "1s" * 40}).requests
    assert reported == ReportedBudget(remaining=3)

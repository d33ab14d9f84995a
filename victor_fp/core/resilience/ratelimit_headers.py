"""Rate-limit budgets in vendors' response headers: limit, remaining amount, and time until the reset.

Supported headers, names in lower case (`{b}` is requests, req, tokens or a part of them):

- `x-ratelimit-limit-{b}`, `-remaining-{b}`, `-reset-{b}`: OpenAI, Azure OpenAI, Groq, Together, Fireworks, Bifrost-like
  gateways; resets are durations ("6m0s", "120ms", "7.66s", plain seconds)
- the same with a window at the end, `-minute`, `-hour`, `-day`, `-month`: Mistral (`req`), Cerebras, DeepInfra
- `x-ratelimitbysize-*-minute`, `ratelimitbysize-*`: tokens at Mistral
- `anthropic-ratelimit-{b}-limit`, `-remaining`, `-reset`: per minute; resets are RFC 3339 times
- `ratelimit-limit`, `ratelimit-remaining`, `ratelimit-reset`, also with `x-`: requests; resets are seconds or, at
  OpenRouter, a Unix time in milliseconds
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Literal, TypeAlias, assert_never

import msgspec

BudgetKind: TypeAlias = Literal["requests", "tokens", "others"]
Field: TypeAlias = Literal["limit", "remaining", "reset"]


class ReportedBudget(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One budget as a vendor reports it; None is a missing value."""

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    """Seconds until the budget is full again."""
    per_minute: bool = False
    """The limit is known to be per minute."""


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """The budgets in the headers of one response."""

    requests: ReportedBudget | None = None
    tokens: ReportedBudget | None = None
    others: tuple[ReportedBudget, ...] = ()
    """Budgets for a part only (input tokens, images) or for a longer window; they apply when nothing remains."""


NOTHING = Reported()

_WINDOWS: Mapping[str, float] = {"minute": 60.0, "hour": 3600.0, "day": 86400.0, "month": 2_592_000.0}
_NAMES: Mapping[str, BudgetKind] = {"requests": "requests", "req": "requests", "": "requests", "tokens": "tokens"}
_GENERAL = re.compile(r"(?:x-)?ratelimit(?P<size>bysize)?-(?P<field>limit|remaining|reset)(?:-(?P<rest>[a-z-]+))?")
_ANTHROPIC = re.compile(r"anthropic-ratelimit-(?P<rest>[a-z-]+)-(?P<field>limit|remaining|reset)")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|ns|µs|h|m|s|d)")
_NUMBER = re.compile(r"\d{1,15}(\.\d+)?")
_COUNT = re.compile(r"\s*(-?)(\d{1,30})")
_UNITS: Mapping[str, float] = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_LONGEST = 64
"""Characters. A longer value is not a reset, and is not cached."""
_YEAR_2001 = 978_307_200.0
"""A reset above this is a Unix time, not a duration."""


def read_budgets(headers: Mapping[str, str], wall: float | None = None) -> Reported:
    """Read the budgets in `headers` (names in lower case).

    Absolute times are compared with the `date` header of the response, or with `wall` (Unix time in seconds) if it is
    missing.
    """
    drafts: dict[str, _Draft] = {}
    for name, value in headers.items():
        if "ratelimit" not in name or (meaning := _parse_header_name(name)) is None:
            continue
        draft = drafts.get(meaning.label)
        if draft is None:
            draft = drafts[meaning.label] = _Draft(meaning)
        match meaning.field:
            case "limit":
                draft.limit = _to_whole(value)
            case "remaining":
                draft.remaining = _to_whole(value)
            case "reset":
                draft.reset = _compute_seconds_until(value.strip(), headers, wall)
            case _:
                assert_never(meaning.field)
    if not drafts:
        return NOTHING
    others = [draft for draft in drafts.values() if draft.meaning.kind == "others"]
    return Reported(
        requests=_choose_budget(drafts.values(), "requests"),
        tokens=_choose_budget(drafts.values(), "tokens"),
        others=tuple(_build_budget(draft) for draft in sorted(others, key=_get_label)) if others else (),
    )


class _Meaning(msgspec.Struct, frozen=True, gc=False):
    """The meaning of a header name."""

    kind: BudgetKind
    label: str
    """Headers with the same label belong to the same budget."""
    field: Field
    per_minute: bool
    window: float | None
    """Seconds of the window in the name."""


class _Draft:
    """A budget while its headers are read, field by field."""

    __slots__ = ("limit", "meaning", "remaining", "reset")

    def __init__(self, meaning: _Meaning) -> None:
        self.meaning = meaning
        self.limit: int | None = None
        self.remaining: int | None = None
        self.reset: float | None = None


@lru_cache(maxsize=256)
def _parse_header_name(name: str) -> _Meaning | None:
    if found := _ANTHROPIC.fullmatch(name):
        rest, window = found["rest"], "minute"
        kind = _NAMES.get(rest, "others")
    elif found := _GENERAL.fullmatch(name):
        rest, window = _split(found["rest"] or "")
        kind = "tokens" if found["size"] and not rest else _NAMES.get(rest, "others")
    else:
        return None
    per_minute = window == "minute" or (kind == "tokens" and not window)
    return _Meaning(
        kind=kind if window in {"", "minute"} else "others",
        label=f"{rest}-{window}-{found.groupdict().get('size') or ''}",
        field=_classify_field(found["field"]),
        per_minute=per_minute,
        window=_WINDOWS.get(window),
    )


def _split(rest: str) -> tuple[str, str]:
    """Split a name into what is counted, and the window at its end, if any."""
    head, _, tail = rest.rpartition("-")
    return (head, tail) if tail in _WINDOWS else (rest, "")


def _classify_field(name: str) -> Field:
    return "limit" if name == "limit" else "remaining" if name == "remaining" else "reset"


def _choose_budget(drafts: Iterable[_Draft], kind: BudgetKind) -> ReportedBudget | None:
    """Return the budget of a kind; if the vendor reports several, the one with the smallest remaining amount."""
    of_kind = [draft for draft in drafts if draft.meaning.kind == kind]
    if not of_kind:
        return None
    return _build_budget(of_kind[0] if len(of_kind) == 1 else min(of_kind, key=_parse_left))


def _parse_left(draft: _Draft) -> tuple[float, str]:
    return math.inf if draft.remaining is None else draft.remaining, draft.meaning.label


def _get_label(draft: _Draft) -> str:
    return draft.meaning.label


def _build_budget(draft: _Draft) -> ReportedBudget:
    """Build the budget. With nothing remaining and no reset, the reset is the window in the name, its upper bound."""
    reset = draft.reset
    if reset is None and draft.remaining == 0:
        reset = draft.meaning.window
    return ReportedBudget(
        limit=draft.limit, remaining=draft.remaining, reset=reset, per_minute=draft.meaning.per_minute
    )


def _to_whole(value: str) -> int | None:
    """Parse a count; the first item of a list ("100, 100;w=60"), and zero for a negative one."""
    if len(value) <= 30 and value.isascii() and value.isdigit():
        return int(value)
    found = _COUNT.match(value)
    return None if found is None else 0 if found[1] else int(found[2])


def _compute_seconds_until(value: str, headers: Mapping[str, str], wall: float | None) -> float | None:
    if _NUMBER.fullmatch(value):
        number = float(value)
        if number < _YEAR_2001:
            return number
        return _compute_wait(number / 1000 if number > _YEAR_2001 * 100 else number, headers, wall)
    if len(value) > _LONGEST:
        return None
    duration = _parse_duration(value)
    if duration is not None:
        return duration
    moment = _parse_moment(value)
    return None if moment is None else _compute_wait(moment, headers, wall)


@lru_cache(maxsize=512)
def _parse_duration(text: str) -> float | None:
    """Parse a duration such as "6m0s" into seconds. Cached, because values repeat."""
    if not text or _DURATION.sub("", text):
        return None
    return sum(float(amount) * _UNITS[unit] for amount, unit in _DURATION.findall(text))


@lru_cache(maxsize=64)
def _parse_moment(text: str) -> float | None:
    """Parse a time such as "2026-03-02T10:00:07Z" into Unix time. Cached, because budgets of a response share it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo is not None else None


def _compute_wait(moment: float, headers: Mapping[str, str], wall: float | None) -> float | None:
    date = _read_date(headers.get("date"), wall)
    return None if date is None else max(0.0, moment - date)


def _read_date(said: str | None, wall: float | None) -> float | None:
    if said is None:
        return wall
    try:
        return _parse_date(said)
    except (OverflowError, TypeError, ValueError):
        return wall


@lru_cache(maxsize=8)
def _parse_date(date: str) -> float:
    """Parse the `date` header into Unix time. Cached, because several headers of a response use it."""
    return parsedate_to_datetime(date).timestamp()

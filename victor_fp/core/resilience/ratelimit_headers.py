"""What vendors' response headers say about budgets: limit, what is left, and the time until it is filled again.

Spellings that are read, names in lower case (`{b}` is requests, req, tokens or a part of them):

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
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import replace

Kind: TypeAlias = Literal["requests", "tokens", "others"]
Field: TypeAlias = Literal["limit", "remaining", "reset"]


class Budget(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One budget as a vendor reports it; None is what was not said."""

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    """Seconds until it is full again."""
    per_minute: bool = False
    """The limit is known to be per minute."""


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """What one response's headers say."""

    requests: Budget | None = None
    tokens: Budget | None = None
    others: tuple[Budget, ...] = ()
    """Budgets that count a part only (input tokens, images) or a longer window; they matter when nothing is left."""


NOTHING = Reported()

_WINDOWS: Mapping[str, float] = {"minute": 60.0, "hour": 3600.0, "day": 86400.0, "month": 2_592_000.0}
_NAMES: Mapping[str, Kind] = {"requests": "requests", "req": "requests", "": "requests", "tokens": "tokens"}
_GENERAL = re.compile(r"(?:x-)?ratelimit(?P<size>bysize)?-(?P<field>limit|remaining|reset)(?:-(?P<rest>[a-z-]+))?")
_ANTHROPIC = re.compile(r"anthropic-ratelimit-(?P<rest>[a-z-]+)-(?P<field>limit|remaining|reset)")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|ns|µs|h|m|s|d)")
_UNITS: Mapping[str, float] = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_YEAR_2001 = 978_307_200.0
"""A reset larger than this is a point of time, not a duration."""


def reported(headers: Mapping[str, str], wall: float | None = None) -> Reported:
    """Budgets in `headers` (names in lower case).

    Times of day are measured against the response's own `date`, else against `wall`, seconds since 1970.
    """
    said = [(name, value) for name, value in headers.items() if "ratelimit" in name]
    if not said:
        return NOTHING
    date = _date_of(headers, wall)
    budgets: dict[tuple[Kind, str], Budget] = {}
    for kind, label, field, per_minute, value in _read(said):
        budget = _with(budgets.get((kind, label), Budget(per_minute=per_minute)), field, value, date)
        budgets[kind, label] = budget
    windows = {label: _WINDOWS.get(label.rsplit("-", 1)[-1]) for _, label in budgets}
    whole = {
        key: replace(budget, reset=windows[key[1]]) if budget.reset is None and budget.remaining == 0 else budget
        for key, budget in budgets.items()
    }
    return Reported(
        requests=_main(whole, "requests"),
        tokens=_main(whole, "tokens"),
        others=tuple(budget for (kind, _), budget in sorted(whole.items()) if kind == "others"),
    )


def _read(said: list[tuple[str, str]]) -> Iterator[tuple[Kind, str, Field, bool, str]]:
    """Kind, label, field, whether the limit is per minute, and the value, for each header that is understood."""
    for name, value in said:
        if found := _ANTHROPIC.fullmatch(name):
            rest, window = found["rest"], "minute"
            kind = _NAMES.get(rest, "others")
        elif found := _GENERAL.fullmatch(name):
            rest, window = _split(found["rest"] or "")
            kind = "tokens" if found["size"] and not rest else _NAMES.get(rest, "others")
        else:
            continue
        per_minute = window == "minute" or (kind == "tokens" and not window)
        if window not in {"", "minute"}:
            kind = "others"
        yield kind, f"{rest}-{window}", _field(found["field"]), per_minute, value.strip()


def _split(rest: str) -> tuple[str, str]:
    """What is counted, and the window where the name ends in one."""
    head, _, tail = rest.rpartition("-")
    return (head, tail) if tail in _WINDOWS else (rest, "")


def _field(name: str) -> Field:
    return "limit" if name == "limit" else "remaining" if name == "remaining" else "reset"


def _main(budgets: Mapping[tuple[Kind, str], Budget], kind: Kind) -> Budget | None:
    """The budget of a kind; where a vendor reports several, the one with the least left."""
    of_kind = [budget for (other, _), budget in sorted(budgets.items()) if other == kind]
    return min(of_kind, key=lambda budget: math.inf if budget.remaining is None else budget.remaining, default=None)


def _with(budget: Budget, field: Field, value: str, date: float | None) -> Budget:
    if field == "reset":
        return replace(budget, reset=_seconds_until(value, date))
    amount = _whole(value)
    return replace(budget, limit=amount) if field == "limit" else replace(budget, remaining=amount)


def _whole(value: str) -> int | None:
    """A count; the first of a list ("100, 100;w=60"), below zero as zero."""
    found = re.match(r"(-?)(\d{1,30})", value)
    return None if found is None else 0 if found[1] else int(found[2])


def _seconds_until(value: str, date: float | None) -> float | None:
    if re.fullmatch(r"\d{1,15}(\.\d+)?", value):
        number = float(value)
        if number < _YEAR_2001:
            return number
        return _from(number / 1000 if number > _YEAR_2001 * 100 else number, date)
    if value and _DURATION.sub("", value) == "":
        return sum(float(amount) * _UNITS[unit] for amount, unit in _DURATION.findall(value))
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return _from(moment.timestamp(), date) if moment.tzinfo is not None else None


def _from(moment: float, date: float | None) -> float | None:
    return None if date is None else max(0.0, moment - date)


def _date_of(headers: Mapping[str, str], wall: float | None) -> float | None:
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return wall

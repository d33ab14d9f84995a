"""Merging of `extra_body` into a request body by RFC 7396, for all protocols.

Objects are merged, null removes a field, other values replace it. Every replaced or removed field of the body is reported as an
`Adjustment`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from victor_fp.core.json import encode_json
from victor_fp.core.requests import Adjustment


def merge_extra_body(
    body: msgspec.Struct,
    extra: Mapping[str, object],
    *,
    unknown: Mapping[str, object] | None = None,
    appended: frozenset[str] = frozenset(),
) -> tuple[bytes, tuple[Adjustment, ...]]:
    """Encode `body` with `unknown` and then `extra` merged into it, and list the overridden fields.

    `unknown` are options without a typed field, `extra` is the option `extra_body`. `appended` names top-level arrays that are
    extended instead of replaced, such as server tools; existing entries are not repeated.

        >>> class Body(msgspec.Struct):
        ...     reasoning: dict[str, str]
        >>> merge_extra_body(Body({"effort": "low"}), {"reasoning": {"summary": "auto"}})
        (b'{"reasoning":{"effort":"low","summary":"auto"}}', ())
        >>> merge_extra_body(Body({"effort": "low"}), {"reasoning": None})[1][0].parameter
        'reasoning'
    """
    if not extra and not unknown:
        return encode_json(body), ()
    current: dict[str, object] = msgspec.to_builtins(body)
    adjustments: dict[Adjustment, None] = {}
    for source, given in (("an option of that name", unknown or {}), ("extra_body", extra)):
        patch = _extend_arrays(current, given, appended)
        for path, verb in _list_overrides(current, patch):
            adjustments[Adjustment(parameter=path, reason=f"{verb} by {source}", action="changed")] = None
        current = merge_patch(current, patch)
    return encode_json(current), tuple(adjustments)


def merge_patch(target: object, patch: Mapping[str, object]) -> dict[str, object]:
    """Apply a JSON merge patch to a JSON value (RFC 7396); neither argument is changed."""
    merged: dict[str, object] = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            merged[name] = merge_patch(merged.get(name), value)
        else:
            merged[name] = value
    return merged


def _extend_arrays(
    body: Mapping[str, object], patch: Mapping[str, object], appended: frozenset[str]
) -> Mapping[str, object]:
    """Return the patch with the body's entries prepended to its arrays named by `appended`."""
    extended: dict[str, object] = {}
    for name in appended & patch.keys():
        before, after = body.get(name), patch[name]
        if isinstance(before, list) and isinstance(after, list | tuple):
            extended[name] = [*before, *(entry for entry in after if entry not in before)]
    return {**patch, **extended} if extended else patch


def _list_overrides(
    body: Mapping[str, object], patch: Mapping[str, object], path: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield the dotted path of every field that the patch replaces or removes, and "replaced" or "removed"."""
    for name, value in patch.items():
        if name not in body:
            continue
        before = body[name]
        if value is None:
            yield path + name, "removed"
        elif isinstance(before, Mapping) and isinstance(value, Mapping):
            yield from _list_overrides(before, value, f"{path}{name}.")
        elif before != value and not _is_extension(before, value):
            yield path + name, "replaced"


def _is_extension(before: object, after: object) -> bool:
    return isinstance(before, list) and isinstance(after, list) and after[: len(before)] == before

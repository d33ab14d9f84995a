"""Drift: comparison of our documents with the vendors' full documents, field by field."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from victor_fp.codegen.bounds import CodegenFailed
from victor_fp.codegen.comparing import Change, ChangeLocation, Comparison, compare
from victor_fp.codegen.compiling import find_documents
from victor_fp.codegen.document import (
    Document,
    collect_operations,
    list_bodies,
    load_document,
    parse_document,
    read_component_schemas,
)
from victor_fp.codegen.normalise import Side, normalise_for_comparison
from victor_fp.codegen.schema import (
    SchemaNode,
    Schemas,
    find_reference,
    make_reference,
    prune,
    rewrite,
    to_list,
    to_schema,
)
from victor_fp.codegen.sources import Source, read_sources


class Drift(NamedTuple):
    """Differences of one of our documents from its source; `undescribed` are parts that the source does not have."""

    name: str
    source: Source
    changes: tuple[Change, ...]
    undescribed: tuple[str, ...]
    same_bytes: bool
    needless: tuple[str, ...] = ()
    """Exceptions in `source` that match no difference."""

    @property
    def used(self) -> tuple[Change, ...]:
        """Changes that affect us: removed fields, changed types, and new required fields."""
        return tuple(change for change in self.changes if change.used)


def drift(openapi_dir: Path, specs: Path | str, names: tuple[str, ...] = ()) -> tuple[Drift, ...]:
    """Compare every document in `sources.toml` with the vendor's, from a folder or a base URL."""
    sources = read_sources(openapi_dir / "sources.toml")
    return tuple(
        compare_documents(name, load_document(path), _load_vendor_document(specs, source.document), source)
        for path in find_documents(openapi_dir, names)
        for name, source in sources.items()
        if (source.of or name) == path.stem
    )


def compare_documents(name: str, ours: Document, theirs: Document, source: Source) -> Drift:
    """Compare two documents, starting at the operations that `source` maps."""
    changes, undescribed = _find_differences(ours, theirs, source, source.vendor)
    if source.of and not source.whole:
        unclaimed, _ = _find_differences(ours, theirs, source, None)
        not_expected = {change for change in unclaimed if change.effect == "removed"}
        changes = tuple(change for change in changes if change not in not_expected)
    kept, needless = _drop_excused(changes, tuple(source.excused))
    return Drift(name, source, kept, undescribed, theirs.sha256 == source.sha256, needless)


def _drop_excused(changes: tuple[Change, ...], patterns: tuple[str, ...]) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Return the changes that match no exception, and the exceptions that match no change."""

    def is_excused(pattern: str, change: Change) -> bool:
        path = f"{change.schema}.{change.field}".rstrip(".")
        return change.used and (path == pattern or fnmatchcase(path, pattern))

    kept = tuple(change for change in changes if not any(is_excused(pattern, change) for pattern in patterns))
    return kept, tuple(pattern for pattern in patterns if not any(is_excused(pattern, change) for change in changes))


def _find_differences(
    ours: Document, theirs: Document, source: Source, vendor: str | None
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Return the differences, and our bodies that the vendor does not describe; with `vendor` None, for unmarked parts."""
    mine = normalise_for_comparison(_drop_marked(read_component_schemas(ours), vendor))
    other = normalise_for_comparison(read_component_schemas(theirs))
    known, vendor_operations = collect_operations(ours), collect_operations(theirs)
    compared: dict[Side, set[tuple[str, str]]] = {"request": set(), "response": set()}
    changes: list[tuple[Side, Change]] = []
    undescribed: dict[str, None] = {}
    for identifier, operation in known.items():
        if " /" in identifier or _is_foreign(operation, vendor):
            continue
        if identifier not in source.operations:
            undescribed[identifier] = None
            continue
        target = source.operations[identifier]
        if target not in vendor_operations:
            changes.append(("request", Change(identifier, "", "removed", f"operation {target}", used=True)))
            continue
        theirs_by_role = dict(reversed(list_bodies(theirs, vendor_operations[target])))
        for role, schema in list_bodies(ours, operation):
            if _is_foreign(schema, vendor):
                continue
            root = find_reference(schema)
            mapped = source.schemas.get(root or "")
            counterpart = theirs_by_role.get(role) if mapped is None else make_reference(mapped) if mapped else None
            if counterpart is None:
                undescribed[root or f"{identifier} {role}"] = None
                continue
            side: Side = "request" if role == "Request" else "response"
            both = Comparison(mine, other, side, compared[side])
            location = ChangeLocation(root or f"{identifier}{role}")
            found = compare(both, _normalise_body(mine, schema), _normalise_body(other, counterpart), location)
            changes.extend((side, change) for change in found)
    return _reconcile(changes, compared), tuple(undescribed)


def _reconcile(changes: list[tuple[Side, Change]], compared: dict[Side, set[tuple[str, str]]]) -> tuple[Change, ...]:
    """Deduplicate changes; a field removed in one counterpart of a component is kept if another counterpart has it.

    One of our components may correspond to several of the vendor's, such as message parts to those of each role.
    """
    counterparts = Counter((side, ours) for side, pairs in compared.items() for ours, _ in pairs)
    reported = Counter((side, _make_key(change)) for side, change in changes)
    kept = (
        change
        for side, change in changes
        if not change.used or reported[side, _make_key(change)] >= counterparts[side, change.schema]
    )
    return tuple(dict.fromkeys(kept))


def _make_key(change: Change) -> tuple[str, str, str, str]:
    return (change.schema, change.field, change.effect, "" if change.effect == "changed" else change.detail)


def report(drifts: tuple[Drift, ...], *, only_used: bool = False) -> str:
    """Return the differences as text, one per line, by document and schema; `!` marks used parts."""
    lines: list[str] = []
    for found in drifts:
        state = "unchanged" if found.same_bytes else "changed since"
        lines.append(f"{found.name}: {found.source.document}, compared {found.source.compared}, {state}")
        by_schema: dict[str, list[Change]] = {}
        for change in found.changes:
            if change.used or not only_used:
                by_schema.setdefault(change.schema, []).append(change)
        for schema, changes in sorted(by_schema.items()):
            lines.append(f"  {schema}")
            lines += [
                f"  {'!' if change.used else ' '} {change.effect:<8}{change.field or '(itself)'}: {change.detail}"
                for change in changes
            ]
        if found.undescribed:
            lines.append(f"  not in the vendor's document: {', '.join(found.undescribed)}")
        lines += [f"  excused: {path}: {reason}" for path, reason in found.source.excused.items() if not only_used]
        if found.needless:
            lines.append(f"  unneeded exceptions: {', '.join(found.needless)}")
        counts = {effect: sum(change.effect == effect for change in found.changes) for effect in _EFFECTS}
        summary = ", ".join(f"{number} {effect}" for effect, number in counts.items())
        lines.append(f"  {summary}; {len(found.used)} affect used parts")
    return "\n".join(lines)


_EFFECTS = ("added", "removed", "changed")


def _is_foreign(schema: SchemaNode, vendor: str | None) -> bool:
    """Return whether a node is marked for other vendors (`x-vendor`) or as undocumented (`x-undocumented`)."""
    return schema.get("x-undocumented") is True or ("x-vendor" in schema and vendor not in to_list(schema["x-vendor"]))


def _drop_marked(schemas: Schemas, vendor: str | None) -> Schemas:
    """Drop properties, variants and components that the vendor's document is not expected to have.

    A list in `x-undocumented` names values of an enum; a mapping in `x-vendor-values` those of specific vendors.
    """
    foreign = {name for name, schema in schemas.items() if _is_foreign(schema, vendor)}

    def is_dropped(item: object) -> bool:
        return isinstance(item, dict) and (_is_foreign(item, vendor) or find_reference(item) in foreign)

    def step(schema: SchemaNode) -> SchemaNode:
        kept = dict(schema)
        for keyword in ("oneOf", "anyOf", "allOf"):
            if keyword in kept:
                kept[keyword] = [item for item in to_list(kept[keyword]) if not is_dropped(item)]
        unseen = to_list(kept.get("x-undocumented"))
        for owner, values in to_schema(kept.get("x-vendor-values")).items():
            unseen += [] if owner == vendor else to_list(values)
        if unseen and "enum" in kept:
            kept["enum"] = [value for value in to_list(kept["enum"]) if value not in unseen]
        fields = kept.get("properties")
        if isinstance(fields, dict):
            kept["properties"] = {name: item for name, item in fields.items() if not is_dropped(item)}
        return kept

    return {name: rewrite(schema, step) for name, schema in schemas.items() if name not in foreign}


def _normalise_body(schemas: Schemas, schema: SchemaNode) -> SchemaNode:
    """Normalise an inline body like the components it references."""
    return schema if "$ref" in schema else normalise_for_comparison(prune({**schemas, _BODY: schema}, [_BODY]))[_BODY]


_BODY = "(body)"


def _load_vendor_document(specs: Path | str, name: str) -> Document:
    if not str(specs).startswith(("http://", "https://")):
        return load_document(Path(specs) / name)
    url = f"{str(specs).rstrip('/')}/{name}"
    try:
        with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310 -- the scheme is checked above
            data: bytes = response.read()
    except (urllib.error.URLError, TimeoutError) as error:
        raise CodegenFailed(f"cannot fetch {url}: {error}") from error
    return parse_document(name, data)

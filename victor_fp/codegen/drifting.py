"""Has the vendor moved on? Our documents against the full ones they were written from, field by field."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from victor_fp.codegen.bounds import CodegenFailed
from victor_fp.codegen.comparing import Change, Comparison, Place, compare
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
from victor_fp.codegen.schema import Schema, Schemas, find_reference, make_reference, prune, rewrite, to_list, to_schema
from victor_fp.codegen.sources import Source, read_sources


class Drift(NamedTuple):
    """How one of our documents differs from its source; `undescribed` is what the source says nothing about."""

    name: str
    source: Source
    changes: tuple[Change, ...]
    undescribed: tuple[str, ...]
    same_bytes: bool
    needless: tuple[str, ...] = ()
    """Places that `source` excuses without need."""

    @property
    def used(self) -> tuple[Change, ...]:
        """What touches us: fields that are gone or of another type, and new required ones."""
        return tuple(change for change in self.changes if change.used)


def drift(openapi_dir: Path, specs: Path | str, names: tuple[str, ...] = ()) -> tuple[Drift, ...]:
    """Compare every document that `sources.toml` names with the vendor's, from a folder or below a URL."""
    sources = read_sources(openapi_dir / "sources.toml")
    return tuple(
        compare_documents(name, load_document(path), _load_vendor_document(specs, source.document), source)
        for path in find_documents(openapi_dir, names)
        for name, source in sources.items()
        if (source.of or name) == path.stem
    )


def compare_documents(name: str, ours: Document, theirs: Document, source: Source) -> Drift:
    """Walk both documents from the operations that `source` pairs."""
    changes, undescribed = _find_differences(ours, theirs, source, source.vendor)
    if source.of and not source.whole:
        unclaimed, _ = _find_differences(ours, theirs, source, None)
        not_expected = {change for change in unclaimed if change.effect == "removed"}
        changes = tuple(change for change in changes if change not in not_expected)
    kept, needless = _drop_excused(changes, tuple(source.excused))
    return Drift(name, source, kept, undescribed, theirs.sha256 == source.sha256, needless)


def _drop_excused(changes: tuple[Change, ...], patterns: tuple[str, ...]) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """The changes that no pattern of a place excuses, and the patterns without anything to excuse."""

    def excuses(pattern: str, change: Change) -> bool:
        spot = f"{change.schema}.{change.field}".rstrip(".")
        return change.used and (spot == pattern or fnmatchcase(spot, pattern))

    kept = tuple(change for change in changes if not any(excuses(pattern, change) for pattern in patterns))
    return kept, tuple(pattern for pattern in patterns if not any(excuses(pattern, change) for change in changes))


def _find_differences(
    ours: Document, theirs: Document, source: Source, vendor: str | None
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """What is different, and which of our bodies the vendor describes nowhere; None asks what no vendor is marked for."""
    mine = normalise_for_comparison(_drop_marked(read_component_schemas(ours), vendor))
    other = normalise_for_comparison(read_component_schemas(theirs))
    known, vendor_operations = collect_operations(ours), collect_operations(theirs)
    met: dict[Side, set[tuple[str, str]]] = {"request": set(), "response": set()}
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
            both = Comparison(mine, other, side, met[side])
            place = Place(root or f"{identifier}{role}")
            found = compare(both, _spell_body(mine, schema), _spell_body(other, counterpart), place)
            changes.extend((side, change) for change in found)
    return _reconcile(changes, met), tuple(undescribed)


def _reconcile(changes: list[tuple[Side, Change]], met: dict[Side, set[tuple[str, str]]]) -> tuple[Change, ...]:
    """Each change once; what one counterpart of a component lacks is there all the same if another has it.

    One of our components often stands for several of the vendor's, such as a message's parts for those of each role.
    """
    counterparts = Counter((side, ours) for side, pairs in met.items() for ours, _ in pairs)
    reported = Counter((side, _claim(change)) for side, change in changes)
    kept = (
        change
        for side, change in changes
        if not change.used or reported[side, _claim(change)] >= counterparts[side, change.schema]
    )
    return tuple(dict.fromkeys(kept))


def _claim(change: Change) -> tuple[str, str, str, str]:
    return (change.schema, change.field, change.effect, "" if change.effect == "changed" else change.detail)


def report(drifts: tuple[Drift, ...], *, only_used: bool = False) -> str:
    """The differences as text: per document and schema, one line each; `!` marks what we use."""
    lines: list[str] = []
    for found in drifts:
        state = "as compared" if found.same_bytes else "its bytes have changed since"
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
        lines += [f"  excused: {spot}: {reason}" for spot, reason in found.source.excused.items() if not only_used]
        if found.needless:
            lines.append(f"  excused without need: {', '.join(found.needless)}")
        counts = {effect: sum(change.effect == effect for change in found.changes) for effect in _EFFECTS}
        summary = ", ".join(f"{number} {effect}" for effect, number in counts.items())
        lines.append(f"  {summary}; {len(found.used)} touch what we use")
    return "\n".join(lines)


_EFFECTS = ("added", "removed", "changed")


def _is_foreign(schema: Schema, vendor: str | None) -> bool:
    """Whether a node is marked as other vendors' (`x-vendor`) or as seen on the wire only (`x-undocumented`)."""
    return schema.get("x-undocumented") is True or ("x-vendor" in schema and vendor not in to_list(schema["x-vendor"]))


def _drop_marked(schemas: Schemas, vendor: str | None) -> Schemas:
    """Leave out properties, variants and components that the vendor's own document is not expected to have.

    A list in `x-undocumented` names single values of an enum; a mapping in `x-vendor-values` those of some vendors only.
    """
    foreign = {name for name, schema in schemas.items() if _is_foreign(schema, vendor)}

    def dropped(item: object) -> bool:
        return isinstance(item, dict) and (_is_foreign(item, vendor) or find_reference(item) in foreign)

    def step(schema: Schema) -> Schema:
        kept = dict(schema)
        for keyword in ("oneOf", "anyOf", "allOf"):
            if keyword in kept:
                kept[keyword] = [item for item in to_list(kept[keyword]) if not dropped(item)]
        unseen = to_list(kept.get("x-undocumented"))
        for owner, values in to_schema(kept.get("x-vendor-values")).items():
            unseen += [] if owner == vendor else to_list(values)
        if unseen and "enum" in kept:
            kept["enum"] = [value for value in to_list(kept["enum"]) if value not in unseen]
        fields = kept.get("properties")
        if isinstance(fields, dict):
            kept["properties"] = {name: item for name, item in fields.items() if not dropped(item)}
        return kept

    return {name: rewrite(schema, step) for name, schema in schemas.items() if name not in foreign}


def _spell_body(schemas: Schemas, schema: Schema) -> Schema:
    """A body that stands in the operation itself, spelled as the components that it leads to are."""
    return schema if "$ref" in schema else normalise_for_comparison(prune({**schemas, _BODY: schema}, [_BODY]))[_BODY]


_BODY = "(body)"


def _load_vendor_document(specs: Path | str, name: str) -> Document:
    if not str(specs).startswith(("http://", "https://")):
        return load_document(Path(specs) / name)
    address = f"{str(specs).rstrip('/')}/{name}"
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 -- the scheme is checked above
            data: bytes = answer.read()
    except (urllib.error.URLError, TimeoutError) as error:
        raise CodegenFailed(f"cannot fetch {address}: {error}") from error
    return parse_document(name, data)

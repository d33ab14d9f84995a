"""Normalisation of vendors' schemas to schemas that can be compiled to structs, as a sequence of pure steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, TypeAlias

from victor_fp.codegen.normalise.composition import flatten_all_of
from victor_fp.codegen.normalise.hoisting import hoist_objects
from victor_fp.codegen.normalise.inheritance import convert_inheritance_to_unions
from victor_fp.codegen.normalise.naming import break_alias_cycles, inline_scalars, move_null_to_fields, name_as_classes
from victor_fp.codegen.normalise.responses import append_unknown_variants, make_fields_optional, open_values
from victor_fp.codegen.normalise.spelling import (
    convert_null_to_type,
    convert_single_values_to_const,
    convert_type_lists_to_unions,
    convert_unions_to_one_of,
    drop_reference_siblings,
    infer_missing_types,
    keep_types_only,
)
from victor_fp.codegen.normalise.tagging import tag_unions
from victor_fp.codegen.normalise.unions import simplify_unions
from victor_fp.codegen.schema import Schemas, prune

Side: TypeAlias = Literal["request", "response"]
NormaliseStep: TypeAlias = Callable[[Schemas], Schemas]

CANONICAL_STEPS: tuple[NormaliseStep, ...] = (
    keep_types_only,
    drop_reference_siblings,
    convert_null_to_type,
    convert_type_lists_to_unions,
    convert_unions_to_one_of,
    convert_single_values_to_const,
    infer_missing_types,
    flatten_all_of,
)
"""Steps to canonical forms without composition, sufficient to compare documents."""

COMMON_STEPS: tuple[NormaliseStep, ...] = (
    *CANONICAL_STEPS,
    move_null_to_fields,
    hoist_objects,
    break_alias_cycles,
    simplify_unions,
    tag_unions,
)

RESPONSE_STEPS: tuple[NormaliseStep, ...] = (
    open_values,
    make_fields_optional,
    append_unknown_variants,
    simplify_unions,
)


class Normalised(NamedTuple):
    """Schemas ready for compilation, in reading order, and the class names of their roots by component name."""

    schemas: Schemas
    roots: Mapping[str, str]


def normalise_for_comparison(schemas: Schemas) -> Schemas:
    """Normalise schemas for comparison, keeping inline objects."""
    current = convert_inheritance_to_unions(schemas)
    for step in (*CANONICAL_STEPS, simplify_unions):
        current = step(current)
    return current


def normalise(schemas: Schemas, roots: tuple[str, ...], side: Side) -> Normalised:
    """Run all steps on the schemas reachable from the roots."""
    current = prune(convert_inheritance_to_unions(schemas), roots)
    for step in COMMON_STEPS if side == "request" else (*COMMON_STEPS, *RESPONSE_STEPS):
        current = step(current)
    current = inline_scalars(current, frozenset(roots))
    current, names = name_as_classes(prune(current, roots))
    return Normalised(current, {root: names[root] for root in roots if root in names})

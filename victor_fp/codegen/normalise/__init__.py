"""From the schemas vendors publish to schemas a struct can be compiled from: one small pure step after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, TypeAlias

from victor_fp.codegen.normalise.composition import flatten_all_of
from victor_fp.codegen.normalise.hoisting import hoist_objects
from victor_fp.codegen.normalise.inheritance import spell_inheritance_as_unions
from victor_fp.codegen.normalise.naming import break_alias_cycles, inline_scalars, move_null_to_fields, name_as_classes
from victor_fp.codegen.normalise.responses import append_unknown_variants, make_fields_optional, open_values
from victor_fp.codegen.normalise.spelling import (
    drop_reference_siblings,
    infer_missing_types,
    keep_types_only,
    spell_null_as_type,
    spell_single_values_as_const,
    spell_type_lists_as_unions,
    spell_unions_as_one_of,
)
from victor_fp.codegen.normalise.tagging import tag_unions
from victor_fp.codegen.normalise.unions import simplify_unions
from victor_fp.codegen.schema import Schemas, prune

Side: TypeAlias = Literal["request", "response"]
NormaliseStep: TypeAlias = Callable[[Schemas], Schemas]

SPELLING_STEPS: tuple[NormaliseStep, ...] = (
    keep_types_only,
    drop_reference_siblings,
    spell_null_as_type,
    spell_type_lists_as_unions,
    spell_unions_as_one_of,
    spell_single_values_as_const,
    infer_missing_types,
    flatten_all_of,
)
"""One spelling and no composition: enough to compare two documents."""

COMMON_STEPS: tuple[NormaliseStep, ...] = (
    *SPELLING_STEPS,
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
    """Schemas ready to be compiled, in reading order, and the class names of their roots, by component name."""

    schemas: Schemas
    roots: Mapping[str, str]


def normalise_for_comparison(schemas: Schemas) -> Schemas:
    """The schemas spelled one way, inline objects left where they are: what drift compares."""
    current = spell_inheritance_as_unions(schemas)
    for step in (*SPELLING_STEPS, simplify_unions):
        current = step(current)
    return current


def normalise(schemas: Schemas, roots: tuple[str, ...], side: Side) -> Normalised:
    """Run every step on what the roots reach."""
    current = prune(spell_inheritance_as_unions(schemas), roots)
    for step in COMMON_STEPS if side == "request" else (*COMMON_STEPS, *RESPONSE_STEPS):
        current = step(current)
    current = inline_scalars(current, frozenset(roots))
    current, names = name_as_classes(prune(current, roots))
    return Normalised(current, {root: names[root] for root in roots if root in names})

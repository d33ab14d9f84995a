"""Documents are read, patched and sliced to the bodies of the chosen operations."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from victor_fp.codegen.bounds import CodegenFailed
from victor_fp.codegen.document import (
    Document,
    apply_overlay,
    load_document,
    merge_patch,
    parse_document,
    slice_operations,
)
from victor_fp.codegen.schema import prune

FIXTURE = Path(__file__).parent / "fixtures" / "post-office.yaml"


@pytest.fixture(scope="module")
def post_office() -> Document:
    return load_document(FIXTURE)


def test_a_document_carries_the_hash_of_its_bytes(post_office: Document) -> None:
    assert post_office.sha256 == hashlib.sha256(FIXTURE.read_bytes()).hexdigest()


def test_bodies_become_roots_by_the_side_of_the_wire_they_are_on(post_office: Document) -> None:
    sliced = slice_operations(post_office)
    assert sliced.request_roots == ("Letter",)
    assert sliced.response_roots == ("Receipt", "TrackingEvent", "SendLetterError", "ListStampsResponse")


def test_only_chosen_operations_are_sliced(post_office: Document) -> None:
    sliced = slice_operations(post_office, ("GET /stamps",), ("Moved",))
    assert sliced.request_roots == ()
    assert sliced.response_roots == ("GETStampsResponse", "Moved")
    assert set(prune(sliced.schemas, sliced.response_roots)) == {"GETStampsResponse", "Stamp", "Moved"}


@pytest.mark.parametrize(("operations", "components"), [(("burnLetter",), ()), (("sendLetter",), ("Nothing",))])
def test_missing_parts_of_a_document_are_named(
    post_office: Document, operations: tuple[str, ...], components: tuple[str, ...]
) -> None:
    with pytest.raises(CodegenFailed, match=r"post-office\.yaml has no (burnLetter|Nothing)"):
        slice_operations(post_office, operations, components)


def test_referenced_bodies_and_responses_are_found() -> None:
    text = b"""{"paths": {"/a": {"post": {"operationId": "a", "requestBody": {"$ref": "#/components/requestBodies/B"},
        "responses": {"400": {"$ref": "#/components/responses/Bad"}}}}},
        "components": {"schemas": {"In": {}, "Out": {}},
        "requestBodies": {"B": {"content": {"application/json; charset=utf-8": {"schema": {"$ref": "#/components/schemas/In"}}}}},
        "responses": {"Bad": {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Out"}}}}}}}"""
    sliced = slice_operations(parse_document("x.json", text))
    assert (sliced.request_roots, sliced.response_roots) == (("In",), ("Out",))


def test_input_that_is_not_a_document_is_rejected() -> None:
    with pytest.raises(CodegenFailed, match="not an OpenAPI document"):
        parse_document("x.yaml", b"just: text")
    with pytest.raises(CodegenFailed, match="cannot read"):
        load_document(Path("nowhere.yaml"))


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": None, "e": 4}}, {"a": 1, "b": {"d": 3, "e": 4}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        ({"a": 1}, "text", "text"),
    ],
)
def test_a_merge_patch_adds_replaces_and_removes(target: object, patch: object, expected: object) -> None:
    assert merge_patch(target, patch) == expected


def test_an_overlay_corrects_a_document_and_leaves_the_original(post_office: Document) -> None:
    patch = {"components": {"schemas": {"Letter": None}}}
    assert "Letter" not in slice_operations(apply_overlay(post_office, patch), ("listStamps",)).schemas
    assert "Letter" in slice_operations(post_office, ("listStamps",)).schemas

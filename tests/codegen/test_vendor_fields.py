"""Fields that single vendors add to a body: one model per vendor, which extends the body's own."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import msgspec
import pytest

from victor_fp.codegen import CodegenFailed, compile_documents
from victor_fp.codegen.document import Slice
from victor_fp.codegen.schema import read_properties
from victor_fp.codegen.vendor_fields import split_vendor_fields

DOCUMENT = """
openapi: 3.1.0
info: {title: Couriers, version: "1"}
paths:
  /parcels:
    post:
      operationId: sendParcel
      requestBody:
        content:
          application/json:
            schema: {$ref: "#/components/schemas/Parcel"}
      responses:
        "200": {description: Accepted.}
components:
  schemas:
    Parcel:
      type: object
      x-vendor-fields: apart
      required: [to]
      properties:
        to: {type: string}
        weight: {type: number, x-vendor: [swift, slow-mail]}
        insured: {type: boolean, x-vendor: [swift]}
"""


def slice_of(schema: dict[str, object]) -> Slice:
    return Slice({"Parcel": schema}, ("Parcel",), ())


def test_each_vendor_gets_the_fields_it_is_named_for() -> None:
    marked: dict[str, object] = {
        "type": "object",
        "x-vendor-fields": "apart",
        "properties": {
            "to": {"type": "string"},
            "weight": {"type": "number", "x-vendor": ["swift", "slow-mail"]},
            "insured": {"type": "boolean", "x-vendor": ["swift"]},
        },
    }
    split = split_vendor_fields(slice_of(marked))
    assert {name: [*read_properties(schema)] for name, schema in split.schemas.items()} == {
        "Parcel": ["to"],
        "SwiftParcel": ["weight", "insured"],
        "SlowMailParcel": ["weight"],
    }
    assert split.bases == {"SwiftParcel": "Parcel", "SlowMailParcel": "Parcel"}


def test_a_list_limits_the_vendors_that_get_a_model() -> None:
    marked: dict[str, object] = {
        "type": "object",
        "x-vendor-fields": ["slow-mail"],
        "properties": {
            "weight": {"type": "number", "x-vendor": ["swift", "slow-mail"]},
            "insured": {"type": "boolean", "x-vendor": ["swift"]},
        },
    }
    split = split_vendor_fields(slice_of(marked))
    assert {name: [*read_properties(schema)] for name, schema in split.schemas.items()} == {
        "Parcel": [],
        "SlowMailParcel": ["weight"],
    }


def test_a_body_without_vendor_fields_is_not_split() -> None:
    marked: dict[str, object] = {"type": "object", "properties": {"weight": {"type": "number", "x-vendor": ["swift"]}}}
    assert split_vendor_fields(slice_of(marked)).schemas == {"Parcel": marked}


@pytest.mark.parametrize(
    ("schemas", "message"),
    [
        ({"Parcel": {"x-vendor-fields": "together"}}, "expected 'apart' or a list of vendors"),
        (
            {"Parcel": {"x-vendor-fields": ["rail"], "properties": {"weight": {"x-vendor": ["swift"]}}}},
            "lists 'rail', for which no property is marked",
        ),
        (
            {
                "Parcel": {"x-vendor-fields": "apart", "properties": {"weight": {"x-vendor": ["swift"]}}},
                "SwiftParcel": {},
            },
            "SwiftParcel exists already",
        ),
    ],
)
def test_a_document_that_cannot_be_split_is_refused(schemas: dict[str, dict[str, object]], message: str) -> None:
    with pytest.raises(CodegenFailed, match=message):
        split_vendor_fields(Slice(schemas, ("Parcel",), ()))


@pytest.mark.skipif(
    importlib.util.find_spec("datamodel_code_generator") is None, reason="the extra `codegen` is not installed"
)
def test_a_vendors_class_extends_the_class_of_the_body(tmp_path: Path) -> None:
    (tmp_path / "couriers.yaml").write_text(DOCUMENT)
    compile_documents(tmp_path, tmp_path / "wire")
    spec = importlib.util.spec_from_file_location("compiled_couriers", tmp_path / "wire/couriers/request.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["compiled_couriers"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.SwiftParcel.__mro__[1] is module.Parcel
    assert module.SwiftParcel.__struct_fields__ == ("to", "weight", "insured")
    assert module.SwiftParcel.__struct_config__.frozen
    assert msgspec.json.encode(module.SlowMailParcel(to="a", weight=2)) == b'{"to":"a","weight":2}'

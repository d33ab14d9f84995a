"""Splitting of vendor-specific fields of a request body into one model per vendor, which extends the body's."""

from __future__ import annotations

from victor_fp.codegen.bounds import CodegenFailed
from victor_fp.codegen.document import Slice
from victor_fp.codegen.schema import SchemaNode, Schemas, to_list, to_pascal_case, to_schema

MARK = "x-vendor"
"""On a property: the vendors that accept it; without it, the property belongs to the format."""
APART = "x-vendor-fields"
"""On a request body: `apart` moves every marked property into models of the vendors it is marked for.

A list of vendors limits the models to these; the properties of others are described only, for comparison with their documents.
"""


def split_vendor_fields(sliced: Slice) -> Slice:
    """Move the marked properties of every body with `x-vendor-fields` to components `<Vendor><Body>`, as further roots.

    A property of several vendors is in the component of each, so that a component has only fields of its vendor. The class of
    a component extends that of its body, see `Slice.bases`.
    """
    schemas: Schemas = dict(sliced.schemas)
    roots: dict[str, None] = {}
    bases: dict[str, str] = {}
    for root in sliced.request_roots:
        roots[root] = None
        schema = to_schema(schemas.get(root))
        if APART not in schema:
            continue
        common, apart = _split(root, schema)
        if schema[APART] != "apart":
            apart = _select(root, schema[APART], apart)
        schemas[root] = common
        for name, component in apart.items():
            if name in schemas:
                raise CodegenFailed(f"{root}: the vendor component {name} exists already")
            schemas[name] = component
            roots[name] = None
            bases[name] = root
    return sliced._replace(schemas=schemas, request_roots=tuple(roots), bases=bases)


def _select(root: str, vendors: object, apart: Schemas) -> Schemas:
    """Return the components of the listed vendors."""
    if not isinstance(vendors, list):
        raise CodegenFailed(f"{root}: {APART} is {vendors!r}; expected 'apart' or a list of vendors")
    names = {_name_component(str(vendor), root): vendor for vendor in vendors}
    for name, vendor in names.items():
        if name not in apart:
            raise CodegenFailed(f"{root}: {APART} lists {vendor!r}, for which no property is marked")
    return {name: component for name, component in apart.items() if name in names}


def _name_component(vendor: str, root: str) -> str:
    return f"{to_pascal_case(vendor)}{to_pascal_case(root)}"


def _split(root: str, schema: SchemaNode) -> tuple[SchemaNode, Schemas]:
    """Return the body without marked properties, and a component per vendor, in order of appearance."""
    common: SchemaNode = {}
    by_vendor: dict[str, SchemaNode] = {}
    for name, value in to_schema(schema.get("properties")).items():
        vendors = [str(vendor) for vendor in to_list(to_schema(value).get(MARK))]
        if not vendors:
            common[name] = value
        for vendor in vendors:
            by_vendor.setdefault(vendor, {})[name] = value
    body = {key: value for key, value in schema.items() if key != APART} | {"properties": common}
    return body, {
        _name_component(vendor, root): {"type": "object", "properties": properties}
        for vendor, properties in by_vendor.items()
    }

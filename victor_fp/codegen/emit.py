"""Invocation of datamodel-code-generator, with options for reproducible msgspec code."""

from __future__ import annotations

import json
import re
import warnings
from importlib import metadata

from victor_fp.codegen.bounds import CodegenFailed
from victor_fp.codegen.schema import COMPONENTS, SchemaNode, Schemas, to_schema

_UNENCODABLE = re.compile(r"[\"\\\x00-\x1f]")
GENERATOR = "datamodel-code-generator"
GENERATOR_VERSION = "0.89.0"


def require_generator() -> None:
    """Raise `CodegenFailed` unless the pinned version of the generator is installed; other versions have different output."""
    try:
        installed = metadata.version(GENERATOR)
    except metadata.PackageNotFoundError:
        raise CodegenFailed(f"{GENERATOR} is not installed, but required: pip install 'victor-fp[codegen]'") from None
    if installed != GENERATOR_VERSION:
        raise CodegenFailed(
            f"{GENERATOR} {installed} is installed, the compiler is pinned to {GENERATOR_VERSION}: "
            f"pip install {GENERATOR}=={GENERATOR_VERSION}"
        )


def emit(schemas: Schemas) -> str:
    """Return the Python source that the generator produces for normalised schemas.

    The generator would open files and URLs in references, so only references to components are passed to it.
    """
    require_generator()
    _validate(schemas)
    document: SchemaNode = {
        "openapi": "3.1.0",
        "info": {"title": "wire", "version": "1"},
        "paths": {},
        "components": {"schemas": schemas},
    }
    try:
        source = _generate(document)
    except Exception as error:  # any error of the generator is caused by the document
        raise CodegenFailed(f"the generator failed: {type(error).__name__}: {str(error)[:200]}") from error
    if not isinstance(source, str):
        raise CodegenFailed("the generator split its output over several modules; a component name has a dot in it")
    return source


def _validate(schemas: Schemas) -> None:
    """Raise `CodegenFailed` unless all references and discriminator targets are components.

    Property names must be encodable by msgspec without escapes.
    """
    waiting: list[object] = list(schemas.values())
    targets: list[object] = []
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            for name in to_schema(value.get("properties")):
                if _UNENCODABLE.search(name):
                    raise CodegenFailed(
                        f"property {name!r}: quotes, backslashes and control characters are not supported"
                    )
            if isinstance(value.get("$ref"), str):
                targets.append(value["$ref"])
            discriminator = value.get("discriminator")
            if isinstance(discriminator, dict) and isinstance(discriminator.get("mapping"), dict):
                targets += discriminator["mapping"].values()
    for target in targets:
        if not isinstance(target, str) or target.removeprefix(COMPONENTS) not in schemas or not target.startswith("#"):
            raise CodegenFailed(f"reference {target!r} is not to a schema of the document")


def _generate(document: SchemaNode) -> object:
    from datamodel_code_generator import generate
    from datamodel_code_generator.enums import AllOfMergeMode, DataModelType, InputFileType, OpenAPIScope
    from datamodel_code_generator.format import PythonVersion
    from datamodel_code_generator.parser import LiteralType

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return generate(
            json.dumps(document),
            input_file_type=InputFileType.OpenAPI,
            openapi_scopes=[OpenAPIScope.Schemas],
            output_model_type=DataModelType.MsgspecStruct,
            target_python_version=PythonVersion.PY_311,
            keyword_only=True,
            use_msgspec_tagged_unions=True,
            enum_field_as_literal=LiteralType.All,
            use_one_literal_as_default=True,
            strict_nullable=True,
            use_annotated=True,
            use_standard_collections=True,
            use_union_operator=True,
            use_exact_imports=True,
            use_schema_description=True,
            use_single_line_docstring=True,
            snake_case_field=True,
            allof_merge_mode=AllOfMergeMode.All,
            omit_redundant_reference_null=True,
            use_double_quotes=True,
            disable_timestamp=True,
            formatters=[],
        )

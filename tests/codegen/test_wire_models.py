"""Every compiled wire model, whatever the protocol: decodable, encodable, frozen, and open to what servers add."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import msgspec
import pytest
import victor_fp_wire

from victor_fp.core.json import Undecodable, WireDecoder
from victor_fp.core.wire_repair import UNKNOWN_TAG

MODULES = {
    f"{package.name}.{side}": importlib.import_module(f"victor_fp_wire.{package.name}.{side}")
    for package in pkgutil.iter_modules(victor_fp_wire.__path__)
    for side in ("request", "response")
}


def structs(module: ModuleType) -> list[type[msgspec.Struct]]:
    return [
        item
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, msgspec.Struct) and item.__module__ == module.__name__
    ]


def aliases(module: ModuleType) -> dict[str, object]:
    annotations: dict[str, str] = getattr(module, "__annotations__", {})
    return {name: getattr(module, name) for name, kind in annotations.items() if kind == "TypeAlias"}


ALL = [
    pytest.param(struct, id=f"{name}.{struct.__name__}")
    for name, module in MODULES.items()
    for struct in structs(module)
]
RECEIVED = [
    pytest.param(struct, id=f"{name}.{struct.__name__}")
    for name, module in MODULES.items()
    if name.endswith("response")
    for struct in structs(module)
]
UNIONS = [
    pytest.param(alias, id=f"{name}.{label}")
    for name, module in MODULES.items()
    if name.endswith("response")
    for label, alias in aliases(module).items()
    if sum(hasattr(option, "__struct_config__") for option in getattr(alias, "__args__", ())) > 1
]


def test_there_are_wire_models() -> None:
    assert len(MODULES) >= 8
    assert len(ALL) > 150


@pytest.mark.parametrize("struct", ALL)
def test_every_struct_has_a_decoder_and_an_encoder(struct: type[msgspec.Struct]) -> None:
    msgspec.json.Decoder(struct)
    config = struct.__struct_config__
    assert config.frozen
    assert config.gc
    fields = msgspec.structs.fields(struct)
    assert len({field.encode_name for field in fields}) == len(fields)
    msgspec.json.Encoder().encode(struct(**{field.name: None for field in fields if field.required}))


def test_every_alias_can_be_decoded() -> None:
    for module in MODULES.values():
        for alias in aliases(module).values():
            msgspec.json.Decoder(alias)


@pytest.mark.parametrize("struct", RECEIVED)
def test_every_response_decodes_from_nothing_and_with_extra_fields(struct: type[msgspec.Struct]) -> None:
    config = struct.__struct_config__
    document: dict[str, object] = (
        {"field nobody knows": [1], "raw": {}} if config.tag == UNKNOWN_TAG else {"surprise": {}}
    )
    if config.tag_field is not None:
        document[config.tag_field] = config.tag
    found = msgspec.json.decode(msgspec.json.encode(document), type=struct)
    assert all(getattr(found, field.name) in (None, {}) for field in msgspec.structs.fields(struct))


@pytest.mark.parametrize("alias", UNIONS)
def test_every_response_union_keeps_an_object_nobody_knows(alias: object) -> None:
    decoder: WireDecoder[object] = WireDecoder(alias)
    for document in ({"type": "from the future", "role": "x", "event": 1, "new": [1]}, {}):
        found = decoder.decode(msgspec.json.encode(document))
        assert not isinstance(found, Undecodable)
        assert getattr(found, "raw", None) == document


@pytest.mark.parametrize("struct", RECEIVED)
def test_responses_leave_texts_open(struct: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(struct):
        assert "Literal" not in str(field.type)

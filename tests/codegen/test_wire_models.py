"""Every compiled wire model, whatever the protocol: decodable, encodable, frozen, and open to what servers add."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import msgspec
import pytest
import victor_fp_wire

from victor_fp.core.json import Undecodable, WireDecoder
from victor_fp.core.json.wire_repair import UNKNOWN_TAG

MODULES = {
    f"{package.name}.{side}": importlib.import_module(f"victor_fp_wire.{package.name}.{side}")
    for package in pkgutil.iter_modules(victor_fp_wire.__path__)
    for side in ("request", "response")
}


def list_structs(module: ModuleType) -> list[type[msgspec.Struct]]:
    return [
        item
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, msgspec.Struct) and item.__module__ == module.__name__
    ]


def list_aliases(module: ModuleType) -> dict[str, object]:
    annotations: dict[str, str] = getattr(module, "__annotations__", {})
    return {name: getattr(module, name) for name, kind in annotations.items() if kind == "TypeAlias"}


RECEIVED = [name for name in MODULES if name.endswith("response")]
UNIONS = [
    pytest.param(alias, id=f"{name}.{label}")
    for name in RECEIVED
    for label, alias in list_aliases(MODULES[name]).items()
    if sum(hasattr(option, "__struct_config__") for option in getattr(alias, "__args__", ())) > 1
]


def test_there_are_wire_models() -> None:
    assert len(MODULES) >= 8
    assert sum(len(list_structs(module)) for module in MODULES.values()) > 150


@pytest.mark.parametrize("name", MODULES)
def test_every_struct_has_a_decoder_and_an_encoder(name: str) -> None:
    for struct in list_structs(MODULES[name]):
        msgspec.json.Decoder(struct)
        config = struct.__struct_config__
        assert config.frozen, struct
        assert config.gc, struct
        fields = msgspec.structs.fields(struct)
        assert len({field.encode_name for field in fields}) == len(fields), struct
        msgspec.json.Encoder().encode(struct(**{field.name: None for field in fields if field.required}))


def test_every_alias_can_be_decoded() -> None:
    for module in MODULES.values():
        for alias in list_aliases(module).values():
            msgspec.json.Decoder(alias)


@pytest.mark.parametrize("name", RECEIVED)
def test_every_response_decodes_from_nothing_and_with_extra_fields(name: str) -> None:
    for struct in list_structs(MODULES[name]):
        config = struct.__struct_config__
        document: dict[str, object] = (
            {"field nobody knows": [1], "raw": {}} if config.tag == UNKNOWN_TAG else {"surprise": {}}
        )
        if config.tag_field is not None:
            document[config.tag_field] = config.tag
        found = msgspec.json.decode(msgspec.json.encode(document), type=struct)
        assert all(getattr(found, field.name) in (None, {}) for field in msgspec.structs.fields(struct)), struct


@pytest.mark.parametrize("alias", UNIONS)
def test_every_response_union_keeps_an_unknown_object(alias: object) -> None:
    decoder: WireDecoder[object] = WireDecoder(alias)
    for document in ({"type": "from the future", "role": "x", "event": 1, "new": [1]}, {}):
        found = decoder.decode(msgspec.json.encode(document))
        assert not isinstance(found, Undecodable)
        assert getattr(found, "raw", None) == document


@pytest.mark.parametrize("name", RECEIVED)
def test_responses_leave_texts_open(name: str) -> None:
    for struct in list_structs(MODULES[name]):
        for field in msgspec.structs.fields(struct):
            assert "Literal" not in str(field.type), struct

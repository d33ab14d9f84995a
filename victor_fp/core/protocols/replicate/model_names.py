"""Names of Replicate's models: owner and name, optionally with a version; a deployment; or a version."""

from __future__ import annotations

import re

import msgspec

VERSION = re.compile(r"[0-9a-f]{64}")
_PART = r"(?!\.{1,2}(?:/|$))[\w.-]+"
NAME = re.compile(rf"(deployments/)?({_PART})/({_PART})")
SPELLINGS = "owner/name, owner/name:version, deployments/owner/name or a version's 64 characters"


class ModelName(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The parts of a model's name; with a version, the other parts are ignored."""

    owner: str = ""
    name: str = ""
    version: str = ""
    is_deployment: bool = False


def parse_model(model: str) -> ModelName | None:
    """Parse a model's name; None if it has none of the known forms.

    >>> parse_model("deployments/acme/chat")
    ModelName(owner='acme', name='chat', version='', is_deployment=True)
    """
    if VERSION.fullmatch(model):
        return ModelName(version=model)
    name, colon, version = model.partition(":")
    parts = NAME.fullmatch(name)
    if parts is None or (colon and not version):
        return None
    return ModelName(owner=parts[2], name=parts[3], version=version, is_deployment=parts[1] is not None)

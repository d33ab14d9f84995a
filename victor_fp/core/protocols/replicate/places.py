"""Where predictions are created, asked for and canceled; all of it below the base URL, whatever a body names."""

from __future__ import annotations

import re
from urllib.parse import quote

import msgspec

from victor_fp.core.requests import Endpoint

VERSION = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"(deployments/)?[\w.-]+/[\w.-]+")
SPELLINGS = "owner/name, owner/name:version, deployments/owner/name or a version's 64 characters"


class Place(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A URL, and the version that its body has to name."""

    url: str
    version: str | None = None


def place_of(endpoint: Endpoint, model: str) -> Place | None:
    """Where predictions of this model are created; None for a model spelled in no known way."""
    name, _, version = model.partition(":")
    if VERSION.fullmatch(model):
        name, version = "", model
    elif not NAME.fullmatch(name) or (":" in model and not version):
        return None
    if version:
        return Place(url=f"{endpoint.base_url}/predictions", version=version)
    kind = "" if name.startswith("deployments/") and name.count("/") == 2 else "models/"
    return Place(url=f"{endpoint.base_url}/{kind}{name}/predictions")


def prediction_url(endpoint: Endpoint, id_: str) -> str:
    """One prediction."""
    return f"{endpoint.base_url}/predictions/{quote(id_, safe='')}"

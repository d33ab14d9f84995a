"""Comparison of the catalogue with models.dev data: base URLs, new and deprecated models, and limits.

The data are a directory with `providers/<id>/provider.toml`, `providers/<id>/models/**/*.toml` and the facts that several providers share
in `models/**/*.toml`, as in the project's repository, or the `api.json` that it publishes. The report is for manual review against
the vendor's documentation.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from victor_fp.codegen.bounds import CodegenFailed
from victor_fp.core.catalogue import CATALOGUE, Catalogue
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.models.limits import choose_limits_name, find_limit, load_bundled_limits

MAX_FILE = 64_000_000
"""Maximum size of a file in bytes."""
NAMES_BY_LISTED_ID: Mapping[str, str] = {
    "amazon-bedrock": "bedrock",
    "fireworks-ai": "fireworks",
    "google-vertex": "vertex",
    "google-vertex-anthropic": "vertex-anthropic",
    "moonshotai": "moonshot",
    "moonshotai-cn": "moonshot-china",
    "togetherai": "together",
    "alibaba-cn": "qwen-china",
    "zai-coding-plan": "zai-coding",
}
"""Entry by the provider's id at models.dev, where they differ."""
_PLACEHOLDER = re.compile(r"\$?\{[^}]*\}")


class ListedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model as models.dev lists it."""

    context: int | None = None
    output: int | None = None
    is_ended: bool = False


class ListedProvider(msgspec.Struct, frozen=True, kw_only=True):
    """A provider as models.dev lists it."""

    id: str
    api: str = ""
    variables: tuple[str, ...] = ()
    models: Mapping[str, ListedModel] = {}


def compare_catalogue(directory: Path, catalogue: Catalogue = CATALOGUE) -> list[str]:
    """Return one line per difference, by provider; raises CodegenFailed if the data cannot be read."""
    lines: list[str] = []
    for listed in read_listing(directory):
        entry: ProviderSpec | None = catalogue.find(NAMES_BY_LISTED_ID.get(listed.id, listed.id)).value_or(None)
        if entry is not None:
            lines += [f"{entry.name}: {difference}" for difference in _compare_entry(entry, listed, catalogue)]
    return lines


def read_listing(directory: Path) -> list[ListedProvider]:
    """Return the providers in a directory, ordered by id."""
    published = directory / "api.json"
    if published.is_file():
        listed = _decode_json(published)
        return [_to_provider(id_, data, data.get("models")) for id_, data in sorted(listed.items())]
    files = sorted((directory / "providers").glob("*/provider.toml"))
    if not files:
        raise CodegenFailed(f"{directory} has neither api.json nor providers/*/provider.toml")
    shared = dict(_read_models(directory))
    return [
        _to_provider(
            path.parent.name,
            _decode_toml(path),
            {name: _merge_shared_facts(model, shared) for name, model in _read_models(path.parent)},
        )
        for path in files
    ]


def _compare_entry(entry: ProviderSpec, listed: ListedProvider, catalogue: Catalogue) -> Iterator[str]:
    if listed.api and _normalise(listed.api) not in set(map(_normalise, _find_addresses(entry, catalogue))):
        yield f"base URL is {listed.api} in the listing, {entry.base_url} in the catalogue"
    known = {*entry.key_variables, *(name for setting in entry.settings for name in setting.variables)}
    if missing := [name for name in listed.variables if name not in known]:
        yield f"variables {', '.join(missing)} are not in the catalogue"
    if entry.default_model is not None and listed.models:
        model = listed.models.get(entry.default_model)
        if model is None:
            yield f"default model {entry.default_model} is not listed"
        elif model.is_ended:
            yield f"default model {entry.default_model} has ended"
    yield from _compare_models(entry, listed)


def _find_addresses(entry: ProviderSpec, catalogue: Catalogue) -> Iterator[str]:
    """Yield the addresses of an entry, and of those that serve its models by another protocol with the same key."""
    for other in catalogue:
        if entry.name in (other.name, other.key_name):
            yield other.base_url
            yield from other.base_urls.values()


def _normalise(url: str) -> str:
    """Return the address without what two lists write differently: placeholders, a slash or `/v1` at the end."""
    return _PLACEHOLDER.sub("{}", url).rstrip("/").removesuffix("/v1")


def _compare_models(entry: ProviderSpec, listed: ListedProvider) -> Iterator[str]:
    patterns = [limit.pattern for limit in load_bundled_limits(choose_limits_name(entry)) if limit.pattern != "*"]
    if not patterns:
        return
    for name, model in sorted(listed.models.items()):
        matched = any(fnmatchcase(name.lower(), pattern) for pattern in patterns)
        if not matched and not model.is_ended:
            yield f"model {name} is new"
        limit = find_limit(entry, name) if matched else None
        if limit is None or model.is_ended:
            continue
        if model.context is not None and model.context != limit.context_window:
            yield f"model {name} has a context window of {model.context} in the listing, {limit.context_window} in the catalogue"
        if None not in (model.output, limit.max_output) and model.output != limit.max_output:
            yield f"model {name} has a maximum output of {model.output} in the listing, {limit.max_output} in the catalogue"
    for pattern in patterns:
        if not any(fnmatchcase(name.lower(), pattern) for name, model in listed.models.items() if not model.is_ended):
            yield f"no listed model matches the limit {pattern}"


def _read_models(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the models of a folder. A link whose target was removed is a model that has ended."""
    root = folder / "models"
    for path in sorted(root.rglob("*.toml")):
        name = path.relative_to(root).as_posix().removesuffix(".toml")
        yield name, _decode_toml(path) if path.exists() else {"status": "deprecated"}


def _merge_shared_facts(model: Mapping[str, Any], shared: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the model with the facts of the one that its `base_model` names where it has none of its own."""
    base = shared.get(str(model.get("base_model")), {})
    limits = [found for found in (base.get("limit"), model.get("limit")) if isinstance(found, Mapping)]
    return {**base, **model, "limit": {name: value for limit in limits for name, value in limit.items()}}


def _to_provider(id_: str, data: Mapping[str, Any], models: object) -> ListedProvider:
    variables, listed = data.get("env"), models if isinstance(models, Mapping) else {}
    return ListedProvider(
        id=id_,
        api=str(data.get("api") or ""),
        variables=tuple(map(str, variables)) if isinstance(variables, list) else (),
        models={name: _to_model(model) for name, model in listed.items() if isinstance(model, Mapping)},
    )


def _to_model(data: Mapping[str, Any]) -> ListedModel:
    limit = data.get("limit")
    limits = limit if isinstance(limit, Mapping) else {}
    return ListedModel(
        context=_to_count(limits.get("context")),
        output=_to_count(limits.get("output")),
        is_ended=data.get("status") == "deprecated",
    )


def _to_count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _decode_json(path: Path) -> dict[str, dict[str, Any]]:
    try:
        return msgspec.json.decode(_read(path), type=dict[str, dict[str, Any]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CodegenFailed(f"{path} cannot be read: {error}") from None


def _decode_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_read(path).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CodegenFailed(f"{path} cannot be read: {error}") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise CodegenFailed(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE:
        raise CodegenFailed(f"{path} is larger than {MAX_FILE} bytes")
    return data

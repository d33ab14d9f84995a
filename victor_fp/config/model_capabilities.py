"""What is known of models' tool calling, read from YAML: defaults, defaults of providers, and models by pattern.

    capabilities_of("ollama", "qwen3-coder:30b").text_format

What counts for a model is merged in this order, later over earlier: `defaults`; the provider's `provider_defaults`;
then, for every pattern that matches, from the least to the most specific, its `training`, its `providers` entry for
this provider, and its `settings`. Patterns are globs, compared without case with the model's id and with what stands
behind its last slash; the more characters a pattern spells out, the more specific it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.catalogue import find
from victor_fp.core.json import Json
from victor_fp.core.result import outcome


class ModelCapabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What counts for one model at one provider."""

    tool_calling: bool = False
    """Trained to call tools."""
    code_generation: bool = False
    vision: bool = False
    reasoning: bool = False
    thinking_mode: bool = False
    """Thinks before it answers, or can."""
    thinking_disable_prefix: str | None = None
    """Put before a message, it keeps the model from thinking."""
    text_format: str = "any"
    """The textual format of its calls, by the names of `core.tool_calling.FORMATS`."""
    native_tool_calls: bool = False
    """The provider returns this model's calls as such."""
    streaming_tool_calls: bool = False
    parallel_tool_calls: bool = False
    tool_choice_param: bool = False
    json_fallback_parsing: bool = True
    """Plain JSON and Python calls in the text count as calls."""
    xml_fallback_parsing: bool = True
    """Calls in the text that bear marks of their own count."""
    tool_call_format: str | None = None
    """A value of `ToolCallFormat`, for native calls."""
    text_call_format: str | None = None
    """The same for a model without native calls."""
    requires_strict_prompting: bool = True
    argument_format: str = "json"
    recommended_max_tools: int = 20
    recommended_tool_budget: int = 12
    """Calls in one turn."""
    exploration_multiplier: float = 1.0
    continuation_patience: int = 10
    """Empty turns before an agent gives up."""
    timeout_multiplier: float = 1.0


Section: TypeAlias = dict[str, Json]
"""Any of the fields of `ModelCapabilities`."""


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file says of the models that a pattern matches."""

    training: Section = {}
    """What they were trained to do, wherever they run."""
    providers: dict[str, Section] = {}
    """What a provider makes of it."""
    settings: Section = {}
    """What works well with them."""


class CapabilityFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    schema_version: str = "1"
    defaults: Section = {}
    provider_defaults: dict[str, Section] = {}
    models: dict[str, ModelEntry] = {}
    """By glob pattern."""


class FileInvalid(msgspec.Struct, frozen=True, gc=False):
    """A file that cannot be used, and why: no YAML, a key twice, a field nobody knows, a value of the wrong type."""

    reason: str


def read_capabilities(text: str) -> Result[CapabilityFile, FileInvalid]:
    """The file in a YAML text."""
    match outcome(_load_yaml(text)):
        case Failure(invalid):
            return Failure(invalid)
        case Success(value):
            pass
    try:
        file = msgspec.convert(value, CapabilityFile)
        for section in _sections(file):
            msgspec.convert(section, _Strict)
    except msgspec.ValidationError as error:
        return Failure(FileInvalid(str(error)))
    return Success(file)


def load_capabilities(path: str | Path) -> Result[CapabilityFile, FileInvalid]:
    """The file at a path."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return Failure(FileInvalid(str(error)))
    return read_capabilities(text)


@cache
def load_bundled() -> CapabilityFile:
    """The file that comes with the package, read once, when it is first needed."""
    text = resources.files("victor_fp.config").joinpath("model_capabilities.yaml").read_text(encoding="utf-8")
    match outcome(read_capabilities(text)):
        case Success(file):
            return file
        case Failure(invalid):
            raise ValueError(f"model_capabilities.yaml: {invalid.reason}")


def overlay_file(base: CapabilityFile, over: CapabilityFile) -> CapabilityFile:
    """One file over another: what both say of the same provider or pattern is merged, the second counting more."""
    models = dict(base.models)
    for pattern, entry in over.models.items():
        old = models.get(pattern, ModelEntry())
        models[pattern] = ModelEntry(
            training=old.training | entry.training,
            providers=_merge_sections(old.providers, entry.providers),
            settings=old.settings | entry.settings,
        )
    return CapabilityFile(
        schema_version=over.schema_version,
        defaults=base.defaults | over.defaults,
        provider_defaults=_merge_sections(base.provider_defaults, over.provider_defaults),
        models=models,
    )


def capabilities_of(provider: str, model: str = "", file: CapabilityFile | None = None) -> ModelCapabilities:
    """What counts for a model at a provider, by any of the provider's names; `file` instead of the bundled one."""
    said: Section = {}
    for section in find_sections(load_bundled() if file is None else file, provider, model):
        said |= section
    return msgspec.convert(said, ModelCapabilities)


def find_sections(file: CapabilityFile, provider: str, model: str) -> Iterator[Section]:
    """The sections that count, from the least to the most."""
    names = _names_of(provider)
    yield file.defaults
    yield from (file.provider_defaults[name] for name in names if name in file.provider_defaults)
    for pattern in find_matching(file.models, model):
        entry = file.models[pattern]
        yield entry.training
        yield from (entry.providers[name] for name in names if name in entry.providers)
        yield entry.settings


def find_matching(patterns: Iterable[str], model: str) -> list[str]:
    """The patterns that match a model, from the least to the most specific; of equal ones the later counts more."""
    whole = model.lower()
    last = whole.rpartition("/")[2]
    found = [
        pattern
        for pattern in patterns
        if model and (fnmatchcase(whole, pattern.lower()) or fnmatchcase(last, pattern.lower()))
    ]
    return sorted(found, key=_count_literals)


def _count_literals(pattern: str) -> int:
    return sum(mark not in "*?[]" for mark in pattern)


def _names_of(provider: str) -> list[str]:
    """The catalogue's name for it, then the name it was given."""
    given = provider.lower()
    known = find(provider).map(lambda spec: spec.name).value_or(given)
    return [known] if known == given else [known, given]


def _merge_sections(base: dict[str, Section], over: dict[str, Section]) -> dict[str, Section]:
    return {name: base.get(name, {}) | over.get(name, {}) for name in {**base, **over}}


class _Strict(ModelCapabilities, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For checking a section."""


def _sections(file: CapabilityFile) -> Iterator[Section]:
    yield file.defaults
    yield from file.provider_defaults.values()
    for entry in file.models.values():
        yield entry.training
        yield from entry.providers.values()
        yield entry.settings


def _load_yaml(text: str) -> Result[object, FileInvalid]:
    """The value of a YAML text without a key twice; an empty text is an empty file."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        if double := next(_find_doubled_keys(node), None):
            return Failure(FileInvalid(f"the key {double!r} stands twice"))
        return Success({} if node is None else loader.construct_document(node))
    except yaml.YAMLError as error:
        return Failure(FileInvalid(str(error)))
    finally:
        loader.dispose()


def _find_doubled_keys(node: Any, path: str = "") -> Iterator[str]:
    """The keys that stand more than once in one mapping, with their paths."""
    if node is None or node.id == "scalar":
        return
    if node.id == "sequence":
        for item in node.value:
            yield from _find_doubled_keys(item, path)
        return
    seen: set[str] = set()
    for key, value in node.value:
        name = str(key.value)
        here = f"{path}.{name}" if path else name
        if name in seen:
            yield f"{here}, line {key.start_mark.line + 1}"
        seen.add(name)
        yield from _find_doubled_keys(value, here)

"""Renders docs/providers.md from the catalogue; run by `nox -s docs`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from returns.result import Success

from victor_fp.core.catalogue import load_group
from victor_fp.core.catalogue.batches import find_batch_support
from victor_fp.core.catalogue.entries import GROUPS
from victor_fp.core.catalogue.spec import CREDENTIAL_CHAINS, ProviderSpec, Setting
from victor_fp.core.dialects.batches import BatchLimits
from victor_fp.core.protocols import Codec, codec_for
from victor_fp.core.protocols.endpoints import build_endpoint
from victor_fp.core.result import outcome

HEAD = """\
# Providers

This page is generated from the catalogue by `nox -s docs`; a test fails if it is out of date.

Each protocol of a vendor has a separate entry. The key is the constructor's `api_key`, otherwise the first environment variable that is set, otherwise
the key stored under the provider's name. Settings are constructor keywords, or the environment variables next to them; in base URLs they appear as
`{name}`.

Not every entry was tested against its vendor. Facts are *recorded* if recorded exchanges with the vendor are replayed in the tests, *documented* if they
are from the vendor's documentation, and *listed* if they are from another list of providers. The sources are at the end of this page.
"""
CAN = """
This table lists what a provider's API supports. Use `discover_capabilities` to find out what a model supports. An unsupported option is an
`UnsupportedParameter`, or, with `on_unsupported="adjust"`, an entry of `metadata["adjustments"]`. A question mark means unknown: the option is sent, and
the vendor accepts or rejects it.

The default model is used by calls that do not name a model. Its source is the entry's source, or the one linked next to it.
"""
RETRIEVAL = """
The model is the default of `victor embed`. Longer lists of texts are split into several requests automatically. An empty cell means that the option is not
supported. Texts that are too long are rejected, unless the column says that the option `truncate` decides.
"""
BATCHES_TEXT = """
These vendors process batches of requests within hours, mostly at a lower price: [Jobs](jobs.md#batch-apis). The limits apply to one batch; larger jobs are
split. The price is relative to live calls. An empty cell means that the vendor does not document a value.
"""
ABILITIES = ("tools", "streaming", "images", "audio", "files", "reasoning", "json_schema")
ADDRESS_HEADS = ("name", "aliases", "protocol", "base URL", "key", "settings")
RETRIEVAL_HEADS = (
    "name",
    "embeddings",
    "texts per request",
    "dimensions",
    "purposes",
    "types",
    "texts that are too long",
    "reranking",
)
BATCHES_HEADS = ("name", "form", "requests", "MB", "models", "hours", "results kept", "price", "source")
_MARKS: dict[bool | None, str] = {True: "yes", False: "", None: "?"}


def render_matrix() -> str:
    """Return the document. It reads the groups directly, because the index may be out of date."""
    groups = {title: load_group(group) for group, title in GROUPS.items()}
    entries = [entry for group in groups.values() for entry in group]
    chats = [entry for entry in entries if entry.supports.chat]
    retrieval = [entry for entry in entries if entry.embeddings is not None or entry.reranking is not None]
    lines = [HEAD, f"## {len(entries)} entries", ""]
    for title, group in groups.items():
        lines += [f"### {title}", "", *_render_table(ADDRESS_HEADS, map(_render_address, group)), ""]
    heads = ("name", *(ability.replace("json_schema", "JSON schema") for ability in ABILITIES), "default model")
    lines += ["## Capabilities", CAN, *_render_table(heads, map(_render_capabilities, chats)), ""]
    lines += [
        "## Discovery",
        "",
        "Providers whose APIs report models, model limits and token counts. For others, limits are configured and tokens are estimated.",
        "",
        *_render_table(("name", "models", "one model", "tokens"), map(_render_discovery, chats)),
        "",
        "## Embeddings and reranking",
        RETRIEVAL,
        *_render_table(RETRIEVAL_HEADS, map(_render_retrieval, retrieval)),
        "",
        "## Batches",
        BATCHES_TEXT,
        *_render_table(BATCHES_HEADS, (row for spec in entries if (row := _render_batches(spec)) is not None)),
        "",
        "## Sources",
        "",
        *_render_table(("name", "facts", "source", "read"), map(_render_source, entries)),
        "",
    ]
    return "\n".join(lines)


def _render_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_render_row(heads), _render_row(["---"] * len(heads)), *map(_render_row, rows)]


def _render_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _render_address(spec: ProviderSpec) -> Sequence[str]:
    others = [f"`{url}` with `{when}`" for when, url in spec.base_urls.items()]
    url = "child process" if spec.transport == "embedded" else f"`{spec.base_url}`"
    if ".invalid" in spec.base_url and spec.transport == "http":
        url = "specific to each resource, see the settings"
    variables = [f"or `{name}`" for name in spec.base_url_variables]
    return (
        f"`{spec.name}`",
        _render_names(spec.aliases),
        spec.dialect.protocol,
        "<br>".join([url, *others, *variables]),
        _render_key(spec),
        "<br>".join(map(_render_setting, spec.settings)),
    )


def _render_key(spec: ProviderSpec) -> str:
    kind = spec.auth.kind
    chain = "none" if kind == "none" else CREDENTIAL_CHAINS.get(kind, "")
    optional = " (optional)" if spec.key_optional and kind == "key" else ""
    stored = f"; stored as `{spec.key_name}`" if spec.key_name else ""
    return ", or ".join(part for part in (chain, _render_names(spec.key_variables)) if part) + optional + stored


def _render_setting(setting: Setting) -> str:
    default = f" = {setting.default}" if setting.default is not None else ""
    variables = f" ({_render_names(setting.variables)})" if setting.variables else ""
    return f"`{setting.name}{default}`{variables}{' required' if setting.required else ''}"


def _render_capabilities(spec: ProviderSpec) -> Sequence[str]:
    able = (_MARKS[getattr(spec.supports, ability)] for ability in ABILITIES)
    return (f"`{spec.name}`", *able, _render_default(spec))


def _render_default(spec: ProviderSpec) -> str:
    if spec.default_model is None:
        return f"none: {spec.no_default}"
    source = f" ([source]({spec.default_source}))" if spec.default_source else ""
    return f"`{spec.default_model}`{source}"


def _render_discovery(spec: ProviderSpec) -> Sequence[str]:
    codec = _bind_codec(spec)
    found = None if codec is None else codec.discovery
    one = "" if found is None else "in the list" if found.model_request is None else "yes"
    counted = codec is not None and codec.counting is not None
    return f"`{spec.name}`", "" if found is None else "yes", one, "yes" if counted else ""


def _render_retrieval(spec: ProviderSpec) -> Sequence[str]:
    embeddings, reranking = spec.embeddings, spec.reranking
    ranks = "" if reranking is None else f"`{reranking.default_model}`" if reranking.default_model else "yes"
    if embeddings is None:
        return (f"`{spec.name}`", "", "", "", "", "", "", ranks)
    model = f"`{embeddings.default_model}`" if embeddings.default_model else "yes"
    texts = str(embeddings.max_texts)
    if embeddings.max_total_tokens is not None:
        texts += f", {embeddings.max_total_tokens:,} tokens"
    types = [name for name in embeddings.dtypes if name != "float32"]
    too_long = {"option": "option", "never": "refused", "unknown": ""}[embeddings.truncation]
    dimensions = "" if "dimensions" in embeddings.refuses else "yes"
    return (
        f"`{spec.name}`",
        model,
        texts,
        dimensions,
        ", ".join(embeddings.purposes),
        ", ".join(types),
        too_long,
        ranks,
    )


def _render_batches(spec: ProviderSpec) -> Sequence[str] | None:
    support = find_batch_support(spec)
    if support is None:
        return None
    limits = support.limits
    kept = "" if limits.results_hours is None else _render_days(limits.results_hours)
    return (
        f"`{spec.name}`",
        support.dialect.family,
        f"{limits.max_requests:,}",
        f"{limits.max_bytes // 1_000_000}",
        "several" if limits.mixes_models else "one",
        str(limits.window_hours or ""),
        kept,
        _render_price(limits),
        f"[{limits.date}]({limits.source})",
    )


def _render_price(limits: BatchLimits) -> str:
    if limits.price_factor is None:
        return ""
    is_general = "*" in limits.discounted_models
    return f"{limits.price_factor:.0%}" if is_general else f"{limits.price_factor:.0%} for some models"


def _render_days(hours: int) -> str:
    return "1 day" if hours == 24 else f"{hours // 24} days"


def _render_source(spec: ProviderSpec) -> Sequence[str]:
    return f"`{spec.name}`", spec.confidence, spec.source, spec.date


def _bind_codec(spec: ProviderSpec) -> Codec | None:
    match outcome(build_endpoint(spec)):
        case Success(endpoint):
            return codec_for(endpoint)
        case _:
            return None


def _render_names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)

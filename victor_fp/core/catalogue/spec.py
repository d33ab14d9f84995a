"""Structure of a catalogue entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from victor_fp.core.dialects import Dialect
from victor_fp.core.dialects.batches import BatchSupport
from victor_fp.core.dialects.embeddings import EmbeddingDialects
from victor_fp.core.dialects.reranking import RerankDialects
from victor_fp.core.model_names import is_model_match

AuthKind: TypeAlias = Literal["none", "key", "sigv4", "google"]
Confidence: TypeAlias = Literal["recorded", "documented", "listed"]
"""Origin of an entry's facts: recorded exchanges, the vendor's documentation, or another list of providers."""


class Auth(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How the key is sent. `header` is lower case; with an empty scheme the value is the bare key."""

    kind: AuthKind = "key"
    header: str = "authorization"
    scheme: str = "Bearer"
    second_header: str = ""
    """A second header that contains the bare key."""
    service: str = ""
    """AWS service name for the signature."""


CREDENTIAL_CHAINS: Mapping[AuthKind, str] = {"sigv4": "AWS credentials", "google": "Google credentials"}
"""Credential chains of the vendors' own libraries."""
NO_AUTH = Auth(kind="none", header="", scheme="")


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A setting of a provider: a constructor keyword, its environment variables, and how it is sent."""

    name: str
    variables: tuple[str, ...] = ()
    default: str | None = None
    required: bool = False
    header: str = ""
    """Header in which it is sent; empty if it is part of the URL."""


class Supports(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Features of the provider's API; what a model supports is found by discovery.

    None is unknown: the option is sent, and the vendor accepts or rejects it.
    """

    chat: bool = True
    """False for vendors of only embeddings or reranking: every chat is OperationUnsupported."""
    tools: bool = True
    streaming: bool = True
    images: bool | None = False
    audio: bool | None = False
    files: bool | None = False
    reasoning: bool | None = False
    json_schema: bool | None = False


NOT_KNOWN = Supports(images=None, audio=None, files=None, reasoning=None, json_schema=None)
REASONING = Supports(images=None, audio=None, files=None, reasoning=True, json_schema=None)


class ModelLimit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Configured limits of the models that match a glob pattern, in tokens."""

    pattern: str
    context_window: int
    max_output: int | None = None
    source: str = ""
    date: str = ""
    """Date on which a program read the source, as YYYY-MM-DD; empty otherwise."""


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Model facts reported by the vendor; None if a fact is not reported."""

    id: str
    context_window: int | None = None
    max_output: int | None = None
    supports_tools: bool | None = None
    supports_streaming: bool | None = None
    supports_images: bool | None = None
    supports_reasoning: bool | None = None
    raw: dict[str, object] = {}


MAX_LIMIT = 2**53
"""Tokens. A reported limit at or above it is not plausible."""


def read_limit(value: float | None) -> int | None:
    """Return a limit in tokens that a vendor reports; None if it is not plausible, such as zero, which means unknown.

    >>> read_limit(8192.0), read_limit(0), read_limit(-1), read_limit(1e300)
    (8192, None, None, None)
    """
    return int(value) if value is not None and 1 <= value < MAX_LIMIT else None


class ModelRoute(msgspec.Struct, frozen=True, kw_only=True):
    """Models that a vendor serves with another protocol."""

    pattern: str
    """Glob pattern of model names, lower case; it is matched with the last segment of a name."""
    dialect: Dialect
    limits_name: str
    without: str = ""
    """End of the entry's base URL that is removed for these models."""


class ProviderSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One provider. Each protocol of a vendor has a separate entry."""

    name: str
    title: str
    """Name of the vendor, in the vendor's spelling."""
    dialect: Dialect
    """Protocol and its options; the type of the dialect identifies the protocol."""
    base_url: str
    """Base URL, with settings as `{name}`."""
    embeddings: EmbeddingDialects | None = None
    """Embedding API; None if there is none."""
    reranking: RerankDialects | None = None
    """Reranking API; None if there is none."""
    aliases: tuple[str, ...] = ()
    auth: Auth = Auth()
    key_auth: Auth | None = None
    """How a plain key is sent, for an entry that otherwise signs requests or fetches tokens."""
    key_base_url: str = ""
    """Base URL for requests with a plain key if settings that `base_url` requires are missing."""
    key_variables: tuple[str, ...] = ()
    key_name: str = ""
    """Name of the stored key in keyring and key file; the name of the entry if empty."""
    key_optional: bool = False
    base_url_variables: tuple[str, ...] = ()
    base_urls: dict[str, str] = {}
    """Other base URLs by the value of a setting, with keys `name=value`."""
    settings: tuple[Setting, ...] = ()
    headers: dict[str, str] = {}
    """Headers of every request, with names in lower case."""
    supports: Supports = Supports()
    default_model: str | None = None
    default_source: str = ""
    """Source of the default model, if it differs from `source`."""
    no_default: str = ""
    """Reason for the missing default model."""
    key_shared: bool = False
    """Whether the key is also used by other services, so that the command does not select the provider by it."""
    limits: tuple[ModelLimit, ...] = ()
    """Limits in addition to the bundled ones of `models.limits`; the first match applies."""
    limits_name: str = ""
    """Name of the entry in the bundled limits; the name of this entry if empty."""
    model_routes: tuple[ModelRoute, ...] = ()
    """Models served with another protocol at the same address and with the same key; the first match applies."""
    batch: BatchSupport | None = None
    """Batch API of an entry that is not in the table of batch APIs."""
    default_port: int | None = None
    """Port of a base URL that is given without a scheme and a port."""
    https_hosts: tuple[str, ...] = ()
    """Hosts for which a base URL without a scheme means HTTPS on its usual port; for all others it means HTTP."""
    context_window: int = 128_000
    """Context window of models without a known limit; most current models have at least this."""
    local: bool = False
    """Whether it runs on the caller's machine."""
    open_models: bool = False
    """Whether it serves open models of other vendors, whose tool calls may appear in the text if its parser misses them."""
    transport: Literal["http", "embedded"] = "http"
    """Transport of its requests."""
    source: str = ""
    """Source of the facts in this entry."""
    date: str = ""
    """Date on which the source was read, as YYYY-MM-DD."""
    confidence: Confidence = "documented"

    def for_model(self, model: str) -> ProviderSpec:
        """Return the entry with the protocol for this model."""
        route = self.route_for(model)
        if route is None:
            return self
        return msgspec.structs.replace(self, dialect=route.dialect, limits_name=route.limits_name, model_routes=())

    def route_for(self, model: str) -> ModelRoute | None:
        """Return the route of a model that is served with another protocol; None for most models."""
        name = model.rsplit("/", 1)[-1].lower()
        return next((route for route in self.model_routes if is_model_match(name, route.pattern)), None)


def derive_entry(
    entry: ProviderSpec,
    suffix: str,
    dialect: Dialect,
    *,
    source: str = "",
    date: str = "",
    title: str = "",
    base_url: str = "",
    auth: Auth | None = None,
    headers: dict[str, str] | None = None,
    supports: Supports | None = None,
    aliases: tuple[str, ...] = (),
    default_model: str | None = None,
    default_source: str = "",
    confidence: Confidence = "documented",
) -> ProviderSpec:
    """Return the entry for a second protocol of a vendor, `<name>-<suffix>`, with the same key and limits."""
    return msgspec.structs.replace(
        entry,
        name=f"{entry.name}-{suffix}",
        title=title or f"{entry.title} {suffix.title()}",
        aliases=aliases,
        dialect=dialect,
        base_url=base_url or entry.base_url,
        auth=auth or entry.auth,
        headers=entry.headers if headers is None else headers,
        key_name=entry.key_name or entry.name,
        limits_name=entry.limits_name or entry.name,
        supports=supports or entry.supports,
        default_model=default_model or entry.default_model,
        default_source=default_source or entry.default_source,
        source=source or entry.source,
        date=date or entry.date,
        confidence=confidence,
    )

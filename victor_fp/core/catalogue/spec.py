"""The form of a catalogue entry: one provider as data."""

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
"""Where an entry's facts are from: exchanges that were recorded, the vendor's own documents, or a list of providers."""


class Auth(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where the key goes. `header` is lower case; an empty scheme means the bare key."""

    kind: AuthKind = "key"
    header: str = "authorization"
    scheme: str = "Bearer"
    second_header: str = ""
    """Another header that the bare key goes in as well."""
    service: str = ""
    """What AWS calls the service that a request is signed for."""


CREDENTIAL_CHAINS: Mapping[AuthKind, str] = {"sigv4": "AWS credentials", "google": "Google credentials"}
"""Credentials that the vendors' own libraries find."""
NO_AUTH = Auth(kind="none", header="", scheme="")


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A setting of a place: a constructor keyword, the variables it is also read from, and where it goes."""

    name: str
    variables: tuple[str, ...] = ()
    default: str | None = None
    required: bool = False
    header: str = ""
    """Sent as this header where set."""


class Supports(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the provider's API can carry; whether a model can is for discovery.

    None is not known: it is sent where it is asked for, and the vendor answers for itself.
    """

    chat: bool = True
    """False for vendors of embeddings and reranking alone: every chat is OperationUnsupported."""
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
    """Configured limits of the models that a glob pattern names, in tokens."""

    pattern: str
    context_window: int
    max_output: int | None = None
    source: str = ""
    date: str = ""
    """When the source said so, as YYYY-MM-DD, where it was asked by a program."""


class ModelRoute(msgspec.Struct, frozen=True, kw_only=True):
    """Models that a vendor serves under one name by another protocol than its others."""

    pattern: str
    """A glob of model names, lower case; the last segment of a name counts."""
    dialect: Dialect
    limits_name: str
    without: str = ""
    """The end of the entry's base URL that the paths of these models do not follow."""


class ProviderSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One provider. A second protocol of the same vendor is an entry of its own."""

    name: str
    title: str
    """As the vendor writes it."""
    dialect: Dialect
    """Which protocol it speaks, and how: the type of the dialect names the protocol."""
    base_url: str
    """Settings stand in it as `{name}`."""
    embeddings: EmbeddingDialects | None = None
    """How it embeds texts; None where it does not."""
    reranking: RerankDialects | None = None
    """How it reranks documents; None where it does not."""
    aliases: tuple[str, ...] = ()
    auth: Auth = Auth()
    key_auth: Auth | None = None
    """Where a plain key goes, for an entry that else signs or fetches tokens."""
    key_base_url: str = ""
    """Where requests with a plain key go while settings that the base URL needs are missing."""
    key_variables: tuple[str, ...] = ()
    key_name: str = ""
    """The name its key is stored under in keyring and file; this entry's own where empty."""
    key_optional: bool = False
    base_url_variables: tuple[str, ...] = ()
    base_urls: dict[str, str] = {}
    """Other base URLs by a setting's value, written as `name=value`."""
    settings: tuple[Setting, ...] = ()
    headers: dict[str, str] = {}
    """Sent with every request, lower case."""
    supports: Supports = Supports()
    default_model: str | None = None
    default_source: str = ""
    """Where the default model is named, if not in the entry's source."""
    no_default: str = ""
    """Why there is no default model."""
    key_shared: bool = False
    """The key, or one of its variables, is also for services other than models: the command does not choose the provider by it."""
    limits: tuple[ModelLimit, ...] = ()
    """What is known beside the bundled limits of `model_limits`; first match wins."""
    limits_name: str = ""
    """The name its models' limits are kept under in the bundled ones; this entry's own where empty."""
    model_routes: tuple[ModelRoute, ...] = ()
    """Models that another protocol serves at the same address with the same key; first match wins."""
    batch: BatchSupport | None = None
    """Its batch API, where the table of batch APIs does not know the entry."""
    default_port: int | None = None
    """Port of an address that is written without a scheme and a port."""
    context_window: int = 128_000
    """Where no limit matches: what most models of today have at least."""
    local: bool = False
    """Runs on the caller's machine."""
    open_models: bool = False
    """Serves other vendors' open models, whose tool calls may reach the text where its parser misses them."""
    transport: Literal["http", "embedded"] = "http"
    """What carries its requests."""
    source: str = ""
    """Where the facts of this entry are from."""
    date: str = ""
    """When the source was read, as YYYY-MM-DD."""
    confidence: Confidence = "documented"

    def for_model(self, model: str) -> ProviderSpec:
        """Return the entry as it serves the model."""
        route = self.route_for(model)
        if route is None:
            return self
        return msgspec.structs.replace(self, dialect=route.dialect, limits_name=route.limits_name, model_routes=())

    def route_for(self, model: str) -> ModelRoute | None:
        """Return the route of a model that another protocol serves; None for most."""
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
    """Return the entry of a vendor's second protocol, `<name>-<suffix>`, with the same key and the same limits."""
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

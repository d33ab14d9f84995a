"""Google: the Gemini API with a key, and Vertex AI with a project and a location."""

from __future__ import annotations

from victor_fp.core.catalogue import embeddings, reranking
from victor_fp.core.catalogue.entries.common import (
    FIRST_READ,
    MODELS_DEV,
    READ,
)
from victor_fp.core.catalogue.spec import Auth, ModelRoute, ProviderSpec, Setting, Supports
from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.dialects.gemini import GeminiDialect
from victor_fp.core.dialects.interactions import InteractionsDialect

VERTEX_PLACE = "aiplatform.googleapis.com/v1/projects/{project}/locations/{location}"
VERTEX_AREAS = {
    "location=global": f"https://{VERTEX_PLACE}",
    # Multi-region locations have separate hosts.
    "location=us": f"https://{VERTEX_PLACE}".replace("aiplatform.", "aiplatform.us.rep."),
    "location=eu": f"https://{VERTEX_PLACE}".replace("aiplatform.", "aiplatform.eu.rep."),
}
"""Base URLs of the locations whose host names differ from the regions'."""
VERTEX_SETTINGS = (
    Setting(name="project", variables=("GOOGLE_CLOUD_PROJECT",)),
    Setting(name="location", variables=("GOOGLE_CLOUD_LOCATION",), default="global"),
    Setting(name="batch_location", variables=("VERTEX_BATCH_LOCATION",)),
)
VERTEX_CLAUDE = AnthropicDialect(
    # The model is in the URL and the version in the body.
    model_in_body=False,
    version_in_body="vertex-2023-10-16",
    counts_tokens=False,
    lists_models=False,
    url_sources=False,
)

_SUPPORTS = Supports(images=True, audio=True, files=True, reasoning=True, json_schema=True)

GOOGLE = ProviderSpec(
    name="google",
    title="Google Gemini",
    aliases=("gemini",),
    dialect=GeminiDialect(),
    embeddings=embeddings.GEMINI,
    base_url="https://generativelanguage.googleapis.com/v1beta",
    auth=Auth(header="x-goog-api-key", scheme=""),
    key_variables=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    supports=_SUPPORTS,
    # The alias of the current Flash model, which remains valid when a model is retired.
    default_model="gemini-flash-latest",
    context_window=1048576,
    source="https://ai.google.dev/api",
    confidence="recorded",
    date=FIRST_READ,
)

VERTEX = ProviderSpec(
    name="vertex",
    title="Google Vertex AI",
    aliases=("vertexai",),
    dialect=GeminiDialect(
        # Vertex accepts the tier as a header, not in the body.
        service_tiers={},
        # Part has no partMetadata there; Blob and FileData have a displayName.
        filename="displayName",
        # CountTokensRequest has contents, systemInstruction and tools at the top level.
        counting="flat",
        # Its publisher models report no token limits.
        lists_models=False,
    ),
    embeddings=embeddings.VERTEX,
    reranking=reranking.VERTEX,
    base_url=f"https://{{location}}-{VERTEX_PLACE}/publishers/google",
    base_urls={name: f"{url}/publishers/google" for name, url in VERTEX_AREAS.items()},
    model_routes=(
        ModelRoute(pattern="claude-*", dialect=VERTEX_CLAUDE, limits_name="anthropic", without="/publishers/google"),
    ),
    auth=Auth(kind="google"),
    # Express mode: an API key without a project. With a project the key is sent to the address of the project.
    key_auth=Auth(header="x-goog-api-key", scheme=""),
    key_base_url="https://aiplatform.googleapis.com/v1/publishers/google",
    key_variables=("VERTEX_API_KEY",),
    settings=VERTEX_SETTINGS,
    supports=_SUPPORTS,
    default_model="gemini-3.5-flash",
    default_source=MODELS_DEV,
    limits_name="google",
    context_window=1048576,
    source="https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest",
    confidence="recorded",
    date=FIRST_READ,
)

VERTEX_ANTHROPIC = ProviderSpec(
    name="vertex-anthropic",
    title="Claude on Google Vertex AI",
    aliases=("vertex-claude",),
    dialect=VERTEX_CLAUDE,
    base_url=f"https://{{location}}-{VERTEX_PLACE}",
    base_urls=VERTEX_AREAS,
    auth=Auth(kind="google"),
    key_auth=Auth(header="x-goog-api-key", scheme=""),
    key_variables=("VERTEX_API_KEY",),
    key_name="vertex",
    settings=VERTEX_SETTINGS,
    supports=Supports(images=True, files=True, reasoning=True, json_schema=True),
    default_model="claude-sonnet-4-6",
    default_source=MODELS_DEV,
    limits_name="anthropic",
    context_window=200_000,
    source="https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude",
    confidence="recorded",
    date=FIRST_READ,
)

GOOGLE_INTERACTIONS = ProviderSpec(
    name="google-interactions",
    title="Google Gemini Interactions",
    aliases=("gemini-interactions",),
    dialect=InteractionsDialect(),
    embeddings=embeddings.GEMINI,
    base_url="https://generativelanguage.googleapis.com/v1beta",
    auth=Auth(header="x-goog-api-key", scheme=""),
    key_variables=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    key_name="google",
    supports=_SUPPORTS,
    default_model="gemini-flash-latest",
    limits_name="google",
    context_window=1048576,
    source="https://ai.google.dev/gemini-api/docs/interactions",
    date=READ,
)

ENTRIES: tuple[ProviderSpec, ...] = (GOOGLE, VERTEX, VERTEX_ANTHROPIC, GOOGLE_INTERACTIONS)

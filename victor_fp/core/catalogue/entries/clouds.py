"""Cloud platforms that also serve models."""

from __future__ import annotations

from msgspec.structs import replace

from victor_fp.core.catalogue import embeddings
from victor_fp.core.catalogue.entries.common import (
    ANY_LLM,
    GEMINI,
    LITELLM,
    LITELLM_MODELS,
    MESSAGES,
    MESSAGES_AUTH,
    MESSAGES_HEADERS,
    MODELS_DEV,
    OPEN,
    READ,
    RESPONSES,
)
from victor_fp.core.catalogue.spec import (
    NOT_KNOWN,
    REASONING,
    ProviderSpec,
    Setting,
    Supports,
    derive_entry,
)
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.schemas import ANY_SCHEMAS

SNOWFLAKE = ProviderSpec(
    name="snowflake",
    title="Snowflake Cortex",
    aliases=("snowflake-cortex",),
    dialect=ChatDialect(
        # Recorded: streams end with [DONE] and have no finish reason, and every field is present, even if empty.
        done_is_stop=True,
        refusals=False,
        developer_role="system",
        schemas=ANY_SCHEMAS,
    ),
    embeddings=embeddings.SNOWFLAKE,
    base_url="https://{account}.snowflakecomputing.com/api/v2/cortex/v1",
    key_variables=("SNOWFLAKE_CORTEX_PAT", "SNOWFLAKE_TOKEN"),
    settings=(Setting(name="account", variables=("SNOWFLAKE_ACCOUNT",)),),
    supports=Supports(images=True, reasoning=True, json_schema=True),
    open_models=True,
    context_window=128_000,
    source="https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api",
    confidence="recorded",
    default_model="claude-sonnet-4-6",
    default_source=MODELS_DEV,
    key_shared=True,
    date=READ,
)

DIGITALOCEAN = ProviderSpec(
    name="digitalocean",
    title="DigitalOcean",
    dialect=OPEN,
    base_url="https://inference.do-ai.run/v1",
    key_variables=("DIGITALOCEAN_ACCESS_TOKEN", "GRADIENT_AI_API_KEY"),
    supports=REASONING,
    open_models=True,
    default_model="openai-gpt-oss-120b",
    default_source=MODELS_DEV,
    key_shared=True,
    source="https://docs.digitalocean.com/products/inference/how-to/use-reasoning/index.html.md",
    date=READ,
)

DIGITALOCEAN_RESPONSES = derive_entry(
    DIGITALOCEAN,
    "responses",
    RESPONSES,
    confidence="listed",
)

DIGITALOCEAN_ANTHROPIC = derive_entry(
    DIGITALOCEAN,
    "anthropic",
    MESSAGES,
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
    default_model="anthropic-claude-4.6-sonnet",
    default_source=MODELS_DEV,
    confidence="listed",
)

GITHUB_MODELS = ProviderSpec(
    name="github-models",
    title="GitHub Models",
    dialect=OPEN,
    base_url="https://models.github.ai/inference",
    key_variables=("GITHUB_TOKEN", "GITHUB_API_KEY"),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="openai/gpt-4.1-mini",
    default_source=MODELS_DEV,
    key_shared=True,
    source="https://docs.github.com/en/rest/models/inference",
    date=READ,
)

DATABRICKS = ProviderSpec(
    name="databricks",
    title="Databricks",
    dialect=OPEN,
    base_url="https://{host}/ai-gateway/mlflow/v1",
    key_variables=("DATABRICKS_TOKEN",),
    settings=(Setting(name="host", variables=("DATABRICKS_HOST",)),),
    supports=REASONING,
    open_models=True,
    default_model="databricks-gpt-oss-120b",
    default_source=MODELS_DEV,
    key_shared=True,
    source="https://docs.databricks.com/aws/en/generative-ai/external-models/google-gemini",
    date=READ,
)

_DATABRICKS_SURFACES = "https://docs.databricks.com/aws/en/ai-gateway"

DATABRICKS_RESPONSES = derive_entry(
    DATABRICKS,
    "responses",
    RESPONSES,
    base_url="https://{host}/ai-gateway/openai/v1",
    default_model="databricks-gpt-5-mini",
    source=_DATABRICKS_SURFACES,
    confidence="listed",
)

DATABRICKS_ANTHROPIC = derive_entry(
    DATABRICKS,
    "anthropic",
    MESSAGES,
    base_url="https://{host}/ai-gateway/anthropic",
    headers=MESSAGES_HEADERS,
    default_model="databricks-claude-sonnet-4-6",
    source=_DATABRICKS_SURFACES,
    confidence="listed",
)

DATABRICKS_GOOGLE = derive_entry(
    DATABRICKS,
    "google",
    GEMINI,
    base_url="https://{host}/ai-gateway/gemini/v1beta",
    default_model="databricks-gemini-3-flash",
    source=_DATABRICKS_SURFACES,
    confidence="listed",
)

CLOUDFLARE_WORKERS_AI = ProviderSpec(
    name="cloudflare-workers-ai",
    title="Cloudflare Workers AI",
    dialect=OPEN,
    base_url="https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1",
    key_variables=("CLOUDFLARE_API_KEY",),
    settings=(Setting(name="account", variables=("CLOUDFLARE_ACCOUNT_ID",)),),
    supports=REASONING,
    open_models=True,
    default_model="@cf/openai/gpt-oss-120b",
    default_source=MODELS_DEV,
    key_shared=True,
    source="https://developers.cloudflare.com/workers-ai/models/",
    date=READ,
)

CLOUDFLARE_WORKERS_AI_RESPONSES = derive_entry(
    CLOUDFLARE_WORKERS_AI,
    "responses",
    RESPONSES,
    confidence="listed",
)

SCALEWAY = ProviderSpec(
    name="scaleway",
    title="Scaleway",
    dialect=OPEN,
    base_url="https://api.scaleway.ai/v1",
    key_variables=("SCALEWAY_API_KEY", "SCW_SECRET_KEY"),
    supports=REASONING,
    open_models=True,
    default_model="gpt-oss-120b",
    default_source=MODELS_DEV,
    key_shared=True,
    source="https://www.scaleway.com/en/docs/generative-apis/how-to/query-reasoning-models/",
    date=READ,
)

OVHCLOUD = ProviderSpec(
    name="ovhcloud",
    title="OVHcloud AI Endpoints",
    dialect=OPEN,
    base_url="https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
    key_variables=("OVHCLOUD_API_KEY",),
    supports=REASONING,
    open_models=True,
    default_model="gpt-oss-120b",
    default_source=MODELS_DEV,
    source="https://www.ovhcloud.com/en/public-cloud/ai-endpoints/catalog/qwen-3-32b/",
    date=READ,
)

OVHCLOUD_RESPONSES = derive_entry(
    OVHCLOUD,
    "responses",
    RESPONSES,
    confidence="listed",
)

HEROKU = ProviderSpec(
    name="heroku",
    title="Heroku Inference",
    dialect=OPEN,
    base_url="https://us.inference.heroku.com/v1",
    key_variables=("HEROKU_API_KEY", "INFERENCE_KEY", "HEROKU_INFERENCE_KEY"),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="claude-4-sonnet",
    default_source=LITELLM_MODELS,
    key_shared=True,
    source=LITELLM,
    date=READ,
    confidence="recorded",
)

STACKIT = ProviderSpec(
    name="stackit",
    title="STACKIT",
    dialect=OPEN,
    base_url="https://api.openai-compat.model-serving.eu01.onstackit.cloud/v1",
    key_variables=("STACKIT_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="openai/gpt-oss-120b",
    default_source=MODELS_DEV,
    source="https://docs.stackit.cloud/products/data-and-ai/ai-model-serving/basics/available-shared-models",
    date=READ,
)

VULTR = ProviderSpec(
    name="vultr",
    title="Vultr",
    dialect=OPEN,
    base_url="https://api.vultrinference.com/v1",
    key_variables=("VULTR_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="zai-org/GLM-5.1-FP8",
    default_source=MODELS_DEV,
    key_shared=True,
    source="https://api.vultrinference.com/",
    date=READ,
)

BERGET = ProviderSpec(
    name="berget",
    title="Berget AI",
    dialect=OPEN,
    base_url="https://api.berget.ai/v1",
    key_variables=("BERGET_API_KEY",),
    supports=REASONING,
    open_models=True,
    default_model="openai/gpt-oss-120b",
    default_source=MODELS_DEV,
    source="https://api.berget.ai/openapi.json",
    date=READ,
)

EVROC = ProviderSpec(
    name="evroc",
    title="evroc",
    dialect=OPEN,
    base_url="https://models.think.evroc.com/v1",
    key_variables=("EVROC_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="openai/gpt-oss-120b",
    default_source=MODELS_DEV,
    source="https://docs.evroc.com/products/think/overview.html",
    date=READ,
)

REGOLO_AI = ProviderSpec(
    name="regolo-ai",
    title="Regolo AI",
    dialect=replace(OPEN, effort_form="thinking_flag", request_model="regolo"),
    base_url="https://api.regolo.ai/v1",
    key_variables=("REGOLO_API_KEY",),
    supports=REASONING,
    open_models=True,
    default_model="gpt-oss-120b",
    default_source=MODELS_DEV,
    source="https://docs.regolo.ai/models/features/thinking/",
    date=READ,
)

TELNYX = ProviderSpec(
    name="telnyx",
    title="Telnyx",
    dialect=OPEN,
    base_url="https://api.telnyx.com/v2/ai",
    key_variables=("TELNYX_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="zai-org/GLM-5.1-FP8",
    default_source="https://developers.telnyx.com/docs/inference/getting-started",
    key_shared=True,
    source=ANY_LLM,
    date=READ,
    confidence="listed",
)

SNOWFLAKE_ANTHROPIC = derive_entry(
    SNOWFLAKE,
    "anthropic",
    MESSAGES,
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
    date=READ,
    confidence="listed",
)

ENTRIES: tuple[ProviderSpec, ...] = (
    SNOWFLAKE,
    DIGITALOCEAN,
    DIGITALOCEAN_RESPONSES,
    DIGITALOCEAN_ANTHROPIC,
    GITHUB_MODELS,
    DATABRICKS,
    DATABRICKS_RESPONSES,
    DATABRICKS_ANTHROPIC,
    DATABRICKS_GOOGLE,
    CLOUDFLARE_WORKERS_AI,
    CLOUDFLARE_WORKERS_AI_RESPONSES,
    SCALEWAY,
    OVHCLOUD,
    OVHCLOUD_RESPONSES,
    HEROKU,
    STACKIT,
    VULTR,
    BERGET,
    EVROC,
    REGOLO_AI,
    TELNYX,
    SNOWFLAKE_ANTHROPIC,
)

"""Clouds that serve models beside everything else they do."""

from __future__ import annotations

from victor_fp.core.catalogue import embeddings
from victor_fp.core.catalogue.spec import ProviderSpec, Setting, Supports
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.schemas import ANY_SCHEMAS

SNOWFLAKE = ProviderSpec(
    name="snowflake",
    title="Snowflake Cortex",
    aliases=("snowflake-cortex",),
    dialect=ChatDialect(
        # Recorded: streams end with [DONE] and give no finish reason, and every field is printed, empty or not.
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
)

ENTRIES: tuple[ProviderSpec, ...] = (SNOWFLAKE,)

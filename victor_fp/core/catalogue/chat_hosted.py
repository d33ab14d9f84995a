"""Hosted providers that speak Chat Completions, in the order in which a default is looked for."""

from __future__ import annotations

from victor_fp.core.catalogue.chat_clouds import CHAT_CLOUDS
from victor_fp.core.catalogue.chat_labs import CHAT_LABS
from victor_fp.core.catalogue.chat_openai import CHAT_OPENAI
from victor_fp.core.catalogue.spec import ProviderSpec

CHAT_HOSTED: tuple[ProviderSpec, ...] = (*CHAT_OPENAI, *CHAT_LABS, *CHAT_CLOUDS)

"""The built-in entries, in one module per group: `ENTRIES` of each module lists them."""

from __future__ import annotations

from collections.abc import Mapping

GROUPS: Mapping[str, str] = {
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "google": "Google",
    "amazon": "Amazon",
    "labs": "Laboratories",
    "china": "Vendors in China",
    "coding_plans": "Coding plans",
    "hosts": "Inference hosts",
    "gpu_clouds": "GPU clouds",
    "clouds": "Clouds",
    "gateways": "Gateways",
    "proxies": "Proxies",
    "local": "Local servers",
    "retrieval": "Embeddings and reranking",
}
"""The modules and their titles, in the order of listings and of the search for a default provider."""

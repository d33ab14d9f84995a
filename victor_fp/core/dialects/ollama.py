"""The dialect of Ollama /api/chat; the defaults are Ollama's behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.schemas import OLLAMA_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import ANY_NAMES, ToolNameRules

# docs/modelfile and api/types.go of ollama/ollama: options that the server reads only under `options`.
RUNTIME_OPTIONS = frozenset(
    {
        "num_keep",
        "seed",
        "num_predict",
        "top_k",
        "top_p",
        "min_p",
        "typical_p",
        "tfs_z",
        "repeat_last_n",
        "temperature",
        "repeat_penalty",
        "presence_penalty",
        "frequency_penalty",
        "mirostat",
        "mirostat_tau",
        "mirostat_eta",
        "penalize_newline",
        "stop",
        "numa",
        "num_ctx",
        "num_batch",
        "num_gpu",
        "main_gpu",
        "low_vram",
        "vocab_only",
        "use_mmap",
        "use_mlock",
        "num_thread",
        "draft_num_predict",
    }
)


class OllamaDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of Ollama /api/chat."""

    protocol: ClassVar[str] = "ollama-chat"
    keeps_opaque: ClassVar[bool] = False
    routes: ClassVar[tuple[str, ...]] = (
        r"/api/(chat|generate|tags|show)",
        r"/v1",
    )
    """Patterns of path suffixes that are stripped from a custom base URL."""

    think_tags: bool = False
    """Whether models may put reasoning in `<think>...</think>` at the start of the content."""
    schemas: SchemaSupport = OLLAMA_SCHEMAS
    tool_names: ToolNameRules = ANY_NAMES

    runtime_options: frozenset[str] = RUNTIME_OPTIONS
    """Unknown options that are sent under `options`; the server ignores them elsewhere."""

    # docs/openapi.yaml: `think` is a boolean, or one of low, medium, high and max.
    think_levels: Mapping[str, bool | str] = msgspec.field(
        default_factory=lambda: {"none": False, "low": "low", "medium": "medium", "high": "high", "max": "max"}
    )
    """`think` for each reasoning effort that the server supports."""

    nearest_levels: Mapping[str, str] = msgspec.field(default_factory=lambda: {"minimal": "low", "xhigh": "high"})
    """Substitutes for unsupported efforts, if the caller allows adjustments."""

    # server/routes.go: a missing capability is a 400 with the text "does not support <capability>".
    refused_capabilities: Mapping[str, str] = msgspec.field(
        default_factory=lambda: {
            "tools": "tools",
            "thinking": "reasoning_effort",
            "vision": "messages",
            "image": "messages",
            "images": "messages",
        }
    )
    """Parameter that requires each capability."""

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:
        """Return whether the turn is of the same protocol."""
        return reasoning.protocol == self.protocol

    def can_reason(self, model: str) -> bool | None:  # noqa: ARG002  the signature of all dialects
        """Return None: there are no model policies."""
        return None

    def find_schema_support(self, model: str) -> SchemaSupport:  # noqa: ARG002  the signature of all dialects
        """Return the schemas that the vendor accepts."""
        return self.schemas

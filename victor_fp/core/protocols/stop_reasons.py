"""The standard stop reasons by the words of all vendors.

Gateways and compatible servers send the words of the vendor or engine behind them in any protocol, and no word has two
meanings. So all protocols share this table; a word that is not in it is passed through unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping

STOP_REASONS: Mapping[str, str] = {
    # Chat Completions, and Ollama
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "content_filter",
    # Responses: the status, or the reason why a response is incomplete. OpenAI's and Azure's examples say max_tokens.
    "completed": "stop",
    "max_output_tokens": "length",
    # Anthropic, and Bedrock with the two that follow
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_use",
    "refusal": "refusal",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    # Gemini; Cohere shares MAX_TOKENS
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    # Cohere; the last two are of its older API
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "TOOL_CALL": "tool_use",
    "ERROR_TOXIC": "content_filter",
    "ERROR_LIMIT": "length",
    # Mistral
    "model_length": "length",
    # Together, and servers behind Hugging Face
    "eos": "stop",
    "eos_token": "stop",
}

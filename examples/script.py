"""A script: asks, streams, and handles failures, without `async`."""

from __future__ import annotations

import sys

from stand_in import build_options

from victor_fp import Message, ProviderError, describe
from victor_fp.sync import create
from victor_fp.testing import Turn


def main() -> int:
    """Summarise a text in a sentence and stream three questions about it."""
    text = " ".join(sys.argv[1:]) or "The fjords of Norway were carved by glaciers and flooded by the sea."
    answers = (
        Turn(text="Glaciers carved Norway's fjords."),
        Turn(text="How deep are they? Which is longest? Do they freeze?"),
    )
    with create("openai/gpt-5-mini", **build_options(*answers)) as provider:
        messages = [Message(role="user", content=f"Summarise in one sentence: {text}")]
        try:
            response = provider.chat(messages)
            print(response.content)
            messages += [response.to_message(), Message(role="user", content="Three questions about it?")]
            for chunk in provider.stream(messages):
                print(chunk.content, end="", flush=True)
                if chunk.is_final:
                    print(f"\n[{chunk.stop_reason}, {chunk.usage}]")
        except ProviderError as error:
            print(describe(error.fault), file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

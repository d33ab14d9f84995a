"""Incremental state of streams: tool calls, reasoning in text, invalid Unicode, persistent maps and lists."""

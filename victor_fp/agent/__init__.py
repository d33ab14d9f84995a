"""Building blocks for agents: provider manager, tools, tool calling adapters."""

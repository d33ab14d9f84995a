"""An MCP server with one tool, for `agent_mcp.py`."""

from __future__ import annotations

from mcp.server.mcpserver import MCPServer

server = MCPServer("weather")


@server.tool()
def get_forecast(city: str, days: int = 1) -> str:
    """The weather in a city over the next days."""
    return f"{city}: rain for {days} day(s)"


if __name__ == "__main__":
    server.run("stdio")

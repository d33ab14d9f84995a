"""A server of the Model Context Protocol over its standard input and output, for the tests of `victor_fp.agent.mcp`."""

from __future__ import annotations

from mcp.server.mcpserver import Image, MCPServer

server = MCPServer("tests")


@server.tool()
def get_weather(city: str, days: int = 1) -> str:
    """The weather in a city."""
    return f"{city} {days}"


@server.tool(name="map.draw")
def draw() -> list[str | Image]:
    """A map."""
    return ["a map", Image(data=b"\x89PNG", format="png")]


@server.tool()
def fail() -> str:
    """It fails."""
    raise ValueError("no such city")


@server.tool()
def measure() -> dict[str, int]:
    """Numbers."""
    return {"height": 7}


if __name__ == "__main__":
    server.run("stdio")

"""MCP clients that other people wrote, to look at our server with."""

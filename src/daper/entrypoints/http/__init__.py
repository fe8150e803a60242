"""What doors have in common that are reached over HTTP: where they listen, and how they serve."""

from daper.entrypoints.http.address import Address
from daper.entrypoints.http.connections import Connections, most_connections
from daper.entrypoints.http.serving import serve_until_cancelled

__all__ = ["Address", "Connections", "most_connections", "serve_until_cancelled"]

"""What each chat client wants to be told of our server, in the form in which its file or command line has it. Pure."""

from daper.entrypoints.cli.mcp_clients.chat_client import Configuration, Local, Remote, local_server
from daper.entrypoints.cli.mcp_clients.every import CLIENTS, configuration, remote_configuration

__all__ = ("CLIENTS", "Configuration", "Local", "Remote", "configuration", "local_server", "remote_configuration")

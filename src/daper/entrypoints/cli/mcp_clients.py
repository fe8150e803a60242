"""What each chat client wants to be told of our server."""

from daper.settings import Settings

CLIENTS: tuple[str, ...] = ("goose",)


def configuration(client: str, settings: Settings) -> str:
    """The text for a client's configuration."""
    return f"{client} {settings.home}\n"

"""Where things are in the console."""

from urllib.parse import quote


def repair_path(repair_id: str) -> str:
    """The page of a repair."""
    return f"/repairs/{quote(repair_id, safe='')}"

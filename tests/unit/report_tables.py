"""The tables of a report in Markdown, as tests read them."""


def rows_of(text: str, title: str) -> list[str]:
    """The rows of the table under a title, without its head."""
    part = text.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    return [line for line in part.splitlines() if line.startswith("| ")][2:]

"""A form of a page, as a browser without JavaScript would send it when nothing in it was touched."""

from html.parser import HTMLParser


class _Fields(HTMLParser):
    def __init__(self, wanted: str) -> None:
        super().__init__()
        self._wanted = wanted
        self._inside = False
        self.action = ""
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = told.get("id") == self._wanted
            self.action = told.get("action", "") if self._inside else self.action
        if not self._inside or not told.get("name"):
            return
        chosen = told.get("type") not in {"radio", "checkbox"} or "checked" in told
        if tag in {"input", "textarea", "select"} and chosen:
            self.fields[told["name"]] = told.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


def form_of(page: str, form_id: str) -> tuple[str, dict[str, str]]:
    """Where the form with this id goes, and what is in it."""
    found = _Fields(form_id)
    found.feed(page)
    assert found.action, f"there is no form {form_id!r}: {page}"
    return found.action, found.fields

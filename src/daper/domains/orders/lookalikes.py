"""Ids that look the same to whoever does not look closely: other case, blanks, or bytes for an accent. Pure."""

import unicodedata
from typing import Final

# As SQL has it, of what it knows of letters; whatever it finds is looked at by `look`.
SQLITE: Final = "lower(replace(replace(item_id, ' ', ''), '_', '-'))"
POSTGRESQL: Final = "lower(replace(replace(item_id, ' ', ''), '_', '-') COLLATE \"C\")"
_FORMS: Final = ("NFC", "NFD", "NFKC", "NFKD")


def look(name: str) -> str:
    """What is left of an id for somebody who does not look closely."""
    return unicodedata.normalize("NFKC", name).casefold().replace(" ", "").replace("_", "-")


def folded_by_sql(name: str) -> frozenset[str]:
    """What a database, which folds no letter but those of ASCII, makes of ids that look like this one."""
    found: set[str] = set()
    for form in _FORMS:
        whole = unicodedata.normalize(form, name)
        for each in (name, whole, whole.lower(), whole.upper(), unicodedata.normalize(form, whole.lower())):
            found.add(_ascii_lower(each.replace(" ", "").replace("_", "-")))
    return frozenset(found)


def difference(one: str, other: str) -> str:
    """In what two ids that look the same differ."""
    if unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other):
        return "its accents are stored in another way (Unicode NFC and NFD)"
    if one.casefold() == other.casefold():
        return "upper and lower case differ"
    if one.replace(" ", "") == other.replace(" ", ""):
        return "blanks differ"
    return "some of its characters only look the same"


def _ascii_lower(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)

"""JSON for people and programs to read."""

import json

from pydantic import BaseModel


def json_text(document: BaseModel | dict[str, object]) -> str:
    """One document, indented; escapes keep control characters harmless."""
    value = document.model_dump(mode="json") if isinstance(document, BaseModel) else document
    return json.dumps(value, indent=2, ensure_ascii=True, default=str) + "\n"

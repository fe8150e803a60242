"""Reads a file that declares a domain, without its database: all that is wrong is told at once."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from daper.core.digests import digest
from daper.domains.declared.cases import case_faults
from daper.domains.declared.contradictions import contradictions
from daper.domains.declared.document import (
    DomainDocument,
)
from daper.domains.declared.file import DeclaredFile, Fault, Faulty
from daper.domains.declared.positions import Position, positions
from daper.domains.declared.shape import misfits, not_toml

LARGEST: Final = 256 * 1024


def read_file(path: Path) -> DeclaredFile:
    """A file. Raises Faulty, OSError where it cannot be read."""
    data = path.read_bytes()
    if len(data) > LARGEST:
        raise Faulty(path, (Fault(Position(), f"it has {len(data):,} bytes, and may have {LARGEST:,}"),))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Faulty(path, (Fault(Position(line), "it is not UTF-8 text; save it as that"),)) from None
    try:
        parsed = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise Faulty(path, (not_toml(error, text),)) from None
    except RecursionError:
        raise Faulty(path, (Fault(Position(), "it is nested too deeply"),)) from None
    at = positions(text)
    try:
        document = DomainDocument.model_validate(parsed)
    except ValidationError as error:
        raise Faulty(path, tuple(misfits(error, at, parsed))) from None
    file = DeclaredFile(path=path, document=document, at=at, text=digest(data)[:32])
    in_cases = (Fault(at.key(path), said) for path, said in case_faults(document))
    if faults := (*contradictions(file), *in_cases):
        raise Faulty(path, faults)
    return file

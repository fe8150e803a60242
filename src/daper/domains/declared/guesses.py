"""What the columns of a table are likely to be: money, times, personal, of use; a person looks it over."""

import re
from collections.abc import Iterable
from typing import Final

from daper.core.errors import StoreDamaged
from daper.stores.rows.address import POSTGRESQL
from daper.stores.rows.catalog import ColumnHead, TableShape
from daper.stores.rows.values import ColumnType, typed, written

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")
_PERSONAL: Final = frozenset({
    "email", "mail", "phone", "telephone", "mobile", "cell", "fax", "address", "street", "postcode", "postal",
    "zip", "password", "passwd", "pwd", "passphrase", "secret", "token", "apikey", "ssn", "iban", "bic", "card",
    "cvv", "birthday", "birthdate", "birth", "dob", "firstname", "lastname", "surname", "fullname", "username",
    "nickname", "login", "passport", "gender",
})  # fmt: skip
_PERSON: Final = frozenset({
    "first", "last", "full", "family", "given", "middle", "maiden", "sur", "user", "customer", "contact",
    "person", "holder", "owner", "employee", "member", "guest", "recipient", "sender", "ship", "billing",
    "client", "patient", "student", "author",
})  # fmt: skip
_MONEY: Final = frozenset({
    "amount", "price", "total", "subtotal", "cost", "fee", "balance", "freight", "salary", "tax", "discount",
    "paid", "due",
})  # fmt: skip
_NUMERIC: Final = ("NUMERIC", "DECIMAL", "MONEY", "REAL", "FLOAT", "DOUBLE")
_FLAGS: Final = frozenset(["is", "has", "was", "can", "should"])
_NO_VALUES: Final = ("BLOB", "BYTEA", "BINARY", "INET", "CIDR", "MACADDR", "RANGE", "TSVECTOR", "GEO", "VECTOR", "NULL")
_STATES: Final = ("status", "state", "stage", "phase")


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name, in small letters: `PostalCode` and `postal_code` are the same."""
    return tuple(word.lower() for word in _WORD.findall(name))


def is_personal(name: str) -> bool:
    """Whether a column likely tells of a person."""
    words = words_of(name)
    if _PERSONAL & {*words, "".join(words)}:
        return True
    return words == ("name",) or ("name" in words and bool(_PERSON & set(words))) or words[-2:] == ("api", "key")


def is_of_use(column: ColumnHead, shape: TableShape) -> bool:
    """Whether a record can have it: nobody reads bytes, and what could not be put back has no version."""
    if any(kind in column.kind for kind in _NO_VALUES if kind != "NULL") or column.kind == "NULL":
        return False
    try:
        for row in shape.sample:
            if isinstance(row[column.name], bytes | bytearray | memoryview):
                return False
            written(row[column.name])
    except StoreDamaged:
        return False
    return True


def type_of(column: ColumnHead, shape: TableShape, kind: str) -> ColumnType | None:
    """What a column holds, where its database, of that kind, does not say; None where it does, or nobody can tell."""
    wanted = _wanted(column, kind)
    if wanted is None:
        return None
    values = [row[column.name] for row in shape.sample if row[column.name] is not None]
    try:
        for value in values:
            typed(value, wanted)
    except ValueError:
        return None
    if wanted is ColumnType.TIME and any(isinstance(each, int | float) and not _is_epoch(each) for each in values):
        return None
    return wanted


def status_of(shape: TableShape, names: Iterable[str]) -> str:
    """The column that likely says how a record stands; empty where none does."""
    known = {name: words_of(name) for name in names}
    for state in _STATES:
        exact = [name for name, words in known.items() if words == (state,)]
        ending = [name for name, words in known.items() if words[-1:] == (state,)]
        if exact or ending:
            return (exact or ending)[0]
    return next((each.name for each in shape.columns if each.allowed and each.name in known), "")


def _wanted(column: ColumnHead, kind: str) -> ColumnType | None:
    words, declared = words_of(column.name), column.kind
    if declared.startswith("DATE") and "TIME" not in declared:
        return ColumnType.TIME
    if kind == POSTGRESQL:
        return None
    if declared.startswith(("BOOL", "TINYINT(1)")) or (words[:1] and words[0] in _FLAGS and "INT" in declared):
        return ColumnType.BOOLEAN
    if "DATE" in declared or "TIME" in declared:
        return ColumnType.TIME
    if words[-1:] in {("at",), ("on",), ("date",), ("time",)}:
        return ColumnType.TIME
    if declared.startswith(_NUMERIC):
        return ColumnType.MONEY if _MONEY & set(words) or declared.startswith(_NUMERIC[:3]) else ColumnType.NUMBER
    return None


def _is_epoch(value: float) -> bool:
    return 100_000_000 <= value <= 5_000_000_000

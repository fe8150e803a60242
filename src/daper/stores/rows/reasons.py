"""Why somebody's database cannot be used, and the way out: the address that is wrong, or what is to be mended there."""

import re
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError

from daper.core.text import visible
from daper.core.urls import masked_urls
from daper.stores.rows.address import MYSQL, POSTGRESQL, SQLITE, DatabaseAddress

# What libpq, psycopg and a pooler say before there is a connection: that has no SQLSTATE. Of one server in another
# language only what is in all languages is known.
_BEFORE: Final = re.compile(r"^connection failed: (?:connection to server .*? failed: )?(?:FATAL: +)?")
_HOST: Final = "no host has that name ({}): mend the host in {}"
_SILENT: Final = "nobody answers there ({}): see that it runs, or mend the host and the port in {}"
_NO_DATABASE: Final = "that server has no such database: make it there, or mend its name in {1}"
_NOT_LET_IN: Final = (
    "the server does not let the user in: mend the user or the password in {1}, or its rights there ({0})"
)
_NOT_THAT: Final = "the user may not use that database: let it (GRANT), or mend the user or the database in {1}"
_OPTIONS: Final = "{}: mend the options behind the ? in {}"
_POSTGRESQL: Final = (
    (re.compile(r"resolve host|translate host name"), _HOST),
    (re.compile(r"certificate|SSL|invalid (?:connection option|\S+ value)|private key", re.IGNORECASE), _OPTIONS),
    (re.compile(r'database ".*" does not exist|no such database'), _NO_DATABASE),
    (re.compile(r"permission denied for database"), _NOT_THAT),
    (re.compile(r'authentication|password|role ".*" |pg_hba|no such user'), _NOT_LET_IN),
    (
        re.compile(r"refused|timeout|timed out|unreachable|No route|No such file|is the server running", re.IGNORECASE),
        _SILENT,
    ),
)
# https://mariadb.com/kb/en/mariadb-error-code-reference/; from 2000 on they are the driver's.
_MYSQL: Final = {
    1044: _NOT_THAT,
    1045: _NOT_LET_IN,
    1049: _NO_DATABASE,
    1130: _NOT_LET_IN,
    1698: _NOT_LET_IN,
    2002: _SILENT,
    2003: _SILENT,
    2005: _HOST,
    2026: _OPTIONS,
}
_ELSEWHERE: Final = ("Name or service not known", "nodename nor servname", "getaddrinfo", "name resolution")
_RIGHTS: Final = ("42501", 1142, 1143, 1227, 1370)
_READ_ONLY: Final = ("25006", 1290, 1836)
_NO_ROOM: Final = ("53100", 1021, 1114)
_NO_CONNECTION: Final = ("53300", 1040, 1203, 1226)
_CANNOT_OPEN, _NOT_A_DATABASE, _DAMAGED, _NOT_WRITABLE = 14, 26, 11, 8  # of SQLite: https://www.sqlite.org/rescode.html
_OPTION: Final = re.compile(r"unexpected keyword argument '([^']{1,60})'|invalid connection option \"([^\"]{1,60})\"")


def first_line(error: BaseException) -> str:
    """What a driver says, in a line without passwords."""
    # Of MySQL a number comes first, and then what is said.
    told = error.args[1] if len(error.args) > 1 and isinstance(error.args[0], int) else error
    return masked_urls(str(told).strip().partition("\n")[0]) or type(error).__name__


def told_by(error: DBAPIError) -> str:
    """What a database says of a statement, in a line without passwords."""
    return first_line(error.orig or error)


def away(error: BaseException, address: DatabaseAddress) -> str:
    """Why it cannot be used now, and what brings it back."""
    why = _of_address(error, address)
    if why:
        return f"{why}, and start daper again"
    code, said = _code(error), first_line(error)
    for codes, way in ((_READ_ONLY, "make it writable"), (_NO_ROOM, "make room there")):
        if code in codes:
            return f"{said}; {way}"
    if code in _NO_CONNECTION:
        return f"{said}; let fewer connect at once, or it more"
    return f"{said}; bring it back ({address.variable})"


def refused(error: BaseException, address: DatabaseAddress) -> str:
    """Why it cannot be used so, and what can be done, where that is known."""
    code, said = _code(error), first_line(error)
    if code in _RIGHTS:
        return f"{said}; let the user of {address.variable} do that (GRANT)"
    if address.kind == SQLITE and code == _NOT_A_DATABASE:
        return f"it is no file of SQLite: mend the path in {address.variable}, and start daper again"
    if address.kind == SQLITE and code == _DAMAGED:
        return f"{said}; bring it back from a whole backup"
    if address.kind == SQLITE and code == _NOT_WRITABLE:
        return f"{said}; let whoever runs daper write the file and its folder"
    return said


def of_options(error: BaseException, address: DatabaseAddress) -> str:
    """What a driver, which was not asked to connect yet, has against the options of an address."""
    said = visible(masked_urls(str(error)), longest=200)
    found = _OPTION.search(said)
    if found:
        name = found[1] or found[2]
        told = f"{name!r} behind the ? is no option of the driver: take it out of {address.variable}, or mend it there"
    else:
        told = _OPTIONS.format(said, address.variable)
    return f"{told}, and start daper again"


def _of_address(error: BaseException, address: DatabaseAddress) -> str:
    """What is wrong with the address, or where it leads; nothing where that is right, as far as the driver tells."""
    said = first_line(error)
    if address.kind == POSTGRESQL:
        return _of_postgresql(error, said, address.variable)
    return _of_mysql(error, said, address.variable) if address.kind == MYSQL else _of_file(error, address)


def _of_mysql(error: BaseException, said: str, variable: str) -> str:
    wrong = _HOST if any(each in said for each in _ELSEWHERE) else _MYSQL.get(_number(error) or 0)
    system = re.search(r"\(\[Errno -?\d+\] ([^)]*)\)", said)
    return wrong.format(system[1] if system else said, variable) if wrong else ""


def _of_postgresql(error: BaseException, said: str, variable: str) -> str:
    if getattr(error, "sqlstate", None) is not None:
        return ""
    found = _OPTION.search(said)
    if found:
        return f"{found[2]!r} behind the ? is no option of the driver: take it out of {variable}, or mend it there"
    bare = _BEFORE.sub("", said)
    wrong = next((told for known, told in _POSTGRESQL if known.search(bare)), None)
    if wrong is None and "FATAL" in said:
        wrong = "the server lets nobody in: {}; mend that there, or the address in {}"
    return wrong.format(re.sub(r"^.*\[Errno -?\d+\] ", "", bare), variable) if wrong else ""


def _of_file(error: BaseException, address: DatabaseAddress) -> str:
    if _code(error) != _CANNOT_OPEN:
        return ""
    path = Path(address.url.database or "").absolute()
    such = "such file" if str(path) == address.url.database else f"file {path}"
    if path.is_dir():
        return f"it is a folder, and no file: mend the path in {address.variable}"
    if not path.parent.is_dir():
        return f"there is no folder {str(path.parent)!r}: bring it back, or mend the path in {address.variable}"
    if not path.exists():
        return f"there is no {such}: bring it back, or mend the path in {address.variable}"
    return f"{first_line(error)}: let whoever runs daper read and write it, or mend the path in {address.variable}"


def _code(error: BaseException) -> str | int | None:
    """Of MySQL its number, of PostgreSQL its SQLSTATE, of SQLite its code."""
    if (number := _number(error)) is not None:
        return number
    state: object = getattr(error, "sqlstate", None)
    lite: object = getattr(error, "sqlite_errorcode", None)
    return lite & 0xFF if isinstance(lite, int) else state if isinstance(state, str) else None


def _number(error: BaseException) -> int | None:
    return error.args[0] if error.args and isinstance(error.args[0], int) else None

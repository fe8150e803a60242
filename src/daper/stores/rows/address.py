"""The address of somebody's database, which the environment has under a name of theirs; its password stays unsaid."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from daper.core.errors import SettingError
from daper.core.text import visible
from daper.core.urls import masked_setting

POSTGRESQL: Final = "postgresql"
MYSQL: Final = "mysql"  # MariaDB is one
SQLITE: Final = "sqlite"
# Of each kind of database: its driver, the module of that, and the extra that brings it.
_DRIVERS: Final = {
    POSTGRESQL: ("psycopg", "psycopg", "postgresql"),
    MYSQL: ("pymysql", "pymysql", "mysql"),
    SQLITE: ("pysqlite", "sqlite3", ""),
}
_SAME: Final = {"postgres": POSTGRESQL, "mariadb": MYSQL}
_ESCAPED: Final = "within a user or a password @ is written %40, # %23, / %2F, ? %3F and % %25"
_EXAMPLES: Final = "postgresql://host/name or mysql://host/name, with user:password@ before the host, or sqlite:///path"


@dataclass(frozen=True, kw_only=True)
class DatabaseAddress:
    """A database, and the role by which it is used. `variable`: where its URL was found; `kind`: of database."""

    variable: str
    kind: str
    url: URL = field(repr=False)

    @property
    def named(self) -> str:
        """What messages call it: where it is, and neither user nor password."""
        if self.kind == SQLITE:
            return f"the database {self.url.database or ''!r}"
        port = f":{self.url.port}" if self.url.port else ""
        return f"the database {self.url.database or ''!r} on {self._host}{port}"

    @property
    def place(self) -> str:
        """Where it is, whichever role asks: two names of one place are one, as far as the address tells."""
        if self.kind == SQLITE:
            return f"{SQLITE} {Path(self.url.database or '').resolve()}"
        return f"{self.kind} {self._host} {self.url.port or ''} {self.url.database}"

    @property
    def _host(self) -> str:
        """The host; of MySQL the socket in its place, where the address names one."""
        socket = self.url.query.get("unix_socket") if self.kind == MYSQL else None
        return str(socket or self.url.host or "localhost")


def database_address(text: str, *, variable: str) -> DatabaseAddress:
    """What a variable says. Raises SettingError, without the password, for what is no address of a database."""
    if why := _flaw(text):
        shown = visible(masked_setting(text), longest=80)
        raise SettingError(f"{variable} is {shown!r}: {why}; it must be the address of a database, as in {_EXAMPLES}")
    url = make_url(text)
    kind = _kind(url.get_backend_name())
    driver, module, extra = _DRIVERS[kind]
    if find_spec(module) is None:
        raise SettingError(f"{variable} needs the extra {extra}: pip install 'daper[{extra}]'")
    return DatabaseAddress(variable=variable, kind=kind, url=url.set(drivername=f"{kind}+{driver}"))


def _kind(scheme: str) -> str:
    return _SAME.get(scheme, scheme)


def _flaw(text: str) -> str:
    scheme, found, _ = text.partition("://")
    if not found or _kind(scheme.partition("+")[0].lower()) not in _DRIVERS:
        return "it does not begin with postgresql://, mysql://, mariadb:// or sqlite:///"
    if not text.isprintable():
        return "it has what cannot be seen in it"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        return f"it cannot be read; {_ESCAPED}"
    if "@" in (url.host or ""):  # the rest of a password would stand in every message
        return f"it has a second @; {_ESCAPED}"
    if not url.database:
        return "it names no database behind the host"
    return ""

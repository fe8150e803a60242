"""Where what daper keeps beside Temporal is: in one file under a home, or in one database for every machine."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daper.stores.sql.engine import Database


@dataclass(frozen=True, kw_only=True)
class StatePlace:
    """The state of the home `home`; with a `database_url`, that of all homes that have the same one."""

    home: Path
    database_url: str | None = field(default=None, repr=False)  # it may have a password

    @property
    def shared(self) -> bool:
        """Whether other homes may have the same state."""
        return self.database_url is not None

    def database(self) -> "Database":
        """The database with it; building it touches nothing. Loads SQL. Raises SettingError."""
        if self.database_url is not None:
            from daper.stores.sql.postgresql_database import PostgresqlDatabase
            from daper.stores.sql.state_schema import STATE

            return PostgresqlDatabase(self.database_url, [STATE])
        from daper.stores.sql.home_database import STATE_FILE, HomeDatabase

        return HomeDatabase(self.home / STATE_FILE)

    def former_files(self) -> list[Path]:
        """The files of former versions in the home, which its own database takes in when it is used."""
        from daper.stores.sql.home_database import STATE_FILE, HomeDatabase

        return [] if self.shared else HomeDatabase(self.home / STATE_FILE).former()

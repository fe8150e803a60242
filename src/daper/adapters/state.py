"""Where what daper keeps beside Temporal is: in files under a home, or in one database for every machine."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from daper.clock import utc_now

if TYPE_CHECKING:
    from daper.adapters.form_key import FormKey
    from daper.adapters.visitors import Visitors
    from daper.ports import KeptTranscripts, Memory, ReportFigures, Reports, Spending, Tokens
    from daper.stores.sql.engine import Database


@dataclass(frozen=True, kw_only=True)
class StatePlace:
    """The state of the home `home`; with a `database_url`, that of all homes that have the same one.

    What is opened loads SQL only where it needs it, and building it touches nothing. All raise SettingError for an
    address that is none.
    """

    home: Path
    database_url: str | None = field(default=None, repr=False)  # it may have a password

    @property
    def shared(self) -> bool:
        """Whether other homes may have the same state: all of it is in the database then, and none in files."""
        return self.database_url is not None

    def database(self) -> "Database":
        """The database: one file, or one on a server."""
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

    def memory(self) -> "Memory":
        """What is remembered of problems."""
        from daper.adapters.memory.tables import MemoryTables

        return MemoryTables(self.database())

    def spending(self) -> "Spending":
        """What cycles spent on models."""
        from daper.adapters.spending.tables import SpendingTables

        return SpendingTables(self.database())

    def reports(self) -> "Reports":
        """The reports, and what they answer."""
        if self.shared:
            from daper.adapters.reports.rows import ReportRows

            return ReportRows(self.database())
        from daper.adapters.reports.archive import FileReports
        from daper.adapters.reports.kept_answers import KeptAnswers

        return FileReports(self.home / "reports", answers=KeptAnswers(self.database))

    def report_figures(self) -> "ReportFigures":
        """What there is to know of many reports, without reading each."""
        from daper.adapters.reports.figures import ReportFigureRows

        if self.shared:
            from daper.adapters.reports.rows import ReportRows

            return ReportFigureRows(self.database, ReportRows(self.database()))
        from daper.adapters.reports.archive import ReportFolders

        return ReportFigureRows(self.database, ReportFolders(self.home / "reports"))

    def transcripts(self, *, secrets: Sequence[str] = ()) -> "KeptTranscripts":
        """What was said to models; nothing of `secrets` is written."""
        if self.shared:
            from daper.adapters.transcripts.rows import TranscriptRows

            return TranscriptRows(self.database(), secrets=secrets)
        from daper.adapters.transcripts.files import FileTranscripts

        return FileTranscripts(self.home / "transcripts", secrets=secrets)

    def tokens(self) -> "Tokens":
        """Who may come in by `daper mcp --http`."""
        from daper.adapters.tokens.files import TOKENS, TokenFile

        if self.shared:
            from daper.adapters.tokens.rows import TokenRows

            return TokenRows(self.database(), former=self.home / TOKENS, now=utc_now)
        return TokenFile(self.home / TOKENS, now=utc_now)

    def visitors(self) -> "Visitors":
        """Who came in to the console, and what was used once."""
        from daper.adapters.visitors import Visitors
        from daper.stores.sql.visitors_schema import VISITORS

        if self.database_url is not None:
            from daper.stores.sql.postgresql_database import PostgresqlDatabase

            return Visitors(PostgresqlDatabase(self.database_url, [VISITORS]), now=utc_now)
        from daper.stores.sql.home_database import STATE_FILE, HomeDatabase

        return Visitors(HomeDatabase(self.home / STATE_FILE, VISITORS), now=utc_now)

    def form_key(self) -> "FormKey":
        """What seals the forms of chat clients."""
        if self.shared:
            from daper.adapters.form_key_row import FormKeyRow

            return FormKeyRow(self.database())
        from daper.adapters.form_key import FORM_KEY, FormKeyFile

        return FormKeyFile(self.home / FORM_KEY)

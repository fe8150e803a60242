"""One database as it is now, in words: for `daper db status` and `daper doctor`."""

from dataclasses import dataclass

from daper.core.commands import Said
from daper.core.errors import StoreError
from daper.stores.sql.condition import Condition, SchemaState, state_of
from daper.stores.sql.engine import Database


@dataclass(frozen=True, kw_only=True)
class DatabaseLook:
    """What was found. `trouble`: why nobody can say; `usable`: whether this version works with it."""

    name: str
    kind: str
    version: str = ""
    state: SchemaState | None = None
    trouble: Said | None = None

    @property
    def usable(self) -> bool:
        """Whether this version works with it, or makes of it at the next use what it needs."""
        return (
            not self.trouble
            and self.state is not None
            and (self.state.condition is Condition.READY or self._mends_itself)
        )

    @property
    def lines(self) -> tuple[str, ...]:
        """What is to be said of it."""
        if self.state is None:
            return (self.trouble or "",)
        strange = f", and {_list(self.state.strange)} of what is not installed here" if self.state.strange else ""
        said = f"{self.name}: {self.version}, with {_list(self.state.there)}{strange}"
        if self.trouble:
            return said, self.trouble
        if self.state.condition is Condition.READY:
            return (f"{said}; this version works with it",)
        if self._mends_itself:
            return (f"{said}; at the next use it gets what this version needs",)
        return said, self.state.why

    def document(self) -> dict[str, object]:
        """The same for a program."""
        state = self.state
        return {
            "name": self.name,
            "kind": self.kind,
            "version": self.version,
            "condition": state.condition if state else "unavailable",
            "revisions": sorted(state.there) if state else [],
            "wanted": sorted(state.here) if state else [],
            "strange": sorted(state.strange) if state else [],
            "usable": self.usable,
            "message": self.lines[-1],
        }

    @property
    def _mends_itself(self) -> bool:
        in_a_file = self.kind == "SQLite"
        return in_a_file and self.state is not None and self.state.condition in {Condition.NONE, Condition.BEHIND}


def look_at(database: Database) -> DatabaseLook:
    """One database as it is now, also where it cannot be used."""
    kind = "PostgreSQL" if database.dialect == "postgresql" else "SQLite"
    state, version = None, ""
    try:
        state, version = state_of(database), database.version()
        if state.condition is Condition.READY:
            database.look_over()
    except StoreError as error:
        return DatabaseLook(name=database.named, kind=kind, version=version, state=state, trouble=error.said)
    return DatabaseLook(name=database.named, kind=kind, version=version, state=state)


def _list(revisions: frozenset[str]) -> str:
    return ", ".join(sorted(revisions)) or "no tables of daper's"

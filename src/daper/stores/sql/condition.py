"""Whether a database has the tables of this version; and if not, what is wrong with them, and the way out."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from daper.core.commands import CommandLine, Said
from daper.core.errors import StoreDamaged, StoreError
from daper.stores.sql.engine import VERSIONS, Branch, Database, wanted

STATUS: Final = CommandLine("db", "status")
UPGRADE: Final = CommandLine("db", "upgrade")


class Condition(StrEnum):
    """How the tables of a database relate to this version of daper."""

    READY = "ready"
    NONE = "none"
    BEHIND = "behind"
    NEWER = "newer"
    BROKEN = "broken"


@dataclass(frozen=True, kw_only=True)
class SchemaState:
    """What a database has. `here`: the revisions of this version; `there`: its own; `why`: what is wrong, in words.

    `strange`: revisions of branches that nobody knows here, as of a domain that is not installed; they do no harm.
    """

    condition: Condition
    here: frozenset[str]
    there: frozenset[str]
    strange: frozenset[str] = frozenset()
    why: Said = field(default_factory=Said)

    def refuse(self) -> None:
        """Raises StoreDamaged or StoreError, with the way out, for what is not ready."""
        if self.condition is Condition.BROKEN:
            raise StoreDamaged(self.why)
        if self.condition is not Condition.READY:
            raise StoreError(self.why)


def state_of(database: Database) -> SchemaState:
    """What a database has. Changes nothing, and refuses none; raises StoreUnavailable where nobody can tell."""
    return judged(database.named, database.branches, database.revisions(), database.tables())


def judged(
    named: str, branches: Mapping[str, Branch], revisions: frozenset[str], tables: Collection[str] | None = None
) -> SchemaState:
    """What is to be said of a database with these revisions and, where somebody looked, these tables."""
    here = wanted(branches)
    strange = frozenset(each for each in revisions if branch_of(each) not in branches)
    there = revisions - strange

    def state(condition: Condition, *why: str | CommandLine) -> SchemaState:
        return SchemaState(condition=condition, here=here, there=there, strange=strange, why=Said(*why))

    if newer := [each for each in there - here if each > branches[branch_of(each)].head]:
        return state(Condition.NEWER, f"{named} has revision {_list(newer)}: a newer daper wrote it; use that one")
    if broken := _broken(branches, there, tables):
        return state(Condition.BROKEN, f"{named} {broken}; bring it back from a whole backup. See: ", STATUS)
    if not there:
        said = f"{named} has none of daper's tables yet; whoever may make tables there runs: "
        return state(Condition.NONE, said, UPGRADE)
    if missing := here - there:
        said = (
            f"{named} is not ready for this version (it lacks {_list(missing)}); whoever may change its tables runs: "
        )
        return state(Condition.BEHIND, said, UPGRADE)
    return state(Condition.READY)


def branch_of(revision: str) -> str:
    """The name of the branch that a revision belongs to: `records_0001` to `records`."""
    return revision.rpartition("_")[0]


def _broken(branches: Mapping[str, Branch], there: frozenset[str], tables: Collection[str] | None) -> str:
    """What no upgrade leaves behind, in words."""
    for name in branches:
        revisions = [each for each in there if branch_of(each) == name]
        if len(revisions) > 1:
            return f"says that it has {_list(revisions)} at once, as after half an upgrade"
    if tables is None:
        return ""
    for name, branch in branches.items():
        lost, found = branch.tables - set(tables), branch.tables & set(tables)
        at = next((each for each in there if branch_of(each) == name), None)
        if at is None and found:
            return f"has tables of daper's ({_list(found)}), and {VERSIONS.name} has no revision of them"
        if at == branch.head and lost:
            return f"says that it has {at}, and has no {_list(lost)}"
    return ""


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))

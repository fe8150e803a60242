"""What is said of a filter that finds nothing: that no record has it, and what there is."""

from collections.abc import Mapping

from daper.activities.scopes import unknown_status
from daper.core.errors import UserError
from daper.core.models import Scope
from daper.core.names import tally
from daper.core.text import counted, shown
from daper.ports import Domain
from daper.service.selection import RecordFilter


async def refuse_unknown_status(domain: Domain, scope: Scope) -> None:
    """Raises UserError where a repair would look at nothing, because no record has the status that is asked for."""
    if why := await unknown_status(domain, scope):
        raise UserError(why)


async def why_nothing(domain: Domain, scope: Scope, wanted: RecordFilter, kinds: Mapping[str, int]) -> str:
    """Why a list is empty, and what it could have been asked for. `kinds`: of the records that were looked at."""
    if why := await unknown_status(domain, scope):
        return why
    if wanted.problem is not None:
        return f"no record like that has the problem {shown(wanted.problem)!r}; the problems here are: {tally(kinds)}"
    if wanted.with_problems:
        return "no record like that has a problem"
    if wanted.search is not None:
        return f"no record like that has {shown(wanted.search)!r} in its id or title"
    return "there are no records"


def nothing_in_phase(phase: str, there: Mapping[str, int]) -> str:
    """What is said where no repair is in a phase."""
    return f"no repair is in phase {phase}; there are: {tally(there)} ({counted(sum(there.values()), 'repair')})"

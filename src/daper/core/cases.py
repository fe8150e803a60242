"""Cases for an evaluation: records with something wrong or nothing, and what is right to find and to do about each."""

from enum import StrEnum

from pydantic import Field, JsonValue

from daper.core.base import Wire


class CaseSort(StrEnum):
    """What a case tries out."""

    FAULT = "one fault"
    SEVERAL = "several faults at once"
    CLEAN = "nothing wrong"
    AMBIGUOUS = "ambiguous"
    INJECTED = "injected notes"
    UNKNOWABLE = "not knowable by rules"


class ExpectedAction(Wire):
    """One action that is right: its tool, the arguments that matter, and the range of each number that may vary."""

    tool: str
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    between: dict[str, tuple[int, int]] = Field(default_factory=dict)


class Case(Wire):
    """One record, and what is right for it.

    `problems`: the kinds that must be found, one entry for each finding; `tolerated`: kinds that may be found or not,
    because both can be defended. `actions`: exactly what is to be proposed and done. `calls_person`: whether somebody
    has to be told of it; None where both can be defended. `end_status`: the record's status at the end. Without actions
    the record stays as it is in every other way too.
    """

    record_id: str
    kind: str
    sort: CaseSort
    why: str
    problems: tuple[str, ...] = ()
    tolerated: tuple[str, ...] = ()
    actions: tuple[ExpectedAction, ...] = ()
    calls_person: bool | None = False
    end_status: str

    @property
    def knowable(self) -> bool:
        """Whether rules can know what is right here; for the others one has to read, or to have common sense."""
        return self.sort is not CaseSort.UNKNOWABLE


class CaseSet(Wire):
    """The cases of one generated set, in the order of their records; the same seed and numbers make the same set."""

    name: str
    seed: int
    per_kind: int
    cases: tuple[Case, ...]

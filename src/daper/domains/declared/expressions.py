"""Expressions of CEL over one record, looked over before they run; what they cannot judge is never quietly false."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, cast

from daper.core.errors import UserError
from daper.core.text import shown

if TYPE_CHECKING:
    import cel

RECORD: Final = "r"
NOW: Final = "now"
ANSWER: Final = "a"
STATUS: Final = "status"
LONGEST: Final = 2000
DEEPEST: Final = 30
# A text of CEL, in any of its quotes, and a comment.
_TEXT: Final = re.compile(
    r"""[rRbB]{0,2}(?:'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\"|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|//[^\n]*""",
    re.DOTALL,
)
_FIELD: Final = re.compile(r"\br\s*\.\s*([A-Za-z_]\w*)(?!\s*\()")
_PLACE: Final = re.compile(r"ERROR: <input>:\d+:(\d+): (.*)")
_INDEX: Final = re.compile(r"\br\s*\[")
_SQL: Final = (
    (re.compile(r"\bis\s+not\s+null\b", re.IGNORECASE), "!= null"),
    (re.compile(r"\bis\s+null\b", re.IGNORECASE), "== null"),
    (re.compile(r"\bnot\s+in\b", re.IGNORECASE), "!(... in [...])"),
    (re.compile(r"\band\b", re.IGNORECASE), "&&"),
    (re.compile(r"\bor\b", re.IGNORECASE), "||"),
    (re.compile(r"\bnot\b", re.IGNORECASE), "!"),
    (re.compile(r"<>"), "!="),
    (re.compile(r"(?<![=!<>])=(?!=)"), "=="),
)
"""What SQL writes otherwise, and how CEL has it."""


class ExpressionFault(UserError):
    """What is wrong with an expression, in words."""


class CannotJudge(UserError):
    """An expression has no answer for a record: a value is missing, or of another kind than it takes."""


@dataclass(frozen=True)
class Expression:
    """A condition that was looked over. `columns`: what it reads of a record; `hidden`: those whose values nobody is
    told, also not by an error."""

    text: str
    columns: frozenset[str]
    program: "cel.Program"
    hidden: frozenset[str] = frozenset()

    def holds(self, columns: Mapping[str, object], now: datetime) -> bool:
        """Whether it holds for a record with these columns. Raises CannotJudge."""
        record = {name: _plain(columns.get(name)) for name in self.columns}
        try:
            found = self.program.execute({RECORD: record, NOW: now})
        except Exception as error:  # noqa: BLE001 - the library raises what it likes; none of it is an answer
            told = "of what is hidden, nothing is told" if self.hidden else str(error).partition("\n")[0]
            why = _empty(record) or shown(told, longest=100)
            raise CannotJudge(f"{shown(self.text)} cannot be judged: {why}") from None
        if not isinstance(found, bool):
            came = "something else" if self.hidden else shown(found)
            raise CannotJudge(f"{shown(self.text)} came to {came}, and not to true or false")
        return found


@dataclass(frozen=True)
class AnswerCondition:
    """A condition over what a system answered, which was looked over."""

    text: str
    program: "cel.Program"

    def holds(self, status: int, answer: object) -> bool:
        """Whether it holds for this status, and this JSON. Raises CannotJudge, which repeats nothing of the answer."""
        try:
            found = self.program.execute({STATUS: status, ANSWER: answer})
        except Exception:  # noqa: BLE001 - the library raises what it likes; none of it is an answer
            found = None
        if not isinstance(found, bool):
            raise CannotJudge(f"{shown(self.text)} cannot be judged by what was answered")
        return found


def expression(text: str, columns: Collection[str], *, hidden: Collection[str] = ()) -> Expression:
    """A condition over `r`, a record with these columns, and `now`. Raises ExpressionFault for what is none."""
    program, bare = _compiled(text, {RECORD: "the record", NOW: ""})
    if _INDEX.search(bare):
        raise ExpressionFault("write r.name, and not r[...]: which column it reads must be seen before it runs")
    read = frozenset(_FIELD.findall(bare))
    if missing := sorted(read - set(columns)):
        raise MissingColumn(missing[0], columns)
    return Expression(text=text, columns=read, program=program, hidden=read.intersection(hidden))


def answer_condition(text: str) -> AnswerCondition:
    """A condition over `status` and `a`, the JSON of an answer. Raises ExpressionFault for what is none."""
    return AnswerCondition(text, _compiled(text, {ANSWER: "the JSON that was answered", STATUS: ""})[0])


def _compiled(text: str, names: Mapping[str, str]) -> "tuple[cel.Program, str]":
    """A condition over these names, each with what it is, and its text without what is quoted."""
    import cel  # which few starts need

    if len(text) > LONGEST:
        raise ExpressionFault(f"it has {len(text):,} characters, and may have {LONGEST:,}")
    bare = _TEXT.sub(lambda found: " " * len(found.group()), text)
    if (deep := _depth(bare)) > DEEPEST:
        raise ExpressionFault(f"its brackets are {deep} deep, and may be {DEEPEST}")
    try:
        program = cel.compile(text)
    except Exception as error:  # noqa: BLE001 - the library raises what it likes
        raise ExpressionFault(f"it cannot be read{_as_cel(bare)}: {_told(error)}") from None
    if strange := sorted(set(program.variables()) - set(names) - _bound(bare)):
        known = ", and ".join(f"{name}, {what}" if what else name for name, what in names.items())
        raise ExpressionFault(f"it names {strange[0]!r}; there is {known}")
    return program, bare


def read_by(text: str) -> frozenset[str]:
    """The columns that an expression reads of a record."""
    return frozenset(_FIELD.findall(_TEXT.sub("", text)))


class MissingColumn(ExpressionFault):
    """A column that is not there; says which is meant, where that can be told."""

    def __init__(self, name: str, columns: Collection[str], *, what: str = "column") -> None:
        from difflib import get_close_matches

        near = get_close_matches(name, list(columns), n=1)
        meant = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(columns)}"
        super().__init__(f"there is no {what} {name!r}; {meant}")
        self.name = name


def _told(error: Exception) -> str:
    """What the library says, and where, without the expression itself."""
    line = str(error).partition("\n")[0]
    found = _PLACE.search(line)
    return f"{found[2]} (character {found[1]})" if found else line


def _as_cel(bare: str) -> str:
    """How CEL has what somebody wrote as SQL does."""
    found: list[str] = []
    for sql, cel in _SQL:
        if match := sql.search(bare):
            found.append(f"{cel} for {match.group()}")
            bare = sql.sub(" ", bare)
    return f"; write {', '.join(found)}" if found else ""


def _depth(bare: str) -> int:
    deepest = depth = 0
    for char in bare:
        depth += (char in "([{") - (char in ")]}")
        deepest = max(deepest, depth)
    return deepest


def _bound(bare: str) -> frozenset[str]:
    """Names that a macro gives to the values of a list, as in `all(x, x > 0)`."""
    return frozenset(re.findall(r"\.(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,", bare))


# Any: what CEL takes.
def _plain(value: object) -> Any:
    """A value as CEL has it: it knows no decimals, so that money is compared as a number."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 2**53 else float(value)
    if isinstance(value, bytearray | memoryview):
        return bytes(cast("bytes", value))
    known = (type(None), bool, int, float, str, bytes, datetime, list, dict)
    return value if isinstance(value, known) else str(value)  # pyright: ignore[reportUnknownVariableType] - of any kind


def _empty(record: Mapping[str, object]) -> str:
    nothing = sorted(name for name, value in record.items() if value is None)
    return f"{', '.join(nothing)} is empty" if nothing else ""

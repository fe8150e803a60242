"""What a file says: a system of records, what is wrong with them, and what may be done."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from typing import Annotated, Any, Final, cast

from pydantic import BeforeValidator, Discriminator, Field, JsonValue, StrictBool, StrictInt, StrictStr, Tag

from daper.core.base import Reply
from daper.core.models import Risk
from daper.core.spans import parse_span
from daper.ports import PlanCaps
from daper.stores.rows.values import ColumnType

NAME: Final = r"[a-z][a-z0-9_-]{0,49}"
TABLE: Final = r"^[^\s;'\"`]+( [^\s;'\"`]+)*$"
CONTENT: Final = "content"
ENV: Final = "env:"
LONGEST_REQUEST: Final = timedelta(seconds=30)  # an attempt has a minute for all that it does
# No 409: for a key that is in use it says that a request with it is under way.
# https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
REFUSALS: Final = (400, 401, 403, 404, 405, 410, 413, 415, 422)
_LONG: Final = 20_000


def _span(value: object) -> object:
    found = parse_span(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be a time as in 30s, 15m, 12h or 2d")
    return found


def _risk(value: object) -> object:
    if value not in {str(each) for each in Risk}:
        raise ValueError(f"must be one of {', '.join(Risk)}")
    return value


def _amount(value: object) -> object:
    amount = Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else Decimal(0)
    if not amount.is_finite() or amount <= 0:
        raise ValueError("must be an amount of money, more than 0")
    return amount


# Any: what TOML has, and then JSON.
def _json(value: Any) -> Any:
    """What TOML has, as JSON has it; it knows no dates, and its numbers are never NaN."""
    match value:
        case dict():
            found = cast("dict[str, Any]", value)
            return {name: _json(each) for name, each in found.items()}
        case list():
            return [_json(each) for each in cast("list[Any]", value)]
        case Decimal() if isfinite(float(value)):
            return float(value)
        case None | bool() | int() | str() | float():
            return value
        case _:
            raise ValueError("must be made of texts, numbers, true, false, lists and tables: JSON knows no others")


def _scalar(value: object) -> object:
    if not isinstance(value, bool | int | str | Decimal | datetime | date | time):
        raise ValueError("must be a text, a number, true, false or a time")  # noqa: TRY004 - as pydantic takes it
    return value


Name = Annotated[StrictStr, Field(pattern=rf"^{NAME}$")]
Words = Annotated[StrictStr, Field(min_length=1, max_length=500)]
SqlText = Annotated[StrictStr, Field(min_length=1, max_length=_LONG)]
Span = Annotated[timedelta, BeforeValidator(_span)]
Amount = Annotated[Decimal, BeforeValidator(_amount)]
Address = Annotated[StrictStr, Field(min_length=1, max_length=2000)]
HeaderName = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_|~-]{1,100}$")]
HeaderValue = Annotated[StrictStr, Field(pattern=r"^[\x20-\x7e]{1,1000}$")]
Status = Annotated[StrictInt, Field(ge=200, le=599)]
Scalar = Annotated[object, BeforeValidator(_scalar)]
Variable = Annotated[StrictStr, Field(pattern=r"^env:[A-Za-z_][A-Za-z0-9_]{0,99}$")]


class DomainSection(Reply):
    """The system of records. `database` and `writer`: variables that have the URLs of a reading and a writing role."""

    name: Name
    about: Words
    database: Variable
    writer: Variable | None = None
    timeout: Span = timedelta(seconds=5)


class RecordsSection(Reply):
    """What the records are: one SELECT, whose columns are all that rules and people see."""

    sql: SqlText
    scope: StrictStr = Field(default="", max_length=_LONG)
    key: Words
    title: Words = ""
    status: StrictStr = ""
    types: dict[StrictStr, ColumnType] = Field(default_factory=dict[str, ColumnType])
    hide: tuple[StrictStr, ...] = ()
    version: StrictStr = CONTENT


class RuleSection(Reply):
    """When something is wrong. `when`: CEL; or `sql`: the query gives the keys of those that are. `fix`: a tool."""

    kind: Name
    issue: Words
    when: StrictStr = ""
    sql: StrictStr = Field(default="", max_length=_LONG)
    facts: tuple[StrictStr, ...] = ()
    fix: StrictStr = ""


class ArgumentSection(Reply):
    """One argument: a sentence of so many characters, one of a list, or a whole number between two."""

    sentence: Annotated[StrictInt, Field(ge=1, le=2000)] | None = None
    one_of: tuple[JsonValue, ...] | None = Field(default=None, min_length=1, max_length=100)
    between: tuple[StrictInt, StrictInt] | None = None
    default: JsonValue = None


class LimitSection(Reply):
    """The most of a tool in one plan: so many actions, so much money together. `canary`: so many are tried first."""

    per_plan: Annotated[StrictInt, Field(ge=1)] | None = None
    money: Amount | None = None
    canary: Annotated[StrictInt, Field(ge=0, le=100)] = 0

    @property
    def caps(self) -> PlanCaps:
        """As a plan keeps them."""
        return PlanCaps(actions=self.per_plan, money=self.money, canary=self.canary)


class ToolSection(Reply):
    """What may be done, whatever the way: `only` says for which records, in the words of that way.

    `helped`: when it has; `waits`: where it has not, when that is still up to somebody else. Both are of the record.
    """

    name: Name
    does: Words
    risk: Annotated[Risk, BeforeValidator(_risk)]
    only: StrictStr = Field(default="", max_length=_LONG)
    args: dict[Name, ArgumentSection] = Field(default_factory=dict[str, ArgumentSection])
    spends: StrictStr = ""
    limit: LimitSection = LimitSection()
    settles: Span | None = None
    helped: StrictStr = Field(default="", max_length=_LONG)
    waits: StrictStr = Field(default="", max_length=_LONG)
    when_not: StrictStr = Field(default="", max_length=500)


class SetSection(ToolSection):
    """A tool by columns of one table that are set, each to an expression of the database; `only` is one as well.

    `key`: the column of the table that has the key of the record, where it is called otherwise there.
    """

    table: Annotated[StrictStr, Field(max_length=200, pattern=TABLE)]
    key: Words | None = None
    set: dict[StrictStr, SqlText] = Field(min_length=1)


class Method(StrEnum):
    """How a system is asked to change something."""

    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


class SecretSection(Reply):
    """A header that proves who asks: `prefix` and what the variable `value` has."""

    header: HeaderName = "Authorization"
    value: Variable
    prefix: Annotated[StrictStr, Field(pattern=r"^[\x20-\x7e]{0,50}$")] = ""


class SettleSection(Reply):
    """Whom to ask what became of a request. `happened`, `never`: CEL over `status` and `a`, the JSON of the answer.

    `never`: it did not happen, and a late request with this key is refused there.
    """

    url: Address
    happened: Annotated[StrictStr, Field(min_length=1)]
    never: StrictStr = ""


class HttpSection(Reply):
    """One request. `key_header`: in which the key of the action goes, by which the system does it once.

    `ok`: statuses that mean it was done; `never`: those that mean it was refused, and will not be done.
    """

    method: Method = Method.POST
    url: Address
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict[str, str], max_length=20)
    body: Annotated[dict[StrictStr, JsonValue] | None, BeforeValidator(_json)] = None
    secret: SecretSection | None = None
    key_header: HeaderName | None = None
    timeout: Annotated[Span, Field(ge=timedelta(seconds=1), le=LONGEST_REQUEST)] = timedelta(seconds=10)
    ok: tuple[Status, ...] = Field(default=tuple(range(200, 300)), min_length=1)
    never: tuple[Status, ...] = REFUSALS
    settle: SettleSection | None = None


class HttpToolSection(ToolSection):
    """A tool by a request to a system that knows nothing of our ledger; `only` is CEL over the record."""

    http: HttpSection


class SqlSection(Reply):
    """One statement of the operator's own. `preview`: what it would change, by the key of the record.

    `expects`: how many rows it changes; `undo`: the statement that takes it back.
    """

    run: SqlText
    preview: SqlText
    expects: Annotated[StrictInt, Field(ge=1, le=10_000)] = 1
    undo: StrictStr = Field(default="", max_length=_LONG)


class SqlToolSection(ToolSection):
    """A tool by statements of the operator's own; `only` is CEL over the record."""

    sql: SqlSection


TOOL_KINDS: Final[Mapping[str, type[ToolSection]]] = {
    "tool by set": SetSection,
    "tool by http": HttpToolSection,
    "tool by sql": SqlToolSection,
}


def _kind_of(value: object) -> str:
    given = cast("dict[str, object]", value) if isinstance(value, dict) else dict[str, object]()
    way = next((each for each in ("http", "sql") if each in given), "set")
    return f"tool by {way}"


AnyTool = Annotated[
    Annotated[SetSection, Tag("tool by set")]
    | Annotated[HttpToolSection, Tag("tool by http")]
    | Annotated[SqlToolSection, Tag("tool by sql")],
    Discriminator(_kind_of),
]


class CaseSection(Reply):
    """A row that the file makes up, and what is expected of it. Columns that are left out are empty.

    `finds`: the kinds of exactly the problems that are found; `fix`: a tool, or "" for none; `helped`: of tools by
    name, whether they would be judged to have helped a record that is like this now; `waits`: whether to wait for
    somebody else. `now`: the moment it is judged at.
    """

    name: Words | None = None
    row: dict[StrictStr, Scalar]
    now: datetime | None = None
    finds: tuple[StrictStr, ...] | None = None
    fix: StrictStr | None = None
    helped: dict[StrictStr, StrictBool] = Field(default_factory=dict[str, bool])
    waits: dict[StrictStr, StrictBool] = Field(default_factory=dict[str, bool])


class DomainDocument(Reply):
    """A whole file."""

    domain: DomainSection
    records: RecordsSection
    rule: tuple[RuleSection, ...] = Field(min_length=1, max_length=200)
    tool: tuple[AnyTool, ...] = Field(default=(), max_length=100)
    case: tuple[CaseSection, ...] = Field(default=(), max_length=1000)

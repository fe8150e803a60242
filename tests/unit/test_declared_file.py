"""A file that declares a domain, without its database: all its faults at once, each with its place and the way out."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.declared_shop import FILE, faults_of

from daper.core.errors import SettingError
from daper.domains.declared.cases import expression_faults, try_cases
from daper.domains.declared.expressions import DEEPEST, LONGEST, CannotJudge, ExpressionFault, expression
from daper.domains.declared.file import Faulty
from daper.domains.declared.positions import Position, positions
from daper.domains.declared.reading import read_file
from daper.domains.declared.wording import filled, named_in
from daper.stores.rows.address import database_address
from daper.stores.rows.values import ColumnType, read_back, row_version, typed, written

NOW = datetime(2026, 11, 28, tzinfo=UTC)

# What is put in place of what, the words of the fault, and in which line it is: that of these words.
FAULTS: dict[str, tuple[str, str, str, str]] = {
    "no TOML": ("[records]", "[records", "it is not TOML", "[records"),
    "twice a key": ('key     = "id"', 'key = "id"\nkey = "x"', "it is not TOML", 'key = "x"'),
    "a section": ("[records]", "[record]", "'record' is no key here; did you mean 'records'?", "[record]"),
    "a section missing": ("[records]", "[record]", "'records' is missing: a table [records] with sql", "[domain]"),
    "a key": (
        'status  = "status"',
        'statsu = "x"',
        "'records.statsu' is no key here; did you mean 'status'?",
        "statsu",
    ),
    "a key missing": ("about ", "abuot ", "'domain.about' is missing: a sentence", "[domain]"),
    "another name": ('"payments"', '"payment"', "call it payment.toml", '"payment"'),
    "a name": ('"payments"', '"Payments!"', "small letters", '"Payments!"'),
    "an address": ('"env:PAYMENTS_URL"', '"postgresql://u:secret@h/d"', "it must name a variable", "secret"),
    "a type": ('"money"', '"cash"', "'records.types.amount' is 'cash': it must be", "cash"),
    "a risk": ('"low"', '"none"', "'tool[1].risk' is 'none': it must be one of low, medium, high", '"none"'),
    "a rule of nothing": (
        'sql   = "SELECT',
        '#  "SELECT',
        "rule 'order-gone' needs either",
        '[[rule]]\nkind  = "order',
    ),
    "a kind twice": ('"order-gone"', '"hanging"', "rule 'hanging' is there twice", 'hanging"\nwhen'),
    "a fix": ('fix   = "retry_payment"', 'fix = "retry_payments"', "did you mean 'retry_payment'?", "retry_payments"),
    "nobody's tool": (
        'fix   = "close',
        '#     = "close',
        "no rule has tool 'close_payment'",
        '[[tool]]\nname  = "close',
    ),
    "an argument": ("{ sentence = 200, default", "{ default", "needs one of sentence, one_of and", "args.reason"),
    "no argument": ("args.reason", "args.why", "takes :reason, and args has no 'reason'", ":reason"),
    "no expression": ('"attempts + 1"', '"attempts + "', "it cannot be read", "attempts + "),
    "other rows": ('"attempts + 1"', '"(SELECT max(id) FROM orders)"', "reads other rows", "(SELECT max"),
    "no query": ("SELECT p.id, p.order_id", "DELETE p.id, p.order_id", "'records.sql'", "DELETE"),
    "a table": ('table  = "payments"', 'table  = "payments; DROP"', "it must be the name of one table", "; DROP"),
    "a cap": (
        'spends = "amount"',
        'spends = "amount"\nlimit = { per_plan = 0 }',
        "'tool[1].limit.per_plan' is 0",
        "per_plan",
    ),
    "no canary": ('spends = "amount"', 'spends = "amount"\nlimit = { canray = 1 }', "did you mean 'canary'?", "canray"),
    "no amount": ('spends = "amount"', 'spends = "amount"\nlimit = { money = nan }', "it must be an amount", "nan"),
    "no such money": ('spends = "amount"', "limit = { money = 5 }", "'limit.money' needs 'spends'", "money = 5"),
    "more first than in all": (
        'spends = "amount"',
        'spends = "amount"\nlimit = { per_plan = 2, canary = 3 }',
        "'limit.canary' is 3, and one plan has 2 at most",
        "canary = 3",
    ),
    "nothing set": ("set    = { status", "set = {}\n#", "'tool[1].set' is {}", "set = {}"),
}


def test_the_file_itself_has_none(tmp_path: Path) -> None:
    assert faults_of(tmp_path, FILE) == []


def test_the_file_of_the_docs_has_none_either(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "own-database.md").read_text(encoding="utf-8")
    case, first, *further = [each.split("```")[0] for each in page.split("```toml\n")[1:]]
    path, amiss = tmp_path / "payments.toml", list[list[tuple[str, ...]]]()
    assert faults_of(tmp_path, first) == []
    assert len(further) == 2
    text = "\n".join((first, *further))
    for whole in (f"{text}\n{case}", f"{text}\n{case}".replace("# helped", "helped").replace("# now ", "now ")):
        assert faults_of(tmp_path, whole) == []
        assert list(expression_faults(read_file(path).document)) == []
        amiss.append([each.amiss for each in try_cases(read_file(path), now=NOW)])
    assert amiss == [[()], [("retry_payment did not help, and the contrary was expected",)]]


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_with_its_line_and_what_would_be_right(tmp_path: Path, name: str) -> None:
    old, new, said, where = FAULTS[name]
    text = FILE.replace(old, new, 1)
    line = text[: text.index(where)].count("\n") + 1
    found = faults_of(tmp_path, text)
    assert any(at == line and said in told for at, told in found), (line, found)
    assert not [told for _, told in found if "secret" in told]


@pytest.mark.parametrize("quote", ["", "`"], ids=["plain", "of MySQL"])
def test_a_key_that_no_query_gives_is_told_where_it_stands(tmp_path: Path, quote: str) -> None:
    text = FILE.replace("SELECT p.id,", f"SELECT {quote}p{quote}.id,", 1).replace('key     = "id"', 'key = "idd"')
    line = text[: text.index('key = "idd"')].count("\n") + 1
    assert (line, "there is no column 'idd'; did you mean 'id'?") in faults_of(tmp_path, text)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = FILE
    for name in ("a key", "a type", "a risk", "a table"):
        old, new, *_ = FAULTS[name]
        text = text.replace(old, new, 1)
    assert len(faults_of(tmp_path, text)) == 4


@pytest.mark.parametrize("data", [b"\xff\xfe", b"", b"[domain]\nname = 'payments'\n" + b"a = [" * 5000], ids=repr)
def test_bytes_that_are_no_such_file_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "payments.toml"
    path.write_bytes(data)
    with pytest.raises(Faulty):
        read_file(path)


def test_a_place_within_a_text_of_several_lines_is_found() -> None:
    found = positions('[a]\nb = """\nx\ny"""\nc = \'z\'\n[[d]]\ne.f = {g = [1, 2]}\n[[d]]\ne = 1\n')
    assert found.key(("a", "b")) == Position(2, 1)
    assert found.within(("a", "b"), 2, 1) == Position(4, 1)
    assert found.within(("a", "c"), 1, 1) == Position(5, 6)
    assert found.key(("d", 0, "e", "f", "g", 1)) == Position(7, 16)
    assert found.key(("d", 1, "e")) == Position(9, 1)
    assert found.key(("d", 1, "nowhere")) == Position(8, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("r.statsu == 'x'", "there is no column 'statsu'; did you mean 'status'?"),
        ("status == 'x'", "it names 'status'; there is r, the record, and now"),
        ("r['status'] == 'x'", "write r.name"),
        ("r.status ==", "it cannot be read: "),
        ("r.status = 'x'", "it cannot be read; write == for =: "),
        ("r.status == 'x' or r.amount <> 3", "it cannot be read; write || for or, != for <>: "),
        ("r.status IS NOT NULL", "it cannot be read; write != null for IS NOT NULL: "),
        ("r.status == 'a = b AND c' r.amount", "it cannot be read: "),
        ("(" * (DEEPEST + 1) + "true" + ")" * (DEEPEST + 1), "brackets are 31 deep"),
        ("true || " * LONGEST, "characters"),
    ],
)
def test_an_expression_is_refused_before_it_runs(text: str, said: str) -> None:
    with pytest.raises(ExpressionFault, match=said.replace("(", r"\(").replace("?", r"\?").replace("|", r"\|")):
        expression(text, ("status", "amount"))


@pytest.mark.parametrize(
    ("text", "columns", "holds"),
    [
        ("r.status == 'r.nothing' || r.status in ['failed']", {"status": "failed"}, True),
        ("r.amount > 12.4 && r.amount < 12.6", {"amount": Decimal("12.50")}, True),
        ("now - r.at > duration('24h')", {"at": datetime(2026, 11, 26, tzinfo=UTC)}, True),
        ("r.status == null", {"status": None}, True),
        ("['a', 'b'].exists(x, x == r.status)", {"status": "c"}, False),
        ("r.status.startsWith('fa') // r.nothing", {"status": "failed"}, True),
    ],
)
def test_an_expression_judges_a_record(text: str, columns: dict[str, Any], holds: bool) -> None:
    assert expression(text, tuple(columns)).holds(columns, NOW) is holds


@pytest.mark.parametrize(
    ("text", "columns"),
    [("r.amount > 1", {"amount": None}), ("r.amount > 1", {"amount": "x"}), ("r.amount", {"amount": 1})],
)
def test_what_cannot_be_judged_is_never_false(text: str, columns: dict[str, Any]) -> None:
    with pytest.raises(CannotJudge):
        expression(text, tuple(columns)).holds(columns, NOW)


def test_a_sentence_has_the_columns_it_names_as_text() -> None:
    assert named_in("{a} and {{b}} of {c}") == ("a", "c")
    assert filled("{a} and {{b}}", {"a": "x\u202ey"}) == "x<U+202E>y and {b}"
    assert filled("to {a}", {"a": "secret"}, hidden=("a",)) == "to (hidden)"
    with pytest.raises(ValueError, match="no part of a name"):
        named_in("{a b}")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("oracle://u:secret@h/d", "it does not begin with postgresql://, mysql://, mariadb:// or sqlite:///"),
        ("mysql://u:secret@h", "it names no database behind the host"),
        ("postgresql://u:secret@h", "it names no database behind the host"),
        ("u:secret@h/d", "it does not begin with"),
        ("postgresql://u:sec@ret@h:x/d", ""),
    ],
)
def test_an_address_that_is_none_is_refused_without_its_password(url: str, said: str) -> None:
    with pytest.raises(SettingError) as refused:
        database_address(url, variable="PAYMENTS_URL")
    assert str(refused.value).startswith("PAYMENTS_URL is ")
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "sec@ret" not in str(refused.value)


VALUES = (
    None, True, 7, "text", 1.5, float("inf"), Decimal("12.50"), NOW, NOW.date(), NOW.time(), NOW - NOW.replace(day=1),
    b"\x00\xff", [1, Decimal("1.0")], {"a": [b"x"]},
)  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_is_put_back_to_the_digit(value: object) -> None:
    back = read_back(written(value))
    assert (back, type(back)) == (value, type(value))


def test_a_version_tells_every_change() -> None:
    versions = {row_version({"a": value}) for value in (*VALUES, "7", 7.0, Decimal(7), Decimal("7.0"), "", 0, False)}
    assert len(versions) == len(VALUES) + 7


@pytest.mark.parametrize(
    ("value", "wanted", "found"),
    [
        ("12.50", ColumnType.MONEY, Decimal("12.50")),
        ("2026-11-28T00:00:00", ColumnType.TIME, NOW),
        ("7", ColumnType.NUMBER, 7),
        (1, ColumnType.BOOLEAN, True),
        (7, ColumnType.TEXT, "7"),
        (None, ColumnType.MONEY, None),
    ],
)
def test_a_column_is_read_as_it_is_meant(value: object, wanted: ColumnType, found: object) -> None:
    assert typed(value, wanted) == found
    if value is not None and wanted is not ColumnType.TEXT:
        with pytest.raises(ValueError, match="nothing of the kind"):
            typed("nothing of the kind", wanted)

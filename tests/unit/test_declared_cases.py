"""Cases of a file that declares a domain: what is as expected, what is not, and what takes the database to tell."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.declared_cases import CASES
from tests.declared_shop import FILE

from daper.domains.declared.cases import Tried, expression_faults, try_cases
from daper.domains.declared.file import Faulty
from daper.domains.declared.reading import read_file

NOW = datetime(2026, 11, 28, tzinfo=UTC)
HELPED = FILE.replace('spends = "amount"', "helped = \"r.status == 'paid'\"")


def tried(folder: Path, text: str) -> tuple[Tried, ...]:
    path = folder / "payments.toml"
    path.write_text(text, encoding="utf-8")
    return try_cases(read_file(path), now=NOW)


def test_cases_are_tried_without_a_database(tmp_path: Path) -> None:
    found = tried(tmp_path, FILE + CASES)
    assert [(each.name, each.amiss, each.unproved) for each in found] == [
        ("case 'a timeout is tried again'", (), ()),
        ('case "a payment that is made is nobody\'s problem"', (), ()),
        ("case 3", (), ()),
        ("case 'nobody knows since when'", (), ()),
    ]


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ('row = { status = "paid" }\nfinds = ["hanging"]', "hanging was expected, and not found"),
        (
            'row = { status = "failed", failure_code = "timeout", order_status = "open" }\nfinds = []',
            "was found, and not expected",
        ),
        (
            'row = { status = "failed", failure_code = "timeout", order_status = "open" }\nfix = ""',
            "the fix is retry_payment, and none was expected",
        ),
        ('row = { status = "paid" }\nfix = "retry_payment"', "the fix is none, and retry_payment was expected"),
        ('row = { status = "paid" }\nhelped = { retry_payment = false }', "retry_payment helped, and the contrary"),
        ('row = { status = "odd" }\nhelped = { retry_payment = true }', "retry_payment did not help, and the contrary"),
        ('row = { status = "processing" }\nfinds = []', "cannot-be-judged (rule 'hanging'"),
    ],
)
def test_what_is_not_as_expected_is_said(tmp_path: Path, case: str, said: str) -> None:
    [found] = tried(tmp_path, f"{HELPED}\n[[case]]\n{case}\n")
    assert said in " ".join(found.amiss)


def test_what_a_rule_in_sql_would_find_is_not_proved(tmp_path: Path) -> None:
    text = f'{FILE}\n[[case]]\nrow = {{ status = "failed" }}\nfinds = ["order-gone"]\nfix = "close_payment"\n'
    [found] = tried(tmp_path, text)
    assert found.amiss == ()
    assert "rule 'order-gone' is in SQL, and takes the database" in found.unproved


@pytest.mark.parametrize(
    ("case", "where", "said"),
    [
        ('row = { statsu = "x" }\nfinds = []', "statsu", "there is no column 'statsu'; did you mean 'status'?"),
        ('row = { id = 1 }\nfinds = ["hangin"]', '"hangin"', "there is no rule 'hangin'; did you mean 'hanging'?"),
        (
            'row = { id = 1 }\nfix = "retry_paymen"',
            "fix = ",
            "there is no tool 'retry_paymen'; did you mean 'retry_payment'?",
        ),
        ("row = { id = 1 }\nhelped = { clos_payment = true }", "clos_payment", "did you mean 'close_payment'?"),
        (
            "row = { id = 1 }\nhelped = { close_payment = true }",
            "close_payment =",
            "has no 'helped' that could be tried",
        ),
        ("row = { id = 1 }", "[[case]]", "case 1 expects nothing: give it 'finds', 'fix', 'helped' or 'waits'"),
        (
            'row = { amount = "much" }\nfinds = []',
            'amount = "much',
            "amount is not as its type says: 'much' is no number",
        ),
        ("row = { id = [1] }\nfinds = []", "id = [1]", "must be a text, a number, true, false or a time"),
        ("finds = []", "[[case]]", "'case[1].row' is missing: columns and their values"),
        ("row = { id = 1 }\nfind = []", "find = []", "'case[1].find' is no key here; did you mean 'finds'?"),
    ],
)
def test_a_fault_in_a_case_is_told_with_its_line_and_the_way_out(
    tmp_path: Path, case: str, where: str, said: str
) -> None:
    text = f"{FILE}\n[[case]]\n{case}\n"
    line = text[: len(FILE) + text[len(FILE) :].index(where)].count("\n") + 1
    with pytest.raises(Faulty) as refused:
        tried(tmp_path, text)
    assert any(fault.at.line == line and said in fault.said for fault in refused.value.faults), refused.value.faults


def test_whether_a_tool_helped_by_a_query_takes_the_database(tmp_path: Path) -> None:
    case = '[[case]]\nrow = { status = "paid" }\nhelped = { retry_payment = true }\n'
    section = """
name = "book"
does = "Books it."
risk = "low"
helped = "SELECT payment_id AS id FROM bookings"
sql.run = "INSERT INTO bookings (payment_id) SELECT id FROM payments WHERE id = :id"
sql.preview = "SELECT id, status AS what FROM payments"
"""
    rule = "[[rule]]\nkind = 'unbooked'\nwhen = \"r.status == 'gone'\"\nissue = 'It is gone.'\nfix = 'book'\n"
    text = f"{FILE}\n{rule}\n[[tool]]{section}\n{case.replace('retry_payment', 'book')}"
    [found] = tried(tmp_path, text)
    assert list(expression_faults(read_file(tmp_path / "payments.toml").document)) == []
    assert found.amiss == ()
    assert found.unproved == ("whether book helped is asked in SQL, and takes the database",)

"""Every fault that a file can have has words of its own: the line, what stands there, and what would be right."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from test_declared_file import FAULTS
from tests.declared_shop import FILE, Payments, make_payments

from daper.domains.declared.checking import Check
from daper.domains.declared.file import Fault, Faulty
from daper.domains.declared.reading import read_file

NOW = datetime(2026, 11, 28, tzinfo=UTC)
REASON = '{ sentence = 200, default = "order cancelled" }'
# As in FAULTS: what is put in place of what, the words of the fault, and the words that are in its line.
MORE: dict[str, tuple[str, str, str, str]] = {
    "no text": ('status  = "status"', "status = 7", "'records.status' is 7: it must be a text in quotes", "status = 7"),
    "no list": ('hide    = ["email"]', 'hide = "email"', "it must be a list, as in", 'hide = "email"'),
    "no names": ('{ amount = "money", failed_at', '["money"] # {', "it must be names with values", '["money"]'),
    "a time": ('spends = "amount"', 'settles = "15 minutes"', "it must be a time as in 30s", "15 minutes"),
    "waits for nothing": (
        'spends = "amount"',
        "waits = \"r.status == 'queued'\"",
        "'waits' needs 'helped': what it waits for",
        "waits =",
    ),
    "waits in SQL": (
        'spends = "amount"',
        "helped = 'r.attempts > 1'\nwaits = 'SELECT id FROM payments'",
        "it is in SQL, and 'waits' is CEL",
        "SELECT id",
    ),
    "too little": ("sentence = 200", "sentence = 0", "is 0: it must be at least 1", "sentence = 0"),
    "three bounds": (REASON, "{ between = [1, 2, 3] }", "two whole numbers, as in [1, 10]", "[1, 2, 3]"),
    "bounds the wrong way": (REASON, "{ between = [5, 1] }", "5 is over 1; turn them round", "[5, 1]"),
    "a list of none": (REASON, "{ one_of = [] }", "is []: name at least one", "one_of = []"),
    "a default": (REASON, '{ one_of = ["a"], default = "b" }', "may not be its default, 'b'", 'default = "b"'),
    "an unused argument": (
        "args.reason",
        "args.more = { sentence = 3 }\nargs.reason",
        "takes :more; use it",
        "args.more",
    ),
    "a tool's name": (
        '"retry_payment"\ndoes',
        '"Retry it"\ndoes',
        "'tool[1].name' is 'Retry it': it must be small",
        "Retry it",
    ),
    "no number": ('"attempts + 1"', "1", "'tool[1].set.attempts' is 1: it must be a text", "attempts = 1"),
    "two statements": ('"attempts + 1"', '"1; DELETE FROM x"', "it must be one statement; it is 2", "DELETE"),
    "half a condition": (
        "status = 'failed' AND attempts < 4",
        "status = = 1",
        "something is missing near '='",
        "= = 1",
    ),
    "an open bracket": (
        "('failed', 'processing')",
        "('failed'",
        "'records.scope': it cannot be read: Expecting )",
        "IN ('failed'\"",
    ),
    "a parameter": ("SELECT p.id, p", "SELECT :x, p.id, p", "takes no parameters; it has :x", "SELECT :x"),
    "our parameter": ('":reason"', '":daper_x"', "daper's own: :daper_x; call it something else", ":daper_x"),
    "no select in a rule": ('"SELECT p.id FROM', '"UPDATE p.id FROM', "'rule[2].sql'", "UPDATE p.id"),
    "when and sql": (
        'kind  = "hanging"',
        'kind = "hanging"\nsql = "SELECT 1"',
        "has both 'when' and 'sql'",
        "SELECT 1",
    ),
    "our kind": ('"order-gone"', '"cannot-be-judged"', "is what rules without an answer find", "cannot-be-judged"),
    "too long": ('"Card payments', f'"{"x" * 500}Card payments', "it may have 500 characters", "about"),
    "a hidden key": ('["email"]', '["email", "id"]', "'id' is the key, which is shown everywhere", '"id"]'),
    "no variable": ('PAYMENTS_URL"', 'NOT_SET"', "NOT_SET is not set; it must have the URL", "database"),
    "no variable of the second role": (
        "[domain]",
        '[domain]\nwriter = "env:NO_WRITER"',
        "NO_WRITER is not set; it must have the URL",
        "writer",
    ),
    "no column of the key": (
        'key     = "id"',
        'key = "ident"',
        "there is no column 'ident'; there are: id, order_id",
        "ident",
    ),
    "no status": (
        'status  = "status"',
        'status = "state"',
        "there is no column 'state'; did you mean 'status'?",
        "state",
    ),
    "no counter": ('status  = "status"', 'version = "count"', "there is no column 'count'", 'version = "count"'),
    "no fact": ('["failure_code", "amount"]', '["reason"]', "there is no column 'reason'", '["reason"]'),
    "nothing hidden": ('["email"]', '["mail"]', "there is no column 'mail'; did you mean 'email'?", '["mail"]'),
    "nothing spent": (
        'spends = "amount"',
        'spends = "sum"',
        "there is no column 'sum'; there are: id, order_id",
        "sum",
    ),
    "no column in a rule": (
        "r.failure_code in",
        "r.failure in",
        "there is no column 'failure'; did you mean",
        "r.failure in",
    ),
    "no CEL": (
        "r.status == 'processing' &&",
        "r.status == 'processing' AND",
        "it cannot be read; write && for AND: ",
        "AND",
    ),
    "a bare name": (
        "now - r.failed_at",
        "now - failed_at",
        "it names 'failed_at'; there is r, the record",
        "now - failed",
    ),
    "an index": ("now - r.failed_at", "now - r['failed_at']", "write r.name, and not r[...]", "r['failed"),
    "a brace": ("{order_id}, ", "{order_id, ", "there is a '{' that is no part of a name; write {{", "{order_id, "),
    "no column in words": ("reason: {failure_code}", "reason: {code}", "there is no column 'code'", "{code}"),
    "a hidden word": (
        "reason: {failure_code}",
        "reason: {email}",
        "'email' is hidden, and this would show it",
        "{email}",
    ),
    "no table": (
        '"payments"\nset    =',
        '"payment"\nset    =',
        "there is no table 'payment' where tools",
        '"payment"\n',
    ),
    "another table": ('"payments"\nset    =', '"orders"\nset    =', "there is no column 'attempts'", "attempts = "),
    "nothing to set": (
        'failure_code = "NULL"',
        'reason = "NULL"',
        "there is no column 'reason'; there are: id, order",
        "reason = ",
    ),
    "the key is set": ('failure_code = "NULL"', 'id = "9"', "the key of a record stays what it is", 'id = "9"'),
    "nothing to read": ("attempts < 4", "attempt < 4", "there is no column 'attempt'; did", "attempt < 4"),
    "two of a name": (
        "c.email,",
        "c.email, c.id,",
        "two columns are called 'id'; give one another name: AS",
        'sql = """',
    ),
    "a query refused": (
        "FROM payments p JOIN orders",
        "FROM paymentz p JOIN orders",
        "the database refuses it",
        'sql = """',
    ),
    "no answer": ("r.status == 'processing' &&", "r.attempts > 'x' &&", "of record '7': ", "r.attempts > 'x'"),
}


@pytest.fixture
def shop(tmp_path: Path) -> Payments:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    return make_payments(create_engine(url), url, tmp_path / "domains")


def faults_of(shop: Payments, text: str) -> tuple[Fault, ...]:
    """As `daper domain check` finds them."""
    shop.file.write_text(text, encoding="utf-8")
    try:
        return tuple(Check(read_file(shop.file), variables={"PAYMENTS_URL": shop.url}.get, now=NOW).run().faults)
    except Faulty as error:
        return error.faults


def told(shop: Payments, name: str) -> str:
    """What is said of one fault, in its line."""
    old, new, said, where = {**FAULTS, **MORE}[name]
    assert old in FILE
    text = FILE.replace(old, new, 1)
    line = text[: text.index(where)].count("\n") + 1
    found = faults_of(shop, text)
    right = [fault.said for fault in found if fault.at.line == line and said in fault.said]
    assert right, (name, line, found)
    return right[0]


def test_more_than_forty_faults_are_told_each_in_words_of_its_own(shop: Payments) -> None:
    messages = {name: told(shop, name) for name in {**FAULTS, **MORE}}
    assert len(messages) >= 60
    assert len({*messages.values()}) == len(messages)
    for name, message in messages.items():
        assert "class '" not in message, name
        assert "validation" not in message, name
        assert "input should" not in message, name
    assert faults_of(shop, FILE) == ()

"""`daper domain new`: a file for a table of a database that nobody here has made, which passes a check as it is."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from daper.entrypoints.cli.app import run
from daper.stores.rows.engine import disconnect
from tests.cases import cases
from tests.e2e.shell import Ran, Shell
from tests.postgresql import PostgresqlServer
from tests.stranger_schema import make_stranger

# Name of the domain → options, and what the file has.
TABLES: dict[str, tuple[list[str], list[str]]] = {
    "payments": (
        ["--table", "payments", "--status", "status", "--wrong", "failed", "--wrong", "stuck", "--to", "queued"],
        [
            "scope   = \"status IN ('failed', 'stuck')\"",
            "when  = \"r.status in ['failed', 'stuck']\"",
            'hide    = ["email", "api_token"]',
            "set   = { status = \"'queued'\" }",
            'key     = "id"',
        ],
    ),
    "odd-names": (
        ["--table", "Order", "--status", "Ship Status", "--wrong", "It's lost", "--wrong", "a, b", "--to", "a: b"],
        [
            '"Ship Status" AS ship_status',
            '"in" AS in_',
            'key     = "Order ID"',
            'order_date = "time"',
            'hide    = ["ShipAddress"]',
            """set   = { "Ship Status" = "'a: b'" }""",
        ],
    ),
    "two-columns": (
        ["--table", "Order Details", "--status", "status", "--wrong", "short"],
        ["AS row_key", "# No tool yet: the key of Order Details has 2 columns (OrderID, ProductID)", "# fix "],
    ),
    "a-unique-one": (
        ["--table", "numbered", "--status", "state", "--wrong", "9", "--to", "1"],
        ['key     = "uid"', 'when  = "r.state == 9"', 'set   = { state = "1" }'],
    ),
    "nothing-yet": (
        ["--table", "nothing_yet", "--status", "state", "--wrong", "odd", "--to", "fine"],
        ["when  = \"r.state == 'odd'\""],
    ),
    "no-key": (["--table", "loose", "--key", "a", "--no-status"], ['when  = "false"', 'key     = "a"']),
    "a-view": (
        ["--table", "failing", "--key", "id", "--status", "status", "--wrong", "failed"],
        ["# No tool yet: failing is a view"],
    ),
    "hostile": (
        ["--table", "x'); DROP TABLE payments; --", "--status", 'say "it" now', "--wrong", "hm"],
        ['"say ""it"" now" AS say_it_now'],
    ),
    "people": (
        ["--table", "Customer", "--status", "State", "--wrong", "Devon"],
        ['hide    = ["FirstName", "LastName", "Email", "Phone", "PostalCode"]'],
    ),
}
WRONG: list[tuple[list[str], str]] = [
    (["x", "--database-env", "SHOP_URL"], "--table must be given where nobody can be asked"),
    (["x"], "--database-env must be given where nobody can be asked"),
    (["x", "--database-env", "NOWHERE"], "NOWHERE is not set; set it to the address"),
    (["x", "--database-env", "sqlite:///x"], "that is no name of a variable"),
    (["x", "--database-env", "SHOP_URL", "--table", "paymnts"], "did you mean 'payments'?"),
    (["x", "--database-env", "SHOP_URL", "--table", "loose"], "--key must be given"),
    (["x", "--database-env", "SHOP_URL", "--table", "loose", "--key", "b"], "b is the same in several rows"),
    (["x", "--database-env", "SHOP_URL", "--table", "Artist"], "--status (or --no-status) must be given"),
    (["x", "--database-env", "SHOP_URL", "--table", "payments", "--status", "statsu"], "did you mean 'status'?"),
    (["x", "--database-env", "SHOP_URL", "--table", "payments", "--status", "status"], "--wrong must be given"),
    (["x", "--status", "a", "--no-status"], "contradict each other"),
    (["X!"], "is no name of a domain"),
    (["orders"], "there is a domain 'orders' already"),
    (["x", "--out", "other.toml"], "write it as x.toml"),
]


# What is asked at a terminal is made of the same looks at the tables.
at_a_terminal = pytest.mark.parametrize(
    "place", cases({"sqlite": "sqlite", "postgresql": "postgresql"}, quick={"sqlite"}), indirect=True
)
THERE = "there are: paid, failed, stuck"


@dataclass(frozen=True)
class Place:
    """A person's shell, and a stranger's database."""

    shell: Shell
    engine: Engine
    kind: str
    capsys: pytest.CaptureFixture[str]

    def run(self, *words: str) -> Ran:
        """A command without a terminal, in this process."""
        code = run([*words])
        printed = self.capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    def new(self, name: str, *options: str) -> Ran:
        """The command, without a terminal."""
        return self.run("domain", "new", name, "--database-env", "SHOP_URL", *options)

    def file(self, name: str) -> str:
        """What was written."""
        return (self.shell.home / "domains" / f"{name}.toml").read_text(encoding="utf-8")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Place]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'shop.db'}"
        engine = create_engine(url)
    else:
        server: PostgresqlServer = request.getfixturevalue("postgresql")
        url = server.empty()
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    make_stranger(engine)
    shell = Shell(root=tmp_path, env={"SHOP_URL": url})
    for name, value in shell.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(shell.cwd)
    yield Place(shell, engine, request.param, capsys)
    engine.dispose()
    disconnect()


def test_a_file_for_any_table_passes_a_check_as_it_is(place: Place) -> None:
    for name, (options, said) in TABLES.items():
        made = place.new(name, *options)
        assert made.code == 0, (name, made.err)
        text_of_file = place.file(name)
        for part in said:
            assert part in text_of_file, (name, part)
        checked = place.run("domain", "check", name, "--json")
        assert (checked.code, checked.document()["faults"]) == (0, []), (name, checked.out)
        kinds = checked.document()["rules"]
        assert sum(kinds.values()) == (0 if name in {"nothing-yet", "no-key"} else checked.document()["sample"]), name
    assert place.run("domain", "list").code == 0
    with place.engine.begin() as db:
        assert db.execute(text("SELECT count(*) FROM payments WHERE status = 'queued'")).scalar() == 0


def test_types_are_told_where_a_database_does_not_say(place: Place) -> None:
    options, _ = TABLES["payments"]
    place.new("payments", *options)
    told = 'types   = { amount = "money", failed_at = "time", is_test = "boolean" }'
    assert (told in place.file("payments")) is (place.kind == "sqlite")
    place.run("domain", "init", "payments")
    listed = place.run("records", "list", "--domain", "payments")
    assert "wrong-status" in listed.out
    assert "luna@" not in listed.out + place.run("records", "show", "1", "--domain", "payments").out


@pytest.mark.parametrize(("words", "said"), WRONG, ids=lambda value: str(value)[:40])
def test_what_a_script_left_out_or_got_wrong_is_named_and_nothing_is_written(
    place: Place, words: list[str], said: str
) -> None:
    refused = place.run("domain", "new", *words)
    assert refused.code in {1, 2}
    assert said in refused.err
    assert not (place.shell.home / "domains").exists()


def test_a_status_that_no_row_has_yet_is_told_to_a_script_which_may_mean_it(place: Place) -> None:
    options, _ = TABLES["payments"]
    made = place.new("payments", *options)
    assert made.code == 0
    assert "note: no row of payments has status 'queued' yet; there are: paid, failed, stuck\n" in made.out
    words = ("--table", "payments", "--status", "status")
    slip = place.new("slip", *words, "--wrong", "faild", "--to", "Paid")
    assert slip.code == 0
    assert f"note: no row of payments has status 'faild'; {THERE}; did you mean 'failed'?" in slip.out
    assert f"has status 'Paid' yet; {THERE}; did you mean 'paid'?" in slip.out
    for name, more in (("there", ["--to", "paid"]), ("none-yet", [])):
        assert "note:" not in place.new(name, *words, "--wrong", "failed", *more).out
    empty = place.new("empty", "--table", "nothing_yet", "--status", "state", "--wrong", "odd", "--to", "fine")
    assert (empty.code, "note:" in empty.out) == (0, False), "there is nothing to compare with"


def test_a_status_that_a_check_of_the_table_lists_needs_no_row(place: Place) -> None:
    with place.engine.begin() as db:
        db.execute(
            text(
                "CREATE TABLE checked (id INTEGER PRIMARY KEY, state VARCHAR(9),"
                " CONSTRAINT states CHECK (state IN ('odd', 'it''s', 'queued')), CONSTRAINT other CHECK (id <> 7))"
            )
        )
        db.execute(text("INSERT INTO checked VALUES (1, 'odd')"))
    words = ("--table", "checked", "--status", "state", "--wrong", "odd")
    assert "note:" not in place.new("checked", *words, "--to", "queued").out
    refused = place.new("slip", *words, "--to", "queud")
    assert refused.code == 2
    assert "state can only be odd, it's, queued; did you mean 'queued'?" in refused.err


@at_a_terminal
def test_a_column_with_many_values_is_no_list_of_them(place: Place) -> None:
    with place.engine.begin() as db:
        db.execute(text("CREATE TABLE many (id INTEGER PRIMARY KEY, state VARCHAR(20))"))
        for at in range(60):
            db.execute(text(f"INSERT INTO many VALUES ({at}, 'state {at}')"))  # noqa: S608 - a test's
    words = ("--table", "many", "--status", "state", "--wrong", "state 59")
    assert "note:" not in place.new("many", *words, "--to", "anything").out
    with place.shell.terminal("domain", "new", "more", "--database-env", "SHOP_URL", *words[:4]) as terminal:
        terminal.expect("and more than 38 others, which can be named too")
        terminal.expect("Values or numbers, with commas: ")
        terminal.type("state 58, 2\n")
        terminal.expect("may a tool set them?")
        terminal.type("queued\n")
        assert terminal.end() == 0, terminal.shown
    assert "state IN ('state 58', 'state 1')" in place.file("more")


def test_what_a_tool_would_do_is_tried_before_it_is_written(place: Place) -> None:
    with place.engine.begin() as db:
        db.execute(text("CREATE TABLE strict_one (id INTEGER PRIMARY KEY, state VARCHAR(9) CHECK (state <> 'gone'))"))
        db.execute(text("INSERT INTO strict_one VALUES (1, 'odd')"))
    refused = place.new("strict", "--table", "strict_one", "--status", "state", "--wrong", "odd", "--to", "gone")
    assert "--to 'gone': the file could not be used" in refused.err
    assert not (place.shell.home / "domains").exists()


def test_a_file_that_is_there_is_never_replaced(place: Place) -> None:
    options, _ = TABLES["payments"]
    assert place.new("payments", *options, "--out", ".").code == 0
    path = place.shell.cwd / "payments.toml"
    path.write_text("mine", encoding="utf-8")
    refused = place.new("payments", *options, "--out", ".")
    assert (refused.code, "is there already, and is not replaced" in refused.err) == (1, True)
    assert path.read_text(encoding="utf-8") == "mine"


@at_a_terminal
def test_somebody_at_a_terminal_is_asked_and_asked_again_after_a_wrong_answer(place: Place) -> None:
    with place.shell.terminal("domain", "new", "payments") as terminal:
        for question, typed in (
            ("[PAYMENTS_URL]: ", "\n"),
            ("PAYMENTS_URL is not set", "SHOP_URL\n"),
            ("Which table has the records? Its name or number: ", "paymnts\n"),
            ("did you mean 'payments'?", "payments\n"),
            ("a number, - for none [status]: ".replace("a number", "Its name or number"), "\n"),
            ("Which of its values are wrong?", "failde\n"),
            ("did you mean 'failed'?", "failed, stuck\n"),
            ("may a tool set them?", "stuk\n"),
            (f"status 'stuk' yet; {THERE}; did you mean 'stuck'?", "queued\n"),
            (f"no row of payments has status 'queued' yet; {THERE}", "queued\n"),
        ):
            terminal.expect(question)
            terminal.type(typed)
        assert terminal.end() == 0, terminal.shown
    assert "about 4" in terminal.shown
    assert "api_token" in terminal.shown
    assert 'fix   = "set_queued"' in place.file("payments")
    checked = json.loads(place.run("domain", "check", "payments", "--json").out)
    assert checked["faults"] == []


@at_a_terminal
def test_nothing_is_written_where_somebody_leaves(place: Place) -> None:
    for left, code in (("\x03", 130), ("\x04", 1)):
        with place.shell.terminal("domain", "new", "payments") as terminal:
            terminal.expect("[PAYMENTS_URL]: ")
            terminal.type(left)
            assert terminal.end() == code
    assert not (place.shell.home / "domains").exists()


def test_schemas_enumerations_and_rights_of_postgresql(tmp_path: Path, postgresql: PostgresqlServer) -> None:
    url = postgresql.empty()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    make_stranger(engine)
    with engine.begin() as db:
        db.execute(text("DROP ROLE IF EXISTS stranger_reader"))
        db.execute(text("CREATE ROLE stranger_reader LOGIN PASSWORD 'reads'"))
        db.execute(text("GRANT USAGE ON SCHEMA billing TO stranger_reader"))
        db.execute(text("GRANT SELECT ON billing.invoices, payments TO stranger_reader"))
    engine.dispose()
    user = url.partition("://")[2].partition("@")[0]
    reader = url.replace(user, "stranger_reader:reads")
    shell = Shell(root=tmp_path, env={"SHOP_URL": reader, "SHOP_WRITER": url})
    words = ("--table", "billing.invoices", "--status", "state", "--wrong", "lost")
    unseen = shell.run("domain", "new", "x", "--database-env", "SHOP_URL", "--table", "private")
    assert "there is no table 'private'" in unseen.err
    wrong = shell.run("domain", "new", "invoices", "--database-env", "SHOP_URL", *words, "--to", "found")
    assert "state can only be fine, lost, asked" in wrong.err
    refused = shell.run("domain", "new", "invoices", "--database-env", "SHOP_URL", *words, "--to", "asked")
    assert "permission denied" in refused.err
    made = shell.run(
        "domain",
        "new",
        "invoices",
        "--database-env",
        "SHOP_URL",
        *words,
        "--to",
        "asked",
        "--writer-env",
        "SHOP_WRITER",
    )
    assert made.code == 0, made.err
    text_of_file = (shell.home / "domains" / "invoices.toml").read_text(encoding="utf-8")
    for part in (
        "FROM billing.invoices",
        "photo (BYTEA)",
        "host (INET)",
        'writer   = "env:SHOP_WRITER"',
        '"holder_name"',
    ):
        assert part in text_of_file
    checked = shell.run("domain", "check", "invoices")
    assert (checked.code, "rule lost: 1 of the first 1 records" in checked.out) == (0, True), checked.out

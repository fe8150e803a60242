"""`daper doctor` opens what it vouches for: each damage is named, with the way out, and hides nothing of the rest."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from daper.adapters.spending.tables import SpendingTables
from daper.adapters.state import StatePlace
from tests.e2e.shell import Ran, Shell

Damage = Callable[[Path], object]
NOBODY = {"TEMPORAL_ADDRESS": "127.0.0.1:1"}


def garbage(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x00garbage" * 1000)


def folder(path: Path) -> None:
    path.mkdir(parents=True)


def file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")


def dangling(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("nowhere")


def other_tables(path: Path) -> None:
    """A file as daper makes it, of which somebody took the tables."""
    asyncio.run(SpendingTables(StatePlace(home=path.parent).database()).release("c"))
    with closing(sqlite3.connect(path)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE name GLOB 'daper_[tc]*s'").fetchall():
            db.execute(f"DROP TABLE {name}")


def of_the_future(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")


def of_a_newer_schema(path: Path) -> None:
    asyncio.run(SpendingTables(StatePlace(home=path.parent).database()).release("c"))
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE daper_schema SET version_num = 'state_0999'")
        db.commit()


def torn(path: Path) -> None:
    """Whole at its beginning, and something else in the middle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t (x)")
        db.executemany("INSERT INTO t VALUES (?)", [("y" * 1000,) for _ in range(100)])
        db.commit()
    data = bytearray(path.read_bytes())
    data[4096:20000] = b"\xff" * (20000 - 4096)
    path.write_bytes(data)


DAMAGES: dict[str, tuple[str, Damage, str, str]] = {
    "state of garbage": ("daper.db", garbage, "state", "move it away, and a new one is made"),
    "state torn": ("daper.db", torn, "state", "move it away, and a new one is made"),
    "state a folder": ("daper.db", folder, "state", "is no file; move it away, and a new one is made"),
    "state a link to nowhere": ("daper.db", dangling, "state", "is no file; move it away"),
    "state without tables": ("daper.db", other_tables, "state", "daper_claims"),
    "state of a newer version": ("daper.db", of_a_newer_schema, "state", "a newer daper wrote it; use that one"),
    "a former memory of garbage": ("memory.db", garbage, "former memory", "move it away"),
    "a former memory a folder": ("memory.db", folder, "former memory", "is no file; move it away"),
    "a former memory of a newer version": (
        "memory.db",
        of_the_future,
        "former memory",
        "a newer daper wrote it; use that one",
    ),
    "former spending torn": ("spending.db", torn, "former spending", "move it away"),
    "former answers a link to nowhere": ("answers.db", dangling, "former answers", "is no file; move it away"),
    "reports a file": ("reports", file, "reports", "is no folder; move it away, and a new one is made"),
    "a report of garbage": ("reports/repair-x/report.json", garbage, "reports", "bring them back from a copy"),
    "transcripts a file": ("transcripts", file, "transcripts", "is no folder; move it away"),
    "logs a file": ("logs", file, "logs", "is no folder; move it away"),
    "tokens of garbage": (
        "mcp-tokens.json",
        garbage,
        "access tokens",
        "mend it, or remove it and make the tokens anew",
    ),
    "tokens a folder": ("mcp-tokens.json", folder, "access tokens", "it is a folder; mend that, or remove it"),
    "Temporal's file of garbage": ("temporal.db", garbage, "Temporal's file", "move it away, and daper up makes a new"),
    "Temporal's file a folder": ("temporal.db", folder, "Temporal's file", "is no file; move it away"),
    "records of garbage": ("data/orders/orders.json", garbage, "records of orders", "orders.json"),
    "records a file": ("data/orders", file, "records of orders", "data/orders"),
    "data a file": ("data", file, "records of orders", "data"),
}


def check_of(ran: Ran, name: str) -> dict[str, object]:
    found = [check for check in ran.document()["checks"] if check["name"].startswith(name)]
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a6_each_damage_is_named_with_the_way_out_and_hides_nothing_else(damage: str, shell: Shell) -> None:
    where, make, name, way_out = DAMAGES[damage]
    path = shell.home / where
    shell.home.mkdir(mode=0o700)
    if where.startswith("data/"):
        shell.run("records", "list")
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    make(path)

    ran = shell.run("doctor", "--json", extra=NOBODY)

    assert (ran.code, ran.err) == (1, "")
    found = check_of(ran, name)
    assert found["ok"] is False
    assert way_out in str(found["what"])
    assert str(path) in f"{found['name']}{found['what']}"
    others = [check for check in ran.document()["checks"] if check not in (found, check_of(ran, "Temporal at"))]
    assert all(check["ok"] for check in others), others


def test_a6_all_that_is_sound_or_not_there_yet_is_well(shell: Shell) -> None:
    shell.run("mcp", "token", "add", "Luna")

    ran = shell.run("doctor", "--json", extra=NOBODY)

    assert [each["name"] for each in ran.document()["checks"] if not each["ok"]] == [
        "Temporal at 127.0.0.1:1 (configured)"
    ]
    assert check_of(ran, "access tokens")["what"] == "1 token"
    assert check_of(ran, "state")["what"] == "none yet"


def test_a14_doctor_says_whether_others_may_look(shell: Shell) -> None:
    shell.home.mkdir(mode=0o755)
    shell.home.chmod(0o755)
    (shell.home / "mine.txt").write_text("")

    looked = check_of(shell.run("doctor", "--json", extra=NOBODY), "privacy of ")

    assert (looked["ok"], looked["needed"]) == (False, False)
    assert "others may look into it (755)" in str(looked["what"])
    assert f"chmod 700 {shell.home}" in str(looked["what"])


def test_a6_looking_changes_nothing(shell: Shell) -> None:
    shell.run("records", "list")
    before = sorted(shell.home.rglob("*"))

    shell.run("doctor", extra=NOBODY)

    assert sorted(shell.home.rglob("*")) == before


@pytest.mark.parametrize("line", ["records list", "records show ORD-001-HJP", "records reset --yes"])
def test_a6_other_commands_say_a_clear_sentence_where_the_memory_is_damaged_or_do_without_it(
    line: str, shell: Shell
) -> None:
    garbage(shell.home / "daper.db")

    ran = shell.run(*line.split())

    if "reset" in line:
        assert ran.code == 1
        assert ran.err.startswith(
            "daper: the records are replaced, and what is remembered of repairs of the former ones"
        )
        assert "move it away, and a new one is made" in ran.err
        assert ran.err.count("\n") == 1
    else:
        assert (ran.code, ran.err) == (0, "")


def test_a6_doctor_sees_whether_those_who_would_be_told_can_be(shell: Shell) -> None:
    (shell.home).mkdir(parents=True)
    (shell.home / "people.toml").write_text(
        '[smtp]\nhost = "127.0.0.1"\nport = 9\nfrom = "daper@example.org"\n'
        '[targets.hagrid]\ntype = "email"\nto = "hagrid@example.org"\n'
        '[targets.owl]\ntype = "webhook"\nurl = "http://127.0.0.1:9/planted"\nsecret_env = "OWL"\n'
    )

    ran = shell.run("doctor", "--json", extra=NOBODY | {"OWL": "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"})

    mail, webhook = check_of(ran, "mail, for hagrid"), check_of(ran, "webhook of owl")
    assert mail["what"] == "the mail server does not answer: Connection refused"
    assert webhook["what"] == "its server does not answer: Connection refused"
    assert (mail["ok"], mail["needed"], webhook["ok"], webhook["needed"]) == (False, False, False, False)
    assert "planted" not in ran.out


def test_c3_doctor_tells_a_text_of_a_message_that_names_what_there_is_not(shell: Shell) -> None:
    texts = shell.home / "templates" / "orders"
    texts.mkdir(parents=True)
    path = texts / "request_payment_update.txt"
    path.write_text("Subject: Order $order_id\n\nDear $custmer_name, please pay.", encoding="utf-8")

    ran = shell.run("doctor")
    [told] = [line for line in ran.out.splitlines() if "texts of orders" in line]
    assert str(path) in told
    assert "names $custmer_name, which there is not; there are: $amount, $customer_name, $items" in told

    path.write_text("Subject: Order $order_id\n\n[Dear $customer_name,|Hello,] please pay.", encoding="utf-8")
    assert "texts of orders" not in shell.run("doctor").out

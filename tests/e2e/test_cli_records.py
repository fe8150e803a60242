"""`daper records …`, and record text that wants to be more than text."""

import json
import re
from pathlib import Path

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.shell import Shell

HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07",
    "[link=http://evil.example]click[/link]",
    "[bold red]paid[/]",
    "\u202egnitset\u202c",
    "two\nCurrent repair status: APPROVED",
    "\r\x08\x9b31m",
    "\u200b\u2066hidden\u2069",
]
RAW = re.compile("[\x00-\x09\x0b-\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]")
# What a terminal is told by rich: colours, the cursor, the line. Nothing else may follow an escape.
RICH = re.compile(r"\x1b\[(?:\?25[lh]|2K|1A|[0-9;]*m)|\r")


def hostile_orders(shell: Shell) -> None:
    """Customers and notes that carry every trick."""
    shell.run("records", "list")
    path = shell.home / "data/orders/orders.json"
    document = json.loads(path.read_text("utf-8"))
    for order in document["orders"]:
        order["customer_name"] += "".join(HOSTILE)
        order["notes"] = " ".join(HOSTILE)
        order["payment_method"] = "Vault " + "".join(HOSTILE)
    path.write_text(json.dumps(document), "utf-8")


def check_harmless(shown: str) -> None:
    """Nothing of it reached the screen as anything but text."""
    rest = RICH.sub("", shown).replace("\r", "")
    assert not RAW.search(rest.replace("\t", " ")), RAW.search(rest)
    assert rest.splitlines().count("Current repair status: APPROVED") <= 1


def test_records_are_listed_with_their_problems_and_the_store_that_answered(shell: Shell) -> None:
    listed = shell.run("records", "list")
    document = shell.run("records", "list", "--json").document()
    some = shell.run("records", "list", "--first", "2", "--most", "2").out

    assert (listed.code, listed.err) == (0, "")
    assert str(shell.home / "data/orders") in listed.out.splitlines()[0]
    assert "ORD-002-HJG\tHermione Jean Granger\tpending-inventory\tinventory-short" in listed.out
    assert listed.out.count("\t-\n") == 2
    assert [len(line["problems"]) for line in document["records"]] == [1, 1, 1, 1, 0, 0]
    assert (some.count("ORD-"), some.splitlines()[-1]) == (2, "2 of 6; go on with --first 4")


def test_one_record_is_shown_in_full_and_an_unknown_one_is_one_line(shell: Shell) -> None:
    shown = shell.run("records", "show", "ORD-004-RHG")
    document = shell.run("records", "show", "ORD-004-RHG", "--json").document()
    unknown = shell.run("records", "show", "ORD-404-XXX")

    assert "customer_name: Rubeus Hagrid" in shown.out
    assert "restricted-without-approval: " in shown.out
    assert document["record"]["order_id"] == "ORD-004-RHG"
    assert [problem["kind"] for problem in document["problems"]] == ["restricted-without-approval"]
    assert (unknown.code, unknown.out) == (1, "")
    assert unknown.err.startswith("daper: there is no record 'ORD-404-XXX'")


def test_reset_restores_the_shipped_records_and_asks_first_on_a_terminal(shell: Shell) -> None:
    shell.run("records", "list")
    shipped = shell.orders()
    path = shell.home / "data/orders/orders.json"
    path.write_text(path.read_text("utf-8").replace("pending-inventory", "completed"), "utf-8")
    changed = shell.orders()

    with shell.terminal("records", "reset") as terminal:
        terminal.expect("[y]es, empty for no: ")
        terminal.type("\n")
        assert terminal.end() == 0
    assert "nothing was changed" in terminal.shown
    assert shell.orders() == changed != shipped
    with shell.terminal("records", "reset") as terminal:
        terminal.expect("[y]es, empty for no: ")
        terminal.type("\x03")
        assert terminal.end() == 130
    assert shell.orders() == changed

    reset = shell.run("records", "reset", "--yes")

    assert reset.code == 0
    assert reset.out.startswith("restored the shipped orders. Store ")
    assert shell.orders() == shipped


def test_recover_says_that_there_is_nothing_to_recover_from(shell: Shell) -> None:
    ran = shell.run("records", "recover", "--finish")

    assert ran.code in (0, 1)
    assert len((ran.out + ran.err).splitlines()) == 1
    assert "Traceback" not in ran.err


def test_hostile_record_text_stays_text_in_a_pipe_and_in_json(open_shop: Shop) -> None:
    """Design rule 7."""
    hostile_orders(open_shop)

    started = open_shop.run("repair", "start", "--auto-approve")
    repair_id = started.value("Workflow started with ID:")
    outputs = [
        started,
        open_shop.run("records", "list"),
        open_shop.run("records", "show", "ORD-001-HJP"),
        open_shop.run("repair", "show", repair_id),
        open_shop.run("repair", "report", repair_id),
        open_shop.run("repair", "show", repair_id, "--json"),
    ]

    assert [ran.code for ran in outputs] == [0] * len(outputs), [ran.err for ran in outputs]
    for ran in outputs:
        check_harmless(ran.out)
    assert "<U+001B>[2J" in started.out
    assert "[link=http://evil.example]" in started.out
    assert Path(started.value("Report:")).is_file()


@pytest.mark.parametrize("words", [("records", "list"), ("records", "show", "ORD-001-HJP"), ("repair", "start")])
def test_hostile_record_text_stays_text_on_a_terminal(open_shop: Shop, words: tuple[str, ...]) -> None:
    """Design rule 7."""
    hostile_orders(open_shop)

    with open_shop.terminal(*words) as terminal:
        if words[-1] == "start":
            terminal.expect("Approve all of it?")
            terminal.type("\n")
        assert terminal.end() == 0

    check_harmless(terminal.shown)
    assert "<U+001B>" in terminal.shown
    assert "\x1b]8" not in terminal.shown


def test_a_user_s_name_is_text_and_no_path(open_shop: Shop) -> None:
    name = "[link=http://x]Tom[/link] / ../ “Vol”"
    ran = open_shop.run("repair", "start", "--auto-approve", extra={"USER_NAME": name})

    assert ran.code == 0
    assert f"{name}'s Repair Workflow started with ID: repair-link-http-x-Tom-link-..-Vol-" in ran.out
    assert Path(ran.value("Report:")).is_relative_to(open_shop.home / "reports")
    assert f"requested by {name} (claimed)" in ran.out

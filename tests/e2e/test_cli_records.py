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


ITEM = {"item_id": "I-1", "current_stock": 5, "unit_cost": 1, "supplier_contact": "radishes@example.org"}


def files_of(shell: Shell, orders: list[dict[str, object]]) -> list[str]:
    """A person's two files, in the current folder; their names."""
    shell.cwd.mkdir(parents=True, exist_ok=True)
    for name, rows in (("orders.json", {"orders": orders}), ("inventory.json", {"inventory": [ITEM]})):
        (shell.cwd / name).write_text(json.dumps(rows), "utf-8")
    return ["orders.json", "inventory.json"]


def order(number: int = 1, **fields: object) -> dict[str, object]:
    return {
        "order_id": f"O-{number}",
        "customer_name": "Luna Lovegood",
        "customer_id": "CUST-LL",
        "order_date": "2025-06-27",
        "status": "payment-denied",
        "items": [{"item_id": "I-1", "item_name": "Radish Earrings", "quantity": 9}],
        "total": 12.5,
        **fields,
    }


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
    assert "      1 x " in shown.out, "the evidence"
    assert document["record"]["order_id"] == "ORD-004-RHG"
    assert [problem["kind"] for problem in document["problems"]] == ["restricted-without-approval"]
    assert (unknown.code, unknown.out) == (1, "")
    assert unknown.err.startswith("daper: there is no record 'ORD-404-XXX'")


def test_what_has_happened_is_told_once_and_what_cannot_be_is_refused(shell: Shell) -> None:
    told = shell.run("records", "tell", "ORD-003-RBW", "paid", "--by", "Gringotts")
    again = shell.run("records", "tell", "ORD-003-RBW", "paid", "--json").document()
    unknown = shell.run("records", "tell", "ORD-3-RBW", "paid")
    no_fact = shell.run("records", "tell", "ORD-003-RBW", "lost")
    naive = shell.run("records", "tell", "ORD-001-HJP", "paid", "--at", "2025-06-28T10:00:00")
    no_time = shell.run("records", "tell", "ORD-001-HJP", "paid", "--at", "soon")
    not_theirs = shell.run("records", "tell", "ORD-004-RHG", "approved", "--by", "draco@malfoy.example")
    shown = shell.run("records", "show", "ORD-003-RBW", "--json").document()

    assert (told.code, told.out.splitlines()[0]) == (0, "ORD-003-RBW paid: written down")
    assert "status: payment-denied → processing" in told.out
    assert "problems now: none" in told.out
    assert (again["known"], again["problems"], again["told"]["door"]) == (True, [], "cli")
    assert [each["fact"] for each in shown["record"]["status_history"]] == ["paid"]
    assert (unknown.code, "did you mean 'ORD-003-RBW'" in unknown.err) == (1, True)
    assert (no_fact.code, "there are: paid, approved, delivered, cancelled" in no_fact.err) == (1, True)
    assert (naive.code, "says no time zone" in naive.err) == (1, True)
    assert (no_time.code, "is no time" in no_time.err) == (2, True)
    assert (not_theirs.code, "may not approve it; who may: " in not_theirs.err) == (1, True)


@pytest.mark.long
def test_records_are_filtered_and_counted(shell: Shell) -> None:
    def ids(*words: str) -> tuple[int, list[str]]:
        document = shell.run("records", "list", "--json", *words).document()
        return document["total"], [line["head"]["record_id"] for line in document["records"]]

    assert ids("--with-problems", "--first", "1", "--most", "2") == (4, ["ORD-002-HJG", "ORD-003-RBW"])
    assert ids("--problem", "inventory-short") == (1, ["ORD-002-HJG"])
    assert ids("--search", "weasley") == (1, ["ORD-003-RBW"])
    assert ids("--search", "ord-00", "--status", "completed") == (1, ["ORD-005-LLV"])
    nothing = shell.run("records", "list", "--problem", "no-such")
    assert nothing.code == 0
    assert nothing.out.splitlines()[-1] == (
        "no record like that has the problem 'no-such'; the problems here are: inventory-short 1, payment-denied 1, "
        "payment-pending 1, restricted-without-approval 1"
    )
    unknown = shell.run("records", "list", "--status", "no-such", "--search", "")
    assert unknown.out.splitlines()[-1].startswith("no record has the status 'no-such'; there are: ")
    assert ids("--status", "", "--problem", " ") == ids()
    assert (
        shell.run("records", "list", "--first", "6").out.splitlines()[-1] == "there are 6; --first 6 is behind the last"
    )


@pytest.mark.parametrize(
    "columns", [pytest.param(60, marks=pytest.mark.long), 80, pytest.param(160, marks=pytest.mark.long)]
)
def test_on_a_terminal_each_problem_is_a_sentence_that_can_be_read(shell: Shell, columns: int) -> None:
    with shell.terminal("records", "list", extra={"COLUMNS": str(columns)}) as terminal:
        assert terminal.end() == 0

    shown = RICH.sub("", terminal.shown)
    assert "300 of S.P.E.W. Badge Set (STP-ORG-001) are needed, 187 are available." in " ".join(shown.split())
    lines = [line.rstrip() for line in shown.splitlines()[1:]]
    assert max(len(line) for line in lines if str(shell.home) not in line) <= columns
    [at] = [number for number, line in enumerate(lines) if line.startswith("ORD-003-RBW")]
    [sentence] = [number for number, line in enumerate(lines) if "payment-denied: The payment of 18.49" in line]
    assert sentence == (at if columns == 160 else at + 1)


@pytest.mark.long
def test_a_long_name_is_cut_at_the_edge_of_a_narrow_terminal_and_its_id_is_not(shell: Shell) -> None:
    name = "Albus Percival Wulfric Brian Dumbledore, Order of Merlin, First Class"
    shell.run("records", "import", *files_of(shell, [order(order_id="x" * 30, customer_name=name)]))

    with shell.terminal("records", "list", extra={"COLUMNS": "80"}) as terminal:
        assert terminal.end() == 0

    [line] = [line.rstrip() for line in RICH.sub("", terminal.shown).splitlines() if line.startswith("xxx")]
    assert line.startswith("x" * 30 + "  payment-denied  Albus Percival Wulfric ")
    assert (len(line), line[-1]) == (80, "…")


def test_an_unknown_record_names_those_that_may_be_meant(shell: Shell) -> None:
    meant = shell.run("records", "show", "ord-004-rgh")

    assert meant.code == 1
    assert "did you mean 'ORD-004-RHG'" in meant.err


def test_an_import_into_a_new_folder_says_what_came_in_and_what_to_do_next(shell: Shell) -> None:
    files = files_of(shell, [order(), order(2, status="voided")])

    checked = shell.run("records", "import", *files, "--check")
    assert not shell.home.exists()
    ran = shell.run("records", "import", *files)

    assert (checked.code, checked.out.splitlines()[-1]) == (0, "they can be imported; nothing was changed")
    assert (ran.code, ran.err) == (0, "")
    told = ran.out.splitlines()
    assert told[0].startswith("warning: orders.json: orders[1].status holds 'voided': no rule knows this status")
    assert "in these files: orders 2, order lines 2, inventory rows 1" in told
    assert "problems that the rules find: inventory-short 1, payment-denied 1, unknown-status 1 (2 records)" in told
    assert told[-2].startswith("imported. Store ")
    assert told[-1] == "next: daper repair start"
    assert sorted(shell.orders()) == ["O-1", "O-2"]
    assert shell.run("records", "import", *files).out.splitlines()[-1] == (
        "the store has these very records; nothing was changed"
    )


def test_a_later_import_says_that_the_problems_are_those_of_the_store_as_it_then_is(shell: Shell) -> None:
    shell.run("records", "import", *files_of(shell, [order(), order(2)]))

    ran = shell.run("records", "import", *files_of(shell, [order(2)]))

    assert "in these files: orders 1, order lines 1, inventory rows 1" in ran.out
    assert "in the store, once these are in it: inventory-short 2, payment-denied 2 (2 records)" in ran.out
    assert "1 not in these files, which stay as they are" in ran.out


@pytest.mark.parametrize("words", [(), ("--mapping", "shopify"), ("--replace", "--yes")], ids=" ".join)
def test_on_a_terminal_an_import_shows_how_far_it_is_and_nowhere_else(shell: Shell, words: tuple[str, ...]) -> None:
    files = files_of(shell, [order(number) for number in range(1, 600)])

    with shell.terminal("records", "import", *files, *words) as terminal:
        assert terminal.end() == 0
    again = shell.run("records", "import", *files, *words)

    for what in ("reading orders.json", "looking for problems", "importing"):
        assert re.search(rf"{what} .*100%", terminal.shown), terminal.shown
    assert terminal.shown.index("reading orders.json") < terminal.shown.index("in these files: orders 599")
    assert (again.code, again.err) == (0, "")
    assert "looking for problems" not in again.out


def test_an_import_with_faults_tells_them_all_and_changes_nothing(shell: Shell) -> None:
    files = files_of(shell, [order(n, items=[{"item_id": "I-1", "quantity": -n}]) for n in range(1, 262)])

    ran = shell.run("records", "import", *files)
    as_json = shell.run("records", "import", *files, "--json")

    assert (ran.code, as_json.code) == (1, 1)
    told = ran.out.splitlines()
    assert told[0] == "fault: orders.json: orders[0].items[0].quantity holds -1: must be at least 0 (in 'O-1')"
    assert (len(told), told[-1]) == (51, "fault: and 211 more; --json tells them all")
    assert ran.err == "daper: 261 faults; nothing was imported. Mend the files and try again\n"
    document = as_json.document()
    assert (document["outcome"], document["store"], len(document["faults"])) == ("refused", None, 261)
    assert document["faults"][260] == {
        "file": "orders.json",
        "place": "orders[260].items[0].quantity",
        "message": "holds -261: must be at least 0",
        "record": "O-261",
    }
    assert not shell.home.exists()


def test_warnings_in_the_same_words_are_one_line_and_all_of_them_in_json(shell: Shell) -> None:
    files = files_of(shell, [order(n, status="voided") for n in range(300)])

    ran = shell.run("records", "import", *files, "--check")
    document = shell.run("records", "import", *files, "--check", "--json").document()

    [status] = [line for line in ran.out.splitlines() if ".status" in line]
    assert status.startswith("warning: orders.json: orders[0].status holds 'voided': ")
    assert status.endswith("(in 'O-0', and 299 more such)")
    assert document["outcome"] == "checked"
    assert len([note for note in document["warnings"] if note["place"].endswith(".status")]) == 300


@pytest.mark.long
def test_a_person_s_own_records_are_replaced_only_with_leave_and_are_never_lost(shell: Shell) -> None:
    shell.run("records", "import", *files_of(shell, [order()]))
    mine = (shell.home / "data/orders/orders.json").read_bytes()
    files = files_of(shell, [order(2)])

    for words in (("import", "--replace", *files), ("import", "--replace", *files, "--json"), ("reset",)):
        refused = shell.run("records", *words)
        assert refused.code == 2
        assert "the records in this store are your own; say --yes" in refused.err
    for answer, code in (("\n", 0), ("n\n", 0), ("\x03", 130)):
        with shell.terminal("records", "import", "--replace", *files) as terminal:
            terminal.expect("[y]es, empty for no: ")
            terminal.type(answer)
            assert terminal.end() == code
    assert (shell.home / "data/orders/orders.json").read_bytes() == mine
    assert not (shell.home / "data/orders/backups").exists()

    with shell.terminal("records", "import", "--replace", *files) as terminal:
        terminal.expect("[y]es, empty for no: ")
        terminal.type("y\n")
        assert terminal.end() == 0
    reset = shell.run("records", "reset", "--yes")

    assert "imported. Store " in terminal.shown
    assert reset.out.startswith("restored the shipped orders. Store ")
    kept = sorted(path.read_bytes() for path in shell.home.glob("data/orders/backups/*/orders.json"))
    assert kept == sorted([mine, (shell.cwd / "orders.json").read_bytes()])
    assert Path(reset.value("what was there before is in")).parent == shell.home / "data/orders/backups"


def test_a_file_that_is_missing_or_one_too_few_is_one_line(shell: Shell) -> None:
    [orders, _] = files_of(shell, [order()])

    one = shell.run("records", "import", orders)
    missing = shell.run("records", "import", orders, "\x1b[2Jnowhere.json")

    assert (one.code, one.out) == (2, "")
    assert one.err == "daper: an import of orders needs 2 files: the orders, then the inventory; got 1\n"
    assert (missing.code, missing.out) == (1, "fault: <U+001B>[2Jnowhere.json: does not exist\n")
    assert missing.err == "daper: 1 fault; nothing was imported. Mend the files and try again\n"


@pytest.mark.long
def test_a_megabyte_of_text_is_imported_and_never_fills_a_screen(open_shop: Shop) -> None:
    big = dict.fromkeys(("notes", "customer_name", "payment_method"), "Accio! " * 150_000)
    assert open_shop.run("records", "import", *files_of(open_shop, [order(**big)])).code == 0

    started = open_shop.auto_approved()
    repair_id = started.value("Workflow started with ID:")
    shown = [
        started,
        open_shop.run("records", "list"),
        open_shop.run("records", "list", "--json"),
        open_shop.run("records", "show", "O-1"),
        open_shop.run("repair", "show", repair_id, "--json"),
        open_shop.run("repair", "report", repair_id),
    ]

    assert [ran.code for ran in shown] == [3, 0, 0, 0, 3, 3]
    assert max(len(ran.out) for ran in shown) < 40_000
    assert len(open_shop.orders()["O-1"]["notes"]) == 7 * 150_000


@pytest.mark.long
def test_a_plan_approved_after_an_import_touches_nothing_that_changed(open_shop: Shop) -> None:
    name = "2025/001 Ωμέγα"
    email = "luna@quibbler.example"
    same, changed = order(order_id=name, customer_email=email), order(2, customer_email=email)
    open_shop.run("records", "import", *files_of(open_shop, [same, changed]))
    repair_id = open_shop.begin()
    plan = open_shop.waiting_plan(repair_id)
    files = files_of(open_shop, [same, {**changed, "status": "completed"}])
    assert open_shop.run("records", "import", *files, "--yes").code == 0

    assert open_shop.run("repair", "approve", repair_id, "--plan", plan.digest).code == 0
    assert open_shop.run("repair", "show", repair_id, "--follow").code == 3
    outcomes = open_shop.run("repair", "show", repair_id, "--json").document()["outcomes"]

    assert {(each["record_id"], each["status"]) for each in outcomes} == {(name, "applied"), ("O-2", "stale")}
    assert open_shop.orders()["O-2"] == {**changed, "status": "completed"}


@pytest.mark.long
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


@pytest.mark.long
def test_hostile_record_text_stays_text_in_a_pipe_and_in_json(open_shop: Shop) -> None:
    """Design rule 7."""
    hostile_orders(open_shop)

    started = open_shop.auto_approved()
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


@pytest.mark.parametrize(
    "words",
    [
        ("records", "list"),
        *(
            pytest.param(each, marks=pytest.mark.long)
            for each in (("records", "show", "ORD-001-HJP"), ("repair", "start"))
        ),
    ],
)
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

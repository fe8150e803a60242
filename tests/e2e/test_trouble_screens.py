"""Every screen of the troubled shop: record text stays text, and what it orders is obeyed nowhere."""

import json
import re
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata

from daper.adapters.temporal.connection import connect
from daper.stores import jsontext
from tests.e2e.conftest import Beside, Shop, make_shop
from tests.trouble import (
    NOTES,
    TEXTS,
    TROUBLE,
    check_html,
    check_lines,
    check_markdown,
    check_pipe,
    check_terminal,
    expectations,
    hidden_in,
    reworded,
)

pytestmark = pytest.mark.long

EXPECTED = expectations()
NASTY = ("ORD-102-TMR", "ORD-110-SPT", "ORD-116-PVS", "ORD-117-RTS", "ORD-118-MGF", "ORD-119-HSL")


@dataclass
class Walk:
    """A repair of the whole shop, seen on every screen there is."""

    shop: Shop
    repair_id: str = ""
    details: str = ""
    pipes: dict[str, str] = field(default_factory=dict[str, str])
    terminals: dict[str, str] = field(default_factory=dict[str, str])

    def pipe(self, *words: str) -> str:
        ran = self.shop.run(*words)
        assert ran.code in (0, 3), ran.err
        self.pipes[" ".join(words)] = ran.out
        return ran.out

    def terminal(self, *words: str, asked: str = "", typed: str = "") -> str:
        with self.shop.terminal(*words) as terminal:
            if asked:
                terminal.expect(asked)
                terminal.type(typed)
            assert terminal.end() in (0, 3)
        self.terminals[" ".join(words)] = terminal.shown
        return terminal.shown

    # Any: the document of the command.
    def document(self) -> Any:
        return json.loads(self.pipes[f"repair report {self.repair_id} --json"])


def open_trouble(root: Path, address: str, beside: Beside) -> Shop:
    """A troubled shop in a folder of its own."""
    shop = make_shop(root, address, beside)
    shop.env["DAPER_ORDERS_DATASET"] = TROUBLE
    shop.run("records", "list")
    return shop


def reword(shop: Shop, names: dict[str, str]) -> None:
    """Give the fields of these names other words, in both files."""
    for path in (shop.home / "data/orders/orders.json", shop.home / "data/orders/inventory.json"):
        document = reworded(jsontext.parse(path.read_bytes(), path=path), names=names)
        path.write_bytes(jsontext.dump(document))


async def current_details(shop: Shop, repair_id: str) -> str:
    client = await connect(shop.settings())
    handle = client.get_workflow_handle(repair_id)
    return (await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)).current_details


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory, address: str, beside: Beside) -> Generator[Walk]:
    """Look at the records, start, look at the plan, approve it on a terminal, and read the report."""
    shop = open_trouble(tmp_path_factory.mktemp("trouble"), address, beside)
    walk = Walk(shop=shop)
    with shop.worker():
        walk.pipe("records", "list")
        walk.terminal("records", "list")
        for order_id in EXPECTED.orders:
            walk.pipe("records", "show", order_id)
        for order_id in NASTY:
            walk.terminal("records", "show", order_id)
        started = walk.terminal("repair", "start", asked="Approve all of it?", typed="\n")
        walk.repair_id = re.findall(r"Workflow started with ID: (\S+)", started)[0]
        walk.details = beside.do(current_details(shop, walk.repair_id))
        walk.pipe("repair", "show", walk.repair_id)
        walk.terminal("repair", "show", walk.repair_id)
        walk.terminal("repair", "approve", walk.repair_id, asked="Approve all of it?", typed="y\n")
        walk.terminal("repair", "show", walk.repair_id, "--follow")
        walk.pipe("repair", "show", walk.repair_id, "--follow")
        walk.pipe("repair", "report", walk.repair_id)
        walk.terminal("repair", "report", walk.repair_id)
        walk.pipe("repair", "report", walk.repair_id, "--json")
        walk.pipe("repair", "report", walk.repair_id, "--plan")
        walk.pipe("repair", "report", walk.repair_id, "--format", "html")
        walk.pipe("repair", "show", walk.repair_id, "--json")
        walk.pipe("records", "show", "ORD-116-PVS", "--json")
        walk.pipe("records", "list", "--status", "completed")
        yield walk


def test_no_pipe_gets_anything_but_text(walk: Walk) -> None:
    """D13."""
    assert len(walk.pipes) == len(EXPECTED.orders) + 10
    for words, shown in walk.pipes.items():
        assert shown, words
        # A list in a pipe has its own tabs; a tab in a record is none of them.
        check_pipe(shown.replace("\t", " ") if words.startswith("records list") else shown)
        check_lines(shown) if "report" not in words else None


def test_no_terminal_is_told_anything_but_by_rich(walk: Walk) -> None:
    """D13."""
    assert len(walk.terminals) == len(NASTY) + 6
    for words, shown in walk.terminals.items():
        assert shown, words
        check_terminal(shown)
        check_lines(shown) if "report" not in words else None


def test_a_record_makes_one_row_of_four_columns_in_a_list(walk: Walk) -> None:
    _, heading, *rest = walk.pipes["records list"].splitlines()
    rows = [row for row in rest if "\t" in row]
    assert heading.split("\t") == ["record", "about", "status", "problems"]
    assert [row.split("\t")[0] for row in rows] == list(EXPECTED.orders)
    for row, order in zip(rows, EXPECTED.orders.values(), strict=True):
        assert len(row.split("\t")) == 4
        assert row.split("\t")[3] == ("; ".join(order.finds) or "-")
    assert "<U+0009>Mundungus Fletcher<U+0009>completed" in walk.pipes["records list"]


@pytest.mark.parametrize("order_id", EXPECTED.orders)
def test_a_record_is_shown_with_its_tricks_as_text_and_with_its_problems(walk: Walk, order_id: str) -> None:
    lines = walk.pipes[f"records show {order_id}"].splitlines()
    finds = EXPECTED.orders[order_id].finds
    assert lines[0] == f"order_id: {order_id}"
    assert ("problems: none" in lines) == (not finds)
    told = lines[lines.index("problems:") :] if finds else []
    assert [line.split(":")[0] for line in told if line.startswith("  - ")] == [f"  - {kind}" for kind in finds]


def test_the_approval_was_asked_with_the_whole_plan_and_given_by_the_person_alone(walk: Walk) -> None:
    asked = walk.terminals[f"repair approve {walk.repair_id}"]
    for order_id, action in EXPECTED.planned:
        assert f"- {order_id} (" in asked
        assert action.tool in asked
    assert asked.index("ORD-119-HSL") < asked.index("Approve all of it?") < asked.index("Decided by Minerva (claimed)")
    [decision] = walk.document()["decisions"]
    assert decision["decision"]["by"] == {"kind": "person", "name": "Minerva", "how": "claimed"}


def test_the_temporal_ui_gets_no_markup_from_a_record(walk: Walk) -> None:
    """D13."""
    table, _, after = walk.details.partition("```json")
    pasted, _, left_alone = after.partition("```")
    check_markdown(table)
    check_markdown(left_alone)
    assert hidden_in(pasted) <= {"\n"}
    assert "evil.example" not in pasted
    assert json.loads(pasted)["verdicts"].keys() <= {f"a{n}" for n in range(1, 10)}
    assert "ORD-119-HSL" in table
    assert "mallory" not in table
    assert "- `ORD-115-LLV`: `payment-pending`: for a person: " in left_alone


def test_the_report_gets_no_markup_from_a_record(walk: Walk) -> None:
    """D13."""
    check_markdown(walk.pipes[f"repair report {walk.repair_id}"])
    check_markdown(walk.pipes[f"repair report {walk.repair_id} --plan"])
    check_html(walk.pipes[f"repair report {walk.repair_id} --format html"])
    paths = walk.document()["report"]
    check_markdown(Path(paths["markdown_path"]).read_text("utf-8"))
    assert hidden_in(Path(paths["json_path"]).read_text("utf-8")) <= {"\n"}


def test_the_outbox_and_the_ledger_show_all_that_they_hold(walk: Walk) -> None:
    """D13."""
    home = walk.shop.home / "data/orders"
    written = [*home.glob("outbox/*.json"), *home.glob("ledger/*.json"), home / "orders.json", home / "inventory.json"]
    assert len(written) == 5 + 8 + 2
    for path in written:
        assert hidden_in(path.read_text("utf-8")) <= {"\n"}, path
    for path in home.glob("outbox/*.json"):
        message = json.loads(path.read_text("utf-8"))
        assert not any(hidden_in(message[name]) for name in ("to", "subject"))
        assert hidden_in(message["body"]) <= {"\n"}
        assert "mallory" not in message["to"] + message["subject"]


def what(document: Any) -> dict[str, Any]:
    """What a repair found, proposed and did, without what differs between any two repairs."""
    passing = {"digest", "key", "wrote", "fingerprint", "action_id", "id", "at"}

    def kept(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: kept(each) for name, each in value.items() if name not in passing}  # pyright: ignore[reportUnknownVariableType]
        return [kept(each) for each in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]

    return {
        "findings": kept(document["findings"]),
        "actions": kept(document["plan"]["actions"]),
        "for_person": kept(document["plan"]["for_person"]),
        "outcomes": sorted(kept(document["outcomes"]), key=lambda each: (each["record_id"], each["tool"])),
        "verified": sorted(
            kept(document["verification"]["findings"]), key=lambda each: (each["record_id"], each["kind"])
        ),
        "counts": document["counts"],
    }


def repaired(shop: Shop) -> tuple[str, Any]:
    """What is told of a repair by policy, and its document."""
    with shop.worker():
        started = shop.run("repair", "start", "--auto-approve")
        assert started.code == 3, started.err
        return started.out, shop.run("repair", "report", started.value("started with ID:"), "--json").document()


def skeleton(shown: str) -> list[str]:
    """The lines of a story without what records, ids and clocks put into them."""
    lines = re.sub(r"[0-9a-f]{64}|[0-9a-f]{8}-[0-9a-f-]{27}(-[0-9a-f]{8})?", "ID", shown).splitlines()
    return sorted(re.split(r"[:(]|Dear |deliver |to come by ", line)[0] for line in lines)


def test_with_its_notes_blanked_and_with_plain_names_the_repair_is_the_same_and_so_are_its_lines(
    walk: Walk, tmp_path: Path, address: str, beside: Beside
) -> None:
    """D13: approver, quantity, confidence and tools come from fields and settings, and from no sentence."""
    as_it_is, quiet, plain = (open_trouble(tmp_path / name, address, beside) for name in ("as-it-is", "quiet", "plain"))
    reword(quiet, dict.fromkeys(NOTES, ""))
    reword(plain, dict.fromkeys(TEXTS, "plain"))

    told, document = repaired(as_it_is)
    told_quietly, quiet_document = repaired(quiet)
    told_plainly, plain_document = repaired(plain)

    assert what(document) == what(quiet_document) == what(walk.document())
    assert skeleton(told) == skeleton(told_quietly) == skeleton(told_plainly)
    for one, other in zip(document["outcomes"], plain_document["outcomes"], strict=True):
        assert (one["tool"], one["status"]) == (other["tool"], other["status"])
        assert one["arguments"].get("approver") == other["arguments"].get("approver")
        assert one["arguments"].get("quantity") == other["arguments"].get("quantity")

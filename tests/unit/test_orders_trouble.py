"""The troubled shop: the rules make of it what is written beside it, and obey nothing that a record says."""

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from orders_shop import Raw, Shop
from tests.trouble import NOTES, TEXTS, TROUBLE, expectations, hidden_in, order_texts, reworded, shipped_orders

from daper.core.guard import refuse_arguments
from daper.core.limits import OneOf
from daper.core.models import Finding, Proposal, Scope
from daper.core.outcomes import Effect
from daper.domains.orders import shipped
from daper.domains.orders.amounts import gaps
from daper.domains.orders.domain import open_domain
from daper.domains.orders.models import Order
from daper.entrypoints.cli.demo import demo
from daper.ports import Record, Terms, ToolCall
from daper.settings import load_settings
from daper.stores import jsontext

EXPECTED = expectations()
BY_ID = pytest.mark.parametrize("order_id", EXPECTED.orders)
BLANK_NOTES = dict.fromkeys(NOTES, "")
PLAIN = dict.fromkeys(TEXTS, "plain")


def documents() -> dict[str, Any]:
    return {name: jsontext.parse(text.encode(), path=Path(name)) for name, text in shipped.texts(TROUBLE).items()}


async def open_shop(folder: Path, *, names: Mapping[str, str] | None = None) -> Shop:
    """The troubled shop with its simulated counterparty; with other words in the fields of these names."""
    domain = open_domain(folder, {"dataset": TROUBLE})
    await domain.store()
    if names is not None:
        for name, document in documents().items():
            (folder / name).write_bytes(jsontext.dump(reworded(document, names=names)))
    return Shop(domain=domain, folder=folder)


@pytest.fixture
async def trouble(tmp_path: Path) -> Shop:
    return await open_shop(tmp_path / "data")


async def looked(shop: Shop) -> tuple[tuple[Finding, ...], tuple[Record, ...]]:
    records = (await shop.domain.scan(Scope())).records
    return shop.domain.detect(records, EXPECTED.as_of), records


async def planned(shop: Shop) -> tuple[tuple[Proposal, ...], list[Terms], dict[tuple[str, str, str], str]]:
    """The proposals with their terms, and what is left to a person: record, kind, reason by fingerprint."""
    findings, records = await looked(shop)
    plan = shop.domain.propose(findings, records)
    by_fingerprint = {finding.fingerprint: finding for finding in findings}
    left = {
        (by_fingerprint[mark].record_id, by_fingerprint[mark].kind, mark): reason
        for mark, reason in plan.for_person.items()
    }
    return plan.proposals, [shop.domain.terms(one, records) for one in plan.proposals], left


async def repaired(shop: Shop) -> list[Effect]:
    """Run all that is proposed, in its order, as an approved plan runs: what was written counts as planned."""
    proposals, terms, _ = await planned(shop)
    written, effects = dict[str, str](), list[Effect]()
    for number, (one, found) in enumerate(zip(proposals, terms, strict=True)):
        expected = {ref: written.get(ref, version) for ref, version in found.reads.items()}
        call = ToolCall(
            key=f"k{number}",
            record_id=one.record_id,
            arguments=one.arguments,
            expected=expected,
            today=EXPECTED.as_of,
        )
        effects.append(await shop.tool(one.tool).apply(call))
        written |= effects[-1].wrote
    return effects


def test_every_shipped_order_has_what_is_expected_of_it_and_says_why() -> None:
    assert list(EXPECTED.orders) == list(shipped_orders())
    assert shipped.about(TROUBLE).as_of == EXPECTED.as_of
    for order in EXPECTED.orders.values():
        assert re.fullmatch(r"[A-Z].{20,200}\.", order.why)
        assert bool(order.finds) >= bool(order.actions or order.for_person or order.status)


@BY_ID
async def test_the_rules_find_exactly_what_is_expected(trouble: Shop, order_id: str) -> None:
    findings, _ = await looked(trouble)
    assert [finding.kind for finding in findings if finding.record_id == order_id] == EXPECTED.orders[order_id].finds


async def test_the_plan_is_exactly_what_is_expected_and_within_its_limits(trouble: Shop) -> None:
    proposals, terms, _ = await planned(trouble)
    assert [(one.record_id, one.tool, one.confidence_score) for one in proposals] == [
        (order_id, action.tool, action.confidence) for order_id, action in EXPECTED.planned
    ]
    for one, found, (_, action) in zip(proposals, terms, EXPECTED.planned, strict=True):
        assert one.arguments == one.arguments | action.arguments
        assert one.arguments["order_id"] == one.record_id
        assert refuse_arguments(one.arguments, trouble.domain.tools[one.tool].args, found.limits) is None
        if one.tool == "request_approval":
            assert found.limits["approver"] == OneOf(values=(EXPECTED.approver,))
        assert found.spends is not None
        assert found.spends <= Decimal(100)


@BY_ID
async def test_what_is_left_to_a_person_and_why_is_exactly_what_is_expected(trouble: Shop, order_id: str) -> None:
    proposals, _, left = await planned(trouble)
    told = [(kind, reason) for (record_id, kind, _), reason in left.items() if record_id == order_id]
    # What is refused only when it runs is not known before.
    tools = {one.tool for one in proposals}
    wanted = [(kind, words) for kind, words in EXPECTED.orders[order_id].for_person if kind not in tools]
    assert sorted(kind for kind, _ in told) == sorted(kind for kind, _ in wanted)
    for kind, words in wanted:
        assert any(each == kind and words in reason for each, reason in told), (words, told)


async def test_all_of_it_approved_ends_as_expected_for_every_order(trouble: Shop) -> None:
    effects = await repaired(trouble)

    assert [str(effect.status) for effect in effects] == [action.outcome for _, action in EXPECTED.planned]
    after = order_texts((trouble.folder / "orders.json").read_text(encoding="utf-8"))
    assert {order_id for order_id, text in after.items() if text == shipped_orders()[order_id]} == EXPECTED.untouched
    assert {
        order_id: trouble.order(order_id)["status"] for order_id in after if order_id not in EXPECTED.untouched
    } == {order_id: order.status for order_id, order in EXPECTED.orders.items() if order.status is not None}
    before = {str(row["item_id"]): row for row in documents()["inventory.json"]["inventory"]}
    changed = [row for row in trouble.rows("inventory.json") if row != before[str(row["item_id"])]]
    assert {str(row["item_id"]): row["current_stock"] for row in changed} == {
        item: stock.after for item, stock in EXPECTED.stock.items()
    }
    assert [before[item]["current_stock"] for item in EXPECTED.stock] == [
        each.before for each in EXPECTED.stock.values()
    ]


async def test_messages_go_to_approvers_on_the_list_the_order_s_customer_and_the_row_s_supplier_alone(
    trouble: Shop,
) -> None:
    await repaired(trouble)

    sent = [(message.record_id, message.to) for message in await trouble.domain.outbox()]
    assert sent == [(order_id, action.to) for order_id, action in EXPECTED.planned if action.to]
    for order_id, to in sent:
        suppliers = {
            trouble.stock(str(line["item_id"]))["supplier_contact"]
            for line in cast("list[Raw]", trouble.order(order_id)["items"])
        }
        assert to in {EXPECTED.approver, trouble.order(order_id)["customer_id"], *suppliers}


async def test_after_the_repair_nothing_is_proposed_and_the_rest_is_still_found(trouble: Shop) -> None:
    await repaired(trouble)
    proposals, _, left = await planned(trouble)
    assert proposals == ()
    assert {record_id for record_id, _, _ in left} == {
        order_id
        for order_id, order in EXPECTED.orders.items()
        if order.for_person
        and order_id not in {"ORD-102-TMR", "ORD-104-XNL", "ORD-107-GWY"}  # on hold, or short no more
    }


async def test_without_its_notes_the_shop_is_repaired_in_exactly_the_same_way(trouble: Shop, tmp_path: Path) -> None:
    """D13: what is written in a note is obeyed by nobody."""
    quiet = await open_shop(tmp_path / "quiet", names=BLANK_NOTES)
    assert trouble.order("ORD-102-TMR")["notes"]
    assert not quiet.order("ORD-102-TMR")["notes"]

    assert (await looked(trouble))[0] == (await looked(quiet))[0]
    (told, terms, left), (told_quietly, quiet_terms, left_quietly) = await planned(trouble), await planned(quiet)
    assert (told, left) == (told_quietly, left_quietly)
    assert [each.limits for each in terms] == [each.limits for each in quiet_terms]
    assert [each.preview for each in terms] == [each.preview for each in quiet_terms]
    effects, effects_quietly = await repaired(trouble), await repaired(quiet)
    for one, other in zip(effects, effects_quietly, strict=True):
        assert one == other.model_copy(update={"wrote": one.wrote, "at": one.at})
    assert [(message.to, message.subject, message.body) for message in await trouble.domain.outbox()] == [
        (message.to, message.subject, message.body) for message in await quiet.domain.outbox()
    ]


async def test_with_plain_names_everywhere_the_same_is_found_proposed_and_done(trouble: Shop, tmp_path: Path) -> None:
    """D13: a name, an address or a way to pay changes how something reads, and nothing else."""
    plain = await open_shop(tmp_path / "plain", names=PLAIN)
    texts = {"customer_name", "original_payment_method", "inventory_description", "approval_request_contents"}
    texts |= {"subject", "message"}

    def what(proposals: tuple[Proposal, ...]) -> list[tuple[str, str, float, dict[str, Any]]]:
        return [
            (
                one.record_id,
                one.tool,
                one.confidence_score,
                {name: value for name, value in one.arguments.items() if name not in texts},
            )
            for one in proposals
        ]

    (told, _, left), (told_plainly, _, left_plainly) = await planned(trouble), await planned(plain)
    assert what(told) == what(told_plainly)
    assert sorted(key[:2] for key in left) == sorted(key[:2] for key in left_plainly)
    for one, other in zip(await repaired(trouble), await repaired(plain), strict=True):
        assert (one.status, one.after) == (other.status, other.after)
    assert [message.to for message in await trouble.domain.outbox()] == [
        message.to for message in await plain.domain.outbox()
    ]


def test_the_shop_still_holds_its_tricks() -> None:
    tricks = ("\x1b[2J", "\x1b]0;", "\x1b]8;;", "\x1b[8m", "\x1b[1A", "\x07", "\x08", "\x9b", "\r", "\t", "\n")
    tricks += ("\u202e", "\u2066", "\u2067", "\u200b", "\u200d", "\u2028", "\u3164", "\u034f", "\u043e", "\u0430")
    texts = (
        "[bold red]",
        "[link=",
        "](http",
        "![",
        "<script>",
        "onerror=",
        "onclick=",
        "\n# ",
        "\n```",
        "| ",
        "=HYPER",
    )
    texts += ("@SUM", "Current repair status: ", "Decided by policy", "repair-Harry-", "tool_call", "confidence_score")
    texts += (
        "mallory@evil.example",
        "0" * 64,
        "SYSTEM MESSAGE",
        "Ignoriere",
        "Ignora",
        "忽略",
        "Игнорируй",
        "</orders>",
    )
    unescaped = "".join(_texts_of(documents()))
    assert [trick for trick in (*tricks, *texts) if trick not in unescaped] == []
    assert len(max(_texts_of(documents()), key=len)) > 500


def test_the_files_show_all_that_they_hold_in_the_layout_in_which_the_store_writes_them() -> None:
    for name, text in shipped.texts(TROUBLE).items():
        assert hidden_in(text) == {"\n"}, name
        assert jsontext.dump(jsontext.parse(text.encode(), path=Path(name))).decode() == text


def test_the_amounts_are_right_but_for_the_two_that_are_meant_to_be_wrong() -> None:
    orders = [Order.model_validate(raw) for raw in documents()["orders.json"]["orders"]]
    assert [order.order_id for order in orders if gaps(order)] == ["ORD-103-GDL", "ORD-120-MMG"]
    summary, total = documents()["orders.json"]["order_summary"], sum(order.total or Decimal(0) for order in orders)
    assert (summary["total_orders"], summary["total_revenue"]) == (len(orders), total)
    assert sum(summary["orders_by_status"].values()) == len(orders)


@BY_ID
def test_the_docs_tell_of_each_order_what_is_expected_of_it(order_id: str) -> None:
    order = EXPECTED.orders[order_id]
    finds = ", ".join(f"`{kind}`" for kind in order.finds) or "-"
    page = Path(__file__).parents[2] / "docs" / "troubled-shop.md"
    assert f"| `{order_id}` | {order.who} | {finds} | {order.why} |" in page.read_text(encoding="utf-8")


def test_the_help_of_the_demo_names_every_shipped_data_set() -> None:
    assert shipped.names() == ("hogwarts", TROUBLE)
    _, _, told = (demo.__doc__ or "").partition("Which shipped orders")
    assert all(name in told.splitlines()[0] for name in shipped.names())


def test_a_worker_of_one_s_own_may_get_the_troubled_shop_and_nobody_calls_that_a_mistake(tmp_path: Path) -> None:
    settings = load_settings(environ={"DAPER_ORDERS_DATASET": TROUBLE}, folder=tmp_path)
    assert settings.domain_options("orders")["dataset"] == TROUBLE
    assert settings.warnings(["orders"]) == ()


# Any: JSON of whatever shape the shop holds.
def _texts_of(value: Any) -> list[str]:
    if isinstance(value, dict):
        members: list[Any] = list(value.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        return [text for each in members for text in _texts_of(each)]
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
        return [text for each in items for text in _texts_of(each)]
    return [value] if isinstance(value, str) else []

"""What people reported of shops, each row a small input of its own that comes in by an import: C4 to C11."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daper.clock import timed_by
from daper.core.models import Change, Finding, Proposal, Scope
from daper.core.outcomes import OutcomeStatus
from daper.domains.orders.domain import OrdersDomain, open_domain
from daper.domains.orders.models import Order
from daper.ports import Record, ToolCall

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
Raw = dict[str, object]


def order(order_id: str, status: str = "processing", quantity: object = 8, **fields: object) -> Raw:
    return {
        "order_id": order_id,
        "customer_name": "Ann",
        "customer_id": "ann@example.org",
        "order_date": "2026-11-27",
        "status": status,
        "items": [{"item_id": "S", "quantity": quantity}],
        "payment_method": "Card",
        **fields,
    }


def mug(stock: object = 0, **fields: object) -> Raw:
    return {
        "item_id": "S",
        "item_name": "Mug",
        "current_stock": stock,
        "reorder_quantity": 20,
        "supplier_contact": "s@example.org",
        "unit_cost": 1,
        **fields,
    }


@dataclass(frozen=True, kw_only=True)
class Looked:
    """A shop whose records came in by an import, and what its rules say of them."""

    domain: OrdersDomain
    records: Sequence[Record]
    findings: Sequence[Finding]
    proposals: Sequence[Proposal]
    for_person: Mapping[str, str]

    def kinds(self, record_id: str) -> list[str]:
        """What is wrong with an order."""
        return [each.kind for each in self.findings if each.record_id == record_id]

    def tools(self, record_id: str) -> list[str]:
        """What is proposed for it."""
        return [each.tool for each in self.proposals if each.record_id == record_id]

    def reasons(self, record_id: str) -> list[str]:
        """What a person is told of it."""
        found = [each for each in self.findings if each.record_id == record_id]
        return [self.for_person[each.fingerprint] for each in found if each.fingerprint in self.for_person]


async def imported(folder: Path, orders: list[Raw], stock: list[Raw]) -> Looked:
    """Both files brought in, and looked at."""
    files = folder / "o.json", folder / "i.json"
    for path, rows in zip(files, (orders, stock), strict=True):
        path.write_text(json.dumps(rows), "utf-8")
    domain = open_domain(folder / "data", {"approvers": "owner@example.org"})
    draft = await domain.read_import(files, now=NOW)
    assert draft.faults == ()
    await domain.import_records(draft)
    records = (await domain.scan(Scope())).records
    findings = domain.detect(records, NOW)
    plan = domain.propose(findings, records)
    return Looked(
        domain=domain, records=records, findings=findings, proposals=plan.proposals, for_person=plan.for_person
    )


async def test_c4_times_in_ledger_outbox_and_history_are_those_at_which_it_happened(tmp_path: Path) -> None:
    shop = await imported(
        tmp_path,
        [order("SHORT"), order("EGG", quantity=1, items=[{"item_id": "E", "quantity": 1}])],
        [mug(), mug(9, item_id="E", special_requirements="Ministry approval")],
    )
    approved = NOW + timedelta(hours=6)  # long after the cycle began
    with timed_by(approved):
        for each in shop.proposals:
            call = ToolCall(key=each.tool, record_id=each.record_id, arguments=each.arguments, expected={}, today=NOW)
            assert (await shop.domain.tools[each.tool].apply(call)).status is OutcomeStatus.APPLIED

    rows = {
        record.record_id: Order.model_validate(record.data)
        for record in await shop.domain.context(["SHORT", "EGG"])
        if record.ref.startswith("orders/")
    }
    request = rows["EGG"].approval_request
    times = [message.at for message in await shop.domain.outbox()]
    times += [row.status_history[-1].at for row in rows.values() if row.status_history]
    times += [request.at] if request else []
    with shop.domain.stored_as("json").contents() as contents:
        assert contents is not None
        times += [row.at for row in contents.ledger_rows()]
    assert len(times) >= 6
    assert {f"{at:%d %H:%M}" if at else "" for at in times} == {"29 18:00"}


UNKNOWN = ("voided", "complete", "draft", "Cancelled by customer", "fulfilled", "done", "expired", "archived")


async def test_c5_an_unknown_status_is_left_to_a_person_whatever_the_stock(tmp_path: Path) -> None:
    shop = await imported(tmp_path, [order(status, status) for status in UNKNOWN], [mug()])

    assert shop.proposals == ()
    for status in UNKNOWN:
        assert shop.kinds(status) == ["unknown-status"]
        assert "nothing is done to the order before" in shop.reasons(status)[0]


def restock(state: str, **fields: object) -> Raw:
    return {"restocks": [{"item_id": "S", "quantity": 20, "state": state, **fields}]}


async def test_c6_only_a_restock_that_is_known_to_be_delivered_counts(tmp_path: Path) -> None:
    states = ("cancelled", "rejected", "partially-delivered", "", "Ordered", "delivered")
    rows = [
        order(f"R-{state}", "pending-inventory", **restock(state, **({"taken": 8} if state == "delivered" else {})))
        for state in states
    ]
    shop = await imported(tmp_path, [order("NONE", "pending-inventory"), *rows], [mug()])

    found = {state: (shop.kinds(f"R-{state}"), shop.tools(f"R-{state}")) for state in states}
    assert (shop.kinds("NONE"), shop.tools("NONE")) == (["inventory-short"], ["order_inventory"])
    assert found["cancelled"] == found["rejected"] == (["inventory-short"], ["order_inventory"])
    assert found["partially-delivered"] == found[""] == (["inventory-short"], [])  # a person knows what came
    assert found["Ordered"] == found["delivered"] == ([], [])


async def test_c7_of_two_orders_of_8_with_10_in_stock_the_later_one_is_short_by_6(tmp_path: Path) -> None:
    shop = await imported(tmp_path, [order("A"), order("B")], [mug(10, reserved_stock=0)])
    [finding] = shop.findings
    assert (finding.record_id, finding.kind, finding.evidence[-1]) == ("B", "inventory-short", "short by 6")


async def test_c7_what_is_less_than_nothing_is_made_up_for_once(tmp_path: Path) -> None:
    shop = await imported(tmp_path, [order("A"), order("B"), order("C")], [mug(-2, reserved_stock=0)])
    short = {each.record_id: each.evidence[-1] for each in shop.findings}
    assert short == {"A": "short by 10", "B": "short by 8", "C": "short by 8"}


async def test_c7_stock_that_is_known_to_be_reserved_for_them_is_theirs(tmp_path: Path) -> None:
    stock = mug(16, reserved_stock=16, reserved_for_orders=True)
    assert (await imported(tmp_path, [order("A"), order("B")], [stock])).findings == ()


SUMS: dict[str, Raw] = {
    "DISCOUNT": {"subtotal": 10, "discount": 2, "total": 8},
    "GIFT": {"subtotal": 10, "gift_card": 4, "total": 6},
    "FEE": {"subtotal": 10, "fee": 3, "total": 13},
    "TAX-IN": {"subtotal": 10, "tax": 1.67, "prices_include_tax": True, "total": 10},
    "UNKNOWN-PART": {"subtotal": 10, "loyalty_reduction": 2, "total": 8},
}


async def test_c8_known_parts_count_and_with_a_part_that_is_not_understood_no_mismatch_is_claimed(
    tmp_path: Path,
) -> None:
    rows = [order(name, "pending-payment", 1, **amounts) for name, amounts in SUMS.items()]
    wrong = order("WRONG", "pending-payment", 1, subtotal=10, discount=2, total=7)
    shop = await imported(tmp_path, [*rows, wrong], [mug(99)])

    assert {name: shop.kinds(name) for name in SUMS} == {name: ["payment-pending"] for name in SUMS}
    assert all(shop.tools(name) == ["request_payment_update"] for name in SUMS)
    assert "totals-mismatch" in shop.kinds("WRONG")
    assert shop.tools("WRONG") == []


async def test_c9_the_near_id_is_named_and_nothing_is_held(tmp_path: Path) -> None:
    nfd, nfc = "CAFE\u0301-1", "CAF\u00c9-1"
    shop = await imported(tmp_path, [order("A", items=[{"item_id": nfd, "quantity": 1}])], [mug(9, item_id=nfc)])

    assert (shop.kinds("A"), shop.tools("A")) == (["unknown-item"], [])
    [reason] = shop.reasons("A")
    assert f"the inventory has {nfc!r}" in reason
    assert "stored in another way" in reason


async def test_c10_quantities_have_decimals_and_stock_that_is_not_tracked_is_never_short(tmp_path: Path) -> None:
    orders = [order("HALF", quantity=1.5), order("UNTRACKED", items=[{"item_id": "U", "quantity": 99}])]
    shop = await imported(tmp_path, orders, [mug(1), mug(None, item_id="U"), mug(None, item_id="V")])

    [finding] = shop.findings
    assert (finding.record_id, finding.evidence[-1]) == ("HALF", "short by 0.5")


async def test_c11_one_after_the_other_with_chained_previews_and_nothing_ordered_before_the_approval(
    tmp_path: Path,
) -> None:
    shop = await imported(tmp_path, [order("A")], [mug(2, special_requirements="Ministry approval")])

    assert sorted(shop.kinds("A")) == ["inventory-short", "restricted-without-approval"]
    assert shop.tools("A") == ["request_approval"]  # what is short is ordered by the repair after the approval
    [reason] = shop.reasons("A")
    assert "approv" in reason

    # Two answers for one order: the second begins with what the first leaves.
    (tmp_path / "two").mkdir()
    short = await imported(
        tmp_path / "two",
        [order("B", items=[{"item_id": "S", "quantity": 8}, {"item_id": "T", "quantity": 8}])],
        [mug(2), mug(1, item_id="T")],
    )
    first, second = short.domain.previews(short.proposals, short.records)
    assert [_status(first), _status(second)] == [
        ("processing", "restock-ordered"),
        ("restock-ordered", "restock-ordered"),
    ]


def _status(changes: tuple[Change, ...]) -> tuple[str, str]:
    [(before, after)] = [(each.before, each.after) for each in changes if each.field == "status"]
    return before, after

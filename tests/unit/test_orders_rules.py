"""The rules of the orders domain: what they find, what they propose, and on what terms."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue

from daper.core.guard import refuse_arguments
from daper.core.limits import Between, OneOf
from daper.core.models import Finding, Proposal, Scope
from daper.domains.orders import world
from daper.domains.orders.addresses import IN_PLAY_APPROVER
from daper.domains.orders.domain import OrdersDomain, open_domain
from daper.domains.orders.models import StockRow
from daper.ports import Record

TODAY = datetime(2025, 6, 28, tzinfo=UTC)
LINE = {"item_id": "X", "item_name": "Kettle", "quantity": 3, "unit_price": 2, "total_price": 6}
EMPTY: dict[str, object] = {"current_stock": 1, "available_stock": 1}


def domain() -> OrdersDomain:
    return open_domain(Path("/nowhere"), {"approvers": IN_PLAY_APPROVER})  # the rules touch no file


def order(order_id: str = "O-1", /, **fields: object) -> Record:
    data: dict[str, object] = {
        "order_id": order_id,
        "customer_id": "neville@example.org",
        "customer_name": "Neville",
        "payment_method": "cash",
        "order_date": "2025-06-27T10:00:00Z",
        "status": "new",
        "items": [LINE],
        "subtotal": 6,
        "tax": 0,
        "shipping": 0,
        "total": 6,
    }
    return Record(ref=f"orders/{order_id}", record_id=order_id, version="v1", data=data | fields)


def stock(item_id: str = "X", /, **fields: object) -> Record:
    data: dict[str, object] = {
        "item_id": item_id,
        "item_name": "Kettle",
        "current_stock": 10,
        "reserved_stock": 0,
        "available_stock": 10,
        "reorder_quantity": 5,
        "max_stock_level": 50,
        "unit_cost": Decimal("1.50"),
        "supplier_contact": "shop@example.org",
        "status": "active",
    }
    return Record(ref=f"inventory/{item_id}", record_id=item_id, version=f"s-{item_id}", data=data | fields)


def short(available: int | Decimal = 1, /, **fields: object) -> Record:
    stocks: dict[str, object] = {"current_stock": available, "available_stock": available}
    return stock(**(stocks | fields))


def found(*records: Record, today: datetime = TODAY) -> tuple[Finding, ...]:
    return domain().detect(records, today)


def kinds(*records: Record, today: datetime = TODAY) -> list[str]:
    return [finding.kind for finding in found(*records, today=today)]


def proposed(*records: Record) -> tuple[list[tuple[str, Mapping[str, object]]], list[str]]:
    result = domain().propose(found(*records), records)
    return [(one.tool, one.arguments) for one in result.proposals], list(result.for_person.values())


async def test_the_shipped_six_have_exactly_four_problems(tmp_path: Path) -> None:
    shop = open_domain(tmp_path / "data", {})
    records = (await shop.scan(Scope())).records
    findings = shop.detect(records, TODAY)
    assert [(finding.record_id, finding.kind) for finding in findings] == [
        ("ORD-001-HJP", "payment-pending"),
        ("ORD-002-HJG", "inventory-short"),
        ("ORD-003-RBW", "payment-denied"),
        ("ORD-004-RHG", "restricted-without-approval"),
    ]
    plan = shop.propose(findings, records)
    assert plan.for_person == {}
    assert [(one.record_id, one.tool, one.confidence_score) for one in plan.proposals] == [
        ("ORD-001-HJP", "request_payment_update", 0.8),
        ("ORD-002-HJG", "order_inventory", 0.95),
        ("ORD-003-RBW", "request_payment_update", 0.9),
        ("ORD-004-RHG", "request_approval", 0.95),
    ]
    badges = shop.terms(plan.proposals[1], records)
    assert plan.proposals[1].arguments["quantity"] == 200
    assert badges.limits["quantity"] == Between(minimum=113, maximum=553)
    assert badges.spends == Decimal("170.00")
    assert set(badges.reads) == {"orders/ORD-002-HJG"} | {
        f"inventory/{item}" for item in ("STP-ORG-001", "BKS-ELF-014", "PCH-ROL-003", "INK-COL-004")
    }
    for one in plan.proposals:
        assert refuse_arguments(one.arguments, shop.tools[one.tool].args, shop.terms(one, records).limits) is None


@pytest.mark.parametrize(
    ("record", "row", "expected"),
    [
        (order(), stock(), []),
        (order(status="pending-payment"), stock(), ["payment-pending"]),
        (order(status="Pending_Payment"), stock(), ["payment-pending"]),
        (order(status="payment-denied"), stock(), ["payment-denied"]),
        (order(status="payment_update_requested"), stock(), []),
        (order(status="payment_update_requested"), short(), ["inventory-short"]),
        (order(), stock(available_stock=3, current_stock=3), []),
        (order(), short(2), ["inventory-short"]),
        (order(items=[LINE, LINE], subtotal=12, total=12), short(5), ["inventory-short"]),
        (order(status="completed"), short(), []),
        (order(status="cancelled"), short(), []),
        (order(status="restock-ordered"), short(), []),
        (order(restocks=[{"item_id": "X", "quantity": 9, "state": "ordered"}]), short(), []),
        (order(restocks=[{"item_id": "X", "quantity": 9, "state": "delivered", "taken": 3}]), short(-4), []),
        (order(restocks=[{"item_id": "X", "quantity": 1, "state": "delivered"}]), short(1), ["inventory-short"]),
        (order(), stock(special_requirements={"ministry_approval": True}), ["restricted-without-approval"]),
        (order(), stock(special_requirements={"ministry_approval": False}), []),
        (order(), stock(restrictions=["Needs Ministry approval"]), ["restricted-without-approval"]),
        (order(status="approval-requested"), stock(special_requirements={"ministry_approval": True}), []),
        (order(status="approved-preparing-shipment"), stock(special_requirements={"ministry_approval": True}), []),
        (order(approval={"approver": "m"}), stock(special_requirements={"ministry_approval": True}), []),
        (order(approval={}), stock(special_requirements={"ministry_approval": True}), ["restricted-without-approval"]),
        (
            order(approval={"approver": " "}),
            stock(special_requirements={"ministry_approval": True}),
            ["restricted-without-approval"],
        ),
        (
            order(status="pending-approval", approval_request={"approver": "m"}),
            stock(special_requirements={"ministry_approval": True}),
            ["restricted-without-approval"],
        ),
        (
            order(status="payment-denied", approval_request={"approver": "m"}),
            stock(special_requirements={"ministry_approval": True}),
            ["payment-denied"],
        ),
        (order(), stock(status="prohibited"), ["prohibited-item"]),
        (order(), stock(category="Dark Arts - Prohibited"), ["prohibited-item"]),
        (order(), stock(restrictions=["prohibited"]), ["prohibited-item"]),
        (order(), stock(restrictions=["Prohibited in dormitories"]), []),
        (order(), stock("Y"), ["unknown-item"]),
        (order(total=7), stock(), ["totals-mismatch"]),
        (order(subtotal=5, total=5), stock(), ["totals-mismatch"]),
        (order(items=[LINE | {"total_price": 5}], subtotal=5, total=5), stock(), ["totals-mismatch"]),
        (order(total=Decimal("6.004")), stock(), []),
        (order(status="on-hold", total=7), short(), ["totals-mismatch"]),
        (order(status="on-hold"), stock(status="prohibited"), []),
        (order(status="delivered", total=7), stock(), []),
    ],
)
def test_each_rule_finds_its_problem_and_no_other(record: Record, row: Record, expected: list[str]) -> None:
    assert kinds(record, row) == expected


@pytest.mark.parametrize("status", ["priority_processing", "approved-preparing-shipment"])
def test_stuck_is_more_than_14_days_without_a_change(status: str) -> None:
    record = order(status=status, order_date=(TODAY - timedelta(days=14)).isoformat())
    assert kinds(record, stock()) == []
    assert kinds(record, stock(), today=TODAY + timedelta(seconds=1)) == ["stuck"]


def test_stuck_counts_from_the_last_known_status_change() -> None:
    history = [{"status": "x", "at": "2025-06-20T00:00:00Z"}, {"status": "y"}]
    record = order(status="priority_processing", order_date="2025-01-01T00:00:00Z", status_history=history)
    assert kinds(record, stock()) == []
    assert kinds(record, stock(), today=datetime(2025, 7, 5, tzinfo=UTC)) == ["stuck"]


def test_an_order_with_another_problem_or_without_any_date_is_not_stuck() -> None:
    old = "2025-01-01T00:00:00Z"
    assert kinds(order(status="priority_processing", order_date=old), short()) == ["inventory-short"]
    assert kinds(order(status="priority_processing", order_date=None), stock()) == []
    assert kinds(order(status="new", order_date=old), stock()) == []


def test_a_fingerprint_ignores_status_version_dates_text_and_stock() -> None:
    one = found(order(), short(2))
    later = order(status="pending-inventory", notes="hurry!", order_date="2025-01-01T00:00:00Z")
    other = found(replace(later, version="v2"), short(1))
    assert one[0].fingerprint == other[0].fingerprint
    assert one[0].issue != other[0].issue


@pytest.mark.parametrize(
    ("before", "after", "row"),
    [
        ({}, {"items": [LINE | {"quantity": 4, "total_price": 8}], "subtotal": 8, "total": 8}, short()),
        ({"status": "payment-denied"}, {"status": "payment-denied", "payment_method": "card"}, stock()),
        ({"status": "payment-denied"}, {"status": "payment-denied", "shipping": 1, "total": 7}, stock()),
        ({"total": 7}, {"total": 8}, stock()),
    ],
)
def test_a_fingerprint_changes_with_the_material_facts(
    before: dict[str, object], after: dict[str, object], row: Record
) -> None:
    assert found(order(**before), row)[0].fingerprint != found(order(**after), row)[0].fingerprint


def test_two_short_items_are_two_findings_answered_by_two_restocks() -> None:
    lines = [LINE, LINE | {"item_id": "Y"}]
    records = (order(items=lines, subtotal=12, total=12), short(), stock("Y", current_stock=0, available_stock=0))
    findings = found(*records)
    plan = domain().propose(findings, records)
    assert len({finding.fingerprint for finding in findings}) == 2
    assert [one.arguments["inventory_to_order"] for one in plan.proposals] == ["X", "Y"]
    assert [one.answers for one in plan.proposals] == [(finding.fingerprint,) for finding in findings]


def test_a_prohibited_or_unknown_item_is_answered_by_a_hold_alone() -> None:
    lines = [LINE, LINE | {"item_id": "gone"}]
    records = (
        order(items=lines, subtotal=12, total=13, status="payment-denied"),
        short(status="prohibited", special_requirements={"ministry_approval": True}),
    )
    actions, left = proposed(*records)
    assert actions == [("hold_order", {"order_id": "O-1", "reason": "prohibited-item"})]
    assert sum("behind the hold" in reason for reason in left) == 3
    assert sum("a person has to decide" in reason for reason in left) == 2
    assert sum("correct them by hand" in reason for reason in left) == 1
    terms = domain().terms(Proposal(record_id="O-1", tool="hold_order", arguments={}, answers=()), records)
    assert terms.limits["reason"] == OneOf(values=("prohibited-item", "unknown-item"))


def test_approval_comes_before_payment_and_restocking_waits_for_the_payment() -> None:
    restricted = short(special_requirements={"ministry_approval": True})
    actions, left = proposed(order(status="payment-denied"), restricted)
    assert [tool for tool, _ in actions] == ["request_approval", "request_payment_update"]
    assert len(left) == 1
    assert "not paid; restock once it is" in left[0]


def test_approval_comes_before_restock() -> None:
    actions, left = proposed(order(), short(special_requirements={"ministry_approval": True}))
    assert [tool for tool, _ in actions] == ["request_approval"]
    assert actions[0][1]["approver"] == IN_PLAY_APPROVER
    assert left == ["order 'O-1' waits for an approval; restock once it is given"]


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ((order(total=7), stock()), "correct them by hand"),
        ((order(status="priority_processing", order_date="2025-01-01T00:00:00Z"), stock()), "ask the warehouse"),
        ((order(), short(max_stock_level=0, reserved_stock=1, current_stock=3)), "leaves room for 0"),
        ((order(), short(supplier_contact="")), "names no supplier_contact"),
        ((order(status="payment-denied", customer_id=""), stock()), "has no e-mail address; add its customer_email"),
    ],
)
def test_a_problem_that_no_tool_fits_goes_to_a_person_with_what_to_do(records: tuple[Record, ...], reason: str) -> None:
    actions, left = proposed(*records)
    assert actions == []
    assert len(left) == 1
    assert reason in left[0]


def test_what_a_model_found_beyond_the_rules_goes_to_a_person() -> None:
    extra = Finding(record_id="O-1", kind="other", issue="odd", found_by="model", fingerprint="f")
    gone = extra.model_copy(update={"record_id": "O-9", "fingerprint": "g"})
    plan = domain().propose([extra, gone], (order(), stock()))
    assert plan.proposals == ()
    assert set(plan.for_person) == {"f", "g"}


@pytest.mark.parametrize(
    ("tool", "records"),
    [
        ("hold_order", (order(), stock())),
        ("request_approval", (order(), stock())),
        ("request_payment_update", (order(status="completed"), stock())),
        ("order_inventory", (order(), stock())),
        ("order_inventory", (order(status="payment-denied"), short())),
        ("order_inventory", (order(), short(status="prohibited"))),
        ("launch_rocket", (order(), stock())),
        ("hold_order", (stock(),)),
    ],
)
def test_a_tool_that_does_not_fit_gets_no_limits_so_that_the_guard_refuses_it(
    tool: str, records: tuple[Record, ...]
) -> None:
    """D14."""
    proposal = Proposal(record_id="O-1", tool=tool, arguments={"inventory_to_order": "X"}, answers=("f",))
    assert domain().terms(proposal, records).limits == {}


def test_an_approver_who_is_not_on_the_allow_list_is_refused() -> None:
    """D13."""
    records = (order(), stock(special_requirements={"ministry_approval": True}))
    shop = open_domain(Path("/nowhere"), {"approvers": "a@example.org, b@example.org"})
    one = shop.propose(shop.detect(records, TODAY), records).proposals[0]
    limits = shop.terms(one, records).limits
    assert one.arguments["approver"] == "a@example.org"
    mine = one.arguments | {"approver": "mallory@example.org"}
    assert "must be one of" in str(refuse_arguments(mine, shop.tools[one.tool].args, limits))


def test_record_text_is_clipped_and_nothing_in_it_is_hidden() -> None:
    """D13."""
    nasty = "\x1b[2J\u202e" + "A" * 5000
    records = (
        order(customer_name=nasty, status="payment-denied", payment_method=nasty, items=[LINE | {"item_name": nasty}]),
        short(item_name=nasty, special_requirements={"ministry_approval": True}),
    )
    findings = found(*records)
    assert len(findings) == 3
    texts = [text for finding in findings for text in (finding.issue, *finding.evidence)]
    plan = domain().propose(findings, records)
    texts += [str(value) for one in plan.proposals for value in one.arguments.values()]
    assert all("\x1b" not in text and "\u202e" not in text and len(text) < 550 for text in texts)
    for one in plan.proposals:
        limits = domain().terms(one, records).limits
        assert refuse_arguments(one.arguments, domain().tools[one.tool].args, limits) is None


@given(
    ordered=st.integers(1, 10_000),
    current=st.integers(0, 10_000),
    reserved=st.integers(0, 10_000),
    reorder=st.integers(0, 10_000),
    most=st.none() | st.integers(0, 20_000),
)
def test_a_quantity_within_the_limits_covers_the_shortfall_and_never_overfills(
    ordered: int, current: int, reserved: int, reorder: int, most: int | None
) -> None:
    fields: dict[str, object] = {
        "current_stock": current,
        "reserved_stock": reserved,
        "available_stock": current - reserved,
        "reorder_quantity": reorder,
        "max_stock_level": most,
    }
    line = {"item_id": "X", "quantity": ordered}
    records = (order(items=[line], subtotal=None, total=None), stock(**fields))
    findings = found(*records)
    plan = domain().propose(findings, records)
    available = StockRow.model_validate(records[1].data).available or 0
    assert bool(findings) == (ordered > available)
    if not findings:
        assert plan.proposals == ()
        return
    fits = most is None or current + (ordered - available) - ordered <= most
    assert len(plan.proposals) == fits
    assert len(plan.for_person) == (not fits)
    for one in plan.proposals:
        limit = domain().terms(one, records).limits["quantity"]
        assert isinstance(limit, Between)
        assert limit.minimum == ordered - available
        assert most is None or current + limit.maximum - ordered == most
        wanted = max(limit.minimum, reorder)
        assert one.arguments["quantity"] == (wanted if most is None else min(wanted, limit.maximum))


@pytest.mark.parametrize(
    ("cost", "spends"),
    [(None, None), (-1, None), (Decimal("-0.01"), None), (0, Decimal(0)), (Decimal("1.50"), Decimal("7.50"))],
)
def test_what_a_restock_costs_is_unknown_without_a_sound_unit_cost(cost: object, spends: Decimal | None) -> None:
    records = (order(), short(unit_cost=cost), order("O-2", items=[LINE | {"item_id": "Y"}]), stock("Y", **EMPTY))
    plan = domain().propose(found(*records), records)
    assert [domain().terms(one, records).spends for one in plan.proposals] == [spends, Decimal("7.50")]


def test_a_row_without_a_unit_cost_has_no_known_price() -> None:
    row = short()
    data = {name: value for name, value in row.data.items() if name != "unit_cost"}
    records = (order(), replace(row, data=data))
    one = domain().propose(found(*records), records).proposals[0]
    assert domain().terms(one, records).spends is None


@pytest.mark.parametrize("quantity", [True, "5", 2.5, pytest.param(10**5000, id="huge"), -(10**30), None])
def test_terms_of_an_impossible_quantity_claim_no_price_and_never_raise(quantity: JsonValue) -> None:
    """D14."""
    records = (order(), short())
    one = domain().propose(found(*records), records).proposals[0]
    arguments = one.arguments | {"quantity": quantity}
    terms = domain().terms(one.model_copy(update={"arguments": arguments}), records)
    assert terms.spends is None
    assert [change.field for change in terms.preview] == ["status"]


def test_the_records_of_one_plan_are_parsed_once_however_many_proposals_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed = list[str]()
    parse = world.parse_row

    def counting(model: type[BaseModel], data: Mapping[str, object], *, place: str) -> BaseModel:
        parsed.append(place)
        return parse(model, data, place=place)

    monkeypatch.setattr(world, "parse_row", counting)
    shop, records = domain(), tuple(record for n in range(40) for record in short_pair(n))
    plan = shop.propose(shop.detect(records, TODAY), records)
    assert len(plan.proposals) == 40
    assert all(shop.terms(one, records).limits for one in plan.proposals)
    assert len(parsed) == len(records)
    assert shop.terms(plan.proposals[0], records[:2]).limits
    assert len(parsed) == len(records) + 2


def test_records_that_can_change_are_parsed_every_time() -> None:
    shop, records = domain(), [order(), short()]
    one = shop.propose(shop.detect(records, TODAY), records).proposals[0]
    assert shop.terms(one, records).limits
    records[1] = stock()
    assert shop.terms(one, records).limits == {}


def test_threads_with_records_of_their_own_get_terms_of_their_own() -> None:
    shop = domain()
    sets = [(order(), short(available)) for available in (0, 1, 2)]
    one = shop.propose(shop.detect(sets[0], TODAY), sets[0]).proposals[0]

    def quantity(number: int) -> object:
        return shop.terms(one, sets[number % 3]).limits["quantity"]

    with ThreadPoolExecutor(6) as pool:
        terms = list(pool.map(quantity, range(300)))
    assert [limit.minimum for limit in terms if isinstance(limit, Between)] == [3 - n % 3 for n in range(300)]


def short_pair(number: int) -> tuple[Record, Record]:
    line = LINE | {"item_id": f"X-{number}"}
    return order(f"O-{number}", items=[line]), stock(f"X-{number}", **EMPTY)


def test_a_finding_behind_a_hold_is_also_left_to_a_person() -> None:
    records = (order(), stock(status="prohibited"))
    findings = found(*records)
    plan = domain().propose(findings, records)
    assert [one.answers for one in plan.proposals] == [(findings[0].fingerprint,)]
    assert list(plan.for_person) == [findings[0].fingerprint]
    assert "a person has to decide" in plan.for_person[findings[0].fingerprint]

"""C2 and C3: what is written to customers, approvers and suppliers, and that nobody is written to who is made up."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest
from orders_shop import BADGES, TODAY, Shop, own_shop, shipped_shop
from test_orders_rules import LINE, order, stock

from daper.core.errors import SettingError
from daper.core.guard import refuse_arguments
from daper.core.models import Proposal, Scope
from daper.core.outbox import MessageState
from daper.core.outcomes import OutcomeStatus
from daper.core.text import visible_lines
from daper.domains.orders.domain import OrdersDomain, open_domain
from daper.domains.orders.models import Order
from daper.domains.orders.tools.written import UNSEEN
from daper.domains.orders.world import world_of
from daper.ports import ProposalSet, Record, ToolCall, Undoable
from daper.ports.store import Message

UNPAID = {"status": "payment-denied", "payment_method": "card"}
APPROVAL = {"special_requirements": {"ministry_approval": True}}
HASH = "cust-7112ab9f3c2d4e5f60718293a4b5c6d7"


def domain(**options: str) -> OrdersDomain:
    return open_domain(Path("/nowhere"), options)


def plan(shop: OrdersDomain, *records: Record) -> ProposalSet:
    return shop.propose(shop.detect(records, TODAY), records)


def message(shop: OrdersDomain, *records: Record) -> Mapping[str, object]:
    [proposal] = plan(shop, *records).proposals
    return proposal.arguments


def written(shop: OrdersDomain, *records: Record) -> tuple[str, str]:
    """Subject and text of the one message of a plan, as the plan shows it."""
    [changes] = shop.previews(plan(shop, *records).proposals, records)
    [shown] = [change for change in changes if change.field == "message"]
    subject, _, body = str(shown.after).partition("\n\n")
    return subject, body


def left(shop: OrdersDomain, *records: Record) -> tuple[str, str]:
    """The reason of the one thing that is left to a person, and the message that they may send."""
    result = plan(shop, *records)
    assert result.proposals == ()
    [(fingerprint, reason)] = result.for_person.items()
    return reason, result.messages.get(fingerprint, "")


async def sent_by(shop: Shop, *proposals: Proposal) -> Sequence[Message]:
    for number, one in enumerate(proposals):
        records = await shop.domain.context([one.record_id])
        expected = shop.domain.terms(one, records).reads
        call = ToolCall(
            key=f"k{number}", record_id=one.record_id, arguments=one.arguments, expected=expected, today=TODAY
        )
        effect = await shop.tool(one.tool).apply(call)
        assert effect.status is OutcomeStatus.APPLIED, effect
    return await shop.domain.outbox()


async def proposals_of(shop: Shop, order_id: str = "") -> tuple[Proposal, ...]:
    records = (await shop.domain.scan(Scope(record_ids=(order_id,) if order_id else ()))).records
    return shop.domain.propose(shop.domain.detect(records, TODAY), records).proposals


# C2: nobody is made up.


def test_c2_of_records_of_ones_own_nobody_is_asked_for_an_approval_who_was_not_named() -> None:
    reason, text = left(domain(), order(), stock(**APPROVAL))
    assert reason == "nobody to ask for the approval of order 'O-1': set DAPER_ORDERS_APPROVERS"
    assert "Subject: Approval of order O-1" in text
    assert "Please approve order O-1 of Neville: 3 x Kettle." in text
    assert "diagonalley" not in text


def test_c2_an_approver_who_is_named_is_asked() -> None:
    arguments = message(domain(approvers="ministry@magic.example"), order(), stock(**APPROVAL))
    assert arguments["approver"] == "ministry@magic.example"


@pytest.mark.parametrize(
    "approvers", ["ministry", "ministry@magic.example, the owner", "a@b.example\nBcc: m@evil.example"]
)
def test_c2_an_approver_must_be_an_address(approvers: str) -> None:
    with pytest.raises(SettingError, match=r"DAPER_ORDERS_APPROVERS names .* which is no e-mail address"):
        domain(approvers=approvers)


async def test_c2_only_the_shipped_shop_has_somebody_made_up(tmp_path: Path) -> None:
    shop = await shipped_shop(tmp_path / "shipped")
    [ask] = await proposals_of(shop, "ORD-004-RHG")
    assert ask.arguments["approver"] == "approve-orders@diagonalley.co.uk"
    mine = await own_shop(tmp_path / "own", approvers="")
    assert await proposals_of(mine, "ORD-004-RHG") == ()


async def test_c2_a_plan_that_asks_somebody_who_is_made_up_runs_on_no_records_of_ones_own(tmp_path: Path) -> None:
    shop = await shipped_shop(tmp_path / "shipped")
    [ask] = await proposals_of(shop, "ORD-004-RHG")
    mine = await own_shop(tmp_path / "own", approvers="")
    call = await mine.call(ask.arguments)  # type: ignore[arg-type]
    effect = await mine.tool("request_approval").apply(call)
    assert effect.status is OutcomeStatus.BLOCKED
    assert "DAPER_ORDERS_APPROVERS" in effect.evidence[0]


@pytest.mark.parametrize("contact", ["", "ring twice", "+44 20 7946 0000"])
def test_c2_what_no_supplier_can_be_written_to_for_is_left_to_a_person_with_the_order_to_copy(contact: str) -> None:
    row = stock(current_stock=1, available_stock=1, supplier="Cauldron Founders", supplier_contact=contact)
    reason, text = left(domain(), order(), row)
    assert reason.startswith("nobody to ask: inventory row 'X' (Kettle)")
    assert text.startswith("To: Cauldron Founders\nSubject: Order of 5 x X\n\nPlease deliver 5 x Kettle (X).")


@pytest.mark.parametrize(
    ("suppliers", "to"),
    [
        ("Cauldron Founders=trade@cauldrons.example", "trade@cauldrons.example"),
        ("cauldron founders = trade@cauldrons.example, all@shop.example", "trade@cauldrons.example"),
        ("Potage's=pot@age.example, all@shop.example", "all@shop.example"),
    ],
)
def test_c2_the_settings_may_say_where_a_supplier_is_written_to(suppliers: str, to: str) -> None:
    row = stock(current_stock=1, available_stock=1, supplier="Cauldron Founders", supplier_contact="")
    assert message(domain(suppliers=suppliers), order(), row)["to"] == to


@pytest.mark.parametrize("suppliers", ["Potage's", "Potage's=", "=a@b.example", "Potage's=pot"])
def test_c2_the_address_of_a_supplier_must_be_one(suppliers: str) -> None:
    with pytest.raises(SettingError, match=r"DAPER_ORDERS_SUPPLIERS names .*NAME=ADDRESS"):
        domain(suppliers=suppliers)


# C3: whole sentences, to somebody who can be reached.


@pytest.mark.parametrize("customer", [HASH, "+44 20 7946 0000", "C-1", ""])
def test_c3_an_order_without_an_address_gets_no_message_and_is_left_to_a_person(customer: str) -> None:
    records = (order(customer_id=customer, customer_name="", currency="EUR", **UNPAID), stock())
    reason, text = left(domain(), *records)
    assert reason == "nobody to ask: order 'O-1' has no e-mail address; add its customer_email"
    assert text.split("\n")[1:] == [
        "Subject: Payment of order O-1",
        "",
        "Hello,",
        "",
        "we have not received the payment of 6.00 EUR for order O-1, which was to come by card. "
        "Please pay again, or name another way to pay.",
    ]


@pytest.mark.parametrize("field", ["customer_email", "email"])
def test_c3_the_address_may_stand_beside_a_customer_id(field: str) -> None:
    arguments = message(domain(), order(customer_id=HASH, **{field: "neville@owls.example"}, **UNPAID), stock())
    assert (arguments["to"], arguments["customer_id"]) == ("neville@owls.example", HASH)


@pytest.mark.parametrize(
    "address",
    [
        "neville",
        "neville@",
        "a@b.example, c@d.example",
        "Neville <n@b.example>",
        "n@b.example\nBcc: m@evil.example",
        "n@b.example\u202e",
        "n @b.example",
    ],
)
def test_c3_what_is_no_address_is_written_to_by_nobody(address: str) -> None:
    reason, _ = left(domain(), order(customer_id="C-1", customer_email=address, **UNPAID), stock())
    assert "no e-mail address" in reason
    assert "\n" not in reason


@pytest.mark.parametrize(
    "name", ["", "  ", HASH, "C-77", "cust-7112", "neville@owls.example", "0042", "9f3c2d4e5f60718293a4b5c6d7aa"]
)
def test_c3_nobody_is_addressed_by_nothing_an_id_or_a_hash(name: str) -> None:
    records = (order(customer_id="C-77", customer_email="n@owls.example", customer_name=name, **UNPAID), stock())
    text = written(domain(), *records)[1]
    assert text.startswith("Hello,\n")
    assert "Dear" not in text
    assert not name.strip() or name not in text


@pytest.mark.parametrize("name", ["Neville", "Neville Longbottom", "Zoë 2nd", "張偉"])
def test_c3_a_name_is_a_name(name: str) -> None:
    records = (order(customer_name=name, **UNPAID), stock())
    assert written(domain(), *records)[1].startswith(f"Dear {name},\n")


@pytest.mark.parametrize(
    ("total", "currency", "owed"),
    [
        (Decimal("24.5"), "EUR", "24.50 EUR"),
        (24, "EUR", "24.00 EUR"),
        (1200, "JPY", "1200 JPY"),
        (Decimal("1200.00"), "jpy", "1200 jpy"),
        (Decimal("1.25"), "KWD", "1.250 KWD"),
        (Decimal("0.125"), "EUR", "0.125 EUR"),
        (Decimal("24.5"), None, "24.50"),
    ],
)
def test_c3_the_amount_stands_there_with_its_currency(total: object, currency: object, owed: str) -> None:
    amounts: dict[str, object] = {"items": [LINE | {"unit_price": None, "total_price": None}], "subtotal": None}
    records = (order(total=total, currency=currency, **amounts, **UNPAID), stock())
    assert f"the payment of {owed} for order O-1" in written(domain(), *records)[1]


def test_c3_what_is_not_known_is_left_out_and_the_sentences_are_whole() -> None:
    bare = {"items": [LINE | {"unit_price": None, "total_price": None}], "subtotal": None, "total": None}
    records = (
        order(customer_name="", payment_method="", status="payment-denied", **bare),
        stock(),
    )
    assert written(domain(), *records)[1] == (
        "Hello,\n\nwe have not received the payment for order O-1. Please pay again, or name another way to pay."
    )


def test_c3_where_cash_on_delivery_is_normal_nobody_is_asked() -> None:
    records = (order(status="pending-payment", payment_method="Cash on Delivery (COD)"), stock())
    assert plan(domain(), *records) == ProposalSet()


def test_c3_the_shop_says_who_it_is() -> None:
    _, text = written(domain(shop_name="Flourish and Blotts"), order(**UNPAID), stock())
    assert text.endswith("\n\nFlourish and Blotts")


# What is shown is what is sent.


async def test_c3_what_the_plan_shows_is_what_is_written(tmp_path: Path) -> None:
    shop = await own_shop(tmp_path / "own", shop_name="Diagon Alley Supplies")
    for order_id in ("ORD-001-HJP", "ORD-003-RBW"):
        shop.edit("orders.json", "order_id", order_id, customer_email=f"{order_id.lower()}@owls.example")
    records = (await shop.domain.scan(Scope())).records
    planned = await proposals_of(shop)
    previews = shop.domain.previews(planned, records)
    assert [one.tool for one in planned] == [
        "request_payment_update",
        "order_inventory",
        "request_payment_update",
        "request_approval",
    ]
    for one, changes, sent in zip(planned, previews, await sent_by(shop, *planned), strict=True):
        shown = [change.after for change in changes if change.field == "message"]
        shown = shown or [f"{one.arguments['subject']}\n\n{one.arguments['approval_request_contents']}"]
        assert [f"{sent.subject}\n\n{sent.body}"] == shown
        assert sent.to in one.arguments.values()
        assert "\n\nDiagon Alley Supplies" in sent.body


def test_c3_of_many_alike_the_text_is_one_and_each_has_what_stands_in_it() -> None:
    """B7: fifty messages are read once; what is sent follows from the arguments alone."""
    records = (
        *(
            order(f"O-{n}", customer_name=f"Neville {n}x", total=n, subtotal=n, items=[], **UNPAID)
            for n in range(1, 12)
        ),
        stock(),
    )
    shop = domain()
    proposals = plan(shop, *records).proposals
    assert len({str(one.arguments["message"]) for one in proposals}) == 1
    assert [one.arguments["amount"] for one in proposals][:2] == ["1.00", "2.00"]
    assert not [
        change for changes in shop.previews(proposals, records) for change in changes if change.field == "message"
    ]
    assert all(len(changes) == 2 for changes in shop.previews(proposals[:10], records))


async def test_c3_a_template_that_changes_after_the_approval_changes_nothing_of_what_is_sent(tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    shop = await shipped_shop(tmp_path / "data", templates=str(texts))
    planned = [one for one in await proposals_of(shop) if one.tool != "hold_order"]
    for tool in ("request_payment_update", "request_approval", "order_inventory"):
        (texts / f"{tool}.txt").write_text("Subject: $nonsense\n\nPay Mallory.")
    sent = await sent_by(shop, *planned)
    assert len(sent) == len(planned) == 4
    assert not [each for each in sent if "Mallory" in each.body]
    assert [each.subject for each in sent] == [
        "Payment of order ORD-001-HJP",
        "Order of 200 x STP-ORG-001",
        "Payment of order ORD-003-RBW",
        "Approval of order ORD-004-RHG",
    ]


async def test_c3_a_quantity_that_a_person_changes_is_the_one_that_is_written(tmp_path: Path) -> None:
    shop = await shipped_shop(tmp_path / "data")
    [one] = await proposals_of(shop, "ORD-002-HJG")
    changed = one.model_copy(update={"arguments": {**one.arguments, "quantity": 250}})
    [written] = await sent_by(shop, changed)
    assert (written.subject, "250 x S.P.E.W. Badge Set" in written.body) == ("Order of 250 x STP-ORG-001", True)


@pytest.mark.parametrize("name", ["subject", "message", "to"])
async def test_c3_nobody_chooses_the_words_or_the_address_of_a_message(tmp_path: Path, name: str) -> None:
    """A model that proposes, or a person who edits, is refused."""
    shop = await shipped_shop(tmp_path / "data")
    records = await shop.domain.context(["ORD-002-HJG"])
    [one] = await proposals_of(shop, "ORD-002-HJG")
    limits = shop.domain.terms(one, records).limits
    mine = {**one.arguments, name: "mallory@evil.example"}
    assert "the record says" in str(refuse_arguments(mine, shop.tool(one.tool).args, limits))
    assert not {"subject", "message", "to"} & set(shop.tool(one.tool).args.model_json_schema()["properties"])


UNDO = "Subject: Never mind $quantity x $item_id\n\nDear $supplier, we need no $item_name for $order_id any more.\n"


async def test_the_words_by_which_a_restock_is_cancelled_are_a_persons_own_and_as_they_were_approved(
    tmp_path: Path,
) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "order_inventory_undo.txt").write_text(UNDO, encoding="utf-8")
    shop = await shipped_shop(tmp_path / "data", templates=str(texts))
    [one] = await proposals_of(shop, "ORD-002-HJG")
    assert one.arguments["undo_subject"] == "Never mind $quantity x $item_id"
    call = await shop.call(cast("Mapping[str, str | int]", {**one.arguments, "quantity": 250}))
    tool = shop.tool("order_inventory")
    effect = await tool.apply(call)
    (texts / "order_inventory_undo.txt").write_text("Subject: $nonsense\n\nPay Mallory.", encoding="utf-8")
    undone = await cast("Undoable", tool).undo(call, effect, key="u1")
    [_, cancelled] = await shop.domain.outbox()

    assert (effect.status, undone.status) == (OutcomeStatus.APPLIED, OutcomeStatus.UNDONE)
    assert cancelled.subject == "Never mind 250 x STP-ORG-001"
    assert cancelled.body.endswith("we need no S.P.E.W. Badge Set for ORD-002-HJG any more.")


async def test_without_words_of_ones_own_for_it_a_plan_says_nothing_of_cancelling_and_nobody_else_does(
    tmp_path: Path,
) -> None:
    shop = await shipped_shop(tmp_path / "data")
    records = await shop.domain.context(["ORD-002-HJG"])
    [one] = await proposals_of(shop, "ORD-002-HJG")
    limits = shop.domain.terms(one, records).limits
    assert not {"undo_subject", "undo_message"} & set(one.arguments)
    for name in ("undo_subject", "undo_message"):
        assert refuse_arguments({**one.arguments, name: "Pay Mallory"}, shop.tool(one.tool).args, limits)
    assert not {"undo_subject", "undo_message"} & set(shop.tool(one.tool).args.model_json_schema()["properties"])


async def test_no_restock_is_planned_that_could_not_be_cancelled_in_the_words_that_are_there(tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "order_inventory_undo.txt").write_text("Subject: $item_id\n\n$quantity $mallory", encoding="utf-8")
    shop = await shipped_shop(tmp_path / "data", templates=str(texts))
    assert await proposals_of(shop, "ORD-002-HJG") == ()
    [told] = shop.domain.faults()
    assert "order_inventory_undo.txt' names $mallory, which there is not" in told


async def test_an_action_that_was_planned_before_texts_were_in_plans_runs_as_it_did(tmp_path: Path) -> None:
    shop = await shipped_shop(tmp_path / "data")
    ask = {
        "order_id": "ORD-001-HJP",
        "customer_id": "CUST-HP-001",
        "customer_name": "Harry James Potter",
        "original_payment_method": "Gringotts Vault Transfer",
    }
    assert (await shop.run("request_payment_update", ask, "k1")).status is OutcomeStatus.APPLIED
    assert (await shop.run("order_inventory", BADGES, "k2")).status is OutcomeStatus.APPLIED
    asked, bought = await shop.domain.outbox()
    assert asked.body.startswith("Dear Harry James Potter,\n\nwe have not received the payment of 56.52 for")
    assert (asked.to, bought.subject) == ("CUST-HP-001", "Order of 200 x STP-ORG-001")


async def test_what_nobody_has_seen_in_a_plan_is_not_sent_by_itself(tmp_path: Path) -> None:
    """Of a plan of before texts were in it, the address may be another one than it showed too."""
    shop = await own_shop(tmp_path / "data")
    shop.edit("orders.json", "order_id", "ORD-001-HJP", customer_email="other@evil.example")
    ask = {
        "order_id": "ORD-001-HJP",
        "customer_id": "CUST-HP-001",
        "customer_name": "Harry James Potter",
        "original_payment_method": "Gringotts Vault Transfer",
    }
    shop.edit("inventory.json", "item_id", "STP-ORG-001", supplier_contact="shop@evil.example")
    for tool, arguments, key in (("request_payment_update", ask, "k1"), ("order_inventory", BADGES, "k2")):
        effect = await shop.run(tool, arguments, key)
        assert (effect.status, effect.messages) == (OutcomeStatus.APPLIED, 1)
    for message in await shop.domain.outbox():
        assert (message.state, message.note) == (MessageState.REFUSED, UNSEEN)


async def test_c3_record_text_is_never_filled_in_and_makes_no_header(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    trick = "$amount ${items} [x|$quantity]\r\nBcc: m@evil.example"
    ask = {
        "order_id": "O-1",
        "customer_email": "c@owls.example",
        "customer_name": "Cho $amount [x|$quantity]",
        "payment_method": trick,
    }
    ask |= {"status": "payment-denied", "items": list[object](), "total": 5}
    buy = {"order_id": "O-2", "status": "new", "items": [{"item_id": f"I {trick}", "quantity": 2}]}
    row = {"item_id": f"I {trick}", "item_name": trick, "current_stock": 0, "supplier_contact": "shop@example.org"}
    (folder / "orders.json").write_text(json.dumps({"orders": [ask, buy]}), encoding="utf-8")
    (folder / "inventory.json").write_text(json.dumps({"inventory": [row]}), encoding="utf-8")
    shop = await shipped_shop(folder)
    asked, bought = await sent_by(shop, *await proposals_of(shop))
    plain = "$amount ${items} [x|$quantity]<U+000D><U+000A>Bcc: m@evil.example"
    assert asked.body.startswith("Dear Cho $amount [x|$quantity],")
    assert bought.subject == f"Order of 2 x I {plain}"
    assert f"2 x {plain} (I {plain})" in bought.body
    assert [each.to for each in (asked, bought)] == ["c@owls.example", "shop@example.org"]
    for each in (asked, bought):
        assert "\n" not in each.subject + each.to
        assert each.body == visible_lines(each.body)


async def test_an_undo_is_written_to_whom_the_restock_was(tmp_path: Path) -> None:
    shop = await own_shop(tmp_path / "own", suppliers="trade@badges.example")
    shop.edit("inventory.json", "item_id", "STP-ORG-001", supplier_contact="by owl")
    [one] = await proposals_of(shop, "ORD-002-HJG")
    records = await shop.domain.context(["ORD-002-HJG"])
    call = ToolCall(
        key="k",
        record_id=one.record_id,
        arguments=one.arguments,
        expected=shop.domain.terms(one, records).reads,
        today=TODAY,
    )
    tool = shop.domain.tools["order_inventory"]
    effect = await tool.apply(call)
    undone = await tool.undo(replace(call), effect, key="u")  # type: ignore[attr-defined]
    assert undone.status is OutcomeStatus.UNDONE
    assert [each.to for each in await shop.domain.outbox()] == ["trade@badges.example"] * 2


# Texts of one's own.


def own_text(folder: Path, tool: str, text: str) -> OrdersDomain:
    folder.mkdir(exist_ok=True)
    (folder / f"{tool}.txt").write_text(text, encoding="utf-8")
    return domain(templates=str(folder), shop_name="Potage's", approvers="m@magic.example")


def test_a_text_of_ones_own_takes_the_place_of_the_one_that_ships(tmp_path: Path) -> None:
    text = (
        "Subject: [$customer_name, your|Your] order $order_id\r\n\r\n"
        "Good day[ $customer_name]!\n\n[You owe ${amount}.|Something is owed.]\n[By $payment_method.]\n\n"
        "$items, $$5 off [[really]].\n\n$shop_name\n"
    )
    subject, body = written(own_text(tmp_path / "t", "request_payment_update", text), order(**UNPAID), stock())
    assert subject == "Neville, your order O-1"
    assert body == ("Good day Neville!\n\nYou owe 6.00.\nBy card.\n\n3 x Kettle, $5 off [really].\n\nPotage's")
    without = order(
        customer_name="",
        customer_email="n@owls.example",
        total=None,
        subtotal=None,
        status="payment-denied",
        payment_method="",
    )
    subject, body = written(own_text(tmp_path / "t", "request_payment_update", text), without, stock())
    assert subject == "Your order O-1"
    assert body.startswith("Good day!\n\nSomething is owed.\n\n3 x")


FAULTS = [
    (
        "Subject: Order $order_id\n\nDear $custmer_name,",
        "names $custmer_name, which there is not; there are: $amount, $customer_name,",
    ),
    ("Subject: Order $order_id\n\nDear [$nobody|you],", "names $nobody"),
    ("Subject: $order_number\n\nDear you, $order_id", "names $order_number"),
    ("Subject: Your order\n\nPlease pay.", "must name $order_id"),
    ("Dear $customer_name,\n\nplease pay $order_id.", "line 1 must be 'Subject:'"),
    ("Subject:\n\nplease pay $order_id.", "line 1 must be 'Subject:'"),
    ("", "line 1 must be 'Subject:'"),
    ("Subject: Order $order_id\n\n", "has no text below its subject"),
    ("Subject: Order $order_id\n\nPay [$amount", "has a '[' that nothing closes"),
    ("Subject: Order $order_id\n\nPay $amount]", "has a ']' too many"),
    ("Subject: Order $order_id\n\nPay [a [b] c]", "has a '[' too many"),
    ("Subject: Order $order_id\n\nPay 5$ now", "has a '$' that no name follows"),
    ("Subject: Order $order_id\n\nPay {{ amount }} \u202e", "line 3 has characters that cannot be seen"),
    ("Subject: Order $order_id\n\n" + "x" * 8000, "is longer than 8,000 bytes"),
]


@pytest.mark.parametrize(("text", "why"), FAULTS)
def test_a_text_that_cannot_be_used_is_told_and_nothing_is_planned_with_it(tmp_path: Path, text: str, why: str) -> None:
    shop = own_text(tmp_path / "t", "request_payment_update", text)
    reason, _ = left(shop, order(**UNPAID), stock())
    path = str(tmp_path / "t" / "request_payment_update.txt")
    assert path in reason
    [told] = shop.faults()
    assert path in told
    assert why in told
    assert [one.tool for one in plan(shop, order(), stock(**APPROVAL)).proposals] == ["request_approval"]


def test_a_name_that_an_order_lacks_and_the_text_does_not_do_without_leaves_it_to_a_person(tmp_path: Path) -> None:
    shop = own_text(
        tmp_path / "t", "request_payment_update", "Subject: Order $order_id\n\nDear $customer_name,\n\npay!"
    )
    assert shop.faults() == ()
    reason, _ = left(shop, order(customer_name=HASH, **UNPAID), stock())
    assert "names $customer_name outside brackets, and the order has none" in reason


def test_a_text_that_gets_too_long_is_not_sent(tmp_path: Path) -> None:
    text = "Subject: Order $order_id\n\n" + "Please pay. " * 200
    reason, _ = left(own_text(tmp_path / "t", "request_payment_update", text), order(**UNPAID), stock())
    assert "makes a text of 2,399 characters; it must be of 1 to 1,500" in reason


@pytest.mark.parametrize("make", ["folder", "dangling", "latin"])
def test_a_text_that_is_there_and_cannot_be_read_is_never_taken_for_absent(tmp_path: Path, make: str) -> None:
    texts = tmp_path / "t"
    texts.mkdir()
    path = texts / "order_inventory.txt"
    match make:
        case "folder":
            path.mkdir()
        case "dangling":
            path.symlink_to(tmp_path / "nowhere")
        case _:
            path.write_bytes(b"Subject: B\xfccher $quantity $item_id\n\nx")
    shop = domain(templates=str(texts))
    [told] = shop.faults()
    assert str(path) in told
    reason, _ = left(shop, order(), stock(current_stock=1, available_stock=1))
    assert str(path) in reason


def test_a_text_that_no_tool_has_is_pointed_out(tmp_path: Path) -> None:
    [told] = own_text(tmp_path / "t", "request_payment", "Subject: x\n\ny").faults()
    assert "is read by nobody: there are order_inventory.txt, order_inventory_undo.txt, request_approval.txt, " in told


def test_c11_a_hold_writes_to_nobody() -> None:
    world = world_of((order(), stock(status="prohibited")))
    assert isinstance(world.orders["O-1"], Order)
    [held] = plan(domain(), order(), stock(status="prohibited")).proposals
    assert held.arguments == {"order_id": "O-1", "reason": "prohibited-item"}

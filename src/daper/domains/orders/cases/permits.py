"""Orders with an item that may not be sold as it is: restricted, prohibited, or not known."""

from typing import cast

from daper.domains.orders.cases.desk import AS_OF, PROHIBITED, RESTRICTED, Desk, Writer, Written, asks_ministry, holds
from daper.domains.orders.changes import stamp
from daper.domains.orders.world import Raw

_APPROVED = "approved-preparing-shipment"


def restricted_without_approval(desk: Desk) -> Written:
    """The plain case."""
    return _to_be_approved(
        desk,
        "The item needs the Ministry's approval and none is recorded: it is asked for.",
        RESTRICTED,
    )


def restricted_in_other_words(desk: Desk) -> Written:
    """The restriction is said in a sentence, or in a list."""
    said: object = desk.rng.choice(
        (
            "Sold with Ministry of Magic approval only",
            ["fragile", "consent of the Ministry required"],
            "ministry_consent",
            {"ministry-approval": "required"},
        )
    )
    return _to_be_approved(desk, "The same restriction, written in another way, is the same.", {"restrictions": said})


def approval_by_nobody(desk: Desk) -> Written:
    """An approval that names no approver."""
    order = desk.order(
        "processing",
        [(desk.item(row=RESTRICTED), desk.few())],
        approval={"approver": "", "at": stamp(AS_OF)},
    )
    return desk.case(
        order,
        "An approval that nobody signed is none: the Ministry is asked.",
        problems=["restricted-without-approval"],
        actions=[asks_ministry(order)],
        end_status=_APPROVED,
    )


def prohibited(desk: Desk) -> Written:
    """The plain case."""
    return _to_be_held(desk, "The item must not be sold: the order is held, and a person decides.", PROHIBITED)


def prohibited_in_other_words(desk: Desk) -> Written:
    """A category or a restriction says so."""
    ways: tuple[Raw, ...] = (
        {"category": "Banned Artefacts"},
        {"restrictions": ["illegal"]},
        {"restrictions": {"banned": True}},
    )
    why = "The category or a restriction says that it must not be sold: the order is held."
    return _to_be_held(desk, why, desk.rng.choice(ways))


def unknown_item(desk: Desk) -> Written:
    """No row."""
    order = desk.order("processing", [(desk.item(), 1), (desk.item(known=False), desk.few())])
    return desk.case(
        order,
        "The inventory does not know one of the items: the order is held, and a person looks what was meant.",
        problems=["unknown-item"],
        actions=[holds(order, "unknown-item")],
        calls_person=True,
        end_status="on-hold",
    )


def item_spelt_another_way(desk: Desk) -> Written:
    """The inventory has it in other letters."""
    item = desk.item()
    order = desk.order("processing", [(item, desk.few())])
    line = cast("Raw", cast("list[object]", order["items"])[0])
    line["item_id"] = desk.one_of(
        item.item_id.lower(), item.item_id.replace("-", "_"), f"{item.item_id[:3]} {item.item_id[3:]}"
    )
    return desk.case(
        order,
        "The inventory has the item under an id that looks the same: nothing is held, a person corrects the id.",
        problems=["unknown-item"],
        calls_person=True,
    )


def status_in_words_of_another_system(desk: Desk) -> Written:
    """Nobody here knows it."""
    status = desk.one_of("voided", "complete", "draft", "Cancelled by customer", "fulfilled", "archived")
    order = desk.order(status, [(desk.item(current=0, row=RESTRICTED), desk.few())])
    return desk.case(
        order,
        "Its status is a word of another system: whatever is missing for it, a person says first what it means.",
        problems=["unknown-status"],
        calls_person=True,
    )


def _to_be_approved(desk: Desk, why: str, row: Raw) -> Written:
    order = desk.order("pending-approval", [(desk.item(row=row), desk.few())])
    return desk.case(
        order,
        why,
        problems=["restricted-without-approval"],
        actions=[asks_ministry(order)],
        end_status=_APPROVED,
    )


def _to_be_held(desk: Desk, why: str, row: Raw) -> Written:
    order = desk.order("processing", [(desk.item(row=row), 1), (desk.item(), desk.few())])
    return desk.case(
        order,
        why,
        problems=["prohibited-item"],
        actions=[holds(order, "prohibited-item")],
        calls_person=True,
        end_status="on-hold",
    )


KINDS: tuple[Writer, ...] = (
    restricted_without_approval,
    restricted_in_other_words,
    approval_by_nobody,
    prohibited,
    prohibited_in_other_words,
    unknown_item,
    item_spelt_another_way,
    status_in_words_of_another_system,
)

"""What an order is told of: each fact once, on every store, with its trace; and what cannot be so is refused."""

import asyncio
import multiprocessing
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
import simplejson

from daper.core.errors import ActionFailed, FactRefused, KeyTaken, NotFound
from daper.core.facts import FactAnswer
from daper.core.models import IdentityProof, Person, Scope
from daper.core.outcomes import Holding, OutcomeStatus
from daper.domains.orders.domain import OrdersDomain
from daper.domains.orders.json_keeping import JsonKeeping
from daper.domains.orders.sql_keeping import SqlKeeping, in_file, on_server
from daper.ports import TakesFacts, Telling, ToolCall
from daper.ports.store import OWN, LedgerRow, StoreAbout
from daper.stores import facts
from tests.orders_on_server import with_tables
from tests.postgresql import PostgresqlServer

DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINISTRY = "ministry@x.example"
HARRY = Person(name="harry", how=IdentityProof.OS_USER)
Raw = dict[str, object]


def order(order_id: str, status: str, *items: tuple[str, int], **more: object) -> Raw:
    lines = [{"item_id": item, "quantity": many, "unit_price": 1, "total_price": many} for item, many in items]
    total = sum(many for _, many in items)
    return {
        "order_id": order_id,
        "customer_name": "Harry",
        "customer_id": "C-1",
        "order_date": "2026-02-20",
        "status": status,
        "items": lines,
        "total": total,
    } | more


def row(item: str, current: int, **more: object) -> Raw:
    return {
        "item_id": item,
        "item_name": item,
        "current_stock": current,
        "available_stock": current,
        "reorder_quantity": 10,
        "supplier_contact": "supplier@x.example",
    } | more


ORDERS = (
    order("O-PAY", "pending-payment", ("OWL", 1)),
    order("O-ASKED", "payment_update_requested", ("OWL", 1)),
    order("O-EGG", "approval-requested", ("EGG", 1), approval_request={"approver": MINISTRY}),
    order(
        "O-CAKE",
        "restock-ordered",
        ("CAKE", 10),
        ("WAND", 4),
        restocks=[
            {"item_id": "CAKE", "quantity": 8, "state": "ordered", "key": "k-cake"},
            {"item_id": "WAND", "quantity": 4, "state": "ordered", "key": "k-wand"},
        ],
    ),
    order("O-HAND", "restock-ordered", ("OWL", 1)),
    order("O-GONE", "cancelled", ("OWL", 1)),
    order("O-ODD", "voided", ("OWL", 1)),
    order("O-DONE", "completed", ("OWL", 1)),
    order("O-NEXT", "processing", ("CAKE", 3), order_date="2026-02-25"),
)
ROWS = (
    row("OWL", 50),
    row("EGG", 5, special_requirements="Ministry approval"),
    row("CAKE", 2),
    row("WAND", 0),
)


@dataclass(kw_only=True)
class Shop:
    """A domain, and what is in its store."""

    domain: OrdersDomain
    keeping: JsonKeeping | SqlKeeping
    place: tuple[str, str]

    async def tell(
        self,
        order_id: str,
        fact: str,
        *,
        at: datetime | None = None,
        key: str = "",
        by: Person = HARRY,
        source: str = "",
        **arguments: str | int | None,
    ) -> FactAnswer:
        return await self.domain.tell(self.telling(order_id, fact, at=at, key=key, by=by, source=source, **arguments))

    def telling(
        self,
        order_id: str,
        fact: str,
        *,
        at: datetime | None = None,
        key: str = "",
        by: Person = HARRY,
        source: str = "",
        **arguments: str | int | None,
    ) -> Telling:
        return Telling(
            record_id=order_id,
            fact=fact,
            arguments=arguments,
            happened_at=at,
            by=by,
            door="test",
            request_key=key,
            source=source,
        )

    async def raw(self, order_id: str) -> Raw:
        records = await self.domain.context([order_id])
        return dict(next(each.data for each in records if each.record_id == order_id))

    async def stock(self, item: str) -> object:
        with self.keeping.store.reading() as book:
            found = book.stock(item)
            assert found is not None
            assert found["current_stock"] == found["available_stock"]
            return found["current_stock"]

    def rows(self, order_id: str) -> list[LedgerRow]:
        return [*self.keeping.deeds([order_id]).get(order_id, ())]

    async def kinds(self, order_id: str) -> set[str]:
        records = await self.domain.context([order_id])
        return {each.kind for each in self.domain.detect(records, DAY)}


def opened(kind: str, where: str) -> JsonKeeping | SqlKeeping:
    """The orders there, for this process or another."""
    if kind == "json":
        return JsonKeeping(Path(where))
    return in_file(Path(where)) if kind == "sqlite" else on_server(where)


def domain_of(keeping: JsonKeeping | SqlKeeping) -> OrdersDomain:
    return OrdersDomain(folder=Path(), approvers=(MINISTRY,), dataset="hogwarts", keepings=lambda _: keeping)


@pytest.fixture(params=["json", "sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    kind: str = request.param
    if kind == "postgresql":
        server: PostgresqlServer = request.getfixturevalue("postgresql")
        where = with_tables(server)
    else:
        where = str(tmp_path / "shop") if kind == "json" else str(tmp_path / "shop" / "orders.db")
    keeping = opened(kind, where)
    texts = {
        "orders.json": simplejson.dumps({"orders": ORDERS}),
        "inventory.json": simplejson.dumps({"inventory": ROWS}),
    }
    keeping.install(texts, about=StoreAbout(dataset=OWN))
    return Shop(domain=domain_of(keeping), keeping=keeping, place=(kind, where))


CAKES_CAME = Telling(
    record_id="O-CAKE",
    fact="delivered",
    arguments={"item": "CAKE", "quantity": 3},
    by=HARRY,
    door="test",
    request_key="d1",
)
DIED = 9


def last_entry(raw: Raw) -> Raw:
    return cast("list[Raw]", raw["status_history"])[-1]


def test_an_orders_domain_takes_facts(shop: Shop) -> None:
    assert isinstance(shop.domain, TakesFacts)
    assert list(shop.domain.facts) == ["paid", "approved", "delivered", "cancelled"]


@pytest.mark.parametrize("order_id", ["O-PAY", "O-ASKED"])
async def test_a_payment_that_came_in_is_written_down_once_with_who_told_it_and_when(shop: Shop, order_id: str) -> None:
    first = await shop.tell(order_id, "paid", at=DAY, source="the bank")
    after = await shop.raw(order_id)
    again = await shop.tell(order_id, "paid")

    assert (first.known, first.before["status"], first.after["status"]) == (
        False,
        next(each["status"] for each in ORDERS if each["order_id"] == order_id),
        "processing",
    )
    assert (again.known, await shop.raw(order_id)) == (True, after)
    assert "told by harry" in again.evidence[0]
    entry = last_entry(after)
    assert entry["told"]
    assert {name: entry[name] for name in ("status", "at", "by", "how", "door", "fact", "from")} == {
        "status": "processing",
        "at": "2026-03-01T12:00:00Z",
        "by": "harry",
        "how": "os-user",
        "door": "test",
        "fact": "paid",
        "from": "the bank",
    }
    [trace] = shop.rows(order_id)
    assert (trace.tool, trace.effect.status, trace.told) == ("told:paid", OutcomeStatus.APPLIED, first.told)
    assert trace.effect.wrote == first.wrote
    assert not await shop.kinds(order_id)


async def test_an_approval_is_written_down_for_whoever_was_asked(shop: Shop) -> None:
    first = await shop.tell("O-EGG", "approved", at=DAY)
    again = await shop.tell("O-EGG", "approved")

    raw = await shop.raw("O-EGG")
    assert (first.known, again.known) == (False, True)
    assert raw["approval"] == {"approver": MINISTRY, "at": "2026-03-01T12:00:00Z"}
    assert raw["status"] == "approved-preparing-shipment"
    assert len(shop.rows("O-EGG")) == 1


async def test_a_delivery_without_more_is_all_that_is_outstanding_and_raises_the_stock_once(shop: Shop) -> None:
    first = await shop.tell("O-CAKE", "delivered")
    again = await shop.tell("O-CAKE", "delivered")

    raw = await shop.raw("O-CAKE")
    assert (first.known, again.known, raw["status"]) == (False, True, "processing")
    restocks = cast("list[Raw]", raw["restocks"])
    assert [(each["state"], each["quantity"], each["taken"]) for each in restocks] == [
        ("delivered", 8, 10),
        ("delivered", 4, 4),
    ]
    assert (await shop.stock("CAKE"), await shop.stock("WAND")) == (0, 0), "2 + 8, and the order took its 10"
    assert not await shop.kinds("O-CAKE")
    assert await shop.kinds("O-NEXT") == {"inventory-short"}, "what is in stock went to the order before it"


async def test_deliveries_in_parts_add_up_and_the_claims_stay_right(shop: Shop) -> None:
    await shop.tell("O-CAKE", "delivered", item="WAND")
    first = await shop.tell("O-CAKE", "delivered", item="CAKE", quantity=3, at=DAY)
    await shop.tell("O-NEXT", "paid")
    told_twice = await shop.tell("O-CAKE", "delivered", item="CAKE", quantity=3, at=DAY)
    untimed = await shop.tell("O-CAKE", "delivered", item="CAKE", quantity=3)
    in_between = await shop.raw("O-CAKE")

    assert (first.known, told_twice.known, untimed.known) == (False, True, True)
    assert "say when it came" in untimed.evidence[0]
    assert in_between["status"] == "restock-ordered"
    assert await shop.stock("CAKE") == 5
    assert not await shop.kinds("O-CAKE"), "the rest is on its way"
    assert await shop.kinds("O-NEXT") == {"inventory-short"}, "all 5 are for the order before it"

    second = await shop.tell("O-CAKE", "delivered", item="CAKE", quantity=3, at=DAY + timedelta(hours=1))
    rest = await shop.tell("O-CAKE", "delivered")
    raw = await shop.raw("O-CAKE")
    assert (second.known, rest.known, raw["status"]) == (False, False, "processing")
    cakes = [each for each in cast("list[Raw]", raw["restocks"]) if each["item_id"] == "CAKE"]
    assert [(each["quantity"], each["state"], each["taken"], each["key"]) for each in cakes] == [
        (3, "delivered", 0, "k-cake"),
        (3, "delivered", 0, "k-cake"),
        (2, "delivered", 10, "k-cake"),
    ]
    assert await shop.stock("CAKE") == 0
    assert not await shop.kinds("O-CAKE")


async def test_a_key_tells_two_deliveries_of_the_same_apart_and_one_from_itself(shop: Shop) -> None:
    one = await shop.tell("O-CAKE", "delivered", item="CAKE", quantity=3, key="d1")
    same = await shop.tell("O-CAKE", "delivered", item="CAKE", quantity=3, key="d1")
    other = await shop.tell("O-CAKE", "delivered", item="CAKE", quantity=3, key="d2")

    assert (one.known, same.known, other.known, await shop.stock("CAKE")) == (False, True, False, 8)
    with pytest.raises(KeyTaken, match="take another key"):
        await shop.tell("O-CAKE", "delivered", item="CAKE", quantity=2, key="d1")
    with pytest.raises(KeyTaken, match="take another key"):
        await shop.tell("O-PAY", "paid", key="d1")
    of_another = await shop.tell("O-PAY", "paid", key="d1", by=HARRY.model_copy(update={"name": "ron"}))
    assert not of_another.known


async def test_a_key_of_what_was_known_counts_too(shop: Shop) -> None:
    known = await shop.tell("O-DONE", "paid", key="p1")
    again = await shop.tell("O-DONE", "paid", key="p1")
    assert (known.known, again.known) == (True, True)
    with pytest.raises(KeyTaken):
        await shop.tell("O-PAY", "paid", key="p1")


async def test_a_cancelled_order_gives_its_own_back_and_what_is_on_order_comes_into_the_stock(shop: Shop) -> None:
    await shop.tell("O-CAKE", "delivered", item="CAKE")
    assert await shop.stock("CAKE") == 0
    first = await shop.tell("O-CAKE", "cancelled")
    again = await shop.tell("O-CAKE", "cancelled")
    assert (first.known, again.known, await shop.stock("CAKE")) == (False, True, 10)
    assert any("still on order for it: 4 x WAND" in line for line in first.evidence)
    assert [each["taken"] for each in cast("list[Raw]", (await shop.raw("O-CAKE"))["restocks"]) if "taken" in each] == [
        0
    ]
    assert not await shop.kinds("O-NEXT"), "there is enough for the next one"

    late = await shop.tell("O-CAKE", "delivered")
    assert (late.known, await shop.stock("WAND"), (await shop.raw("O-CAKE"))["status"]) == (False, 4, "cancelled")


@pytest.mark.parametrize(
    ("order_id", "fact", "arguments", "why"),
    [
        ("O-GONE", "paid", {}, "is cancelled: nothing is owed for it"),
        ("O-GONE", "approved", {}, "is cancelled: there is nothing to approve"),
        ("O-DONE", "cancelled", {}, "is completed: it cannot be cancelled any more"),
        ("O-ODD", "paid", {}, "that status is not known here"),
        ("O-PAY", "approved", {}, "nothing of it needs an approval"),
        ("O-EGG", "approved", {"approver": "draco@x.example"}, "'draco@x.example' may not approve it|draco@x.example"),
        ("O-CAKE", "delivered", {"item": "OWL"}, "is no item of order 'O-CAKE'; its items: CAKE, WAND"),
        ("O-CAKE", "delivered", {"item": "CAKE", "quantity": 9}, "more than is outstanding for order 'O-CAKE': 8 x"),
        ("O-CAKE", "delivered", {"quantity": 2}, "of which item"),
        ("O-CAKE", "delivered", {"item": "CAKE", "quantity": 0}, "quantity: .*above 0"),
        ("O-CAKE", "delivered", {"item": "CAKE", "quantity": "some"}, "quantity: .*above 0"),
        ("O-HAND", "delivered", {}, "nothing was ordered from a supplier for it"),
        ("O-PAY", "delivered", {}, "nothing was ordered from a supplier for it"),
        ("O-PAY", "paid", {"item": "OWL"}, "paid takes no item; it takes: nothing more"),
        ("O-PAY", "lost", {}, "no fact that is known here; there are: paid, approved, delivered, cancelled"),
    ],
)
async def test_what_cannot_be_so_is_refused_with_the_reason_and_nothing_is_written(
    shop: Shop, order_id: str, fact: str, arguments: dict[str, str | int], why: str
) -> None:
    before = [await shop.raw(str(each["order_id"])) for each in ORDERS]
    with pytest.raises(FactRefused, match=why):
        await shop.domain.tell(replace(shop.telling(order_id, fact), arguments=arguments))
    assert [await shop.raw(str(each["order_id"])) for each in ORDERS] == before
    assert not shop.rows(order_id)


@pytest.mark.parametrize("source", ["x" * 201, "\u202e" * 40])
async def test_nobody_s_name_is_longer_than_what_is_shown_of_it(shop: Shop, source: str) -> None:
    with pytest.raises(FactRefused, match="is said in at most 200 characters"):
        await shop.domain.tell(replace(shop.telling("O-PAY", "paid"), source=source))
    assert not shop.rows("O-PAY")


async def test_a_name_with_hidden_characters_is_the_same_when_it_tells_again(shop: Shop) -> None:
    telling = replace(shop.telling("O-PAY", "paid"), source="Grin\u202egotts", request_key="k-1")
    assert (await shop.domain.tell(telling)).told.source == "Grin<U+202E>gotts"
    assert (await shop.domain.tell(telling)).known


@pytest.mark.filterwarnings("error")
async def test_a_part_of_a_piece_is_delivered_without_a_word_of_ours(shop: Shop) -> None:
    answer = await shop.domain.tell(
        replace(shop.telling("O-CAKE", "delivered"), arguments={"item": "CAKE", "quantity": "0.5"})
    )
    assert answer.told.arguments == {"item": "CAKE", "quantity": "0.5"}


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (datetime(2999, 1, 1, tzinfo=UTC), "is still to come"),
        (datetime(2026, 3, 1, 12), "says no time zone"),  # noqa: DTZ001 - that is what is refused
        (datetime(2026, 2, 19, tzinfo=UTC), "is before order 'O-PAY' came in"),
    ],
)
async def test_a_time_that_cannot_be_is_refused(shop: Shop, at: datetime, why: str) -> None:
    with pytest.raises(FactRefused, match=why):
        await shop.tell("O-PAY", "paid", at=at)
    assert not shop.rows("O-PAY")


async def test_an_order_that_is_not_there_is_not_found(shop: Shop) -> None:
    with pytest.raises(NotFound, match="there is no order 'O-NONE'"):
        await shop.tell("O-NONE", "paid")


async def test_what_is_foreseen_changes_nothing_and_says_what_telling_it_says(shop: Shop) -> None:
    before = await shop.raw("O-CAKE"), await shop.stock("CAKE")
    telling = shop.telling("O-CAKE", "delivered", at=DAY, key="f1")
    foreseen = await shop.domain.foresee(telling)
    assert (await shop.raw("O-CAKE"), await shop.stock("CAKE")) == before
    assert not shop.rows("O-CAKE")

    told = await shop.domain.tell(telling)
    assert (foreseen.foreseen, foreseen.known) == (True, False)
    assert (foreseen.before, foreseen.after, foreseen.evidence) == (told.before, told.after, told.evidence)


async def test_what_somebody_was_shown_is_written_down_and_nothing_else(shop: Shop) -> None:
    telling = shop.telling("O-CAKE", "delivered", item="CAKE")
    seen = replace(telling, shown=await shop.domain.foresee(telling))
    await shop.tell("O-CAKE", "delivered", item="CAKE", quantity=3)
    before = await shop.raw("O-CAKE"), await shop.stock("CAKE"), shop.rows("O-CAKE")

    with pytest.raises(FactRefused, match="'O-CAKE' has changed since it was shown"):
        await shop.domain.tell(seen)
    assert (await shop.raw("O-CAKE"), await shop.stock("CAKE"), shop.rows("O-CAKE")) == before

    assert not (await shop.domain.tell(replace(telling, shown=await shop.domain.foresee(telling)))).known
    known = replace(telling, shown=await shop.domain.foresee(telling))
    assert (await shop.domain.tell(known)).known
    with pytest.raises(FactRefused, match="'O-PAY' has changed since it was shown"):
        await shop.domain.tell(replace(shop.telling("O-PAY", "paid"), shown=known.shown))


async def test_ten_who_tell_the_same_at_once_have_told_it_once(shop: Shop) -> None:
    answers = await asyncio.gather(*(shop.tell("O-CAKE", "delivered") for _ in range(10)))
    assert sorted(each.known for each in answers) == [False, *[True] * 9]
    assert (await shop.stock("CAKE"), await shop.stock("WAND"), len(shop.rows("O-CAKE"))) == (0, 0, 1)


async def test_deliveries_and_cancellations_at_once_lose_no_piece(shop: Shop) -> None:
    """Whoever is first: all that came is in stock or with the order, and none of it twice."""
    told = [
        shop.tell("O-CAKE", "delivered", item="CAKE", quantity=2, key="d1"),
        shop.tell("O-CAKE", "delivered", item="CAKE", quantity=6, key="d2"),
        shop.tell("O-CAKE", "cancelled"),
        shop.tell("O-CAKE", "delivered", item="WAND", key="d3"),
    ]
    answers = await asyncio.gather(*told)
    assert not any(each.known for each in answers)
    assert (await shop.stock("CAKE"), await shop.stock("WAND")) == (10, 4)


async def restock(shop: Shop, order_id: str, key: str) -> ToolCall:
    """An approved action on an order, as its plan saw it."""
    expected = {each.ref: each.version for each in await shop.domain.context([order_id])}
    arguments = {
        "order_id": order_id,
        "inventory_to_order": "CAKE",
        "inventory_description": "CAKE",
        "quantity": 10,
    }
    return ToolCall(key=key, record_id=order_id, arguments=dict(arguments), expected=expected, today=DAY)


async def test_a_plan_on_an_order_of_which_something_was_told_is_stale(shop: Shop) -> None:
    call = await restock(shop, "O-NEXT", "r1")
    await shop.tell("O-NEXT", "cancelled")
    done = await shop.domain.tools["order_inventory"].apply(call)
    assert done.status is OutcomeStatus.STALE


async def test_an_effect_and_a_fact_at_once_come_one_after_the_other(shop: Shop) -> None:
    for number in range(5):
        call = await restock(shop, "O-NEXT", f"r{number}")
        effect, told = await asyncio.gather(
            shop.domain.tools["order_inventory"].apply(call),
            shop.tell("O-CAKE", "delivered", item="CAKE", quantity=1, key=f"d{number}"),
        )
        assert not told.known
        assert effect.status in {OutcomeStatus.APPLIED, OutcomeStatus.STALE, OutcomeStatus.BLOCKED}
    assert await shop.stock("CAKE") == 7


async def test_what_a_tool_asked_for_is_there_once_it_was_told(shop: Shop) -> None:
    tool, call = shop.domain.tools["order_inventory"], await restock(shop, "O-NEXT", "r1")
    effect = await tool.apply(call)
    assert effect.status is OutcomeStatus.APPLIED
    assert (await tool.holds(call, effect)).holding is Holding.WAITING

    await shop.tell("O-NEXT", "delivered", quantity=4)
    part = await tool.holds(call, effect)
    await shop.tell("O-NEXT", "delivered")
    all_of_it = await tool.holds(call, effect)

    assert part.holding is Holding.WAITING
    assert part.evidence.startswith("4 of 10 x CAKE were delivered")
    assert all_of_it.holding is Holding.YES


async def test_what_was_told_from_a_moment_on_is_known_the_oldest_first(shop: Shop) -> None:
    first = await shop.tell("O-PAY", "paid", source="the bank")
    await shop.tell("O-PAY", "paid")
    later = await shop.tell("O-EGG", "approved")
    await shop.tell("O-NEXT", "cancelled")

    async def told(since: datetime) -> list[tuple[str, str]]:
        found = await shop.domain.told_since(["O-EGG", "O-PAY", "O-HAND"], since)
        return [(each.record_id, each.fact) for each in found]

    assert await told(first.told.told_at) == [("O-PAY", "paid"), ("O-EGG", "approved")]
    assert await told(later.told.told_at) == [("O-EGG", "approved")]
    assert await told(later.told.told_at + timedelta(seconds=1)) == []


async def test_a_message_is_overtaken_once_all_that_it_asks_for_was_told(shop: Shop) -> None:
    call = await restock(shop, "O-NEXT", "r1")
    await shop.domain.tools["order_inventory"].apply(call)
    [message] = await shop.domain.messages_of(call.key)
    told = [await shop.domain.overtaken(message)]
    for many in (4, None):
        await shop.tell("O-NEXT", "delivered", quantity=many)
        told.append(await shop.domain.overtaken(message))

    assert told[:2] == ["", ""], "nothing of it, and a part"
    assert told[2].startswith("delivered was told on ")
    assert told[2].endswith(" by harry")


async def test_what_has_nothing_to_do_with_a_message_does_not_overtake_it(shop: Shop) -> None:
    call = await restock(shop, "O-NEXT", "r1")
    await shop.domain.tools["order_inventory"].apply(call)
    [message] = await shop.domain.messages_of(call.key)
    await shop.tell("O-NEXT", "paid")
    assert await shop.domain.overtaken(message) == ""
    assert await shop.domain.overtaken(message.model_copy(update={"key": "other"})) == ""
    await shop.tell("O-NEXT", "cancelled")
    assert (await shop.domain.overtaken(message)).startswith("cancelled was told on ")


async def test_a_fact_that_breaks_in_the_middle_has_not_happened(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise ActionFailed("the light went out")

    before = await shop.raw("O-CAKE")
    with monkeypatch.context() as broken:
        broken.setattr(facts, "_write", breaks)
        with pytest.raises(ActionFailed):
            await shop.tell("O-CAKE", "delivered", key="d1")
    assert (await shop.raw("O-CAKE"), await shop.stock("CAKE"), shop.rows("O-CAKE")) == (before, 2, [])
    assert not (await shop.tell("O-CAKE", "delivered", key="d1")).known


def _tell_and_die(kind: str, where: str, dies: str) -> None:
    """In a process that dies in the middle of it, or before it could say what came of it."""

    def die(*_: object, **__: object) -> None:
        os._exit(DIED)

    if dies == "in the middle":
        facts._write = die  # type: ignore[reportPrivateUsage]
    asyncio.run(domain_of(opened(kind, where)).tell(CAKES_CAME))
    os._exit(DIED)


@pytest.mark.parametrize(
    ("dies", "happened"), [("in the middle", False), pytest.param("after it", True, marks=pytest.mark.long)]
)
async def test_a_process_that_dies_has_told_all_of_it_or_nothing(shop: Shop, dies: str, happened: bool) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_tell_and_die, args=(*shop.place, dies))
    process.start()
    process.join(60)
    assert process.exitcode == DIED
    assert (await shop.stock("CAKE"), len(shop.rows("O-CAKE"))) == ((5, 1) if happened else (2, 0))

    assert (await shop.domain.tell(CAKES_CAME)).known == happened
    assert (await shop.stock("CAKE"), len(shop.rows("O-CAKE"))) == (5, 1)


async def test_the_list_of_open_orders_follows(shop: Shop) -> None:
    before = await shop.domain.count_open(Scope())
    await shop.tell("O-PAY", "cancelled")
    assert await shop.domain.count_open(Scope()) == before - 1

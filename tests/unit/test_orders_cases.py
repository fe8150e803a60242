"""The generated cases of the orders: the same for the same seed, written by hand, and known to the rules or not."""

import ast
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

import daper.domains.orders.cases as cases_package
from daper.core.cases import Case, CaseSet, CaseSort
from daper.core.errors import UserError
from daper.core.models import MOST_PROBLEMS, Finding, Proposal, Scope
from daper.domains.orders.amounts import gaps
from daper.domains.orders.cases.desk import AS_OF
from daper.domains.orders.cases.shop import ABOUT, KINDS, MOST_PER_KIND, case_shop
from daper.domains.orders.domain import open_domain
from daper.domains.orders.models import Order, StockRow
from daper.domains.orders.world import ORDERS_FILE, STOCK_FILE, raw_orders, raw_stock
from daper.ports import Evaluable
from daper.stores import jsontext

SEEDS = (1, 2, 7)
BY_SORT = {sort: [kind for kind, (its, _) in KINDS.items() if its is sort] for sort in CaseSort}
UNKNOWABLE = BY_SORT[CaseSort.UNKNOWABLE]
THINKING = {"rules", "needs", "obstacles", "terms", "proposals", "handing_over", "statuses", "restrictions", "amounts"}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the rules make of some cases."""

    cases: CaseSet
    findings: tuple[Finding, ...]
    proposals: tuple[Proposal, ...]
    for_person: Mapping[str, str]

    def kinds(self, case: Case) -> list[str]:
        return [finding.kind for finding in self.findings if finding.record_id == case.record_id]

    def actions(self, case: Case) -> list[Proposal]:
        return [proposal for proposal in self.proposals if proposal.record_id == case.record_id]

    def calls_person(self, case: Case) -> bool:
        return any(
            finding.fingerprint in self.for_person for finding in self.findings if finding.record_id == case.record_id
        )


async def by_the_rules(folder: Path, seed: int, kinds: tuple[str, ...] = ()) -> Judged:
    domain = open_domain(folder, {})
    cases = await domain.install_cases(seed=seed, per_kind=2, kinds=kinds)
    records = (await domain.scan(Scope())).records
    findings = domain.detect(records, AS_OF)
    proposed = domain.propose(findings, records)
    return Judged(cases=cases, findings=findings, proposals=proposed.proposals, for_person=proposed.for_person)


def orders_of(texts: Mapping[str, str]) -> dict[str, Order]:
    document = jsontext.parse(texts[ORDERS_FILE].encode(), path=Path(ORDERS_FILE))
    orders = [Order.model_validate(raw) for raw in raw_orders({ORDERS_FILE: document})]
    return {order.order_id: order for order in orders}


def test_there_are_many_kinds_of_fault_and_enough_of_everything_else() -> None:
    assert len(BY_SORT[CaseSort.FAULT]) >= 20
    assert len(BY_SORT[CaseSort.CLEAN]) >= 10
    assert len(UNKNOWABLE) >= 3
    assert all(len(kinds) >= 3 for kinds in BY_SORT.values())


def test_the_same_seed_makes_the_same_shop_and_another_one_another() -> None:
    one, same, other = case_shop(seed=1, per_kind=2), case_shop(seed=1, per_kind=2), case_shop(seed=2, per_kind=2)

    assert one == same
    assert one.texts != other.texts
    assert [case.record_id for case in one.cases.cases] != [case.record_id for case in other.cases.cases]
    assert Counter(case.kind for case in one.cases.cases) == Counter(case.kind for case in other.cases.cases)


def test_each_kind_is_there_as_often_as_asked_for_and_its_cases_differ() -> None:
    shop = case_shop(seed=1, per_kind=3)
    often, orders = Counter(case.kind for case in shop.cases.cases), orders_of(shop.texts)

    assert often == dict.fromkeys([*KINDS, "ordered-once", "served-first"], 3)
    assert len(orders) == len(shop.cases.cases)
    assert len({order.customer_name for order in orders.values()}) == 3 * len(KINDS)


def test_with_some_kinds_alone_their_orders_are_the_same_as_among_all() -> None:
    every, some = case_shop(seed=5, per_kind=2), case_shop(seed=5, per_kind=2, kinds=["stock-short", "paid-twice"])
    orders = orders_of(every.texts)

    assert {case.kind for case in some.cases.cases} == {"stock-short", "paid-twice"}
    assert orders_of(some.texts).items() <= orders.items()
    assert [case for case in every.cases.cases if case in some.cases.cases] == list(some.cases.cases)


@pytest.mark.parametrize(
    ("per_kind", "kinds", "says"),
    [
        (0, (), "0 cases of each kind cannot be made; from 1 to"),
        (MOST_PER_KIND + 1, (), "cannot be made"),
        (1, ("payment-denied", "no-such-kind"), "there is no kind of case 'no-such-kind'; there are: payment-pending,"),
    ],
)
def test_cases_that_cannot_be_made_are_refused(per_kind: int, kinds: tuple[str, ...], says: str) -> None:
    with pytest.raises(UserError, match=says):
        case_shop(seed=1, per_kind=per_kind, kinds=kinds)


def test_most_cases_of_each_kind_are_no_more_problems_than_one_repair_takes_on() -> None:
    cases = case_shop(seed=1, per_kind=MOST_PER_KIND).cases.cases

    assert sum(len(case.problems) + len(case.tolerated) for case in cases) < MOST_PROBLEMS


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_rules_know_all_that_can_be_known(seed: int, tmp_path: Path) -> None:
    judged = await by_the_rules(tmp_path / "data", seed)

    for case in judged.cases.cases:
        if not case.knowable:
            continue
        assert Counter(judged.kinds(case)) == Counter(case.problems), case
        assert case.calls_person in (None, judged.calls_person(case)), case
        proposals = judged.actions(case)
        assert [proposal.tool for proposal in proposals] == [action.tool for action in case.actions], case
        for proposal, action in zip(proposals, case.actions, strict=True):
            assert proposal.arguments | action.arguments == proposal.arguments, case
            for name, (least, most) in action.between.items():
                value = proposal.arguments[name]
                assert isinstance(value, int)
                assert least <= value <= most, case


@pytest.mark.parametrize("kind", UNKNOWABLE)
async def test_the_rules_see_nothing_of_what_cannot_be_known(kind: str, tmp_path: Path) -> None:
    judged = await by_the_rules(tmp_path / "data", 1, (kind,))
    cases = [case for case in judged.cases.cases if not case.knowable]

    assert len(cases) == 2
    for case in cases:
        assert case.problems == ("other",)
        assert case.calls_person is True
        assert case.actions == ()
        assert set(judged.kinds(case)) <= set(case.tolerated)


def test_what_is_right_is_written_by_hand_and_not_computed_by_the_rules() -> None:
    [folder] = cases_package.__path__
    sources = sorted(Path(folder).glob("*.py"))

    assert len(sources) > 5
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                modules = {str(node.module).rpartition(".")[2], *(alias.name for alias in node.names)}
                assert not modules & THINKING, source
            assert not isinstance(node, ast.Import) or not {alias.name for alias in node.names} & THINKING, source


def test_the_amounts_are_wrong_only_where_that_is_the_case() -> None:
    shop = case_shop(seed=1, per_kind=2)
    orders = orders_of(shop.texts)
    wrong = {case.record_id for case in shop.cases.cases if "totals-mismatch" in case.problems}

    assert {order_id for order_id, order in orders.items() if gaps(order)} == wrong


def test_the_least_quantity_covers_what_is_missing_and_the_most_fills_the_shelf_once_the_order_has_its_own() -> None:
    shop = case_shop(seed=1, per_kind=2)
    stock = jsontext.parse(shop.texts[STOCK_FILE].encode(), path=Path(STOCK_FILE))
    rows = {row.item_id: row for row in map(StockRow.model_validate, raw_stock({STOCK_FILE: stock}))}
    orders = orders_of(shop.texts)
    restocks = [action for case in shop.cases.cases for action in case.actions if action.tool == "order_inventory"]

    assert len(restocks) > 10
    for action in restocks:
        row = rows[str(action.arguments["inventory_to_order"])]
        needed = orders[str(action.arguments["order_id"])].quantities[row.item_id]
        least, most = action.between["quantity"]
        assert row.available is not None
        assert row.current_stock is not None
        earlier = 8 if str(action.arguments["order_id"]).endswith("-L") else 0  # what the order before it takes
        assert row.available - earlier + least == needed
        assert row.current_stock - earlier + most - needed == row.max_stock_level


def test_no_two_orders_share_an_item_but_what_was_ordered_or_sold_twice() -> None:
    shop = case_shop(seed=1, per_kind=2)
    kinds = {case.record_id: case.kind for case in shop.cases.cases}
    sold: dict[str, set[str]] = {}
    for order_id, order in orders_of(shop.texts).items():
        for item in order.quantities:
            sold.setdefault(item, set()).add(kinds[order_id])

    assert {frozenset(of) for of in sold.values() if len(of) > 1} == {
        frozenset({"ordered-once", "ordered-twice"}),
        frozenset({"served-first", "oversold"}),
    }


def test_neither_an_order_s_id_nor_its_place_tells_what_it_is_a_case_of() -> None:
    shop = case_shop(seed=1, per_kind=2)
    first = list(dict.fromkeys(case.kind for case in shop.cases.cases if case.kind in KINDS))

    assert [case.record_id for case in shop.cases.cases] == list(orders_of(shop.texts))
    assert first != list(KINDS)
    for case in shop.cases.cases:
        assert not set(case.kind.split("-")) & set(case.record_id.lower().split("-")), case


async def test_a_store_begins_with_the_cases_in_the_layout_in_which_it_writes(tmp_path: Path) -> None:
    domain = open_domain(tmp_path / "data", {})
    assert isinstance(domain, Evaluable)
    await domain.install_cases(seed=1)

    info = await domain.store()
    assert (info.as_of, info.counterparty) == (ABOUT.as_of, "simulated")
    for name, text in case_shop(seed=1).texts.items():
        written = (tmp_path / "data" / name).read_bytes()
        assert written.decode() == text
        assert jsontext.dump(jsontext.parse(written, path=Path(name))) == written


@pytest.mark.parametrize("own", [True, False], ids=["own records", "shipped records"])
async def test_cases_never_replace_records(own: bool, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    if own:
        folder.mkdir()
        (folder / ORDERS_FILE).write_text('{"orders": []}', encoding="utf-8")
    else:
        await open_domain(folder, {}).store()
    before = {path: path.read_bytes() for path in folder.glob("*.json")}

    with pytest.raises(UserError, match="cases need a new store, and nothing was done"):
        await open_domain(folder, {}).install_cases(seed=1)

    assert {path: path.read_bytes() for path in folder.glob("*.json")} == before

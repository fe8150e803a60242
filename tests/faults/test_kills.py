"""D1, D19, D22, S2, S10: workers and holders of the store are killed with -9 while ten repairs run."""

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from daper.core.outcomes import OutcomeStatus
from daper.domains.orders.changes import list_of
from daper.domains.orders.world import raw_orders
from tests.faults.checks import Evidence, Told, gather, problems
from tests.faults.generated_payments import TOOLS, Need
from tests.faults.generated_shop import GeneratedShop
from tests.faults.grounds import PaymentsGround, ShopGround
from tests.faults.kill_harness import DOMAINS, Outcome, run
from tests.faults.payments_checks import PaymentsEvidence, problems_of_payments
from tests.faults.tampering import Tamper, copied, forget_row, lose_message, repeat_message

pytestmark = pytest.mark.long

SEED = 3
E = TypeVar("E", bound=Told)


@dataclass(frozen=True)
class Aftermath:
    """What is left of orders, and of the run."""

    outcome: Outcome
    shop: GeneratedShop
    evidence: Evidence


@pytest.fixture(scope="module")
async def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    outcome = await run(kills=3, repairs=10, seed=SEED, home=tmp_path_factory.mktemp("kills"))
    sys.stdout.write(f"{outcome}\n")
    assert isinstance(outcome.ground, ShopGround)
    assert isinstance(outcome.evidence, Evidence)
    return Aftermath(outcome, outcome.ground.shop, outcome.evidence)


def test_three_kills_among_ten_repairs_repeat_nothing_and_lose_nothing(aftermath: Aftermath) -> None:
    _nothing_is_wrong(aftermath.outcome, kills=3, repairs=10)


@pytest.fixture(scope="module", params=DOMAINS[1:])
async def payments(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    outcome = await run(
        kills=4, repairs=10, seed=SEED, within=800, home=tmp_path_factory.mktemp("kills"), domain=request.param
    )
    sys.stdout.write(f"{outcome}\n")
    return outcome


def test_four_kills_among_repairs_of_a_declared_domain_repeat_nothing_and_lose_nothing(payments: Outcome) -> None:
    _nothing_is_wrong(payments, kills=4, repairs=10)


def test_the_checks_see_what_does_not_agree_in_a_declared_domain(payments: Outcome) -> None:
    """Whatever is another than it is in what is left: the table, the ledger, what the processor did, what is told."""
    ground, left = payments.ground, payments.evidence
    assert isinstance(ground, PaymentsGround)
    assert isinstance(left, PaymentsEvidence)
    by_tool = {one.tool: one for one in left.effects.values()}
    retried, closed, charged = (by_tool[TOOLS[need]] for need in (Need.RETRY, Need.CLOSE, Need.CHARGE))
    refused = next(one for one in ground.payments.tasks.values() if one.is_rejected).record_id
    amount = left.found[refused].amount
    asked = left.asked[charged.key]
    row = left.rows[retried.key]

    def as_it_would_be(record_id: str, **changes: object) -> PaymentsEvidence:
        found = dataclasses.replace(left.found[record_id], **changes)  # pyright: ignore[reportArgumentType] - of its own
        return dataclasses.replace(left, found={**left.found, record_id: found})

    wrong = {
        "done twice": as_it_would_be(retried.record_id, attempts=2),
        "not done": as_it_would_be(retried.record_id, status="failed", attempts=0),
        "not approved": as_it_would_be(refused, status="queued", attempts=1),
        "closed twice": as_it_would_be(closed.record_id, closings=(amount, amount)),
        "the ledger lost it": dataclasses.replace(left, rows={k: v for k, v in left.rows.items() if k != retried.key}),
        "approved by nobody": dataclasses.replace(left, rows={**left.rows, "k": row.model_copy(update={"key": "k"})}),
        "charged twice": dataclasses.replace(left, acted={**left.acted, charged.key: 2}),
        "not charged": dataclasses.replace(left, acted={k: v for k, v in left.acted.items() if k != charged.key}),
        "asked by nobody": dataclasses.replace(left, asked={**left.asked, "k": asked}),
        "asked for something else": dataclasses.replace(
            left, asked={**left.asked, charged.key: (*asked, dataclasses.replace(asked[0], body=b"{}"))}
        ),
        "nobody knows": _with_status(left, retried.key, OutcomeStatus.UNKNOWN),
        "nothing is told of it": _with_status(left, retried.key, None),
    }
    assert problems_of_payments(ground.payments, left) == ()
    for name, evidence in wrong.items():
        assert problems_of_payments(ground.payments, evidence), name


def _nothing_is_wrong(outcome: Outcome, *, kills: int, repairs: int) -> None:
    assert outcome.problems == (), str(outcome)
    assert outcome.kills.total() == kills
    assert len(outcome.evidence.results) >= repairs
    assert outcome.retried, f"no kill met any work; the seed {SEED} shows nothing"


def _change_row(folder: Path, key: str) -> None:
    row = folder / "ledger" / f"{key}.json"
    row.write_text(row.read_text("utf-8").replace('"before": {', '"before": {"seen": 1, ', 1), "utf-8")


@pytest.mark.parametrize("tamper", [forget_row, lose_message, repeat_message, _change_row])
def test_the_checks_name_the_key_when_ledger_or_outbox_differ(
    aftermath: Aftermath, tmp_path: Path, tamper: Tamper
) -> None:
    shop, key = copied(aftermath.shop, tmp_path), next(iter(aftermath.evidence.effects))
    tamper(shop.folder, key)
    found = problems(shop, gather(shop, aftermath.evidence.results, held=aftermath.evidence.held))
    assert any(key in problem for problem in found), found


@pytest.mark.parametrize("status", [OutcomeStatus.UNKNOWN, OutcomeStatus.FAILED, OutcomeStatus.STALE, None])
def test_the_checks_name_the_key_when_an_outcome_is_not_the_ledgers(
    aftermath: Aftermath, status: OutcomeStatus | None
) -> None:
    key = next(iter(aftermath.evidence.effects))
    changed = _with_status(aftermath.evidence, key, status)
    found = problems(aftermath.shop, changed)
    assert any(key in problem for problem in found), found


@pytest.mark.parametrize(("file", "was", "then"), [("inventory.json", '"current_stock": 0', '"current_stock": 1')])
def test_the_checks_see_stock_that_no_effect_explains(
    aftermath: Aftermath, tmp_path: Path, file: str, was: str, then: str
) -> None:
    shop = copied(aftermath.shop, tmp_path)
    text = (shop.folder / file).read_text("utf-8")
    (shop.folder / file).write_text(text.replace(was, then, 1), "utf-8")
    found = problems(shop, gather(shop, aftermath.evidence.results, held=aftermath.evidence.held))
    assert any("its effects give" in problem for problem in found), found


def test_the_checks_see_an_effect_that_is_in_the_order_twice(aftermath: Aftermath, tmp_path: Path) -> None:
    shop = copied(aftermath.shop, tmp_path)
    paid = next(task for task in shop.tasks if task.endswith("-PAY"))
    with shop.store().change() as change:
        order = next(raw for raw in raw_orders(change.documents) if raw["order_id"] == paid)
        history = list_of(order, "status_history")
        history += history.copy()
    found = problems(shop, gather(shop, aftermath.evidence.results, held=aftermath.evidence.held))
    assert any(problem.startswith(f"{paid}: ") for problem in found), found


def _with_status(evidence: E, key: str, status: OutcomeStatus | None) -> E:
    """The evidence with another status for the outcome of a key, or without that outcome."""
    results = [
        result.model_copy(
            update={
                "outcomes": tuple(
                    one if one.key != key else one.model_copy(update={"status": status})
                    for one in result.outcomes
                    if one.key != key or status is not None
                )
            }
        )
        for result in evidence.results
    ]
    return dataclasses.replace(evidence, results=results)

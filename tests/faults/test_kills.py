"""D1, D19, D22, S2, S10: workers and holders of the store are killed with -9 while ten repairs run."""

import dataclasses
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from daper.core.outcomes import OutcomeStatus
from daper.domains.orders.changes import list_of
from daper.domains.orders.world import raw_orders
from tests.faults.checks import Evidence, gather, problems
from tests.faults.generated_shop import GeneratedShop
from tests.faults.kill_harness import Outcome, run

pytestmark = pytest.mark.long

SEED = 3


@pytest.fixture(scope="module")
async def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    outcome = await run(kills=3, repairs=10, seed=SEED, home=tmp_path_factory.mktemp("kills"))
    sys.stdout.write(f"{outcome}\n")
    return outcome


def test_three_kills_among_ten_repairs_repeat_nothing_and_lose_nothing(aftermath: Outcome) -> None:
    assert aftermath.problems == (), str(aftermath)
    assert aftermath.kills.total() == 3
    assert len(aftermath.evidence.results) >= 10
    assert aftermath.retried, f"no kill met any work; the seed {SEED} shows nothing"


Tamper = Callable[[Path, str], None]


def _forget_row(folder: Path, key: str) -> None:
    (folder / "ledger" / f"{key}.json").unlink()


def _lose_message(folder: Path, key: str) -> None:
    (folder / "outbox" / f"{key[:16]}-1.json").unlink()


def _repeat_message(folder: Path, key: str) -> None:
    shutil.copy(folder / "outbox" / f"{key[:16]}-1.json", folder / "outbox" / f"{key[:16]}-2.json")


def _change_row(folder: Path, key: str) -> None:
    row = folder / "ledger" / f"{key}.json"
    row.write_text(row.read_text("utf-8").replace('"before": {', '"before": {"seen": 1, ', 1), "utf-8")


@pytest.mark.parametrize("tamper", [_forget_row, _lose_message, _repeat_message, _change_row])
def test_the_checks_name_the_key_when_ledger_or_outbox_differ(
    aftermath: Outcome, tmp_path: Path, tamper: Tamper
) -> None:
    shop, key = _copy(aftermath, tmp_path), next(iter(aftermath.evidence.effects))
    tamper(shop.folder, key)
    found = problems(shop, gather(shop, aftermath.evidence.results, held=aftermath.evidence.held))
    assert any(key in problem for problem in found), found


@pytest.mark.parametrize("status", [OutcomeStatus.UNKNOWN, OutcomeStatus.FAILED, OutcomeStatus.STALE, None])
def test_the_checks_name_the_key_when_an_outcome_is_not_the_ledgers(
    aftermath: Outcome, status: OutcomeStatus | None
) -> None:
    key = next(iter(aftermath.evidence.effects))
    changed = _with_status(aftermath.evidence, key, status)
    found = problems(aftermath.shop, changed)
    assert any(key in problem for problem in found), found


@pytest.mark.parametrize(("file", "was", "then"), [("inventory.json", '"current_stock": 0', '"current_stock": 1')])
def test_the_checks_see_stock_that_no_effect_explains(
    aftermath: Outcome, tmp_path: Path, file: str, was: str, then: str
) -> None:
    shop = _copy(aftermath, tmp_path)
    text = (shop.folder / file).read_text("utf-8")
    (shop.folder / file).write_text(text.replace(was, then, 1), "utf-8")
    found = problems(shop, gather(shop, aftermath.evidence.results, held=aftermath.evidence.held))
    assert any("its effects give" in problem for problem in found), found


def test_the_checks_see_an_effect_that_is_in_the_order_twice(aftermath: Outcome, tmp_path: Path) -> None:
    shop = _copy(aftermath, tmp_path)
    paid = next(task for task in shop.tasks if task.endswith("-PAY"))
    with shop.store().change() as change:
        order = next(raw for raw in raw_orders(change.documents) if raw["order_id"] == paid)
        history = list_of(order, "status_history")
        history += history.copy()
    found = problems(shop, gather(shop, aftermath.evidence.results, held=aftermath.evidence.held))
    assert any(problem.startswith(f"{paid}: ") for problem in found), found


def _copy(aftermath: Outcome, folder: Path) -> GeneratedShop:
    shutil.copytree(aftermath.shop.folder, folder / "store")
    return dataclasses.replace(aftermath.shop, folder=folder / "store")


def _with_status(evidence: Evidence, key: str, status: OutcomeStatus | None) -> Evidence:
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

"""Everything goes wrong at once while repairs are decided on; and whatever would be wrong with the end, is counted."""

import dataclasses
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from daper.core.outcomes import ActionOutcome, OutcomeStatus, RepairResult
from daper.core.phases import Phase
from daper.domains.orders.changes import list_of
from daper.domains.orders.world import raw_orders
from tests.faults.cases import Case, Edit
from tests.faults.chaos_harness import Outcome, run
from tests.faults.checks import gather
from tests.faults.generated_shop import GeneratedShop
from tests.faults.reckoning import Fault, Wrong, reckon
from tests.faults.tampering import Tamper, copied, forget_row, lose_message, repeat_message
from tests.faults.troubles import Kind, draw_troubles

SEED = 4


def test_one_seed_always_draws_the_same_faults_and_each_kind_as_often() -> None:
    drawn = draw_troubles(16, random.Random(SEED))
    assert drawn == draw_troubles(16, random.Random(SEED))
    assert drawn != draw_troubles(16, random.Random(SEED + 1))
    assert sorted(trouble.kind for trouble in drawn) == sorted([*Kind, *Kind])


@pytest.fixture(scope="module")
async def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    outcome = await run(seed=SEED, faults=16, repairs=6, folder=tmp_path_factory.mktemp("chaos"))
    sys.stdout.write(f"{outcome}\n")
    return outcome


@pytest.mark.long
def test_sixteen_faults_at_once_among_repairs_break_no_promise(aftermath: Outcome) -> None:
    assert aftermath.wrong == (), str(aftermath)
    assert aftermath.chaos.done.total() == 16
    assert len(aftermath.cases) >= 6
    assert aftermath.evidence.effects, f"no repair did anything; the seed {SEED} shows nothing"


@pytest.mark.long
@pytest.mark.parametrize(
    ("tamper", "fault"),
    [(repeat_message, Fault.DOUBLE), (lose_message, Fault.LOST), (forget_row, Fault.MISREPORTED)],
)
def test_what_is_wrong_with_ledger_or_outbox_is_counted(
    aftermath: Outcome, tmp_path: Path, tamper: Tamper, fault: Fault
) -> None:
    shop, (case, outcome) = copied(aftermath.shop, tmp_path), _done(aftermath)
    tamper(shop.folder, outcome.key)
    found = _reckoned(aftermath, shop, aftermath.cases)
    assert (fault, case.repair_id) in {(one.fault, one.case) for one in found}, found


@pytest.mark.long
def test_an_effect_that_is_in_the_records_twice_is_counted(aftermath: Outcome, tmp_path: Path) -> None:
    shop, (case, outcome) = copied(aftermath.shop, tmp_path), _done(aftermath)
    with shop.store().change() as change:
        order = next(raw for raw in raw_orders(change.documents) if raw["order_id"] == outcome.record_id)
        history = list_of(order, "status_history")
        history += history.copy()
    found = _reckoned(aftermath, shop, aftermath.cases)
    assert (Fault.DOUBLE, case.repair_id) in {(one.fault, one.case) for one in found}, found


def _never_sent(case: Case, outcome: ActionOutcome) -> Case:
    return dataclasses.replace(case, sent=[])


def _open(case: Case, outcome: ActionOutcome) -> Case:
    return dataclasses.replace(case, result=None)


def _without_outcome(case: Case, outcome: ActionOutcome) -> Case:
    return _with(case, lambda result: {"outcomes": tuple(one for one in result.outcomes if one != outcome)})


def _with_status(status: OutcomeStatus) -> Callable[[Case, ActionOutcome], Case]:
    def change(case: Case, outcome: ActionOutcome) -> Case:
        told = outcome.model_copy(update={"status": status})
        return _with(
            case, lambda result: {"outcomes": tuple(told if one == outcome else one for one in result.outcomes)}
        )

    return change


def _failed(case: Case, outcome: ActionOutcome) -> Case:
    return _with(case, lambda result: {"phase": Phase.REPAIR_FAILED, "reason": "the disk is full"})


def _never_approved(case: Case, outcome: ActionOutcome) -> Case:
    return _with(
        case,
        lambda result: {
            "decisions": tuple(one.model_copy(update={"will_run": {}}) for one in result.decisions),
        },
    )


@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (_never_sent, Fault.UNDECIDED),
        (_never_approved, Fault.UNDECIDED),
        (_open, Fault.STUCK),
        (_without_outcome, Fault.LOST),
        (_with_status(OutcomeStatus.UNKNOWN), Fault.UNKNOWN),
        (_with_status(OutcomeStatus.STALE), Fault.MISREPORTED),
        (_with_status(OutcomeStatus.LAPSED), Fault.FAILED),
        (_failed, Fault.FAILED),
    ],
)
def test_what_is_wrong_with_a_repair_is_counted(
    aftermath: Outcome, change: Callable[[Case, ActionOutcome], Case], fault: Fault
) -> None:
    case, outcome = _done(aftermath)
    changed = [change(one, outcome) if one is case else one for one in aftermath.cases]
    found = _reckoned(aftermath, aftermath.shop, changed)
    assert fault in {one.fault for one in found}, found


@pytest.mark.long
def test_an_effect_on_a_record_that_was_edited_after_its_plan_was_seen_is_counted(
    aftermath: Outcome, tmp_path: Path
) -> None:
    case, outcome = _done(aftermath)
    edit = Edit(order_id=outcome.record_id, mark="edit-by-hand.", before_decision=True)
    changed = [dataclasses.replace(one, edits=[edit]) if one is case else one for one in aftermath.cases]
    shop = copied(aftermath.shop, tmp_path)
    with shop.store().change() as change:
        order = next(raw for raw in raw_orders(change.documents) if raw["order_id"] == outcome.record_id)
        order["notes"] = f"{edit.mark} {order['notes']}"
    found = _reckoned(aftermath, shop, changed)
    assert (Fault.UNDECIDED, case.repair_id) in {(one.fault, one.case) for one in found}, found
    lost = _reckoned(aftermath, aftermath.shop, changed)
    assert (Fault.LOST, case.repair_id) in {(one.fault, one.case) for one in lost}, lost


def _done(aftermath: Outcome) -> tuple[Case, ActionOutcome]:
    """A repair that did something, and what it did first."""
    return next(
        (case, outcome)
        for case in aftermath.cases
        for outcome in (case.result.outcomes if case.result else ())
        if outcome.status.took_effect
    )


def _with(case: Case, change: Callable[[RepairResult], dict[str, object]]) -> Case:
    assert case.result is not None
    return dataclasses.replace(case, result=case.result.model_copy(update=change(case.result)))


def _reckoned(aftermath: Outcome, shop: GeneratedShop, cases: Sequence[Case]) -> tuple[Wrong, ...]:
    results = [case.result for case in cases if case.result is not None]
    return reckon(
        shop,
        gather(shop, results),
        cases=cases,
        reports=aftermath.reports,
        others=aftermath.chaos.others,
        beside=aftermath.beside,
    )

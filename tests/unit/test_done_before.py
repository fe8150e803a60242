"""A plan tells what was done to a record before, as the ledger has it: nobody asks or buys twice unseen."""

from datetime import UTC, datetime
from pathlib import Path

from orders_shop import BADGES, own_shop
from temporalio.testing import ActivityEnvironment

from daper.activities.claims import Claims
from daper.activities.diagnosis import DiagnoseActivities
from daper.adapters.state import StatePlace
from daper.agents.deterministic import RulesAgents
from daper.core.lines import LineKind, action_lines
from daper.core.messages import CycleRef, PlanInput
from daper.core.outcomes import OutcomeStatus
from daper.core.views import view_action
from daper.domains.orders import shipped
from daper.ports import ImportWay

NOW = datetime(2025, 7, 1, tzinfo=UTC)


async def test_what_was_ordered_before_a_replacement_stands_in_the_plan_that_would_order_again(tmp_path: Path) -> None:
    shop = await own_shop(tmp_path / "data")
    for name, text in shipped.texts("hogwarts").items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert (await shop.run("order_inventory", BADGES)).status is OutcomeStatus.APPLIED
    files = [tmp_path / name for name in shipped.DOCUMENTS]
    draft = await shop.domain.read_import(files, now=NOW, way=ImportWay(merge=False))
    await shop.domain.import_records(draft, replace_own=True)
    shop.edit("orders.json", "order_id", "ORD-001-HJP", customer_email="harry@owls.example")
    records = await shop.domain.context(["ORD-002-HJG", "ORD-001-HJP"])
    store = (await shop.domain.store()).store_id
    activities = DiagnoseActivities(
        domains={"orders": shop.domain},
        agents=RulesAgents(),
        claims=Claims(memory=StatePlace(home=tmp_path / "home").memory(), runs=None),  # pyright: ignore[reportArgumentType]
    )
    cycle = CycleRef(repair_id="r", cycle_id="c", domain="orders", store_id=store, today=NOW)
    given = PlanInput(cycle=cycle, round=1, first_action=1, findings=shop.domain.detect(records, NOW))

    plan = await ActivityEnvironment().run(activities.plan_repair, given)

    told = {action.bound.record_id: action.done_before for action in plan.actions}
    assert {record for record, done in told.items() if done} == {"ORD-002-HJG"}
    [line] = told["ORD-002-HJG"]
    assert line.startswith("wrote to orders@tinandpin.example to order 200 x 'STP-ORG-001', on ")
    [action] = [action for action in plan.actions if action.done_before]
    [shown] = [each for each in action_lines(view_action(action)) if each.kind is LineKind.DONE_BEFORE]
    assert (shown.label, shown.text) == ("done before", line)

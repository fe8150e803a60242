"""What `apply_action` and `undo_action` refuse before any tool is called: everything but what was approved, in time."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from daper_alerts import Alerts
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from daper.activities.repair import RepairActivities
from daper.clock import utc_now
from daper.core.digests import digest, effect_key
from daper.core.messages import ActionRef, Applied, CycleRef, UndoInput, VerifyInput
from daper.core.models import BoundAction, Fallback, Finding, ProposedAction, Risk
from daper.core.outcomes import ActionOutcome, Effect, Holding, OutcomeStatus, Postcondition
from daper.ports import ToolCall

NOON = datetime(2025, 6, 28, 12, tzinfo=UTC)
CYCLE = CycleRef(repair_id="r", cycle_id="c", domain="alerts", store_id="alerts-1", today=NOON)


def action(**changes: object) -> ProposedAction:
    text = BoundAction.model_validate(
        {
            "cycle_id": "c",
            "round": 1,
            "domain": "alerts",
            "store_id": "alerts-1",
            "tool": "restart_service",
            "record_id": "owl-post",
            "arguments": {"service": "owl-post"},
            "reads": {},
            "editable": {},
            "risk": Risk.LOW,
            "if_it_does_not_help": Fallback.HAND_OVER,
            **changes,
        }
    ).to_text()
    return ProposedAction(id="a1", text=text, digest=digest(text))


def ref(given: ProposedAction, **changes: object) -> ActionRef:
    whole: dict[str, object] = {
        "cycle": CYCLE,
        "action": given,
        "approved_digest": given.digest,
        "key": effect_key("c", given.digest),
        "valid_until": NOON,
    }
    return ActionRef.model_validate(whole | changes)


async def refused(home: Path, given: ActionRef, *, now: datetime = NOON) -> tuple[str, Alerts]:
    alerts = Alerts(home, ["owl-post"])
    activities = RepairActivities(domains={"alerts": alerts}, now=lambda: now)
    with pytest.raises(ApplicationError) as error:
        await ActivityEnvironment().run(activities.apply_action, given)
    assert alerts.world.restarts == {}, "no tool was called"
    assert error.value.non_retryable
    return f"{error.value.type}: {error.value.message}", alerts


async def test_what_was_approved_runs(tmp_path: Path) -> None:
    alerts = Alerts(tmp_path, ["owl-post"])
    activities = RepairActivities(domains={"alerts": alerts}, now=lambda: NOON)
    given = ref(action(), valid_until=utc_now() + timedelta(hours=1))
    outcome = await ActivityEnvironment().run(activities.apply_action, given)
    assert outcome.status is OutcomeStatus.APPLIED
    assert list(alerts.world.restarts) == [effect_key("c", action().digest)]


async def test_d4_a_text_that_is_not_the_approved_one_is_not_run(tmp_path: Path) -> None:
    other = action(arguments={"service": "floo-network"})
    forged = action().model_copy(update={"text": other.text})
    for given in (ref(forged), ref(other, approved_digest=action().digest)):
        why, _ = await refused(tmp_path, given)
        assert "is not what was approved" in why


@pytest.mark.parametrize("changes", [{"cycle_id": "another"}, {"store_id": "alerts-2"}, {"domain": "orders"}])
async def test_d2_an_action_of_another_cycle_store_or_domain_is_not_run(
    tmp_path: Path, changes: Mapping[str, object]
) -> None:
    why, _ = await refused(tmp_path, ref(action(**changes)))
    assert "belongs to another cycle or store" in why


async def test_d1_a_key_that_is_not_the_actions_own_is_not_used(tmp_path: Path) -> None:
    why, _ = await refused(tmp_path, ref(action(), key=effect_key("another", action().digest)))
    assert "a key that is not its own" in why


async def test_d5_versions_that_are_missing_or_too_many_are_not_guessed(tmp_path: Path) -> None:
    why, _ = await refused(tmp_path, ref(action(reads={"orders/1": "v1"})))
    assert "without the versions" in why
    why, _ = await refused(tmp_path, ref(action(), expected={"orders/1": "v1"}))
    assert "without the versions" in why


async def test_an_attempt_after_the_approval_ran_out_does_not_begin_whatever_the_tool_knows_of_time(
    tmp_path: Path,
) -> None:
    why, _ = await refused(tmp_path, ref(action()), now=NOON + timedelta(microseconds=1))
    assert why.startswith("ApprovalLapsed: ")


async def test_a_store_that_is_not_the_cycles_own_is_not_touched(tmp_path: Path) -> None:
    elsewhere = CYCLE.model_copy(update={"store_id": "alerts-2"})
    why, _ = await refused(tmp_path, ref(action(store_id="alerts-2"), cycle=elsewhere))
    assert why.startswith("WrongStore: ")


async def test_an_undo_that_the_plan_did_not_show_is_not_run(tmp_path: Path) -> None:
    alerts = Alerts(tmp_path, ["owl-post"])
    activities = RepairActivities(domains={"alerts": alerts}, now=lambda: NOON)
    given = ref(action())
    done = ActionOutcome(
        action_id="a1", record_id="owl-post", tool="restart_service", status=OutcomeStatus.APPLIED, key=given.key
    )
    with pytest.raises(ApplicationError, match="no undo that was approved"):
        await ActivityEnvironment().run(activities.undo_action, UndoInput(ref=given, outcome=done))


async def test_many_are_verified_a_few_at_once_so_that_one_that_hangs_does_not_keep_all_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts, now, most = Alerts(tmp_path, ["owl-post"]), 0, 0

    class Slow:
        name = "restart_service"

        async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
            nonlocal now, most
            now, most = now + 1, max(most, now + 1)
            for _ in range(20):
                await asyncio.sleep(0)
            now -= 1
            return Postcondition(holding=Holding.YES, evidence=call.record_id)

    monkeypatch.setattr(Alerts, "tools", {"restart_service": Slow()})
    found = Finding(record_id="", kind="down", issue="it is down", fingerprint="")
    records = [f"owl-{number}" for number in range(20)]
    findings = tuple(found.model_copy(update={"record_id": each, "fingerprint": each}) for each in records)
    applied = tuple(
        Applied(
            ref=ref(action(record_id=each).model_copy(update={"answers": (each,)})),
            outcome=ActionOutcome(
                action_id="a1", record_id=each, tool="restart_service", status=OutcomeStatus.APPLIED, key="k"
            ),
        )
        for each in records
    )
    given = VerifyInput(cycle=CYCLE, findings=findings, applied=applied, record_ids=tuple(records))
    activities = RepairActivities(domains={"alerts": alerts}, now=lambda: NOON)
    verified = await ActivityEnvironment().run(activities.verify_repair, given)
    assert [each.evidence for each in verified.findings] == records, "in the order in which they were applied"
    assert 1 < most < len(records)

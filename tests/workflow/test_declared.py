"""A whole repair of a domain that a file declares: what was approved is done, verified, and reported."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue
from temporalio.testing import WorkflowEnvironment

from daper import workers
from daper.core.errors import ActionFailed, StoreUnavailable
from daper.core.models import MOST_PROBLEMS, Fallback, Finding, Verdict
from daper.core.outcomes import OutcomeStatus, RepairResult
from daper.core.phases import Phase
from daper.domains.declared.domain import DeclaredDomain
from daper.domains.declared.set_tool import SetTool
from daper.ports import Record, Terms
from daper.stores.rows.engine import disconnect
from tests.declared_shop import FILE, ONE_SOON, Payments, payments_in
from tests.declared_tools import TOKEN, http_file
from tests.payment_processor import processing
from tests.workflow.shop import HARRY, Shop, open_shop


@pytest.fixture(params=ONE_SOON)
def payments(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Payments]:
    made = payments_in(request.param, tmp_path, request)
    made.more = {"PROCESSOR_TOKEN": TOKEN}
    made.domain().now().store.init()
    yield made
    made.engine.dispose()
    disconnect()


@pytest.fixture
async def shop(temporal_env: WorkflowEnvironment, tmp_path: Path, payments: Payments) -> AsyncIterator[Shop]:
    async with open_shop(temporal_env, tmp_path / "home", domains={"payments": payments.domain()}) as opened:
        yield opened


async def test_some_of_a_plan_is_done_and_the_rest_is_left(shop: Shop, payments: Payments) -> None:
    repair_id = await shop.start(domain="payments")
    plan = await shop.plan(repair_id)
    assert {action.record_id: action.tool for action in plan.actions} == {"7": "retry_payment", "8": "close_payment"}
    first = next(action for action in plan.actions if action.record_id == "7")
    assert (first.preview[0].before, first.preview[0].after) == ("failed", "queued")
    verdicts = {action.id: Verdict.APPROVE if action.record_id == "7" else Verdict.REJECT for action in plan.actions}
    await shop.decide(repair_id, plan, by=HARRY, **verdicts)
    result = await shop.end(repair_id)
    assert result.phase is Phase.REPORT_COMPLETED
    assert {each.record_id: each.status for each in result.outcomes} == {
        "7": OutcomeStatus.APPLIED,
        "8": OutcomeStatus.REJECTED,
    }
    assert (payments.row(7)["status"], payments.row(8)["status"]) == ("queued", "failed")
    assert "luna@" not in result.model_dump_json(), "what is hidden is in the result"


async def test_what_was_changed_after_the_plan_is_not_done(shop: Shop, payments: Payments) -> None:
    repair_id = await shop.start(domain="payments", scope={"record_ids": ["7"]})
    plan = await shop.plan(repair_id)
    payments.run("UPDATE payments SET amount = 99 WHERE id = 7")
    await shop.decide(repair_id, plan)
    result = await shop.end(repair_id)
    assert [each.status for each in result.outcomes] == [OutcomeStatus.STALE]
    assert (payments.row(7)["status"], payments.row(7)["attempts"]) == ("failed", 1)


@pytest.mark.long
async def test_what_did_not_help_is_taken_back(shop: Shop, payments: Payments) -> None:
    payments.file.write_text(
        FILE.replace('spends = "amount"', 'spends = "amount"\nhelped = "r.status == \'paid\'"'), encoding="utf-8"
    )
    repair_id = await shop.start(domain="payments", scope={"record_ids": ["7"]})
    await shop.decide(repair_id, await shop.plan(repair_id))
    result = await shop.end(repair_id)
    assert (payments.row(7)["status"], payments.row(7)["attempts"]) == ("failed", 1)
    assert result.counts.undone == 1


def many(payments: Payments, number: int, *, limit: str, helped: str = "r.status == 'paid'") -> None:
    """So many more failed payments, and a tool with caps whose effect helps or not."""
    payments.run("UPDATE payments SET status = 'paid'")
    for payment in range(100, 100 + number):
        payments.run(
            f"INSERT INTO payments VALUES ({payment}, 'O1', 'failed', 'timeout', 10.00, 'EUR', 1,"  # noqa: S608 - a number
            " '2026-11-20 10:00:00', NULL)"
        )
    told = f'spends = "amount"\nsettles = "15m"\nhelped = "{helped}"\nlimit = {limit}'
    payments.file.write_text(FILE.replace('spends = "amount"', told), encoding="utf-8")


async def settled(shop: Shop, repair_id: str, *, times: int = 1) -> RepairResult:
    """The end of a repair whose effects take a quarter of an hour to show, so many times."""
    for number in range(1, times + 1):
        await shop.until(
            repair_id, lambda look, number=number: look.phases_seen.count(Phase.VERIFYING_REPAIR) == number
        )
        await shop.env.fast_forward(shop.client.get_workflow_handle(repair_id), timedelta(minutes=15))
    return await shop.end(repair_id)


@pytest.mark.parametrize("number", [40, pytest.param(1000, marks=pytest.mark.long)])
async def test_a_tool_that_does_not_help_is_tried_on_one_of_many(shop: Shop, payments: Payments, number: int) -> None:
    many(payments, number, limit="{ canary = 1 }")
    planned = min(number, MOST_PROBLEMS)
    repair_id = await shop.start(domain="payments", scope={"limit": planned})
    plan = await shop.plan(repair_id)
    assert (plan.total_actions, {action.canary for action in plan.actions}) == (planned, {1})
    verdicts = {f"a{each}": Verdict.APPROVE for each in range(1, planned + 1)}
    await shop.decide(repair_id, plan, by=HARRY, **verdicts)
    result = await settled(shop, repair_id)
    first, *others = result.outcomes
    assert first.status is OutcomeStatus.UNDONE
    assert {each.status for each in others} == {OutcomeStatus.SKIPPED}
    told = f"{first.action_id}, tried first, did not help (still-open, undone)"
    assert all(told in each.evidence[0] for each in others)
    assert len(others) == planned - 1
    assert any(f"{planned - 1} actions of retry_payment not done" in each for each in result.troubles)
    assert payments.number("status = 'failed' AND attempts = 1") == number
    phases = [each.phase for each in result.timeline]
    assert phases.count(Phase.VERIFYING_REPAIR) == 1


async def test_once_what_was_tried_first_has_helped_the_others_run(shop: Shop, payments: Payments) -> None:
    many(payments, 5, limit="{ canary = 2 }", helped="r.status == 'queued'")
    repair_id = await shop.start(domain="payments")
    await shop.decide(repair_id, await shop.plan(repair_id))
    result = await settled(shop, repair_id, times=3)
    assert {each.status for each in result.outcomes} == {OutcomeStatus.APPLIED}
    assert payments.number("status = 'queued' AND attempts = 2") == 5
    phases = [each.phase for each in result.timeline if each.phase in {Phase.PENDING_REPAIR, Phase.VERIFYING_REPAIR}]
    assert phases == [Phase.PENDING_REPAIR, Phase.VERIFYING_REPAIR] * 3
    assert result.durations["VERIFYING-REPAIR"] >= timedelta(minutes=45)
    assert result.counts.repaired == 5
    assert result.troubles == ()


async def test_one_that_is_tried_first_speaks_for_those_alike_alone(
    shop: Shop, payments: Payments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each sort one is tried; where that does not help, the others of that sort are not done, and the rest is."""
    many(payments, 6, limit="{ canary = 1 }", helped="r.id >= 103")
    terms = SetTool.terms

    def sorted_terms(
        self: SetTool, record_id: str, arguments: Mapping[str, JsonValue], records: Sequence[Record]
    ) -> Terms:
        alike = "late ones" if int(record_id) >= 103 else "early ones"
        return replace(terms(self, record_id, arguments, records), alike=alike)

    monkeypatch.setattr(SetTool, "terms", sorted_terms)
    repair_id = await shop.start(domain="payments")
    plan = await shop.plan(repair_id)
    assert {action.alike for action in plan.actions} == {"late ones", "early ones"}
    await shop.decide(repair_id, plan)
    result = await settled(shop, repair_id, times=3)
    became = {each.record_id: str(each.status) for each in result.outcomes}
    assert became == {
        "100": "undone",
        **dict.fromkeys(("101", "102"), "skipped"),
        **dict.fromkeys(("103", "104", "105"), "applied"),
    }
    assert any("2 actions of retry_payment (early ones) not done" in each for each in result.troubles)


async def test_of_one_that_is_stale_nothing_was_seen_and_the_next_is_tried(shop: Shop, payments: Payments) -> None:
    many(payments, 4, limit="{ canary = 1 }")
    repair_id = await shop.start(domain="payments")
    plan = await shop.plan(repair_id)
    payments.run(f"UPDATE payments SET amount = 11 WHERE id = {plan.actions[0].record_id}")  # noqa: S608 - a number
    await shop.decide(repair_id, plan)
    result = await settled(shop, repair_id)
    assert [str(each.status) for each in result.outcomes] == ["stale", "undone", "skipped", "skipped"]


async def test_a_repair_that_is_stopped_while_one_is_tried_does_no_others(shop: Shop, payments: Payments) -> None:
    many(payments, 3, limit="{ canary = 1 }")
    repair_id = await shop.start(domain="payments")
    await shop.decide(repair_id, await shop.plan(repair_id))
    await shop.until(repair_id, lambda look: look.phase is Phase.VERIFYING_REPAIR)
    await shop.service.stop(repair_id, by="Harry")
    result = await shop.end(repair_id)
    assert result.phase is Phase.CANCELLED
    assert [str(each.status) for each in result.outcomes] == ["applied", "lapsed", "lapsed"]
    assert payments.number("status = 'failed' AND attempts = 1") == 2


MARK = """
[[rule]]
kind  = "unmarked"
sql   = "SELECT p.id FROM payments p WHERE p.note IS NULL AND p.status IN ('failed', 'queued')"
issue = "Nobody has looked at it."
fix   = "mark_payment"

[[tool]]
name  = "mark_payment"
does  = "Notes that somebody looked."
risk  = "low"
table = "payments"
set   = { note = "'looked at'" }
"""


def marked(payments: Payments, *, limit: str = "{}") -> None:
    """A second tool, which is for the records of the first one as well."""
    payments.file.write_text(f"{payments.file.read_text(encoding='utf-8')}{MARK}limit = {limit}\n", encoding="utf-8")


async def test_what_has_to_run_behind_a_sort_that_is_still_to_be_tried_waits_for_that(
    shop: Shop, payments: Payments
) -> None:
    many(payments, 3, limit="{ canary = 1 }")
    payments.run("UPDATE payments SET note = 'seen' WHERE id = 100")
    marked(payments, limit="{ canary = 1 }")
    repair_id = await shop.start(domain="payments")
    plan = await shop.plan(repair_id)
    assert [(each.record_id, each.tool) for each in plan.actions] == [
        ("100", "retry_payment"),
        ("101", "retry_payment"),
        ("101", "mark_payment"),
        ("102", "retry_payment"),
        ("102", "mark_payment"),
    ]
    await shop.decide(repair_id, plan)
    result = await settled(shop, repair_id)
    became = [str(each.status) for each in result.outcomes]
    assert became == ["undone", "skipped", "applied", "skipped", "applied"]


async def test_behind_one_that_was_tried_and_taken_back_nothing_is_done_to_its_record(
    shop: Shop, payments: Payments
) -> None:
    many(payments, 3, limit="{ canary = 1 }")
    marked(payments)
    repair_id = await shop.start(domain="payments")
    plan = await shop.plan(repair_id)
    assert [(each.record_id, each.tool) for each in plan.actions][:2] == [
        ("100", "retry_payment"),
        ("100", "mark_payment"),
    ]
    await shop.decide(repair_id, plan)
    await shop.until(repair_id, lambda look: look.phase is Phase.VERIFYING_REPAIR)
    result = await settled(shop, repair_id)
    tried, behind, *others = result.outcomes
    assert (tried.status, behind.status) == (OutcomeStatus.UNDONE, OutcomeStatus.SKIPPED)
    assert behind.evidence == (f"{tried.action_id} on the same record ended as undone",)
    assert [(each.tool, str(each.status)) for each in others] == [
        ("retry_payment", "skipped"),
        ("mark_payment", "applied"),
    ] * 2


async def test_where_nobody_can_see_whether_it_helped_nothing_more_is_done(
    temporal_env: WorkflowEnvironment, tmp_path: Path, payments: Payments
) -> None:
    class Blinded(DeclaredDomain):
        def detect(self, records: Sequence[Record], today: datetime) -> tuple[Finding, ...]:
            if payments.number("status = 'queued'"):
                raise ActionFailed("nobody can look")
            return super().detect(records, today)

    many(payments, 3, limit="{ canary = 1 }")
    payments.run("UPDATE payments SET note = 'seen' WHERE id <> 102")
    marked(payments)
    blinded = Blinded(payments.file, variables={"PAYMENTS_URL": payments.url, **payments.more}.get)
    async with open_shop(temporal_env, tmp_path / "blinded", domains={"payments": blinded}) as shop:
        repair_id = await shop.start(domain="payments")
        await shop.decide(repair_id, await shop.plan(repair_id))
        result = await settled(shop, repair_id)
    assert result.phase is Phase.REPAIR_FAILED
    assert [str(each.status) for each in result.outcomes] == ["applied", "skipped", "skipped", "skipped"]
    assert payments.number("note = 'looked at'") == 0
    assert any("1 action of mark_payment not done: what was tried first could not be ver" in t for t in result.troubles)


@pytest.mark.long
async def test_what_lapses_while_one_is_tried_is_asked_for_again_and_tried_again(
    shop: Shop, payments: Payments
) -> None:
    many(payments, 3, limit="{ canary = 1 }", helped="r.status == 'queued'")
    repair_id = await shop.start(domain="payments", decision_valid_for=timedelta(minutes=10))
    await shop.decide(repair_id, await shop.plan(repair_id))
    await shop.until(repair_id, lambda look: look.phase is Phase.VERIFYING_REPAIR)
    await shop.env.fast_forward(shop.client.get_workflow_handle(repair_id), timedelta(minutes=15))
    again = await shop.plan(repair_id, round_number=2)
    assert [action.record_id for action in again.actions] == ["101", "102"]
    await shop.decide(repair_id, again, by=HARRY, a4=Verdict.APPROVE, a5=Verdict.REJECT)
    await shop.until(repair_id, lambda look: look.phases_seen.count(Phase.VERIFYING_REPAIR) == 2)
    await shop.env.fast_forward(shop.client.get_workflow_handle(repair_id), timedelta(minutes=15))
    result = await shop.end(repair_id)
    assert [str(each.status) for each in result.outcomes] == ["applied", "lapsed", "lapsed", "applied", "rejected"]
    assert payments.number("status = 'queued' AND attempts = 2") == 2


async def test_a_plan_has_no_more_of_a_tool_than_its_caps(shop: Shop, payments: Payments) -> None:
    many(payments, 7, limit="{ per_plan = 5, money = 31 }", helped="r.status == 'queued'")
    payments.run("UPDATE payments SET amount = 99 WHERE id = 100")
    payments.run("UPDATE payments SET amount = NULL WHERE id = 101")
    repair_id = await shop.start(domain="payments")
    plan = await shop.plan(repair_id)
    assert [action.record_id for action in plan.actions] == ["102", "103", "104"]
    blocked = {each.record_id: each.reason for each in plan.blocked}
    assert blocked.keys() == {"100", "101"}
    assert blocked["100"].startswith("it spends 99")
    assert blocked["101"].startswith("nobody can say what it spends")
    assert plan.left_out == 2, "105 and 106 are another repair's"
    await shop.decide(repair_id, plan)
    result = await settled(shop, repair_id)
    assert payments.number("status = 'queued'") == 3
    assert result.counts.repaired == 3


async def test_a_system_is_asked_for_what_was_approved_and_for_nothing_else(
    shop: Shop, payments: Payments, tmp_path: Path
) -> None:
    payments.run(
        "INSERT INTO payments VALUES (11, 'O3', 'failed', 'timeout', 4.00, 'EUR', 1, '2026-11-20 10:00:00', NULL)"
    )
    with processing("act close") as processor:
        text = http_file(processor.url).replace("= 'cancelled'", "= 'cancelled' AND p.status = 'failed'")
        payments.file.write_text(text, encoding="utf-8")
        repair_id = await shop.start(domain="payments")
        plan = await shop.plan(repair_id)
        assert not processor.asked
        actions = {action.record_id: action for action in plan.actions}
        assert {each.record_id: each.tool for each in plan.actions} == {
            "7": "retry_payment",
            "8": "close_payment",
            "11": "retry_payment",
        }
        assert actions["7"].preview[0].after == f"POST {processor.url}/payments/7/retry?order=O1"
        assert {name: each.if_it_does_not_help for name, each in actions.items()} == {
            "7": Fallback.HAND_OVER,
            "8": Fallback.UNDO,
            "11": Fallback.HAND_OVER,
        }
        verdicts = {each.id: Verdict.REJECT if each.record_id == "11" else Verdict.APPROVE for each in plan.actions}
        await shop.decide(repair_id, plan, by=HARRY, **verdicts)
        result = await shop.end(repair_id)
    assert {each.record_id: each.status for each in result.outcomes} == {
        "7": OutcomeStatus.APPLIED,
        "8": OutcomeStatus.APPLIED,
        "11": OutcomeStatus.REJECTED,
    }
    assert payments.row(8)["status"] == "closed: done"
    assert {each.path for each in processor.changes} == {"/payments/7/retry?order=O1"}
    assert sum(processor.acted.values()) == 1
    history = (await shop.client.get_workflow_handle(repair_id).fetch_history()).to_json()
    kept = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    assert TOKEN not in result.model_dump_json() + history + kept.decode(errors="replace")


async def test_what_nobody_can_tell_is_unknown_and_a_person_looks(shop: Shop, payments: Payments) -> None:
    with processing("act close") as processor:
        payments.file.write_text(http_file(processor.url, key_header=False, settle=False), encoding="utf-8")
        repair_id = await shop.start(domain="payments", scope={"record_ids": ["7"]})
        await shop.decide(repair_id, await shop.plan(repair_id))
        result = await shop.end(repair_id)
    assert [each.status for each in result.outcomes] == [OutcomeStatus.UNKNOWN]
    assert len(processor.changes) == 1
    assert result.counts.undone == 0


async def test_a_domain_that_could_not_be_used_at_the_start_is_worked_for_once_it_can_be(
    temporal_env: WorkflowEnvironment, tmp_path: Path, payments: Payments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "MENDED_WITHIN", timedelta(milliseconds=100))
    payments.file.write_text(FILE.replace("[records]", "[recrods]"), encoding="utf-8")
    async with open_shop(temporal_env, tmp_path / "home", domains={"payments": payments.domain()}) as shop:
        with pytest.raises(StoreUnavailable, match="did you mean 'records'"):
            await shop.start(domain="payments")
        payments.file.write_text(FILE, encoding="utf-8")
        repair_id = await shop.start(domain="payments", scope={"record_ids": ["7"]})
        await shop.decide(repair_id, await shop.plan(repair_id))
        result = await shop.end(repair_id)
    assert [each.status for each in result.outcomes] == [OutcomeStatus.APPLIED]

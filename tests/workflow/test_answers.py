"""What a person hears of a decision on a real server: two at once, an old page, the last moment, what was not shown."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.decisions import answer_plan
from daper.core.errors import DecisionRefused, Unreachable
from daper.core.messages import PageArgs
from daper.core.models import Decision, IdentityProof, Person, Risk, Verdict
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.selections import choose
from daper.core.views import PlanView, RepairView
from daper.service.answers import AnswerKind, Authority, DecisionAnswer, Shown
from tests.workflow.shop import DEADLINE, GINNY, HARRY, Shop, open_shop

PEOPLE = tuple(Person(name=f"Person {n}", how=IdentityProof.TOKEN) for n in range(8))
ONE_RECORD = {"record_ids": ["ORD-004-RHG"]}


def chosen(plan: PlanView, *, by: Person = HARRY, actions: str = "all", rejecting: tuple[str, ...] = ()) -> Decision:
    choice = choose(plan, Verdict.APPROVE, actions=(actions,), rejecting=rejecting)
    return answer_plan(plan, approved=choice.approved, rejected=choice.rejected, by=by, door="console")


async def answered(shop: Shop, repair_id: str, decision: Decision, seen: Shown) -> DecisionAnswer:
    """What is heard; a worker that has too much to do to answer is asked again, as a person would."""
    async with asyncio.timeout(DEADLINE):
        while True:
            with suppress(Unreachable):
                return await shop.service.answer(repair_id, decision, shown=seen)


async def test_a_decision_that_approves_some_and_rejects_others_does_exactly_that(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        given = chosen(plan, actions="all but a2, a3", rejecting=("tool:order_inventory",))
        heard = await answered(shop, repair_id, given, Shown.of(plan))
        result = await shop.end(repair_id)
        again = await shop.start()
        next_plan = await shop.plan(again)
        await shop.service.stop(again, by="Harry")
        await shop.end(again)

    assert heard.kind is AnswerKind.RECORDED
    assert heard.sentence.startswith("recorded: a1, a4 approved and a2 rejected by Harry (os-user) at ")
    statuses = {each.action_id: str(each.status) for each in result.outcomes}
    assert statuses == {"a1": "applied", "a2": "rejected", "a3": "not-approved", "a4": "applied"}
    assert shop.effects() == 2
    assert [action.record_id for action in next_plan.actions] == [plan.actions[2].record_id], "what was left is asked"
    assert plan.actions[1].record_id in {each.finding.record_id for each in next_plan.suppressed}


async def test_of_many_who_answer_at_once_one_is_recorded_and_the_others_hear_whose_it_is(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        wishes = ("a1", "a2", "a3", "a4")
        decisions = [
            chosen(plan, by=person, actions=wishes[at % 4], rejecting=(wishes[(at + 1) % 4],))
            for at, person in enumerate(PEOPLE)
        ]
        heard = await asyncio.gather(*(answered(shop, repair_id, each, Shown.of(plan)) for each in decisions))
        result = await shop.end(repair_id)

    [winner] = [at for at, each in enumerate(heard) if each.kind is AnswerKind.RECORDED]
    others = [each for at, each in enumerate(heard) if at != winner]
    assert {each.kind for each in others} == {AnswerKind.ALREADY_DECIDED}
    assert {each.by for each in others} == {f"{PEOPLE[winner].name} (token)"}
    assert all(each.at == heard[winner].at and PEOPLE[winner].name in each.sentence for each in others)
    assert [each.decision for each in result.decisions] == [decisions[winner]]
    ran = [each.action_id for each in result.outcomes if each.status.took_effect]
    assert (ran, shop.effects()) == ([wishes[winner % 4]], 1)


async def test_the_same_answer_twice_at_once_is_recorded_once_and_heard_as_such_by_both(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        given, seen = chosen(plan, actions="a4"), Shown.of(plan)
        twice = await asyncio.gather(*(answered(shop, repair_id, given, seen) for _ in range(2)))
        result = await shop.end(repair_id)
        late = await answered(shop, repair_id, given, seen)

    assert {each.kind for each in (*twice, late)} == {AnswerKind.RECORDED}
    assert late.repeated
    assert (len(result.decisions), shop.effects()) == (1, 1)


@pytest.mark.long
async def test_the_page_of_a_plan_that_lapsed_decides_nothing_and_shows_what_waits_now(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    async with shop.worker():
        repair_id = await shop.start(scope=ONE_RECORD, decision_valid_for=timedelta(seconds=1))
        first = await shop.plan(repair_id)
    async with shop.workflow_worker():
        await shop.decide(repair_id, first)
        await shop.until_lapsed(repair_id)
    async with shop.worker():
        second = await shop.plan(repair_id, round_number=2)
        old = await answered(shop, repair_id, chosen(first, by=GINNY), Shown.of(first))
        forged = chosen(first, by=GINNY).model_copy(update={"plan_digest": second.digest})
        mixed = await answered(shop, repair_id, forged, Shown.of(first))
        [new] = second.actions
        foreign = Shown(digest=second.digest, action_ids=frozenset(action.id for action in first.actions))
        with pytest.raises(DecisionRefused, match=f"{new.id} of the plan was not shown"):
            await answered(shop, repair_id, chosen(second), foreign)
        look = await shop.until(repair_id, lambda _: True)
        assert (look.phase, look.decision, shop.effects()) == (Phase.PENDING_APPROVAL, None, 0)
        heard = await answered(shop, repair_id, chosen(second), Shown.of(second))
        await shop.end(repair_id)

    assert (old.kind, mixed.kind, heard.kind) == (AnswerKind.CHANGED, AnswerKind.CHANGED, AnswerKind.RECORDED)
    assert old.changes == (
        "another plan waits now, of round 2, with 1 action",
        f"{new.id}: {new.tool} for ORD-004-RHG waits",
    )
    assert shop.effects() == 1


@pytest.mark.long
async def test_an_answer_in_the_very_moment_in_which_the_time_is_over_is_told_as_expired(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock has gone on while nobody worked: the answer and the end of the time come in the same task."""
    shop = Shop(temporal_env, tmp_path, domains=None, indexed=True)
    async with shop.worker():
        repair_id = await shop.start(scope=ONE_RECORD)
        plan = await shop.plan(repair_id)
        before = await shop.until(repair_id, lambda _: True)
    looks = shop.service.look
    seen_before = [before]

    async def look(repair_id: str, page: PageArgs | None = None) -> RepairView | RepairResult:
        return seen_before.pop() if seen_before else await looks(repair_id, page)

    monkeypatch.setattr(shop.service, "look", look)
    await temporal_env.fast_forward(shop.client.get_workflow_handle(repair_id), timedelta(hours=12, seconds=1))
    answering = asyncio.create_task(answered(shop, repair_id, chosen(plan), Shown.of(plan)))
    await shop.until_events(repair_id, "EVENT_TYPE_TIMER_FIRED")
    async with shop.worker():
        heard = await answering
        result = await shop.end(repair_id)
        after = await answered(shop, repair_id, chosen(plan), Shown.of(plan))

    assert (heard.kind, after.kind) == (AnswerKind.EXPIRED, AnswerKind.EXPIRED)
    assert heard.at is not None
    assert before.decide_by is not None
    assert heard.at >= before.decide_by
    assert (result.phase, result.decisions, shop.effects()) == (Phase.APPROVAL_EXPIRED, (), 0)


async def test_what_is_stopped_while_a_person_reads_is_told_as_changed(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        await shop.service.stop(repair_id, by="Ginny", reason="a mistake")
        at_once = await answered(shop, repair_id, chosen(plan), Shown.of(plan))
        await shop.end(repair_id)
        after = await answered(shop, repair_id, chosen(plan), Shown.of(plan))

    assert (at_once.kind, after.kind) == (AnswerKind.CHANGED, AnswerKind.CHANGED)
    assert after.changes[0].startswith("the repair ended as CANCELLED at ")
    assert after.changes[1] == "stopped by Ginny: a mistake"
    assert shop.effects() == 0


async def test_what_was_not_shown_or_not_allowed_is_not_decided_and_the_plan_waits_on(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with open_shop(temporal_env, tmp_path) as shop:
        repair_id = await shop.start()
        plan = await shop.plan(repair_id)
        two = Shown(digest=plan.digest, action_ids=frozenset({"a1", "a2"}))
        with pytest.raises(DecisionRefused, match="a3, a4 of the plan was not shown"):
            await answered(shop, repair_id, chosen(plan), two)
        with pytest.raises(DecisionRefused, match="a3 of the plan was not shown"):
            await answered(shop, repair_id, chosen(plan, actions="a1", rejecting=("a3",)), two)
        nobody = Authority(may_decide=False, who_can=("Minerva",))
        heard = await shop.service.answer(repair_id, chosen(plan), shown=Shown.of(plan), authority=nobody)
        assert (heard.kind, heard.who_can) == (AnswerKind.NOT_YOURS, ("Minerva",))
        look = await shop.until(repair_id, lambda _: True)
        assert (look.phase, look.decision, shop.effects()) == (Phase.PENDING_APPROVAL, None, 0)
        assert (await answered(shop, repair_id, chosen(plan, actions="a1"), two)).kind is AnswerKind.RECORDED
        await shop.end(repair_id)


@pytest.mark.long
async def test_what_the_policy_wants_a_passkey_for_is_approved_by_no_other_proof_and_rejected_by_any(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    policy = {"passkey_from": "medium"}
    signed = Person(name="Ginny Weasley", how=IdentityProof.PASSKEY)
    async with open_shop(temporal_env, tmp_path) as shop:
        first = await shop.start(auto_approve=True, policy=policy)
        uncovered = await shop.plan(first)  # by any grant
        rejects = answer_plan(uncovered, rejected=[each.id for each in uncovered.actions], by=GINNY, door="console")
        turned_down = await answered(shop, first, rejects, Shown.of(uncovered))
        await shop.end(first)
        repair_id = await shop.start(again=True, policy=policy)
        plan = await shop.plan(repair_id)
        medium = next(action.id for action in plan.actions if action.risk is Risk.MEDIUM)
        for proof in (proof for proof in IdentityProof if proof is not IdentityProof.PASSKEY):
            by = Person(name="Draco Malfoy", how=proof)
            why = "by the link of a message" if proof is IdentityProof.MAILBOX else "passkey alone"
            with pytest.raises(DecisionRefused, match=why):
                await answered(shop, repair_id, chosen(plan, by=by), Shown.of(plan))
        heard = await answered(shop, repair_id, chosen(plan, by=signed), Shown.of(plan))
        result = await shop.end(repair_id)

    assert heard.kind is AnswerKind.RECORDED
    assert medium in {each.action_id for each in result.outcomes if each.status.took_effect}
    assert turned_down.kind is AnswerKind.RECORDED

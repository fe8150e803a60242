"""What becomes of a repair when a model answers badly, late, or not at all: over real HTTP, with the real client."""

from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from daper.adapters.reports.repair_report import repair_report
from daper.agents.llm.agents import REPORT_TOKENS
from daper.core.phases import Phase
from daper.core.text import markdown
from daper.core.usage import Role
from daper.documents.markdown import to_markdown
from tests.cases import cases
from tests.llm import answers, mutations
from tests.llm.brains import good, mutated
from tests.llm.hostile import (
    PAGE,
    answered,
    bomb,
    drip,
    drip_of_headers,
    endless_stream,
    flood,
    nested,
    nested_reply,
    sent_on,
    with_value,
)
from tests.llm.shops import GOOD, KEY, blocked, model_shop, repaired, states_of_calls
from tests.llm.wire import Behaviour, refused

ALL = ["request_payment_update", "order_inventory", "request_payment_update", "request_approval"]


async def test_good_answers_second_what_the_rules_found_and_propose(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    result, fake = await repaired(temporal_env, tmp_path, GOOD)

    assert result.phase is Phase.REPORT_COMPLETED
    assert [action.bound.tool for action in result.plans[0].actions] == ALL
    assert {action.seconded_by for action in result.plans[0].actions} == {("fake-1",)}
    assert {finding.seconded_by for finding in result.findings} == {("fake-1",)}
    assert (result.counts.applied, result.counts.for_person, blocked(result), result.notices) == (4, 0, {}, ())
    assert result.report is not None
    assert result.report.narrated_by == "fake-1"
    assert fake.count == result.usage.total.calls == 3
    assert result.report.tokens == result.usage.total.tokens > 0


@pytest.mark.long
async def test_every_fifth_answer_that_is_no_json_costs_a_call_and_nothing_else(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    behaviour = answers.every(5, answers.invalid_json, GOOD)
    async with model_shop(temporal_env, tmp_path, behaviour) as (shop, fake):
        for record_id in ("ORD-001-HJP", "ORD-002-HJG", "ORD-003-RBW", "ORD-004-RHG"):
            repair_id = await shop.start(auto_approve=True, scope={"record_ids": [record_id]})
            result = await shop.end(repair_id)
            assert (result.phase, result.counts.applied) == (Phase.REPORT_COMPLETED, 1)
            assert result.plans[0].actions[0].seconded_by == ("fake-1",)
    # Three calls each, and one more for each that was bad: the 5th and the 10th.
    assert fake.count == 14


AT_ONCE = [
    (answers.unauthorized, "fake-1 refused the key (HTTP 401: Incorrect API key provided: sk-wrong. Find yours on the"
     " site.); set LLM_KEY"),
    (answers.model_not_found, "fake-1: there is no such model there (HTTP 404: The model `fake-1` does not exist or you"
     " do not have access to it.); check LLM_MODEL and LLM_BASE_URL"),
    (answers.quota_exceeded, "fake-1: the account's quota or money is used up (HTTP 429: You exceeded your current"
     " quota, please check your plan and billing details.)"),
    (answers.rate_limited(retry_after="7200"), "fake-1 asks to wait 2:00:00, longer than a repair does (HTTP 429: Rate"
     " limit reached for requests. Limit: 3 / min. Please try again later.)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    cases(dict(zip(("401", "404", "quota", "long wait"), AT_ONCE, strict=True)), quick=["401", "long wait"]),
)
async def test_d10_what_another_try_cannot_mend_ends_the_repair_after_one_call(
    temporal_env: WorkflowEnvironment, tmp_path: Path, behaviour: Behaviour, reason: str
) -> None:
    result, fake = await repaired(temporal_env, tmp_path, behaviour)

    assert (result.phase, result.reason) == (Phase.REPAIR_FAILED, reason)
    assert fake.count == 1
    assert result.outcomes == ()
    assert result.usage.total.calls == 0  # refused: nothing was taken


async def test_a_prompt_that_is_too_long_ends_the_repair_with_the_way_out(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    result, fake = await repaired(temporal_env, tmp_path, answers.context_too_long)

    assert result.phase is Phase.REPAIR_FAILED
    assert result.reason.startswith("fake-1: 4 records is too long for its context (HTTP 400: This model's maximum")
    assert result.reason.endswith("lower DAPER_LLM_BATCH_TOKENS, or take a model with a longer context")
    assert fake.count == 1


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(AT_ONCE[0], id="at once"),
        pytest.param((answers.server_error, ""), id="after all tries", marks=pytest.mark.long),
    ],
)
async def test_an_outage_is_coped_with_by_the_rules_where_that_is_configured(
    temporal_env: WorkflowEnvironment, tmp_path: Path, behaviour: tuple[Behaviour, str]
) -> None:
    result, _ = await repaired(temporal_env, tmp_path, behaviour[0], DAPER_ON_OUTAGE="rules")

    assert (result.phase, result.counts.applied, result.counts.for_person) == (Phase.REPORT_COMPLETED, 4, 0)
    assert [notice.partition(": ")[0] for notice in result.notices] == ["analyze", "plan", "report"]
    assert "fake-1 did not answer about 4 records, so the rules alone count: fake-1" in result.notices[0]
    assert {action.seconded_by for action in result.plans[0].actions} == {()}
    assert result.report is not None
    assert (result.report.narrative, result.report.narrated_by) == ("", "")


NO_ANSWERS = {
    "no choices": (with_value(GOOD, "choices", []), 3),
    "choices null": (with_value(GOOD, "choices", None), 3),
    "an error in an answer": (answered('{"error": {"message": "no GPU left"}}'), 6),
    "a page": (answered(PAGE), 6),
    "nothing": (answered(""), 6),
    "nested 100,000 deep": (nested(100_000), 3),
    "a reply nested 100,000 deep": (nested_reply(100_000), 3),
    "64 MB": (flood(64), 6),
    "64 MB unpacked": (bomb(64), 6),
    "a stream without end": (endless_stream(0), 6),
    "sent on": (sent_on("http://elsewhere.example/v1"), 1),
}


@pytest.mark.parametrize(("behaviour", "calls"), cases(NO_ANSWERS, quick=["sent on"]))
async def test_a7_what_is_no_answer_is_coped_with_by_the_rules_and_nothing_stays_set_aside(
    temporal_env: WorkflowEnvironment, tmp_path: Path, behaviour: Behaviour, calls: int
) -> None:
    environ = {"DAPER_ON_OUTAGE": "rules", "DAPER_PLAN_MODEL": "rules", "DAPER_REPORT_MODEL": "rules"}
    result, fake = await repaired(temporal_env, tmp_path, behaviour, **environ)

    assert (result.phase, result.counts.applied, fake.count) == (Phase.REPORT_COMPLETED, 4, calls)
    [notice] = result.notices
    assert notice.startswith("analyze: fake-1 did not answer about 4 records, so the rules alone count: fake-1 ")
    assert "reserved" not in states_of_calls(tmp_path)


@pytest.mark.parametrize("behaviour", [drip(0.02), drip_of_headers(0.02)], ids=["bytes", "headers"])
@pytest.mark.long
async def test_a7_a_model_that_drips_is_given_up_and_asked_again(
    temporal_env: WorkflowEnvironment, tmp_path: Path, behaviour: Behaviour
) -> None:
    turns = answers.in_turn(behaviour, GOOD)
    result, fake = await repaired(temporal_env, tmp_path, turns, DAPER_LLM_TIMEOUT="1s")

    assert (result.phase, result.counts.applied, fake.count) == (Phase.REPORT_COMPLETED, 4, 4)
    assert fake.seen[0].went_away
    assert (result.usage.total.uncertain, states_of_calls(tmp_path)) == (1, ["settled"] * 4)


@pytest.mark.long
async def test_d10_a_broken_server_is_tried_six_times(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    result, fake = await repaired(temporal_env, tmp_path, answers.server_error)

    assert (result.phase, fake.count) == (Phase.REPAIR_FAILED, 6)
    assert result.reason == "fake-1 is broken (HTTP 500: The server had an error while processing your request.)"


@pytest.mark.long
async def test_a_server_that_is_not_there_is_tried_six_times(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    result, _ = await repaired(temporal_env, tmp_path, GOOD, LLM_BASE_URL="http://127.0.0.1:9/v1")

    assert result.phase is Phase.REPAIR_FAILED
    assert result.reason.startswith("fake-1 cannot be reached (")
    assert result.usage.total.calls == 6  # whether they arrived, nobody knows: they count as the most they can be
    assert result.usage.total.uncertain == 6


@pytest.mark.long
async def test_whoever_says_when_to_come_again_is_not_asked_before(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    behaviour = answers.in_turn(answers.rate_limited(retry_after="2"), GOOD)
    async with model_shop(temporal_env, tmp_path, behaviour) as (shop, fake):
        result = await shop.end(await shop.start(auto_approve=True))

    first, second = fake.seen[0], fake.seen[1]
    assert first.ended is not None
    assert second.began - first.ended >= 2
    assert (result.phase, result.counts.applied, fake.count) == (Phase.REPORT_COMPLETED, 4, 4)


DOES_NOT_FIT = {
    "wrong types": answers.wrong_types,
    "an essay": answers.essay,
    "nothing": answers.empty,
    "half of it": answers.truncated(good),
    "no json": answers.invalid_json,
    "more than sure": answers.thinking(mutated(good, mutations.confidence_of(2.0))),
    "sure in words": answers.thinking(mutated(good, mutations.confidence_of("high"))),
    "sure in a text": answers.thinking(mutated(good, mutations.confidence_of("0.9"))),
    "more keys": answers.thinking(mutated(good, mutations.with_keys(approved=True))),
    "a record nobody showed": answers.thinking(mutated(good, mutations.unknown_record())),
}


@pytest.mark.parametrize("behaviour", cases(DOES_NOT_FIT, quick=[]))
async def test_d14_an_answer_that_does_not_fit_is_sent_back_tried_again_and_then_given_up(
    temporal_env: WorkflowEnvironment, tmp_path: Path, behaviour: Behaviour
) -> None:
    result, fake = await repaired(temporal_env, tmp_path, behaviour)

    assert result.phase is Phase.REPAIR_FAILED
    assert result.reason.startswith("fake-1 gave no answer that fits, about 4 records: ")
    assert 3 <= fake.count <= 9  # three tries, each sent back twice at most
    assert {asked.mode for asked in fake.asked} == {"native", "tool", "prompted"}  # each try in another form
    assert result.outcomes == ()
    assert len(result.findings) == 0  # it ended before the analysis did
    assert result.usage.by_role.keys() == {Role.ANALYZE}
    assert result.usage.total.calls == fake.count


async def test_a_bad_answer_is_sent_back_with_the_reason(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    bad = answers.thinking(mutated(good, mutations.unknown_record("ORD-999-NOBODY")))
    result, fake = await repaired(temporal_env, tmp_path, answers.in_turn(bad, GOOD))

    assert (result.phase, result.counts.applied) == (Phase.REPORT_COMPLETED, 4)
    [told] = fake.asked[1].corrections
    assert "there is no record 'ORD-999-NOBODY' among those that were shown" in told


@pytest.mark.parametrize(
    ("behaviour", "modes"),
    [
        pytest.param(answers.without_response_format(GOOD), ["native", "tool", "tool", "tool"], marks=pytest.mark.long),
        (answers.without_response_format(answers.without_tools(GOOD)), ["native", "tool", "prompted", "native"]),
    ],
    ids=["tools", "words"],
)
async def test_a_server_is_asked_in_the_form_that_it_takes(
    temporal_env: WorkflowEnvironment, tmp_path: Path, behaviour: Behaviour, modes: list[str]
) -> None:
    result, fake = await repaired(temporal_env, tmp_path, behaviour)

    assert (result.phase, result.counts.applied) == (Phase.REPORT_COMPLETED, 4)
    assert {action.seconded_by for action in result.plans[0].actions} == {("fake-1",)}
    assert [asked.mode for asked in fake.asked][:2] == modes[:2]
    assert result.usage.total.calls == 3  # a refused form costs nothing


@pytest.mark.parametrize("mode", cases({each: each for each in ("native", "tool", "prompted")}, quick=[]))
async def test_the_form_can_be_set(temporal_env: WorkflowEnvironment, tmp_path: Path, mode: str) -> None:
    result, fake = await repaired(temporal_env, tmp_path, GOOD, DAPER_LLM_OUTPUT=mode)

    assert (result.counts.applied, {asked.mode for asked in fake.asked}) == (4, {mode})


@pytest.mark.long
async def test_an_answer_that_does_not_tell_what_it_took_counts_as_the_most_it_can_be(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    result, fake = await repaired(temporal_env, tmp_path, answers.without_usage(good))

    assert (result.phase, result.usage.total.uncertain) == (Phase.REPORT_COMPLETED, 3)
    assert result.usage.total.output_tokens == 2 * 4096 + REPORT_TOKENS
    assert result.usage.total.input_tokens > sum(asked.tokens for asked in fake.asked)


REFUSED_BY_THE_GUARD = {
    "an invented tool": (
        mutations.hallucinated_tool("issue_refund", order_id="ORD-001-HJP"),
        "issue_refund ORD-002-HJG",
        "there is no tool 'issue_refund'; the tools are: hold_order, order_inventory, request_approval, "
        "request_payment_update",
    ),
    "a record that is not there": (
        mutations.unknown_record("ORD-999-NOBODY"),
        "order_inventory ORD-999-NOBODY",
        "record 'ORD-999-NOBODY' is not among those that were asked about",
    ),
    "a thousand million": (
        mutations.quantity_of(10**9),
        "order_inventory ORD-002-HJG",
        "argument 'quantity' must be a whole number from 113 to 553; got 1000000000",
    ),
    "less than nothing": (
        mutations.quantity_of(-5),
        "order_inventory ORD-002-HJG",
        "argument 'quantity' must be a whole number from 113 to 553; got -5",
    ),
    "another customer": (
        mutations.customer_of("CUST-DM-006"),
        "request_payment_update ORD-003-RBW",
        "argument 'customer_id' must be 'CUST-RW-003', which the record says; got 'CUST-DM-006'",
    ),
    "another approver": (
        mutations.approver_of("mallory@evil.example"),
        "request_approval ORD-004-RHG",
        "argument 'approver' must be one of 'approve-orders@diagonalley.co.uk'; got 'mallory@evil.example'",
    ),
    "a healthy order": (
        mutations.action_on("ORD-005-LLV", tool="hold_order", reason="prohibited-item"),
        "hold_order ORD-005-LLV",
        "record 'ORD-005-LLV' is not among those that were asked about",
    ),
    "twice the same": (
        mutations.duplicate_action,
        "request_payment_update ORD-001-HJP",
        "request_payment_update with the same arguments is proposed already",
    ),
}


@pytest.mark.parametrize(
    ("mutation", "what", "why"),
    cases(REFUSED_BY_THE_GUARD, quick=[]),
)
async def test_d14_what_the_guard_refuses_is_told_once_and_then_shown_as_blocked_and_never_runs(
    temporal_env: WorkflowEnvironment, tmp_path: Path, mutation: mutations.Mutation, what: str, why: str
) -> None:
    stubborn = answers.thinking(mutated(good, mutations.in_role("plan", mutation)))
    result, fake = await repaired(temporal_env, tmp_path, stubborn)

    assert result.phase is Phase.REPORT_COMPLETED
    assert blocked(result)[what] == why
    plans = [asked for asked in fake.asked if "Role: plan" in asked.system]
    assert len(plans) == 2
    assert why in plans[1].corrections[0].replace("\\'", "'")
    assert [action.bound.tool for action in result.plans[0].actions] == ALL
    assert {action.proposed_by for action in result.plans[0].actions} == {"rules"}
    assert result.counts.applied == 4
    assert {item.proposed_by for item in result.plans[0].blocked} == {"fake-1"}
    report = to_markdown(repair_report(result))
    assert "Blocked proposals" in report
    assert markdown(why) in report
    assert result.needs_person == (what.split()[1] not in result.usage.by_record)  # else the rules' action is there


@pytest.mark.long
async def test_d20_the_key_is_in_nothing_that_is_kept(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    """Also not when a server repeats it in its error."""
    behaviour = answers.in_turn(GOOD, lambda asked: refused(500, f"cannot use {asked.key}"), GOOD)
    async with model_shop(temporal_env, tmp_path, behaviour) as (shop, fake):
        repair_id = await shop.start(auto_approve=True, skipping=True)
        result = await shop.end(repair_id)
        history = (await shop.client.get_workflow_handle(repair_id).fetch_history()).to_json()

    assert (result.phase, fake.asked[0].key) == (Phase.REPORT_COMPLETED, KEY)
    assert KEY not in history + result.model_dump_json()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("transcripts" in path.parts for path in files)
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []

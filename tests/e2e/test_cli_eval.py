"""`daper eval` through its real process: the rules know all that rules can know, and a broken rule is seen."""

import json
import re
import signal
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest
from temporalio.client import Client

from daper.adapters.temporal.connection import connect
from daper.core.cases import CaseSort
from daper.core.errors import UserError
from daper.core.models import Finding
from daper.domains.orders.cases.shop import KINDS
from daper.domains.orders.domain import OrdersDomain
from daper.entrypoints.cli import evaluation_run
from daper.entrypoints.cli.evaluation_run import WantedCases, run_cases
from daper.evaluation.score import Evaluation, evaluate
from daper.ports import ProposalSet, Record
from daper.settings import Settings
from tests.e2e.conftest import Shop
from tests.e2e.shell import Shell, until
from tests.llm.answers import thinking
from tests.llm.brains import good
from tests.llm.fake_openai import FakeOpenAI
from tests.llm.reading import Prompt
from tests.llm.wire import Json

SHARES = ("precision", "recall", "plan", "end_state", "person", "passed")
# Somebody's own: the evaluation is about none of it.
STRANGE = {
    "TEMPORAL_ADDRESS": "temporal.example:7233",
    "TEMPORAL_NAMESPACE": "nowhere",
    "TEMPORAL_API_KEY": "a-secret",
    "DAPER_ORDERS_APPROVERS": "somebody@else.example",
    "DAPER_ORDERS_DATASET": "trouble",
}
CANCELLED = re.compile("cancelled|does not want it")
QUICK = ("--kind", "payment-denied", "--kind", "cancelled-by-word")


def folder_of(shell: Shell) -> Path | None:
    """The folder of an evaluation that runs."""
    return next(shell.temporary.glob("daper-eval-*"), None)


def children_of(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text("ascii").split()]


# Any: the document that the command prints.
def shares(score: dict[str, Any]) -> dict[str, float | None]:
    return {name: score[name]["share"] for name in SHARES}


@pytest.mark.long
def test_the_rules_are_right_in_all_that_rules_can_know_twice_and_find_none_of_the_rest(shell: Shell) -> None:
    ran = shell.run("eval", "--model", "rules", "--runs", "2", "--seed", "3", "--json", extra=STRANGE)

    assert (ran.code, ran.err) == (0, "")
    document = ran.document()
    product = document["product"]
    assert shares(product["knowable"]) == dict.fromkeys(SHARES, 1.0)
    assert product["knowable"]["false_repairs"] == product["knowable"]["wrong_actions"] == 0
    assert product["knowable"]["pass_k"] == [1.0, 1.0]
    assert product["knowable"]["cases"] >= 50
    assert product["not_knowable"]["recall"] == {"count": 0, "of": 14, "share": 0.0}
    assert product["not_knowable"]["passed"]["share"] == 0.0
    assert len([each for each in document["judged"] if each["missed"] == ["other"]]) == 14
    assert {each["run"] for each in document["judged"]} == {1, 2}
    assert document["alone"] == {}
    assert [end["phase"] for end in document["runs"]] == ["REPORT-COMPLETED"] * 2
    assert (document["spent"]["calls"], document["case_set"]["seed"]) == (0, 3)
    assert folder_of(shell) is None


def without_time(table: str) -> list[str]:
    return [line for line in table.splitlines() if not line.startswith("time: ")]


@pytest.mark.long
def test_the_docs_show_the_table_as_it_is_printed_on_100_columns(shell: Shell) -> None:
    page = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text("utf-8")
    [shown] = re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)

    ran = shell.run("eval", "--model", "rules", "--runs", "2")

    assert (ran.code, ran.err) == (0, "")
    assert "\x1b" not in ran.out
    assert max(map(len, ran.out.splitlines())) <= 100
    assert without_time(ran.out) == without_time(shown)
    for kind, (sort, _) in KINDS.items():
        assert sort is not CaseSort.UNKNOWABLE or f"- {kind}: found 0 of 2." in ran.out


@pytest.mark.long
def test_a_model_that_reads_finds_what_rules_cannot_know_and_is_scored_alone_too(shell: Shell) -> None:
    def reader(prompt: Prompt) -> Json:
        reply = good(prompt)
        told = [each.record_id for each in prompt.records if CANCELLED.search(str(each.order.get("notes")))]
        if prompt.role == "detect":
            reply["suspects"] += [{"record_id": each, "confidence_score": 0.9, "why": "a note"} for each in told]
        if prompt.role == "analyze":
            reply["problems"] += [
                {"record_id": each, "kind": "other", "issue": "A note says it is cancelled.", "confidence_score": 0.9}
                for each in told
            ]
        return reply

    with FakeOpenAI(thinking(reader)) as fake:
        extra = {"LLM_MODEL": "openai/another", "LLM_KEY": "a-secret", "LLM_BASE_URL": fake.url}
        ran = shell.run("eval", *QUICK, "--model", "openai/fake-1", "--detect", "--json", extra=extra)

    document = ran.document()
    assert (ran.code, ran.err) == (0, "")
    assert shares(document["product"]["overall"]) == dict.fromkeys(SHARES, 1.0)
    assert shares(document["alone"]["openai/fake-1"]["overall"]) == {
        **dict.fromkeys(SHARES, 1.0),
        "end_state": None,
        "person": None,
    }
    assert set(document["thinkers"].values()) == {"openai/fake-1"}
    assert document["spent"]["calls"] == fake.count > 0
    assert document["product"]["by_kind"]["cancelled-by-word"]["tokens"] > 0
    assert {asked.model for asked in fake.asked} == {"fake-1"}
    assert "a-secret" not in ran.out


@pytest.mark.long
def test_on_a_terminal_it_shows_how_far_it_is_and_then_the_table(shell: Shell) -> None:
    with shell.terminal("eval", *QUICK) as terminal:
        terminal.expect("0/1")

        assert terminal.end() == 0

    assert "what rules can know" in terminal.shown


@pytest.mark.long
def test_the_document_may_be_kept_in_a_file_beside_the_table(shell: Shell) -> None:
    ran = shell.run("eval", *QUICK, "--output", "eval.json")

    kept = json.loads((shell.cwd / "eval.json").read_text("utf-8"))
    assert (ran.code, ran.err) == (0, "")
    assert "what rules can know" in ran.out
    assert Evaluation.model_validate(kept).product.knowable.passed.share == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--runs", "0"), "daper: --runs 0 is out of range; it must be from 1 to 20\n"),
        *(
            pytest.param(words, says, marks=pytest.mark.long)
            for words, says in (
                (("--per-kind", "99"), "daper: 99 cases of each kind cannot be made; from 1 to 6 can\n"),
                (("--detect",), "daper: --detect says what the model of --model does besides; name one\n"),
                (("--kind", "nope"), "daper: there is no kind of case 'nope'; there are: payment-pending"),
                (("--output", "no/such/eval.json"), "daper: --output 'no/such/eval.json': there is no such folder"),
            )
        ),
    ],
)
def test_what_cannot_be_measured_is_one_line_and_leaves_nothing(
    words: tuple[str, ...], says: str, shell: Shell
) -> None:
    ran = shell.run("eval", *words)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(says)
    assert ran.err.count("\n") == 1
    assert folder_of(shell) is None


@pytest.mark.long
def test_an_evaluation_that_is_ended_in_the_middle_leaves_nothing_behind(shell: Shell) -> None:
    with shell.running("eval", "--runs", "20") as process:
        until(lambda: (folder := folder_of(shell)) and (folder / "run-1" / "data").exists(), what="the first run")
        children = children_of(process.pid)
        process.send_signal(signal.SIGINT)

        out, err = process.communicate(timeout=60)

    assert (process.returncode, out) == (130, "")
    assert err == "The evaluation ended early: its server is stopped, its records are deleted.\n"
    assert children
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
    assert folder_of(shell) is None


def measured(shop: Shop, *kinds: str) -> Evaluation:
    """An evaluation in this process, where rules can be broken."""
    settings = shop.settings()
    client = shop.beside.do(connect(settings))
    wanted = WantedCases(seed=1, per_kind=1, kinds=kinds)
    case_set, run = shop.beside.do(run_cases(client, settings, wanted, tell=lambda _: None))
    return evaluate(case_set, [run])


@pytest.mark.long
def test_a_rule_that_no_longer_fires_lowers_the_score_of_its_kinds_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = OrdersDomain.detect

    def half_blind(self: OrdersDomain, records: Sequence[Record], today: datetime) -> tuple[Finding, ...]:
        return tuple(each for each in whole(self, records, today) if each.kind != "inventory-short")

    monkeypatch.setattr(OrdersDomain, "detect", half_blind)
    found = measured(shop, "stock-short", "short-and-unpaid", "payment-denied", "in-progress").product

    assert found.overall.recall.share == 0.5
    assert found.overall.precision.share == 1
    assert {kind for kind, score in found.by_kind.items() if score.passed.share != 1} == {
        "stock-short",
        "short-and-unpaid",
    }
    assert found.by_kind["stock-short"].end_state.share == 0


@pytest.mark.long
def test_a_rule_that_fires_on_everything_lowers_precision_and_calls_people_for_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = OrdersDomain.detect

    def suspicious(self: OrdersDomain, records: Sequence[Record], today: datetime) -> tuple[Finding, ...]:
        found = whole(self, records, today)
        doubted = [record.record_id for record in records if record.ref.startswith("orders/")]
        return (*found, *(Finding(record_id=each, kind="stuck", issue="?", fingerprint=each) for each in doubted))

    monkeypatch.setattr(OrdersDomain, "detect", suspicious)
    found = measured(shop, "payment-denied", "in-progress").product

    assert (found.overall.recall.share, found.overall.passed.share) == (1, 0)
    assert (found.overall.precision.count, found.overall.precision.of) == (1, 3)
    assert found.overall.person.share == 0
    assert found.overall.false_repairs == 0


@pytest.mark.long
def test_a_repair_that_should_not_have_been_is_a_false_one(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = OrdersDomain.propose

    def greedy(self: OrdersDomain, findings: Sequence[Finding], records: Sequence[Record]) -> ProposalSet:
        proposed = whole(self, findings, records)
        most = [each.model_copy(update={"tool": "hold_order"}) for each in proposed.proposals]
        return ProposalSet(proposals=(*proposed.proposals, *most), for_person=proposed.for_person)

    monkeypatch.setattr(OrdersDomain, "propose", greedy)
    found = measured(shop, "payment-denied", "cancelled-by-word-and-unpaid").product

    assert found.overall.blocked == 2
    assert found.knowable.false_repairs == 0
    assert found.not_knowable.false_repairs == 1
    assert found.not_knowable.end_state.share == 0


async def test_a_domain_without_cases_is_told_in_one_sentence(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def bare(_: Settings) -> dict[str, object]:
        return {"orders": object()}

    monkeypatch.setattr(evaluation_run, "open_domains", bare)
    nobody = cast("Client", None)  # it is refused before anything is asked of Temporal

    with pytest.raises(UserError, match="domain 'orders' has no cases to evaluate on: it offers no `install_cases`"):
        await run_cases(nobody, shop.settings(), WantedCases(seed=1, per_kind=1), tell=lambda _: None)

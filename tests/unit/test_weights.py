"""A cycle at its cap fits through Temporal, also where every text is as long as it may be, and none like another."""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from daper_alerts import Alerts, RestartService
from pydantic import JsonValue
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import ActivityEnvironment

from daper.activities.claims import Claims
from daper.activities.diagnosis import DiagnoseActivities
from daper.adapters.state import StatePlace
from daper.adapters.temporal.codec import ZlibCodec
from daper.agents.deterministic import RulesAgents
from daper.core.base import Wire
from daper.core.messages import AnalyzeInput, AnalyzeResult, CycleRef, PlanInput
from daper.core.models import MOST_PROBLEMS, Change, Finding, Plan
from daper.core.weights import MOST_OF_ACTIONS, MOST_OF_FINDINGS, light, lines, weight
from daper.ports import Record, Terms

NOON = datetime(2025, 6, 28, 12, tzinfo=UTC)
CYCLE = CycleRef(repair_id="r", cycle_id="c", domain="alerts", store_id="alerts-1", today=NOON)
SERVICES = [f"service-{number:04}" for number in range(MOST_PROBLEMS)]
TEMPORALS_LIMIT = 2_000_000


# Characters of many scripts, three bytes each, in which compression finds next to nothing.
POOL = "".join(map(chr, random.Random(7).choices(range(0x4E00, 0x9FFF), k=200_000)))


def noise(seed: str, length: int) -> str:
    """Text that is unlike any other: what people and models write weighs less."""
    at = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") % (len(POOL) - length)
    return POOL[at : at + length]


class Wordy(Alerts):
    """A domain of somebody who tells everything of every problem."""

    def __init__(self, folder: Path, *, evidence: int = 2, services: Sequence[str] = SERVICES) -> None:
        super().__init__(folder, services)
        self.evidence = evidence
        self._tools = {"restart_service": WordyRestart(self.world, lambda: self.books)}

    def detect(self, records: Sequence[Record], today: datetime) -> tuple[Finding, ...]:
        return tuple(
            finding.model_copy(
                update={
                    "issue": noise(f"{finding.record_id} issue", 500),
                    "evidence": tuple(noise(f"{finding.record_id} {n}", 400) for n in range(self.evidence)),
                }
            )
            for finding in super().detect(records, today)
        )


class WordyRestart(RestartService):
    """Its preview says a lot too."""

    def terms(self, record_id: str, arguments: Mapping[str, JsonValue], records: Sequence[Record]) -> Terms:
        preview = tuple(
            Change(
                record=record_id,
                field=f"f{n}",
                before=noise(f"{record_id} {n} b", 100),
                after=noise(f"{record_id} {n} a", 100),
            )
            for n in range(10)
        )
        return replace(super().terms(record_id, arguments, records), preview=preview)


class NobodyRuns:
    async def states(self, repair_ids: object) -> dict[str, object]:
        return {}


def activities(home: Path, domain: Alerts) -> DiagnoseActivities:
    # It is asked only where another repair holds something.
    claims = Claims(memory=StatePlace(home=home).memory(), runs=NobodyRuns())  # pyright: ignore[reportArgumentType]
    return DiagnoseActivities(domains={"alerts": domain}, agents=RulesAgents(), claims=claims)


async def on_the_wire(value: Wire) -> int:
    payloads: Sequence[Payload] = await pydantic_data_converter.encode([value])
    return sum(payload.ByteSize() for payload in await ZlibCodec().encode(payloads))


async def analyzed(home: Path, domain: Alerts) -> AnalyzeResult:
    given = AnalyzeInput(cycle=CYCLE, record_ids=tuple(SERVICES))
    return await ActivityEnvironment().run(activities(home, domain).analyze_problems, given)


async def planned(home: Path, domain: Alerts, findings: tuple[Finding, ...], *, limit: int = MOST_PROBLEMS) -> Plan:
    given = PlanInput(cycle=CYCLE, round=1, first_action=1, findings=findings, limit=limit, until=NOON)
    return await ActivityEnvironment().run(activities(home, domain).plan_repair, given)


@pytest.mark.parametrize("evidence", [2, pytest.param(40, marks=pytest.mark.long)])
async def test_the_longest_texts_at_the_cap_fit_into_a_payload(tmp_path: Path, evidence: int) -> None:
    domain = Wordy(tmp_path, evidence=evidence)
    result = await analyzed(tmp_path, domain)
    assert len(result.findings) == MOST_PROBLEMS, "words are shortened, and no problem is lost"
    assert await on_the_wire(result) < TEMPORALS_LIMIT / 4
    plan = await planned(tmp_path, domain, result.findings)
    assert await on_the_wire(plan) < TEMPORALS_LIMIT / 4
    assert 50 < len(plan.actions) < MOST_PROBLEMS
    assert plan.left_out == MOST_PROBLEMS - len(plan.actions), "what does not fit is for the next one"


async def test_what_a_plan_had_no_room_for_is_free_for_another_repair(tmp_path: Path) -> None:
    some = SERVICES[:100]
    domain = Wordy(tmp_path, services=some)
    found = (await analyzed(tmp_path, domain)).findings
    taken, plans = list[str](), 0
    while left := tuple(each for each in found if each.record_id not in taken):
        plan = await planned(tmp_path, domain, left)
        assert plan.actions
        plans += 1
        taken += [action.bound.record_id for action in plan.actions]
    assert plans > 1
    assert sorted(taken) == some


async def test_texts_of_ordinary_length_stay_as_they_are(tmp_path: Path) -> None:
    findings = (await analyzed(tmp_path, Alerts(tmp_path, SERVICES))).findings
    assert {(each.issue, each.evidence) for each in findings} == {("an alert fires", ())}
    assert light(findings) == findings
    few = tuple(each.model_copy(update={"evidence": ("x" * 300,) * 10}) for each in findings[:3])
    assert light(few) == few


def test_what_is_cut_says_how_much_is_missing() -> None:
    assert lines(["a" * 341, "b"], most=1) == ("a" * 300 + "… (41 more characters)", "… 1 more line")
    assert lines(["a" * 340, "b"], most=2) == ("a" * 340, "b")


@pytest.mark.parametrize("evidence", [1, 8])
def test_a_finding_stays_the_same_problem_however_much_of_it_is_cut(evidence: int) -> None:
    found = tuple(
        Finding(
            record_id=each,
            kind="firing",
            issue=noise(each, 400),
            evidence=(noise(each, 400),) * evidence,
            fingerprint=hashlib.sha256(each.encode()).hexdigest()[:32],
        )
        for each in SERVICES
    )
    kept = light(found)
    assert [(each.record_id, each.kind, each.fingerprint) for each in kept] == [
        (each.record_id, each.kind, each.fingerprint) for each in found
    ]
    assert weight(kept) <= MOST_OF_FINDINGS < MOST_OF_ACTIONS

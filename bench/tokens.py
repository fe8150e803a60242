"""Prompt tokens for each repaired order as a shop grows, beside a design that shows all records in four prompts.

The cycles are real: an embedded Temporal, and HTTP to a server that answers well and counts four characters as a token.
"""

import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import simplejson
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from tests.llm.reading import role_of
from tests.llm.wire import tokens
from tests.workflow.shop import HARRY, Shop, open_shop
from tests.workflow.wide_shop import Weight, weigh

from bench.figures import Table, ratio, s
from bench.measurement import Measurement
from bench.model import answering
from bench.server import loopback
from daper.core.messages import PageArgs
from daper.core.models import MOST_PROBLEMS, Decision, Verdict
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from daper.core.views import ActionView, PlanView, RepairView
from daper.domains.orders import shipped
from daper.domains.orders.world import ORDERS_FILE, STOCK_FILE
from daper.stores import jsontext
from daper.stores.jsonfiles.store import JsonStore
from daper.workflows.repair import RepairAgentWorkflow

SHIPPED, WITH_PROBLEM = 6, 4
EFFECTS_UP_TO = 60  # orders; beyond, the JSON store needs minutes, and a dry run asks the same but for the report
PROMPTS_OF_ALL = 4
NO_CAP = str(10**9)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many orders, one cycle for each number, in multiples of the six shipped ones; does a model detect as well?

    One that does reads every order.
    """

    orders: tuple[int, ...]
    detect: bool = False


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One cycle, and what is in the records of its shop. `whole`: tokens of all of them in one prompt, indented.

    `once`: tokens of all of them without indentation, which nobody who shows them can go below.
    """

    orders: int
    with_problem: int
    repaired: int
    by_role: Mapping[str, tuple[int, int]]
    largest: int
    in_all: int
    whole: int
    once: int
    weight: Weight
    seconds: float

    @property
    def costs(self) -> tuple[str, ...]:
        """What each order takes of prompts."""
        each = sum(taken for _, taken in self.by_role.values()) / self.repaired
        # Shared out over all that need repair, not only those that fit one cycle: else our cap would count for us.
        naive = PROMPTS_OF_ALL * self.whole / self.with_problem
        return (
            f"{self.orders:,}",
            f"{self.repaired:,}",
            f"{each:,.0f}",
            f"{self.once / self.orders:,.0f}",
            f"{naive:,.0f}",
            ratio(each, naive),
            f"{self.largest:,}",
        )

    @property
    def cycle(self) -> tuple[str, ...]:
        """What the whole cycle took."""
        requests = sum(count for count, _ in self.by_role.values())
        roles = ", ".join(f"{role} {taken:,} in {count}" for role, (count, taken) in self.by_role.items())
        weighs = (f"{self.weight.events:,}", f"{self.weight.history / 1e6:.2f} MB")
        return (f"{self.orders:,}", f"{requests:,}", roles, f"{self.in_all:,}", s(self.seconds), *weighs)


def shop_of(copies: int) -> dict[str, list[dict[str, object]]]:
    """The shipped orders and inventory so many times over, under fresh ids, so that no copy sees another."""
    texts = shipped.texts("hogwarts")
    found: dict[str, list[dict[str, object]]] = {}
    for name, file in (("orders", ORDERS_FILE), ("inventory", STOCK_FILE)):
        # The shipped documents: an object with a list of objects.
        rows = cast("list[dict[str, object]]", simplejson.loads(texts[file], use_decimal=True)[name])
        found[name] = [
            cast("dict[str, object]", _renamed(row, f"-{number}" if number else ""))
            for number in range(copies)
            for row in rows
        ]
    return found


def _renamed(value: object, suffix: str) -> object:
    """A value with a suffix on every id in it."""
    if isinstance(value, list):
        return [_renamed(member, suffix) for member in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    return {
        key: f"{member}{suffix}" if key.endswith("_id") else _renamed(member, suffix)
        for key, member in cast("dict[str, object]", value).items()
    }


def install(folder: Path, shop: Mapping[str, list[dict[str, object]]]) -> None:
    """Put these records into a new store."""
    orders = {"orders": shop["orders"], "order_summary": {"total_orders": len(shop["orders"])}}
    texts = {
        ORDERS_FILE: jsontext.dump(orders).decode(),
        STOCK_FILE: jsontext.dump({"inventory": shop["inventory"]}).decode(),
    }
    JsonStore(folder, documents=shipped.DOCUMENTS).install(texts, about=shipped.about("hogwarts"))


async def cycle(client: Client, home: Path, *, copies: int, detect: bool) -> Measured:
    """One cycle over so many copies of the shop, all of its main actions approved."""
    records, dry = shop_of(copies), copies * SHIPPED > EFFECTS_UP_TO
    install(home / "data" / "orders", records)
    with answering() as model:
        environ = model.environ | {"DAPER_MAX_TOKENS_PER_CYCLE": NO_CAP}
        environ |= {"DAPER_DETECT_MODEL": "fake-1"} if detect else {}
        async with open_shop(WorkflowEnvironment.from_client(client), home, environ=environ) as shop:
            began = time.perf_counter()
            repair_id = await shop.start(dry_run=dry, scope={"limit": MOST_PROBLEMS})
            if not dry:
                await _approve(shop, repair_id)
            result = await client.get_workflow_handle_for(RepairAgentWorkflow.run, repair_id).result()
            took = time.perf_counter() - began
            weight = await weigh(client, repair_id)
    assert result.phase is (Phase.PLAN_ONLY if dry else Phase.REPORT_COMPLETED), f"{result.phase}: {result.reason}"
    roles = [role_of(asked.system) for asked in model.fake.asked]
    taken = Counter[str]()
    for role, asked in zip(roles, model.fake.asked, strict=True):
        taken[role] += asked.tokens
    return Measured(
        orders=len(records["orders"]),
        with_problem=WITH_PROBLEM * copies,
        repaired=len(_repaired(result, dry=dry)),
        by_role={role: (count, taken[role]) for role, count in Counter(roles).items()},
        largest=max(asked.tokens for asked in model.fake.asked),
        in_all=result.usage.total.tokens,
        whole=tokens("".join(json.dumps(rows, indent=2, default=float) for rows in records.values())),
        once=tokens("".join(json.dumps(rows, separators=(",", ":"), default=float) for rows in records.values())),
        weight=weight,
        seconds=took,
    )


async def _approve(shop: Shop, repair_id: str) -> None:
    """Approve the first answer to every problem, as a person would who agrees with all of them."""
    view = await _waiting(shop, repair_id)
    actions = list[ActionView]()
    for page in range(1, view.pages + 1):
        look = await shop.service.look(repair_id, PageArgs(page=page, size=100))
        assert isinstance(look, RepairView), look
        actions += look.plan.actions if look.plan is not None else ()
    verdicts = {action.id: Verdict.APPROVE for action in actions if not action.instead_of}
    decision = Decision(plan_digest=view.digest, verdicts=verdicts, by=HARRY, door="bench")
    await shop.service.decide(repair_id, decision)


async def _waiting(shop: Shop, repair_id: str) -> PlanView:
    """The plan, as soon as it waits for its decision."""
    looks = shop.service.follow(repair_id)
    try:
        async for look in looks:
            assert not isinstance(look, RepairResult), f"{look.phase}: {look.reason}"
            if isinstance(look, RepairView) and look.phase is Phase.PENDING_APPROVAL and look.plan is not None:
                return look.plan
    finally:
        await looks.aclose()
    raise AssertionError("no plan came")


def _repaired(result: RepairResult, *, dry: bool) -> set[str]:
    """The orders on which an action was applied; in a dry run, those for which there is one."""
    if dry:
        actions = [action for plan in result.plans for action in plan.actions]
        return {action.bound.record_id for action in actions if not action.instead_of}
    return {outcome.record_id for outcome in result.outcomes if outcome.status.took_effect}


async def measure(root: Path, size: Size) -> AsyncGenerator[Table]:
    """One cycle for each size."""
    async with loopback(root / "server.log") as client:
        cycles = [
            await cycle(client, root / f"shop-{orders}", copies=orders // SHIPPED, detect=size.detect)
            for orders in size.orders
        ]
    yield Table(
        about=f"Prompt tokens for each order; beyond {EFFECTS_UP_TO} orders in a dry run, which proposes only.",
        columns=(
            "orders",
            "repaired, or proposed for",
            "tokens for each",
            "bare: the records, once",
            f"all, indented, in {PROMPTS_OF_ALL} prompts",
            "of that",
            "largest prompt",
        ),
        rows=tuple(each.costs for each in cycles),
    )
    yield Table(
        about="The cycles: tokens are those of prompts, and in all those of prompts and answers.",
        columns=("orders", "requests", "tokens by role", "tokens in all", "time", "events", "history"),
        rows=tuple(each.cycle for each in cycles),
    )


if __name__ == "__main__":
    Measurement(
        about=__doc__ or "", measure=measure, whole=Size(orders=(6, 60, 600, 6000)), quick=Size(orders=(6,))
    ).main()

"""A shop whose agents ask a model on the wire, and what a repair of it says."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from daper.core.outcomes import RepairResult
from tests.llm import answers
from tests.llm.brains import good
from tests.llm.fake_openai import FakeOpenAI
from tests.llm.wire import Behaviour
from tests.workflow.shop import Shop, open_shop

KEY = "sk-not-to-be-seen-anywhere"
GOOD = answers.thinking(good)
ALL_PAUSES = 240
"""Seconds that six tries at a model may take where the server of the tests skips no pause: 141 s of them are pauses."""
HARRY, BADGES, RON, EGG = "ORD-001-HJP", "ORD-002-HJG", "ORD-003-RBW", "ORD-004-RHG"


@asynccontextmanager
async def model_shop(
    env: WorkflowEnvironment, home: Path, behaviour: Behaviour, **environ: str
) -> AsyncGenerator[tuple[Shop, FakeOpenAI]]:
    """The six orders, and a server of a model that answers so; `environ` configures more, or otherwise."""
    with FakeOpenAI(behaviour) as fake:
        settings = {"LLM_MODEL": "fake-1", "LLM_BASE_URL": fake.url, "LLM_KEY": KEY, **environ}
        async with open_shop(env, home, environ=settings) as shop:
            yield shop, fake


async def repaired(
    env: WorkflowEnvironment, home: Path, behaviour: Behaviour, **environ: str
) -> tuple[RepairResult, FakeOpenAI]:
    """The result of a repair about which nobody has to be asked; waits before another try are skipped."""
    async with model_shop(env, home, behaviour, **environ) as (shop, fake):
        repair_id = await shop.start(auto_approve=True, skipping=True)
        return await shop.end(repair_id, within=ALL_PAUSES), fake


def states_of_calls(home: Path) -> list[str]:
    """What became of each call of a model, in the ledger."""
    with closing(sqlite3.connect(home / "daper.db")) as db:
        return [state for (state,) in db.execute("SELECT state FROM daper_calls ORDER BY sequence")]


def blocked(result: RepairResult) -> dict[str, str]:
    """What the guard refused: tool and record → the reason."""
    return {f"{item.tool} {item.record_id}": item.reason for plan in result.plans for item in plan.blocked}

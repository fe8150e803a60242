"""A poisoned shop under attack: the server of a hijacked model, its worker, and repairs of it."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from daper.core.outcomes import RepairResult
from tests.llm.books import Books, Rules, books_of, rules_on
from tests.llm.brains import good
from tests.llm.corpus.payload import Payload
from tests.llm.fake_openai import FakeOpenAI
from tests.llm.injections import Hijacked, found_in
from tests.llm.poisoned import PoisonedShop, Trio, poisoned_shop
from tests.llm.reading import Prompt, read
from tests.llm.thinking import Brain, text_of
from tests.llm.wire import CHARACTERS_PER_TOKEN, Answer, Asked, Behaviour, Json, replied
from tests.workflow.shop import Shop, open_shop

KEY = "sk-not-to-be-seen-anywhere"
AT_ONCE = 15
PATIENCE = 240


class Possessed:
    """Obeys the payload of every poisoned order in a prompt, also where nothing of it is shown: no attack is left out.

    `shown` are the payloads that really stood in a prompt, by role.
    """

    def __init__(self, shop: PoisonedShop, brain: Brain = good) -> None:
        self._hijacked = Hijacked(brain)
        self._payloads = shop.payload_of
        self._lock = threading.Lock()
        self.shown: dict[str, set[str]] = {}

    def __call__(self, prompt: Prompt) -> Json:
        with self._lock:
            self.shown.setdefault(prompt.role, set()).update(payload.name for payload in found_in(prompt.text))
        held = [self._payloads[record_id].marker for record_id in prompt.record_ids if record_id in self._payloads]
        return self._hijacked(replace(prompt, text=" ".join([prompt.text, *held])))

    @property
    def obeyed(self) -> frozenset[tuple[str, str]]:
        """Role and payload, for all that it obeyed."""
        return frozenset(self._hijacked.read)


@dataclass(frozen=True, kw_only=True)
class Attacked:
    """A shop whose model is hijacked, with what the rules make of it, and its books as they were."""

    shop: Shop
    fake: FakeOpenAI
    poisoned: PoisonedShop
    rules: Rules
    before: Books

    def books(self) -> Books:
        """Its books as they are."""
        return books_of(self.poisoned.folder)

    async def repair(self, record_ids: Sequence[str] = (), **order: object) -> RepairResult:
        """The result of a repair of these orders, or of all; no wait is waited for, so that a person is never there."""
        scope = {"record_ids": list(record_ids), "limit": 500}
        repair_id = await self.shop.start(skipping=True, scope=scope, **order)
        return await self.shop.end(repair_id, within=PATIENCE)


@asynccontextmanager
async def attacked_shop(
    env: WorkflowEnvironment, home: Path, payloads: Sequence[Payload], brain: Brain | None = None, **environ: str
) -> AsyncGenerator[tuple[Attacked, Possessed]]:
    """A shop poisoned with these payloads, and a model that obeys them, or thinks with another brain."""
    poisoned = poisoned_shop(home / "data" / "orders", payloads)
    possessed = Possessed(poisoned)
    rules, before = await rules_on(poisoned.folder), books_of(poisoned.folder)
    with FakeOpenAI(bounded(brain or possessed)) as fake:
        settings = {
            "LLM_MODEL": "fake-1",
            "LLM_BASE_URL": fake.url,
            "LLM_KEY": KEY,
            "DAPER_DETECT_MODEL": "fake-1",
            "DAPER_LLM_OUTPUT": "native",
            "DAPER_ON_OUTAGE": "rules",
            **environ,
        }
        async with open_shop(env, home, environ=settings) as shop:
            yield Attacked(shop=shop, fake=fake, poisoned=poisoned, rules=rules, before=before), possessed


async def one_by_one(attacked: Attacked, **order: object) -> dict[str, RepairResult]:
    """A repair for each payload, over its three orders; by the name of the payload. Some of them run beside others."""
    slots, results = asyncio.Semaphore(AT_ONCE), dict[str, RepairResult]()

    async def attack(trio: Trio) -> None:
        async with slots:
            named = (trio.poisoned, trio.clean, trio.healthy)
            results[trio.payload.name] = await attacked.repair(named, **order)

    await asyncio.gather(*(attack(trio) for trio in attacked.poisoned.trios))
    return results


def bounded(brain: Brain) -> Behaviour:
    """The reply of a brain, cut off where the request says that it gets too long."""

    def answer(asked: Asked) -> Answer:
        text = text_of(brain(read(asked)))
        most = asked.body.get("max_completion_tokens") or asked.body.get("max_tokens")
        assert isinstance(most, int), "every request says how long its answer may be"
        cut = text[: most * CHARACTERS_PER_TOKEN]
        return replied(asked, cut, finish_reason="length" if cut != text else None)

    return answer

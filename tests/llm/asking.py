"""A model on the wire that is asked for next to nothing, without a repair around it."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from daper.adapters.state import StatePlace
from daper.adapters.transcripts.files import FileTranscripts
from daper.agents.llm.agents import ModelAgents
from daper.agents.llm.config import ModelChoice, OutputMode, ThinkingSettings
from daper.clock import utc_now
from daper.core.messages import CycleRef
from daper.core.usage import Role, Spent, Usage
from daper.ports import Caps
from tests.llm.fake_openai import FakeOpenAI
from tests.llm.shops import KEY, states_of_calls
from tests.llm.wire import Answer, Asked, Behaviour, replied

CYCLE = "a-cycle"


def fine(asked: Asked) -> Answer:
    """The right answer to a ping."""
    return replied(asked, {"ok": True})


@dataclass(frozen=True, kw_only=True)
class Asking:
    """A model, and what asking it came to."""

    agents: ModelAgents
    fake: FakeOpenAI
    home: Path

    async def ping(self) -> Spent:
        """Ask for next to nothing; what it took. Raises what asking raises."""
        return await self.agents.ping(
            Role.ANALYZE, CycleRef(repair_id="r", cycle_id=CYCLE, domain="", store_id="", today=utc_now())
        )

    async def usage(self) -> Usage:
        """What the ledger says."""
        return await StatePlace(home=self.home).spending().of_cycle(CYCLE)

    def states(self) -> list[str]:
        """What became of each call, in the ledger."""
        return states_of_calls(self.home)


@asynccontextmanager
async def asking(
    home: Path,
    behaviour: Behaviour,
    *,
    within: timedelta = timedelta(seconds=20),
    caps: Caps | None = None,
    url: str = "",
    network: Mapping[str, str] | None = None,
    output: OutputMode = OutputMode.NATIVE,
    name: str = "fake-1",
    monkeypatch: pytest.MonkeyPatch | None = None,
) -> AsyncGenerator[Asking]:
    """The model, on a server of this machine or at `url`. `monkeypatch`: for the one address that no setting gives."""
    with FakeOpenAI(behaviour) as fake:
        address = url or fake.url
        if monkeypatch is not None and name.startswith("gemini/"):
            monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", fake.url.removesuffix("/v1"))
            address = ""
        settings = ThinkingSettings(
            choices={Role.ANALYZE: ModelChoice(name=name, key=KEY, base_url=address)},
            output=output,
            timeout=within,
            caps=caps or Caps(),
        )
        settings = replace(settings, network=network) if network else settings
        transcripts = FileTranscripts(home / "transcripts", secrets=(KEY,))
        agents = ModelAgents(settings, spending=StatePlace(home=home).spending(), transcripts=transcripts)
        agents.open()
        async with agents:
            yield Asking(agents=agents, fake=fake, home=home)

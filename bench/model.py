"""A model on this machine that answers well after a while, and knows whether it was asked anything twice."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.llm.answers import slow, thinking
from tests.llm.brains import good
from tests.llm.fake_openai import FakeOpenAI

CALLS_IN_A_ROW = 3  # analyze, plan, report


@dataclass(frozen=True, kw_only=True)
class Model:
    """The model, and how daper is told to use it."""

    fake: FakeOpenAI

    @property
    def environ(self) -> dict[str, str]:
        """The settings for it."""
        return {"LLM_MODEL": "fake-1", "LLM_BASE_URL": self.fake.url}

    def refuse_repeated(self, *, calls: int) -> None:
        """So many calls were made, each once, and each was waited for. Raises AssertionError where it is not so."""
        assert self.fake.count == calls, f"{calls} calls were to be made, and {self.fake.count} came"
        asked = Counter((seen.asked.system, seen.asked.user) for seen in self.fake.seen)
        repeated = [user[:200] for (_, user), count in asked.items() if count > 1]
        assert not repeated, f"{len(repeated)} prompts came more than once: {repeated[:3]}"
        left = [seen.asked.number for seen in self.fake.seen if seen.went_away or seen.status != 200]
        assert not left, f"nobody waited for the answers to the requests {left}"


@contextmanager
def answering(delay_s: float = 0.0) -> Generator[Model]:
    """The model, for as long as the block."""
    with FakeOpenAI(slow(delay_s, thinking(good))) as fake:
        yield Model(fake=fake)

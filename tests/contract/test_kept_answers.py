"""Which repair answers an id is kept for good, and of many that come at once the first that had begun."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from daper.adapters.reports.kept_answers import KeptAnswers
from daper.ports import KeptAnswer
from tests.contract.kept_state import KeptState


def answer(repair: str, *, asked_id: str = "k1", begun: bool = True) -> KeptAnswer:
    return KeptAnswer(asked_id=asked_id, asked="a", repair_id=repair, begun=begun)


async def test_what_was_not_kept_is_not_found(state: KeptState) -> None:
    answers = KeptAnswers(state.open)

    assert await answers.find("k1") is None


async def test_what_had_not_begun_is_written_over_and_what_had_stands(state: KeptState) -> None:
    answers = KeptAnswers(state.open)
    for kept in (answer("r1", begun=False), answer("r2", begun=False), answer("r3"), answer("r4")):
        await answers.keep(kept)
    await answers.keep(answer("r5", begun=False))

    assert await KeptAnswers(state.open).find("k1") == answer("r3")
    assert await answers.find("k2") is None


def test_of_20_that_keep_an_answer_at_once_all_find_the_same(state: KeptState) -> None:
    together = threading.Barrier(20)

    async def keep_and_find(repair: str) -> list[str]:
        answers = KeptAnswers(state.open)
        found: list[str] = []
        for number in range(3):
            asked_id = f"k{number}"
            await answers.keep(answer(repair, asked_id=asked_id))
            kept = await answers.find(asked_id)
            assert kept is not None
            found.append(kept.repair_id)
        return found

    def alone(number: int) -> list[str]:
        together.wait()
        return asyncio.run(keep_and_find(f"r{number}"))

    with ThreadPoolExecutor(max_workers=20) as pool:
        found = list(pool.map(alone, range(20)))

    assert len({tuple(each) for each in found}) == 1

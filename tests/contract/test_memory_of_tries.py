"""What the memory makes of repairs that helped, and did not last."""

from datetime import datetime, timedelta

from daper.adapters.memory.tables import MemoryTables
from daper.core.messages import ConcludeInput
from daper.core.models import Finding
from daper.ports import Memory
from tests.contract.kept_state import KeptState
from tests.contract.remembering import HOURS_12, START, Clock, claim_of, cycle, finding, only_reason


async def do_each(memory: Memory, repair: str, at: datetime, **came_to: Finding) -> None:
    done = {what: (finding,) for what, finding in came_to.items()}
    await memory.conclude(ConcludeInput.model_validate({"cycle": cycle(repair), "at": at, **done}))


async def test_d12_what_was_repaired_three_times_and_came_back_is_left_alone(memory: Memory, clock: Clock) -> None:
    """A flapping fault backs off, though each of its repairs helped."""
    for number in (1, 2, 3):
        assert (await memory.claim(claim_of(f"r{number}"))).fresh == (finding(),)
        await do_each(memory, f"r{number}", START - timedelta(days=4 - number), repaired=finding())

    reason = only_reason(await memory.claim(claim_of("r4")))
    again = await memory.claim(claim_of("r5", again=True))
    clock.now = START + timedelta(days=27, minutes=1)
    later = await memory.claim(claim_of("r6", until=clock.now + HOURS_12))

    assert reason == (
        "repaired 3 times since 2026-02-26, and it came back each time, last on 2026-02-28 by repair r3;"
        " to ask anew: --again or --record ORD-1"
    )
    assert again.fresh == later.fresh == (finding(),)


async def test_d12_what_was_tried_with_different_ends_says_how_each_ended(memory: Memory) -> None:
    for number, came_to in enumerate(("repaired", "ineffective", "unverified", "ineffective")):
        await do_each(memory, f"r{number}", START - timedelta(days=4 - number), **{came_to: finding()})

    assert only_reason(await memory.claim(claim_of("r9"))) == (
        "tried 4 times since 2026-02-25 (1 helped, but not for long; 2 did not help;"
        " 1 left it to somebody else, or could not be verified), last on 2026-02-28 by repair r3;"
        " to ask anew: --again or --record ORD-1"
    )


async def test_d12_a_problem_that_comes_back_with_other_facts_each_time_is_left_alone_after_six_repairs(
    memory: Memory,
) -> None:
    for number in range(6):
        facts = finding(fingerprint=f"f{number}")
        assert (await memory.claim(claim_of(f"r{number}", facts))).fresh == (facts,)
        await do_each(memory, f"r{number}", START - timedelta(days=6 - number), repaired=facts)
    others = finding("ORD-2", fingerprint="f6"), finding(kind="short", fingerprint="f6")

    result = await memory.claim(claim_of("r6", finding(fingerprint="f6"), *others))

    assert result.fresh == others, "another record, and another kind of problem, are other troubles"
    assert only_reason(result.model_copy(update={"fresh": ()})) == (
        "repaired 6 times since 2026-02-23, and it came back each time, last on 2026-02-28 by repair r5,"
        " while its facts changed; to ask anew: --again or --record ORD-1"
    )


async def test_several_problems_of_a_kind_that_one_repair_answers_are_one_try_of_the_record(memory: Memory) -> None:
    lines = [finding(fingerprint=f"line {number}") for number in range(4)]
    for number in (1, 2):
        await memory.conclude(ConcludeInput(cycle=cycle(f"r{number}"), repaired=tuple(lines), at=START))

    assert (await memory.claim(claim_of("r3", *lines))).fresh == tuple(lines)


async def test_records_that_a_person_replaced_begin_anew_but_for_what_was_rejected_or_did_not_help(
    memory: Memory,
) -> None:
    helped, asked, in_vain, rejected = (finding(f"ORD-{number}") for number in range(4))
    everything = claim_of("r9", helped, asked, in_vain, rejected)
    for number in range(3):
        await do_each(memory, f"r{number}", START, repaired=helped, unverified=asked, ineffective=in_vain)
    await do_each(memory, "r3", START, rejected=rejected)
    await memory.records_replaced(store_id="elsewhere", domain="orders")
    await memory.records_replaced(store_id="s1", domain="alerts")
    assert (await memory.claim(everything.model_copy(update={"dry_run": True}))).fresh == ()

    await memory.records_replaced(store_id="s1", domain="orders")

    assert (await memory.claim(everything)).fresh == (helped, asked)


async def test_a_memory_that_nobody_needed_yet_is_not_made_for_records_that_are_replaced(
    file_state: KeptState,
) -> None:
    await MemoryTables(file_state.open()).records_replaced(store_id="s1", domain="orders")

    assert not file_state.place.home.exists()


async def test_that_somebody_was_only_asked_counts_no_more_once_they_have_answered(memory: Memory) -> None:
    asked, other = finding(), finding(kind="short")
    for number in range(3):
        at = START - timedelta(days=4 - number)
        await memory.conclude(ConcludeInput(cycle=cycle(f"r{number}"), unverified=(asked, other), at=at))
    assert len((await memory.claim(claim_of("r4", asked, other))).suppressed) == 2

    await memory.fact_told(store_id="s1", domain="orders", record_id="ORD-1", kinds=[asked.kind])

    result = await memory.claim(claim_of("r5", asked, other))
    assert (result.fresh, [each.finding for each in result.suppressed]) == ((asked,), [other])

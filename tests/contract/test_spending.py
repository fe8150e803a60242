"""No cycle spends more on models than it may, whoever asks, at once and after a crash."""

import asyncio
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from daper.adapters.spending.tables import SpendingTables
from daper.core.errors import SpendingCapReached, StoreBusy, StoreDamaged
from daper.core.usage import CallSpent, Role, Spent, Usage
from daper.ports import Caps, Reservation, Spending
from daper.stores.sql.state_schema import CALLS
from tests.contract.kept_state import OPEN, KeptState

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
NO_CAPS = Caps()


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def spending(state: KeptState, clock: Clock) -> Spending:
    return SpendingTables(state.open(), now=clock)


def call_of(
    call_id: str,
    *,
    cycle: str = "cycle-1",
    role: Role = Role.PLAN,
    records: tuple[str, ...] = (),
    most: tuple[int, int] = (600, 400),
    cost: str | None = "0.10",
) -> Reservation:
    spent = Spent(input_tokens=most[0], output_tokens=most[1])
    return Reservation(
        call_id=call_id,
        cycle_id=cycle,
        call=CallSpent(role=role, record_ids=records, spent=spent),
        model="gpt-9",
        cost=None if cost is None else Decimal(cost),
    )


def took(tokens: tuple[int, int] = (100, 50), cost: str = "0.01") -> Spent:
    return Spent(calls=1, input_tokens=tokens[0], output_tokens=tokens[1], cost=Decimal(cost))


async def total(spending: Spending, cycle: str = "cycle-1") -> Spent:
    return (await spending.of_cycle(cycle)).total


async def test_an_unknown_cycle_has_spent_nothing(spending: Spending) -> None:
    assert await spending.of_cycle("nobody") == Usage()


async def test_a_settled_call_counts_what_it_took(spending: Spending) -> None:
    await spending.reserve(call_of("a", role=Role.DETECT, records=("ORD-1", "ORD-2")), NO_CAPS)
    await spending.reserve(call_of("b", role=Role.REPORT), NO_CAPS)

    await spending.settle("a", took((101, 50), "0.03"))
    await spending.settle("b", took((10, 5), "0.01"))

    usage = await spending.of_cycle("cycle-1")
    assert usage == Usage.of(
        (
            CallSpent(role=Role.DETECT, record_ids=("ORD-1", "ORD-2"), spent=took((101, 50), "0.03")),
            CallSpent(role=Role.REPORT, spent=took((10, 5), "0.01")),
        )
    )
    assert usage.total == Spent(calls=2, input_tokens=111, output_tokens=55, cost=Decimal("0.04"))


async def test_a_call_that_was_never_settled_counts_in_full_and_as_uncertain(spending: Spending) -> None:
    await spending.reserve(call_of("a"), NO_CAPS)
    await spending.reserve(call_of("b", cost=None), NO_CAPS)

    assert await total(spending) == Spent(
        calls=2, input_tokens=1200, output_tokens=800, cost=Decimal("0.10"), unpriced=1, uncertain=2
    )


async def test_a_released_call_counts_as_nothing_not_even_as_a_call(spending: Spending) -> None:
    await spending.reserve(call_of("a"), Caps(tokens=1000, cost=Decimal("0.10")))

    await spending.release("a")
    await spending.release("a")

    assert await spending.of_cycle("cycle-1") == Usage()
    await spending.reserve(call_of("b"), Caps(tokens=1000, cost=Decimal("0.10")))


async def test_what_one_cycle_spends_is_nothing_to_another(spending: Spending) -> None:
    await spending.reserve(call_of("a"), Caps(tokens=1000))

    await spending.reserve(call_of("b", cycle="cycle-2"), Caps(tokens=1000))

    assert (await total(spending)).calls == (await total(spending, "cycle-2")).calls == 1


async def test_reserving_the_same_call_again_is_one_call_also_at_the_cap(spending: Spending) -> None:
    for _ in range(3):
        await spending.reserve(call_of("a"), Caps(tokens=1000, cost=Decimal("0.10")))
    await spending.settle("a", took())
    await spending.reserve(call_of("a"), Caps(tokens=1))

    assert await total(spending) == took()


async def test_only_the_first_settling_counts(spending: Spending) -> None:
    await spending.reserve(call_of("a"), NO_CAPS)
    await spending.settle("a", took())

    await spending.settle("a", took((9, 9), "9"))
    await spending.release("a")

    assert await total(spending) == took()


async def test_what_took_more_than_was_set_aside_is_kept_as_it_is(spending: Spending) -> None:
    await spending.reserve(call_of("a"), Caps(tokens=1000))

    await spending.settle("a", took((5000, 1000), "7.50"))

    assert await total(spending) == took((5000, 1000), "7.50")
    with pytest.raises(SpendingCapReached, match="has spent 6,000 tokens;"):
        await spending.reserve(call_of("b"), Caps(tokens=6999))


async def test_a_released_call_that_is_made_after_all_is_set_aside_anew(spending: Spending) -> None:
    await spending.reserve(call_of("a"), Caps(tokens=1000))
    await spending.release("a")
    await spending.reserve(call_of("b"), Caps(tokens=1000))

    with pytest.raises(SpendingCapReached):
        await spending.reserve(call_of("a"), Caps(tokens=1999))
    await spending.reserve(call_of("a"), Caps(tokens=2000))

    assert (await total(spending)).uncertain == 2


async def test_an_answer_without_numbers_stays_uncertain_and_unpriced(spending: Spending) -> None:
    spent = Spent(calls=2, input_tokens=600, output_tokens=400, unpriced=1, uncertain=1)
    await spending.reserve(call_of("a", cost=None), NO_CAPS)

    await spending.settle("a", spent)

    assert await total(spending) == spent


async def test_a_call_nobody_reserved_cannot_be_settled_or_released(
    spending: Spending, caplog: pytest.LogCaptureFixture
) -> None:
    await spending.settle("ghost", took())
    await spending.release("ghost")

    assert await spending.of_cycle("cycle-1") == Usage()
    assert "a call is settled that was never reserved" in caplog.text


async def test_the_cap_may_be_reached_and_not_passed(spending: Spending) -> None:
    caps = Caps(tokens=2000, cost=Decimal("0.20"))
    await spending.reserve(call_of("a"), caps)
    await spending.reserve(call_of("b"), caps)

    with pytest.raises(SpendingCapReached):
        await spending.reserve(call_of("c", most=(1, 0), cost="0"), caps)
    with pytest.raises(SpendingCapReached):
        await spending.reserve(call_of("c", most=(0, 0), cost="0.0001"), caps)

    assert (await total(spending)).calls == 2


async def test_money_is_counted_exactly(spending: Spending) -> None:
    caps = Caps(cost=Decimal("0.30"))
    for call_id in "abc":
        await spending.reserve(call_of(call_id, cost="0.1"), caps)  # as floats they are more than 0.3
    for call_id in "abc":
        await spending.settle(call_id, took(cost="0.1000000000000000000000001"))

    assert (await total(spending)).cost == Decimal("0.3000000000000000000000003")


async def test_a_call_of_unknown_price_counts_for_the_cap_of_tokens_alone(spending: Spending) -> None:
    caps = Caps(tokens=3000, cost=Decimal("0.10"))
    await spending.reserve(call_of("a", cost="0.10"), caps)
    await spending.reserve(call_of("b", cost=None), caps)

    with pytest.raises(SpendingCapReached, match=r"\$0\.1000"):
        await spending.reserve(call_of("c", cost="0.01"), caps)
    await spending.reserve(call_of("c", cost=None), caps)
    with pytest.raises(SpendingCapReached, match="tokens"):
        await spending.reserve(call_of("d", cost=None), caps)


async def test_a_refusal_for_tokens_says_what_was_spent_what_comes_and_what_to_set(spending: Spending) -> None:
    caps = Caps(tokens=50_000)
    await spending.reserve(call_of("a"), caps)
    await spending.settle("a", took((30_000, 2_000)))
    await spending.reserve(call_of("b", most=(8_000, 1_000)), caps)

    with pytest.raises(SpendingCapReached) as caught:
        await spending.reserve(call_of("c", most=(10_000, 2_000)), caps)

    assert str(caught.value) == (
        "the cycle has spent 41,000 tokens, 9,000 of them only set aside for calls without an answer;"
        " its next call (plan, gpt-9) could take 12,000 more, and its cap is 50,000;"
        " raise DAPER_MAX_TOKENS_PER_CYCLE to go on"
    )
    assert not caught.value.retryable


async def test_a_refusal_for_money_says_what_was_spent_what_comes_and_what_to_set(spending: Spending) -> None:
    caps = Caps(tokens=50_000, cost=Decimal("1.5"))
    await spending.reserve(call_of("a"), caps)
    await spending.settle("a", took(cost="1.49991"))

    with pytest.raises(SpendingCapReached) as caught:
        await spending.reserve(call_of("c", cost="0.00014"), caps)

    assert str(caught.value) == (
        "the cycle has spent $1.5000; its next call (plan, gpt-9) could take $0.0002 more, and its cap is $1.5;"
        " raise DAPER_MAX_COST_PER_CYCLE to go on"
    )


async def test_calls_older_than_90_days_are_forgotten_when_one_is_reserved(
    spending: Spending, clock: Clock, state: KeptState
) -> None:
    await spending.reserve(call_of("old", cycle="cycle-0"), NO_CAPS)
    clock.now = START + timedelta(days=90)
    await spending.reserve(call_of("a"), NO_CAPS)
    assert state.count(CALLS) == 2

    clock.now = START + timedelta(days=91)
    await spending.reserve(call_of("b"), NO_CAPS)

    assert state.count(CALLS) == 2
    assert (await total(spending)).calls == 2


@pytest.mark.parametrize("later", [timedelta(hours=3), timedelta(hours=-3)], ids=["later", "after a jump back"])
async def test_a7_what_was_set_aside_by_somebody_who_is_gone_is_over_and_goes_on_to_count(
    spending: Spending, state: KeptState, clock: Clock, later: timedelta
) -> None:
    await spending.reserve(call_of("killed"), NO_CAPS)
    await spending.reserve(call_of("unpriced", cost=None), NO_CAPS)
    before = await total(spending)
    clock.now += later
    await spending.reserve(call_of("next", cycle="cycle-2"), NO_CAPS)

    assert states(state) == {"killed": "settled", "unpriced": "settled", "next": "reserved"}
    assert await total(spending) == before
    await spending.settle("killed", took())  # it lived after all: only the first settling counts
    assert await total(spending) == before
    with pytest.raises(SpendingCapReached) as refused:
        await spending.reserve(call_of("more"), Caps(tokens=2500))
    assert "set aside" not in str(refused.value)


async def test_a7_what_is_under_way_stays_set_aside(spending: Spending, state: KeptState, clock: Clock) -> None:
    await spending.reserve(call_of("slow"), NO_CAPS)
    clock.now += timedelta(hours=1)
    await spending.reserve(call_of("next"), NO_CAPS)

    assert states(state) == {"slow": "reserved", "next": "reserved"}


async def test_a7_a_clock_that_jumps_by_months_forgets_nothing_of_the_cycle_that_asks(
    spending: Spending, clock: Clock
) -> None:
    await spending.reserve(call_of("first"), NO_CAPS)
    await spending.settle("first", took((700, 200)))
    clock.now += timedelta(days=200)

    with pytest.raises(SpendingCapReached):
        await spending.reserve(call_of("second"), Caps(tokens=1500))


async def test_a_refused_reservation_sets_nothing_aside(spending: Spending, state: KeptState) -> None:
    with pytest.raises(SpendingCapReached):
        await spending.reserve(call_of("a"), Caps(tokens=999))

    assert state.count(CALLS) == 0


async def test_what_was_spent_survives_a_restart(spending: Spending, state: KeptState, clock: Clock) -> None:
    await spending.reserve(call_of("a"), NO_CAPS)
    await spending.settle("a", took())
    await spending.reserve(call_of("b"), NO_CAPS)
    before = await spending.of_cycle("cycle-1")

    assert await SpendingTables(state.open(), now=clock).of_cycle("cycle-1") == before


async def test_of_50_threads_that_reserve_at_once_none_passes_the_cap(state: KeptState, spending: Spending) -> None:
    caps = Caps(tokens=17_999, cost=Decimal("10"))

    def reserve_alone(number: int) -> bool:
        try:
            asyncio.run(SpendingTables(state.open()).reserve(call_of(f"call-{number}"), caps))
        except SpendingCapReached:
            return False
        return True

    with ThreadPoolExecutor(max_workers=50) as pool:
        answers = list(pool.map(reserve_alone, range(50)))

    assert sum(answers) == 17
    assert (await total(spending)).tokens == 17_000


SPENDER = (
    OPEN
    + """
import asyncio
from decimal import Decimal
from daper.adapters.spending.tables import SpendingTables
from daper.core.errors import SpendingCapReached
from daper.core.usage import CallSpent, Role, Spent
from daper.ports import Caps, Reservation
spending, name, caps = SpendingTables(database), sys.argv[3], Caps(cost=Decimal(sys.argv[4]))
call = CallSpent(role=Role.PLAN, spent=Spent(input_tokens=600, output_tokens=400))
async def main():
    print("ready", flush=True); sys.stdin.readline()
    for number in range(20):
        reservation = Reservation(
            call_id=f"{name}-{number}", cycle_id="cycle-1", call=call, model="gpt-9", cost=Decimal("0.10"))
        try:
            await spending.reserve(reservation, caps)
        except SpendingCapReached:
            print("refused", flush=True)
        else:
            print("reserved", flush=True)
    sys.stdin.readline()
asyncio.run(main())
"""
)


def spender(state: KeptState, name: str, cap: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SPENDER, *state.words, name, cap],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def start(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


@pytest.mark.long
async def test_of_several_processes_that_reserve_at_once_none_passes_the_cap(
    state: KeptState, spending: Spending
) -> None:
    processes = [spender(state, f"p{number}", "2.35") for number in range(2)]
    assert [line_of(process) for process in processes] == ["ready"] * 2

    for process in processes:
        start(process)
    answers = [answer for process in processes for answer in process.communicate(timeout=60)[0].split()]

    assert (answers.count("reserved"), answers.count("refused")) == (23, 17)
    assert (await total(spending)).cost == Decimal("2.30")


async def test_what_was_set_aside_counts_when_its_process_was_killed_before_the_answer(
    state: KeptState,
) -> None:
    spending = SpendingTables(state.open())  # by the clock of the other process
    process = spender(state, "killed", "0.25")
    start(process)
    told = [line_of(process) for _ in range(3)]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)

    assert told == ["ready", "reserved", "reserved"]
    assert await total(spending) == Spent(
        calls=2, input_tokens=1200, output_tokens=800, cost=Decimal("0.20"), uncertain=2
    )
    with pytest.raises(SpendingCapReached, match=r"\$0\.2000 of it only set aside"):
        await spending.reserve(call_of("later"), Caps(cost=Decimal("0.25")))


@pytest.mark.parametrize("damage", ["reserved_cost = 'much'", "record_ids = '['", "record_ids = '7'", "role = 'cook'"])
async def test_a_call_that_cannot_be_read_is_damage_and_no_guess(
    spending: Spending, state: KeptState, damage: str
) -> None:
    await spending.reserve(call_of("a"), NO_CAPS)
    state.change(f"UPDATE daper_calls SET {damage}")  # noqa: S608 - constants

    with pytest.raises(StoreDamaged, match="has a call of cycle 'cycle-1' that cannot be read"):
        await spending.reserve(call_of("b"), NO_CAPS)


async def test_a_number_that_is_none_is_damage_where_a_database_lets_it_in(file_state: KeptState) -> None:
    spending = SpendingTables(file_state.open())
    await spending.reserve(call_of("a"), NO_CAPS)
    file_state.change("UPDATE daper_calls SET reserved_input = 'x'")

    with pytest.raises(StoreDamaged, match="has a call of cycle 'cycle-1' that cannot be read"):
        await spending.reserve(call_of("b"), NO_CAPS)


async def test_a_ledger_that_somebody_holds_too_long_is_busy_which_is_worth_a_retry(
    spending: Spending, state: KeptState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daper.adapters.spending.tables.BUSY_SECONDS", 0.05)
    await spending.reserve(call_of("a"), NO_CAPS)
    other = state.open()

    with other.transaction() as db:
        other.alone(db, "spending of cycle-1")
        with pytest.raises(StoreBusy, match=r"busy|others change the same") as caught:
            await spending.reserve(call_of("b"), NO_CAPS)

    assert caught.value.retryable


def test_building_a_ledger_touches_no_file(file_state: KeptState) -> None:
    SpendingTables(file_state.open())

    assert not file_state.place.home.exists()


def states(state: KeptState) -> dict[str, str]:
    return {row["call_id"]: row["state"] for row in state.rows(CALLS)}

"""Once in a system that shares no transaction with the ledger: asked, found again, or known to nobody."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from pathlib import Path

import pytest
from pydantic import BaseModel, JsonValue

from daper.core.errors import ActionFailed, CannotSettle, StoreBusy
from daper.core.limits import Exactly
from daper.core.models import Risk
from daper.core.outcomes import Effect, Holding, OutcomeStatus, Postcondition
from daper.ports import Record, Store, Terms, ToolCall
from daper.stores.once import Deed
from daper.stores.outside import Trace, UndoableOutsideTool
from daper.stores.sql.sqlite import SqliteStore

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Lamp:
    """A lamp somewhere else: it can be asked to switch, and may remember by which requests it did."""

    def __init__(self) -> None:
        self.on = False
        self.switched = 0
        self.requests: dict[str, bool] = {}
        self.closed: set[str] = set()  # requests that it takes no more
        self.remembers = True
        self.looks = 0

    def switch(self, key: str, *, on: bool) -> None:
        if key in self.closed:
            raise ActionFailed(f"request {key} is closed")
        self.on = on
        self.switched += 1
        self.requests[key] = on


class Args(BaseModel):
    lamp: str


class SwitchOn(UndoableOutsideTool):
    """Switches the lamp on. What happens on the way is a test's to say."""

    name = "switch_on"
    risk = Risk.LOW
    args = Args

    def __init__(self, lamp: Lamp, books: Callable[[], Store[object]]) -> None:
        super().__init__(books, clock=lambda: NOON)
        self.lamp = lamp
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None
        self.waits: asyncio.Event | None = None
        self.asked = asyncio.Event()
        self.says_versions = False

    def clock(self, now: Callable[[], datetime]) -> None:
        """Another clock from now on."""
        self._clock = now

    async def look(self, record_id: str) -> tuple[Record, ...]:
        self.lamp.looks += 1
        version = str(self.lamp.switched)
        return (Record(ref=record_id, record_id=record_id, version=version, data={"on": self.lamp.on}),)

    def terms(self, record_id: str, arguments: Mapping[str, JsonValue], records: Sequence[Record]) -> Terms:
        obstacle = "it is on" if records[0].data["on"] else ""
        return Terms(answers=frozenset({"dark"}), limits={"lamp": Exactly(value=record_id)}, obstacle=obstacle)

    async def act(self, call: ToolCall) -> Deed:
        return await self._ask(call, call.key, on=True)

    async def take_back(self, call: ToolCall, done: Effect, originals: str, *, key: str) -> Deed:
        assert originals == "off"
        return await self._ask(call, key, on=False)

    async def probe(self, call: ToolCall, *, key: str) -> Trace:
        if not self.lamp.remembers:
            return await super().probe(call, key=key)
        if key in self.lamp.requests:
            return Trace(deed=self._deed(call, on=self.lamp.requests[key]))
        return Trace(final=key in self.lamp.closed)

    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        return Postcondition(holding=Holding.YES if records[0].data["on"] else Holding.NO, evidence="looked")

    async def _ask(self, call: ToolCall, key: str, *, on: bool) -> Deed:
        self.asked.set()
        if self.waits is not None:
            await self.waits.wait()
        self.before()
        self.lamp.switch(key, on=on)
        self.after()
        return self._deed(call, on=on)

    def _deed(self, call: ToolCall, *, on: bool) -> Deed:
        return Deed(
            before={"on": not on},
            after={"on": on},
            wrote=[call.record_id],
            evidence=["switched"],
            originals="off",
            versions={call.record_id: str(self.lamp.switched)} if self.says_versions else {},
        )


class Repeatable(SwitchOn):
    """The same, of a lamp that counts a request once."""

    repeatable = True


class Lost(Exception):
    """The line went dead."""


def lost() -> None:
    raise Lost


@pytest.fixture
def books(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "ledger.db", tables={})


@pytest.fixture
def lamp() -> Lamp:
    return Lamp()


@pytest.fixture
def tool(lamp: Lamp, books: SqliteStore) -> SwitchOn:
    return SwitchOn(lamp, lambda: books)


@pytest.fixture
def repeatable(lamp: Lamp, books: SqliteStore) -> Repeatable:
    return Repeatable(lamp, lambda: books)


CALL = ToolCall(key="k1", record_id="lamp", arguments={"lamp": "lamp"}, expected={"lamp": "0"}, today=NOON)


async def test_d1_it_is_asked_once_for_a_key_and_says_what_it_left(tool: SwitchOn, lamp: Lamp) -> None:
    first = await tool.apply(CALL)
    again = await tool.apply(CALL)
    assert (first.status, first.wrote, first.evidence) == (OutcomeStatus.APPLIED, {"lamp": "1"}, ("switched",))
    assert again == first.model_copy(update={"status": OutcomeStatus.ALREADY_APPLIED})
    assert await tool.settle("k1") == first
    assert (await tool.holds(CALL, first)).holding is Holding.YES
    assert lamp.switched == 1


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (replace(CALL, expected={"lamp": "7"}), OutcomeStatus.STALE),
        (replace(CALL, expected={"another": "0"}), OutcomeStatus.STALE),
        (replace(CALL, arguments={"lamp": "another"}), OutcomeStatus.BLOCKED),
        (replace(CALL, valid_until=NOON - timedelta(seconds=1)), OutcomeStatus.LAPSED),
    ],
)
async def test_what_does_not_fit_is_not_asked_for_and_that_is_its_last_word(
    tool: SwitchOn, lamp: Lamp, call: ToolCall, status: OutcomeStatus
) -> None:
    first = await tool.apply(call)
    assert first.status is status
    assert await tool.apply(CALL) == first
    assert await tool.settle("k1") == first
    assert lamp.switched == 0


async def test_an_obstacle_of_now_counts_and_not_that_of_the_plan(tool: SwitchOn, lamp: Lamp) -> None:
    lamp.on = True
    assert (await tool.apply(CALL)).evidence == ("it is on",)


async def test_what_the_system_refuses_has_failed_for_good(tool: SwitchOn, lamp: Lamp) -> None:
    lamp.closed.add("k1")
    first = await tool.apply(CALL)
    assert (first.status, first.evidence) == (OutcomeStatus.FAILED, ("request k1 is closed",))
    lamp.closed.clear()
    assert await tool.apply(CALL) == first
    assert await tool.settle("k1") == first
    assert lamp.switched == 0


async def test_an_answer_that_got_lost_is_found_again_by_the_next_attempt(tool: SwitchOn, lamp: Lamp) -> None:
    tool.after = lost
    with pytest.raises(Lost):
        await tool.apply(CALL)
    tool.after = lambda: None
    assert (await tool.apply(CALL)).status is OutcomeStatus.APPLIED
    assert lamp.switched == 1


async def test_an_answer_that_got_lost_is_found_again_by_whoever_settles(tool: SwitchOn, lamp: Lamp) -> None:
    tool.after = lost
    with pytest.raises(Lost):
        await tool.apply(CALL)
    found = await tool.settle("k1")
    assert found is not None
    assert (found.status, found.wrote) == (OutcomeStatus.APPLIED, {"lamp": ""})
    assert (await tool.apply(CALL)).status is OutcomeStatus.ALREADY_APPLIED


@pytest.mark.parametrize("remembers", [True, False])
async def test_d3_where_nobody_knows_it_is_not_asked_again_nor_called_never(
    tool: SwitchOn, lamp: Lamp, remembers: bool
) -> None:
    """The request may still be on its way."""
    lamp.remembers = remembers
    tool.before = lost
    with pytest.raises(Lost):
        await tool.apply(CALL)
    tool.before = lambda: None
    with pytest.raises(CannotSettle):
        await tool.apply(CALL)
    with pytest.raises(CannotSettle):
        await tool.settle("k1")
    assert lamp.switched == 0
    lamp.remembers = True
    lamp.switch("k1", on=True)  # it was
    assert (await tool.apply(CALL)).status is OutcomeStatus.APPLIED
    assert lamp.switched == 1


async def test_where_asking_twice_does_no_harm_it_is_asked_again(repeatable: Repeatable, lamp: Lamp) -> None:
    repeatable.before = lost
    with pytest.raises(Lost):
        await repeatable.apply(CALL)
    with pytest.raises(CannotSettle):
        await repeatable.settle("k1")
    repeatable.before = lambda: None
    assert (await repeatable.apply(CALL)).status is OutcomeStatus.APPLIED
    assert lamp.switched == 1


async def test_d1_a_refusal_of_the_second_request_does_not_bury_the_first(repeatable: Repeatable, lamp: Lamp) -> None:
    """It was refused because the first one came through."""
    repeatable.before = lost
    with pytest.raises(Lost):
        await repeatable.apply(CALL)

    def first_comes_through() -> None:
        lamp.switch("k1", on=True)
        raise ActionFailed("it is on already")

    repeatable.before = first_comes_through
    found = await repeatable.apply(CALL)
    assert (found.status, lamp.switched) == (OutcomeStatus.APPLIED, 1)
    assert await repeatable.settle("k1") == found


async def test_a_refusal_of_the_second_request_is_no_last_word_while_the_first_may_come(
    repeatable: Repeatable, lamp: Lamp
) -> None:
    repeatable.before = lost
    with pytest.raises(Lost):
        await repeatable.apply(CALL)

    def refuses() -> None:
        raise ActionFailed("not today")

    repeatable.before = refuses
    with pytest.raises(CannotSettle):
        await repeatable.apply(CALL)
    lamp.switch("k1", on=True)
    assert (await repeatable.apply(CALL)).status is OutcomeStatus.APPLIED


async def test_an_effect_that_was_found_again_later_is_not_taken_back_over_somebody(tool: SwitchOn, lamp: Lamp) -> None:
    """Nobody can tell which version our effect left, once others may have written since."""
    tool.after = lost
    with pytest.raises(Lost):
        await tool.apply(CALL)
    tool.after = lambda: None
    lamp.switched = 2  # somebody
    found = await tool.apply(CALL)
    assert (found.status, found.wrote) == (OutcomeStatus.APPLIED, {"lamp": ""})
    assert (await tool.undo(CALL, found, key="u1")).status is OutcomeStatus.UNDO_BLOCKED
    assert lamp.on


async def test_what_the_system_says_it_left_counts_also_later(tool: SwitchOn, lamp: Lamp) -> None:
    tool.says_versions = True
    tool.after = lost
    with pytest.raises(Lost):
        await tool.apply(CALL)
    tool.after = lambda: None
    found = await tool.apply(CALL)
    assert found.wrote == {"lamp": "1"}
    assert (await tool.undo(CALL, found, key="u1")).status is OutcomeStatus.UNDONE
    assert not lamp.on


async def test_an_approval_that_lapses_while_the_ledger_is_waited_for_is_not_run(tool: SwitchOn, lamp: Lamp) -> None:
    times = chain([NOON], repeat(NOON + timedelta(seconds=2)))
    tool.clock(lambda: next(times))
    lapsed = await tool.apply(replace(CALL, valid_until=NOON + timedelta(seconds=1)))
    assert (lapsed.status, lamp.switched) == (OutcomeStatus.LAPSED, 0)


async def test_what_was_begun_and_does_not_fit_any_more_has_no_last_word(repeatable: Repeatable, lamp: Lamp) -> None:
    """Stale would be a lie, if the first request came through after all."""
    repeatable.before = lost
    with pytest.raises(Lost):
        await repeatable.apply(CALL)
    repeatable.before = lambda: None
    lamp.switched = 5
    with pytest.raises(CannotSettle):
        await repeatable.apply(CALL)
    lamp.switched = 0
    assert (await repeatable.apply(CALL)).status is OutcomeStatus.APPLIED


@pytest.mark.parametrize("by", ["settle", "apply"])
async def test_a_system_that_takes_no_late_request_makes_never_certain(tool: SwitchOn, lamp: Lamp, by: str) -> None:
    tool.before = lost
    with pytest.raises(Lost):
        await tool.apply(CALL)
    tool.before = lambda: None
    lamp.closed.add("k1")
    if by == "settle":
        assert await tool.settle("k1") is None
    assert (await tool.apply(CALL)).status is OutcomeStatus.FAILED
    assert lamp.switched == 0


async def test_a_key_that_was_settled_before_anybody_asked_is_never_asked_for(tool: SwitchOn, lamp: Lamp) -> None:
    assert await tool.settle("k1") is None
    assert (await tool.apply(CALL)).status is OutcomeStatus.FAILED
    assert lamp.switched == 0


async def test_d1_who_settles_while_a_request_is_on_its_way_does_not_bury_it(tool: SwitchOn, lamp: Lamp) -> None:
    tool.waits = asyncio.Event()
    attempt = asyncio.create_task(tool.apply(CALL))
    await tool.asked.wait()
    with pytest.raises(CannotSettle):
        await tool.settle("k1")
    with pytest.raises(CannotSettle):
        await tool.apply(CALL)
    tool.waits.set()
    assert (await attempt).status is OutcomeStatus.APPLIED
    assert (await tool.settle("k1")) == (await attempt)
    assert lamp.switched == 1


async def test_d1_many_attempts_at_once_ask_once(tool: SwitchOn, lamp: Lamp) -> None:
    found = await asyncio.gather(*(tool.apply(CALL) for _ in range(12)), return_exceptions=True)
    assert {type(each) for each in found} <= {Effect, CannotSettle}
    assert lamp.switched == 1
    assert (await tool.apply(CALL)).status is OutcomeStatus.ALREADY_APPLIED


async def test_a_system_that_does_what_it_said_would_never_happen_is_told_as_such(tool: SwitchOn, lamp: Lamp) -> None:
    tool.waits = asyncio.Event()
    attempt = asyncio.create_task(tool.apply(CALL))
    await tool.asked.wait()
    lamp.closed.add("k1")
    assert await tool.settle("k1") is None
    lamp.closed.clear()
    tool.waits.set()
    with pytest.raises(CannotSettle, match="never happens, and it did"):
        await attempt


async def test_ledger_and_system_out_of_reach_is_no_answer_and_the_next_attempt_finds_out(
    tool: SwitchOn, lamp: Lamp, books: SqliteStore
) -> None:
    def busy() -> Store[object]:
        raise StoreBusy("held")

    def broken_books() -> None:
        tool.books = busy

    tool.after = broken_books
    with pytest.raises(StoreBusy):
        await tool.apply(CALL)
    tool.books = lambda: books
    tool.after = lambda: None
    assert (await tool.apply(CALL)).status is OutcomeStatus.APPLIED
    assert lamp.switched == 1


async def test_it_is_taken_back_once_also_where_the_answer_got_lost(tool: SwitchOn, lamp: Lamp) -> None:
    done = await tool.apply(CALL)
    tool.after = lost
    with pytest.raises(Lost):
        await tool.undo(CALL, done, key="u1")
    tool.after = lambda: None
    undone = await tool.undo(CALL, done, key="u1")
    assert (undone.status, lamp.on, lamp.switched) == (OutcomeStatus.UNDONE, False, 2)
    assert await tool.settle("u1") == undone
    assert await tool.undo(CALL, done, key="u1") == undone
    assert lamp.switched == 2


async def test_what_a_stranger_switched_since_is_not_taken_back(tool: SwitchOn, lamp: Lamp) -> None:
    done = await tool.apply(CALL)
    lamp.switch("somebody's", on=True)
    assert (await tool.undo(CALL, done, key="u1")).status is OutcomeStatus.UNDO_BLOCKED
    lamp.switched = 1
    assert (await tool.undo(CALL, done, key="u1")).status is OutcomeStatus.UNDO_BLOCKED
    assert lamp.on


async def test_there_is_nothing_to_take_back_where_nothing_was_done(tool: SwitchOn, lamp: Lamp) -> None:
    assert (await tool.undo(CALL, Effect(status=OutcomeStatus.APPLIED), key="u1")).status is OutcomeStatus.UNDO_BLOCKED
    assert lamp.switched == 0


class Claiming(SwitchOn):
    """The same, of a lamp that cannot compare: one key alone may switch what was seen."""

    def claim(self, call: ToolCall, records: Sequence[Record]) -> str:
        return f"{call.record_id} {records[0].version}"


@pytest.fixture
def claiming(lamp: Lamp, books: SqliteStore) -> Claiming:
    return Claiming(lamp, lambda: books)


OTHER = replace(CALL, key="k2")


async def test_two_keys_that_saw_the_same_do_not_both_change_it(
    claiming: Claiming, lamp: Lamp, books: SqliteStore
) -> None:
    claiming.waits = asyncio.Event()
    first = asyncio.create_task(claiming.apply(CALL))
    await claiming.asked.wait()
    second = await Claiming(lamp, lambda: books).apply(OTHER)  # as another worker would
    assert second.status is OutcomeStatus.STALE
    claiming.waits.set()
    assert (await first).status is OutcomeStatus.APPLIED
    assert await claiming.apply(OTHER) == second
    assert lamp.switched == 1


async def test_what_nobody_can_tell_of_stays_claimed_while_it_may_be_under_way(claiming: Claiming, lamp: Lamp) -> None:
    claiming.before = lost
    with pytest.raises(Lost):
        await claiming.apply(CALL)
    claiming.before = lambda: None
    other = await claiming.apply(OTHER)
    assert (other.status, "until 13:00 it is left alone" in other.evidence[0]) == (OutcomeStatus.STALE, True), other
    assert lamp.switched == 0
    claiming.clock(lambda: NOON + timedelta(minutes=61))
    assert await claiming.apply(OTHER) == other
    assert (await claiming.apply(replace(CALL, key="k3"))).status is OutcomeStatus.APPLIED
    with pytest.raises(CannotSettle):
        await claiming.apply(CALL)
    assert lamp.switched == 1


async def test_what_came_to_nothing_for_certain_is_free_again(claiming: Claiming, lamp: Lamp) -> None:
    lamp.closed.add("k1")
    assert (await claiming.apply(CALL)).status is OutcomeStatus.FAILED
    assert (await claiming.apply(OTHER)).status is OutcomeStatus.APPLIED
    assert (await claiming.apply(replace(CALL, key="k3"))).status is OutcomeStatus.STALE
    assert lamp.switched == 1


async def test_who_claimed_it_is_not_kept_from_it(books: SqliteStore, lamp: Lamp) -> None:
    class Both(Claiming, Repeatable):
        pass

    tool = Both(lamp, lambda: books)
    tool.before = lost
    with pytest.raises(Lost):
        await tool.apply(CALL)
    tool.before = lambda: None
    assert (await tool.apply(CALL)).status is OutcomeStatus.APPLIED
    assert lamp.switched == 1


async def test_what_another_key_has_claimed_since_is_not_asked_for_again(books: SqliteStore, lamp: Lamp) -> None:
    class Both(Claiming, Repeatable):
        pass

    first, second = Both(lamp, lambda: books), Both(lamp, lambda: books)
    first.before = lost
    with pytest.raises(Lost):
        await first.apply(CALL)
    for each in (first, second):
        each.clock(lambda: NOON + timedelta(minutes=61))
    first.before, second.waits = (lambda: None), asyncio.Event()
    other = asyncio.create_task(second.apply(OTHER))
    await second.asked.wait()
    with pytest.raises(CannotSettle):
        await first.apply(CALL)
    second.waits.set()
    assert (await other).status is OutcomeStatus.APPLIED
    assert lamp.switched == 1


async def test_who_asks_again_has_claimed_it_anew(books: SqliteStore, lamp: Lamp) -> None:
    class Both(Claiming, Repeatable):
        pass

    first, second = Both(lamp, lambda: books), Both(lamp, lambda: books)
    first.before = lost
    with pytest.raises(Lost):
        await first.apply(CALL)
    for each in (first, second):
        each.clock(lambda: NOON + timedelta(minutes=61))
    first.before, first.waits = (lambda: None), asyncio.Event()
    first.asked.clear()
    again = asyncio.create_task(first.apply(CALL))
    await first.asked.wait()
    assert (await second.apply(OTHER)).status is OutcomeStatus.STALE
    first.waits.set()
    assert (await again).status is OutcomeStatus.APPLIED
    assert lamp.switched == 1


@pytest.mark.parametrize("taken", [True, False])
async def test_who_slept_for_as_long_as_a_claim_holds_asks_for_nothing(
    claiming: Claiming, lamp: Lamp, books: SqliteStore, taken: bool
) -> None:
    """As a process that was stopped, or a machine that was, between its note and its request."""
    noted, woken = threading.Event(), threading.Event()

    class Sleeper(Claiming):
        def _begin(self, passage: object, claim: str) -> bool:
            begun = super()._begin(passage, claim)  # pyright: ignore[reportArgumentType] - as it came
            noted.set()
            woken.wait()
            return begun

    sleeper = Sleeper(lamp, lambda: books)
    asleep = asyncio.create_task(sleeper.apply(CALL))
    await asyncio.to_thread(noted.wait)
    for each in (sleeper, claiming):
        each.clock(lambda: NOON + timedelta(minutes=61))
    if taken:
        assert (await claiming.apply(OTHER)).status is OutcomeStatus.APPLIED
    woken.set()
    assert (await asleep).status is OutcomeStatus.FAILED
    assert lamp.switched == taken

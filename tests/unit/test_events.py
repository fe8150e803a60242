"""What an event-driven agent keeps: no event is lost, none counts twice, none gets rights that it did not bring."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daper.core.events import KEPT_PLACES, MOST_PLACES, Batch, Event, Gathering, Inbox, Kept
from daper.core.messages import RepairRequest, asked_for
from daper.core.models import IdentityProof, Person, Scope

NOW = datetime(2025, 7, 1, tzinfo=UTC)
HARRY = Person(name="Harry", how=IdentityProof.OS_USER)


def event(number: int, *record_ids: str, limit: int = 50, also: Mapping[str, object] = MappingProxyType({})) -> Event:
    request = RepairRequest.model_validate(
        {
            "requested_by": HARRY,
            "domain": "orders",
            "store_id": "s",
            "activity_queue": "q",
            "scope": Scope(record_ids=record_ids, limit=limit),
            **also,
        }
    )
    return Event(repair_id=f"repair-{number}", call=f"call-{number}", asked=asked_for(request), request=request)


def taken(*events: Event) -> Inbox:
    inbox = Inbox(Kept())
    for each in events:
        inbox.take(each, remember_until=NOW)
    return inbox


def records(inbox: Inbox) -> list[tuple[str, ...]]:
    return [batch.record_ids for batch in inbox.waiting]


def test_what_asks_for_the_same_becomes_one_repair_each_record_once() -> None:
    inbox = taken(event(1, "A", "B"), event(2, "B", "C"), event(3, "D"))
    assert records(inbox) == [("A", "B", "C", "D")]
    assert inbox.waiting[0].events == 3
    assert {inbox.places[f"repair-{number}"].repair_id for number in (1, 2, 3)} == {"repair-1"}


def test_an_event_that_is_told_again_changes_nothing() -> None:
    inbox = taken(event(1, "A"), event(2, "B"))
    again = event(2, "B").model_copy(update={"call": "another"})
    for begins in (False, True):
        if begins:
            inbox.begin()
        before = inbox.to_keep()
        inbox.take(again, remember_until=NOW)
        assert inbox.to_keep() == before


@pytest.mark.parametrize(
    "other",
    [
        {"auto_approve": True},
        {"again": True},
        {"may_act_alone": True},
        {"requested_by": Person(name="Harry", how=IdentityProof.CLAIMED)},
        {"approval_timeout": timedelta(hours=1)},
        {"tell": ("ops",)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_no_event_shares_a_repair_that_may_do_more_or_less(other: dict[str, object]) -> None:
    nothing: dict[str, object] = {}
    for first, second in ((nothing, other), (other, nothing)):
        inbox = taken(event(1, "A", also=first), event(2, "B", also=second))
        assert records(inbox) == [("A",), ("B",)]
        assert [batch.request for batch in inbox.waiting] == [
            event(1, "A", also=first).request,
            event(2, "B", also=second).request,
        ]


def test_a_repair_that_is_full_leaves_room_for_the_next() -> None:
    inbox = taken(event(1, "A", "B", limit=3), event(2, "C", "D", limit=3), event(3, "E", limit=3))
    assert records(inbox) == [("A", "B"), ("C", "D", "E")]


def test_what_names_no_records_looks_at_all_and_is_not_narrowed() -> None:
    assert records(taken(event(1), event(2, "A"), event(3))) == [(), ("A",), ()]


def test_places_are_bounded_and_the_newest_are_kept() -> None:
    inbox = taken(event(0, "A"))
    for number in range(1, KEPT_PLACES + 5):
        inbox.begin()
        inbox.take(event(number, "A"), remember_until=NOW)
    assert len(inbox.places) == KEPT_PLACES + 1
    assert f"repair-{KEPT_PLACES + 4}" in inbox.places
    assert "repair-3" not in inbox.places


def test_an_event_that_waits_is_known_however_much_is_told_after_it() -> None:
    auto = {"auto_approve": True}
    inbox = taken(event(0, "A"), event(1, "B"), *(event(n, "C", also=auto) for n in range(2, MOST_PLACES)))
    inbox.take(event(1, "B"), remember_until=NOW)
    assert len(inbox.places) == MOST_PLACES
    inbox.take(event(MOST_PLACES, "C", also=auto), remember_until=NOW)  # one too many: the oldest place is forgotten
    inbox.take(event(0, "A"), remember_until=NOW)
    assert [batch.repair_id for batch in inbox.waiting] == ["repair-0", "repair-2"]
    assert len(inbox.places) == MOST_PLACES


def test_a_repair_whose_id_was_taken_is_found_under_its_new_one() -> None:
    inbox = taken(event(1, "A"), event(2, "B"), event(3, "C", also={"again": True}))
    inbox.begin()
    inbox.move("repair-1", "repair-9")
    found = {number: inbox.place(f"repair-{number}", due_waits_for="its turn") for number in (1, 2, 3)}
    assert {number: place and (place.repair_id, place.waits_for) for number, place in found.items()} == {
        1: ("repair-9", ""),
        2: ("repair-9", ""),
        3: ("repair-3", "its turn"),
    }


def test_it_remembers_only_what_temporal_would_not_know() -> None:
    alone = taken(event(1, "A"))
    assert alone.remember_until is None
    alone.take(event(2, "B"), remember_until=NOW)
    assert alone.remember_until == NOW


HOW = Gathering(window=timedelta(seconds=10), most_records=5)


def gathered(*events: Event, how: Gathering = HOW, at: datetime = NOW) -> Inbox:
    inbox = Inbox(Kept())
    for each in events:
        inbox.gather(each, how, now=at, remember_until=NOW)
    return inbox


def test_what_is_gathered_is_due_when_the_window_of_its_first_report_is_over() -> None:
    inbox = gathered(event(1, "A"))
    inbox.gather(event(2, "B"), HOW, now=NOW + timedelta(seconds=9), remember_until=NOW)
    assert (inbox.due, inbox.closes_at, records(inbox)) == (False, NOW + HOW.window, [("A", "B")])
    inbox.close(NOW + HOW.window)
    assert (inbox.due, inbox.closes_at) == (True, None)


def test_what_is_full_is_due_before_what_was_told_before_it() -> None:
    inbox = gathered(event(1, "A"), event(2, *"BCDEF", also={"again": True}))
    assert (inbox.due, records(inbox)) == (True, [tuple("BCDEF"), ("A",)])


def test_what_waits_for_a_place_takes_more_until_it_is_full_and_what_it_has_already() -> None:
    inbox = gathered(event(1, "A"))
    inbox.close(NOW + HOW.window)
    for number, names in enumerate(("BC", "DEF", "A", "DE"), start=2):
        inbox.gather(event(number, *names), HOW, now=NOW + HOW.window, remember_until=NOW)
    assert records(inbox) == [("A", "B", "C", "D", "E"), ("D", "E", "F")] or records(inbox) == [
        ("A", "B", "C"),
        ("D", "E", "F"),
    ]
    assert {inbox.places["repair-4"].repair_id, inbox.places["repair-2"].repair_id} == {"repair-1"}


def test_a_repair_takes_on_as_many_problems_as_each_of_its_reports_would_have() -> None:
    inbox = gathered(*(event(number, str(number), limit=200) for number in range(4)))
    [batch] = inbox.waiting
    assert (batch.request.scope.limit, batch.whole.scope.limit) == (200, 500)
    assert gathered(event(1, "A")).waiting[0].whole.scope.limit == 50


def test_what_an_older_agent_kept_is_due() -> None:
    kept = Kept.model_validate({"waiting": [taken(event(1, "A")).waiting[0].model_dump(exclude={"closes_at"})]})
    assert Inbox(kept).due


NAMES = st.lists(st.sampled_from("ABCDEFGH"), min_size=1, max_size=4, unique=True)
TOLD = st.lists(st.tuples(st.integers(0, 12), NAMES, st.booleans(), st.booleans()), max_size=20)


@given(TOLD)
def test_whatever_is_told_and_begun_in_whatever_order_no_record_is_lost(
    told: list[tuple[int, list[str], bool, bool]],
) -> None:
    inbox, begun, events = Inbox(Kept()), list[Batch](), dict[str, Event]()
    for number, names, auto, begins in told:
        each = event(number, *names, limit=5, also={"auto_approve": auto})
        events.setdefault(each.repair_id, each)
        inbox.take(each, remember_until=NOW)
        if begins and inbox.waiting:
            begun.append(inbox.begin())
    repairs = {batch.repair_id: batch for batch in (*begun, *inbox.waiting)}
    assert len(repairs) == len(begun) + len(inbox.waiting)
    for repair_id, each in events.items():
        answering = repairs[inbox.places[repair_id].repair_id]
        assert set(each.request.scope.record_ids) <= set(answering.record_ids)
        assert answering.request.auto_approve == each.request.auto_approve
    assert sum(batch.events for batch in repairs.values()) == len(events)


@given(TOLD, st.lists(st.integers(0, 30), min_size=20, max_size=20))
def test_whatever_is_gathered_at_whatever_time_no_record_is_lost_and_no_right_is_won(
    told: list[tuple[int, list[str], bool, bool]], seconds: list[int]
) -> None:
    inbox, begun, events, now = Inbox(Kept()), list[Batch](), dict[str, Event](), NOW
    for (number, names, auto, begins), later in zip(told, seconds, strict=False):
        now += timedelta(seconds=later)
        each = event(number, *names, also={"auto_approve": auto})
        events.setdefault(each.repair_id, each)
        inbox.close(now)
        inbox.gather(each, HOW, now=now, remember_until=NOW)
        assert inbox.waiting == sorted(inbox.waiting, key=lambda batch: batch.closes_at is not None)
        if begins and inbox.due:
            begun.append(inbox.begin())
        inbox = Inbox(Kept.model_validate_json(inbox.to_keep().model_dump_json()))
    repairs = {batch.repair_id: batch for batch in (*begun, *inbox.waiting)}
    assert len(repairs) == len(begun) + len(inbox.waiting)
    for repair_id, each in events.items():
        answering = repairs[inbox.places[repair_id].repair_id]
        assert set(each.request.scope.record_ids) <= set(answering.record_ids)
        assert answering.request.auto_approve == each.request.auto_approve
        assert len(answering.record_ids) == len(set(answering.record_ids)) <= HOW.most_records
    assert sum(batch.events for batch in repairs.values()) == len(events)

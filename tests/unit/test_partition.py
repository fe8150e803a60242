"""A part of all records: stable, disjoint from the others, and together with them everything."""

from pathlib import Path

import pytest
from tests.workflow.wide_shop import install

from daper.activities.scopes import open_records, unknown_status
from daper.core.errors import UserError
from daper.core.messages import RepairRequest, asked_for
from daper.core.models import IdentityProof, Person, Scope
from daper.core.partition import MOST_PARTITIONS, Partition, parse_partition, within
from daper.domains.orders.domain import OrdersDomain, open_domain
from daper.entrypoints.cli.exits import UsageError
from daper.entrypoints.cli.parameters import scope_of
from daper.ports import RecordPage

IDS = [f"ORD-{number:04}" for number in range(2000)]
HARRY = Person(name="Harry", how=IdentityProof.OS_USER)


def _ids_of(page: RecordPage, domain: OrdersDomain) -> list[str]:
    return [record.record_id for record in page.records if domain.head(record)]


@pytest.mark.parametrize("of", [1, 2, 3, 4, 7, 100, MOST_PARTITIONS])
def test_the_parts_are_disjoint_and_together_everything(of: int) -> None:
    ids = IDS[: max(100, 20_000 // of)]
    parts = [within(Partition(number=number, of=of), ids) for number in range(1, of + 1)]
    assert sorted(each for part in parts for each in part) == ids


def test_the_parts_are_about_of_one_size() -> None:
    sizes = [len(within(Partition(number=number, of=4), IDS)) for number in range(1, 5)]
    assert sum(sizes) == len(IDS)
    assert all(400 < size < 600 for size in sizes), sizes


def test_which_part_a_record_is_in_never_changes() -> None:
    """As it was when the first repair was shared so: open repairs, and schedules, go by it."""
    known = {"ORD-001-HJP": "1/4", "ORD-002-HG": "3/4", "Ünïcode ✓": "4/4", "": "1/4", "\ud800": "1/4"}
    told = {each: next(f"{n}/4" for n in range(1, 5) if Partition(number=n, of=4).holds(each)) for each in known}
    assert told == known


@pytest.mark.parametrize(
    ("text", "told"), [("1/4", "1/4"), (" 04 / 4 ", "4/4"), ("1/1", "1/1"), ("1000/1000", "1000/1000")]
)
def test_a_part_is_written_as_which_of_how_many(text: str, told: str) -> None:
    assert str(parse_partition(text)) == told


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("0/4", "1/4, 2/4 and so on up to 4/4"),
        ("5/4", "1/4, 2/4 and so on up to 4/4"),
        ("3/2", "1/2 and 2/2"),
        ("x", "like 1/4"),
        ("", "like 1/4"),
        ("1/0", "like 1/4"),
        ("2/1", "like 1/4"),
        ("-1/4", "like 1/4"),
        ("1/4/4", "like 1/4"),
        ("1/1001", "1,000 parts"),
        ("\uff11/4", "like 1/4"),
        ("\x1b[2J/4", "<U+001B>"),
    ],
)
def test_what_is_no_part_is_refused_with_what_would_be(text: str, way_out: str) -> None:
    with pytest.raises(UserError, match="partition") as refused:
        parse_partition(text)
    assert way_out in str(refused.value)
    with pytest.raises(UsageError, match="--partition") as typed:
        scope_of(partition=text)
    assert way_out in str(typed.value)


def test_named_records_are_not_shared_out() -> None:
    with pytest.raises(UserError, match="records that are named need none"):
        parse_partition("1/2", beside=["ORD-1"])
    with pytest.raises(UsageError, match="records that are named need none"):
        scope_of(record=["ORD-1"], partition="1/2")


def test_a_request_without_a_part_is_known_as_it_was_before_there_were_any() -> None:
    """A repair that an earlier release began is found again by what was asked for."""
    request = RepairRequest(
        requested_by=HARRY, domain="orders", store_id="s1", activity_queue="q", scope=Scope(status="x", limit=7)
    )
    assert asked_for(request) == "f465aae1e4537220d289294aa962add63f4f839a5faa3227dbf206dce308cf06"
    parts = [
        asked_for(request.model_copy(update={"scope": request.scope.model_copy(update={"partition": part})}))
        for part in (None, Partition(number=1, of=2), Partition(number=2, of=2))
    ]
    assert len(set(parts)) == 3


@pytest.mark.parametrize("kept", ["json", "sqlite"])
async def test_the_shop_shares_out_its_orders_and_counts_them_so(tmp_path: Path, kept: str) -> None:
    domain = open_domain(
        tmp_path, {"approvers": "a@example.org", "dataset": "hogwarts", "store": kept, "database_url": ""}
    )
    await domain.install_cases(seed=1, per_kind=2)
    whole, found, open_ones = await domain.scan(Scope()), list[str](), 0
    for number in (1, 2, 3):
        scope = Scope(partition=Partition(number=number, of=3))
        page = await domain.scan(scope)
        mine = [head.record_id for record in page.records if (head := domain.head(record))]
        assert page.total in (None, len(mine))
        assert await open_records(domain, scope) == await domain.count_open(scope) <= len(mine)
        named = scope.model_copy(update={"record_ids": tuple(_ids_of(whole, domain))})
        assert [each.record_id for each in (await domain.scan(named)).records if domain.head(each)] == mine
        found, open_ones = [*found, *mine], open_ones + await domain.count_open(scope)
    assert sorted(found) == sorted(_ids_of(whole, domain))
    assert open_ones == await domain.count_open(Scope()) > 0


async def test_a_status_that_only_another_part_has_is_no_unknown_one(tmp_path: Path) -> None:
    ids = install(tmp_path, orders=1, lines=1)
    domain = OrdersDomain(folder=tmp_path, approvers=["a@example.org"], dataset="hogwarts")
    other = next(part for n in (1, 2) if not (part := Partition(number=n, of=2)).holds(ids[0]))
    assert await unknown_status(domain, Scope(status="pending-payment", partition=other)) == ""
    assert "no record has the status" in await unknown_status(domain, Scope(status="lost", partition=other))

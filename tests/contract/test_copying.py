"""Records, ledger and outbox go from a store of one kind into one of another: as a whole, exactly, or not at all."""

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from daper.core.errors import StoreBusy, StoreDamaged, StoreError, UserError
from daper.core.outbox import TAKEN_BACK, MessageState
from daper.core.outcomes import Effect, OutcomeStatus
from daper.domains.orders.domain import STORES, OrdersDomain, open_domain
from daper.ports.copying import Copied, StoreIntake, WholeStore
from daper.ports.store import LedgerRow, Message, MessageNote
from daper.stores import copying
from daper.stores.jsonfiles.store import JsonStore
from tests.orders_on_server import with_tables

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
PAIRS = [(one, other) for one in STORES for other in STORES if one != other]
ORDERS = """{
  "shop": "Flourish & Blotts",
  "orders": [
    {"order_id": "O-1", "customer_name": "Luna \\u202e L.", "status": "New", "total": 12.50, "z": 1e2, "a": [1.0]},
    {"status": "Closed", "order_id": "O-2", "customer_name": "Minerva", "total": 3, "nothing": null, "zero": "\\u0000"}
  ],
  "order_summary": {"total_orders": 2, "note": "by hand"},
  "last": {"b": 1, "a": 2.10}
}
"""
STOCK = '{"inventory": [{"item_id": "I-1", "current_stock": 10, "price": 1.10}], "as_of": "today"}\n'


def nothing(what: str, number: int) -> None:
    """Who copies tells nobody."""


@dataclass
class Shop:
    """The same orders in every kind of store, each in a place of its own."""

    folder: Path
    options: Mapping[str, str]

    def domain(self, kind: str) -> OrdersDomain:
        domain = open_domain(self.folder, {**self.options, "store": kind})
        assert isinstance(domain, OrdersDomain)
        return domain

    def whole(self, kind: str) -> WholeStore:
        return self.domain("json").stored_as(kind)

    def copy(self, source: str, target: str, *, replace: bool = False) -> Copied:
        return copying.copy(self.whole(source), self.whole(target), replace=replace, tell=nothing)

    def all_of(self, kind: str) -> dict[str, object] | None:
        """Everything in a store, to be compared."""
        with self.whole(kind).contents() as found:
            if found is None:
                return None
            return {
                "about": found.about().model_dump(exclude={"store_id", "folder"}),
                **{name: [row for page in found.pages(name) for row in page] for name in found.collections()},
                "extras": {name: list(extra.items()) for name, extra in found.extras().items()},
                "ledger": sorted(found.ledger_rows(), key=lambda row: row.key),
                "outbox": [each.model_copy(update={"sequence": 0}) for each in found.messages()],
            }


@pytest.fixture
def shop(tmp_path: Path, request: pytest.FixtureRequest) -> Shop:
    """With orders of its own in no store yet."""
    options = {"approvers": "a@b.example", "dataset": "hogwarts", "database_url": ""}
    pair = getattr(request.node, "callspec", None)
    if pair is not None and "postgresql" in pair.params.values():
        options["database_url"] = with_tables(request.getfixturevalue("postgresql"))
    return Shop(tmp_path / "orders", options)


async def fill(shop: Shop, kind: str) -> None:
    """Bring the orders into the first store, through the JSON files that they were written into, with what happened."""
    shop.folder.mkdir(parents=True)
    (shop.folder / "orders.json").write_text(ORDERS, encoding="utf-8")
    (shop.folder / "inventory.json").write_text(STOCK, encoding="utf-8")
    domain = shop.domain("json")
    await domain.store()
    store = domain._kept.store()  # pyright: ignore[reportPrivateUsage]
    with store.change() as change:
        for number in range(1, 4):
            change.write_row(row(f"k{number}"))
        change.write_row(row("begun", kind="begun"))
        for number in (2, 1, 1):
            change.send(message(f"k{number}"))
    if kind != "json":
        shop.copy("json", kind)
        for file in sorted(shop.folder.rglob("*"), reverse=True):
            if not file.name.startswith("orders.db"):
                if file.is_dir():
                    file.rmdir()
                else:
                    file.unlink()


def row(key: str, *, kind: str = "effect", after: str = "done") -> LedgerRow:
    effect = Effect(status=OutcomeStatus.APPLIED, after={"status": after}, wrote={"orders/O-1": "v1"})
    return LedgerRow.model_validate(
        {"key": key, "kind": kind, "tool": "t", "record_id": "O-1", "at": NOON, "effect": effect}
    )


def message(key: str, subject: str = "a letter", *, number: int = 1) -> Message:
    return Message(
        key=key, to="x@y.example", subject=subject, body=f"of {key}", record_id="O-1", at=NOON, number=number
    )


@pytest.mark.parametrize(("source", "target"), PAIRS)
async def test_all_of_a_store_arrives_to_the_digit_and_once(source: str, target: str, shop: Shop) -> None:
    await fill(shop, source)
    before = shop.all_of(source)

    done = shop.copy(source, target)

    assert done.changed
    assert done.counts == {"orders": 2, "inventory": 1, "ledger": 4, "outbox": 3}
    assert done.backup is None
    assert shop.all_of(target) == shop.all_of(source) == before
    assert (await shop.domain(target).store()).store_id != (await shop.domain(source).store()).store_id
    again = shop.copy(source, target)
    assert (again.changed, again.backup) == (False, None)
    assert shop.all_of(target) == before


async def test_files_come_back_as_they_were(shop: Shop) -> None:
    await fill(shop, "json")
    shop.copy("json", "sqlite")
    there = {name: (shop.folder / name).read_bytes() for name in ("orders.json", "inventory.json")}
    ids = (await shop.domain("json").store()).store_id
    (shop.folder / "orders.json").write_text(ORDERS.replace("Luna", "Lunatic"), encoding="utf-8")

    done = shop.copy("sqlite", "json", replace=True)

    back = {name: (shop.folder / name).read_bytes() for name in there}
    assert [json.loads(text) for text in back.values()] == [json.loads(text) for text in there.values()]
    assert b"12.50" in back["orders.json"]
    assert b"2.10" in back["orders.json"]
    assert done.backup is not None
    assert "Lunatic" in (Path(done.backup.strip("'")) / "orders.json").read_text(encoding="utf-8")
    assert (await shop.domain("json").store()).store_id == ids


@pytest.mark.parametrize(("source", "target"), [("json", "sqlite"), ("sqlite", "json"), ("json", "postgresql")])
async def test_records_in_the_way_are_replaced_only_if_told_so_and_with_a_backup(
    source: str, target: str, shop: Shop
) -> None:
    await fill(shop, source)
    await shop.domain(target).store()  # which brings the shipped ones
    before = shop.all_of(target)

    with pytest.raises(UserError, match=r"there are records in .* already \(data set 'hogwarts'\); .*--yes"):
        shop.copy(source, target)
    assert shop.all_of(target) == before

    done = shop.copy(source, target, replace=True)
    assert done.backup
    assert shop.all_of(target) == shop.all_of(source)


@pytest.mark.parametrize(("source", "target"), PAIRS)
async def test_what_a_target_knows_of_its_own_repairs_stays(source: str, target: str, shop: Shop) -> None:
    await fill(shop, source)
    domain = shop.domain(target)
    await domain.store()
    with domain._kept.store().change() as change:  # pyright: ignore[reportPrivateUsage]
        change.write_row(row("own"))
        change.write_row(row("k1"))  # it came this way already
        change.send(message("k1"))
        change.send(message("k1"))
        change.write_row(row("begun", kind="begun", after="not known"))

    shop.copy(source, target, replace=True)

    found = shop.all_of(target)
    assert found is not None
    assert found["ledger"] == [row("begun", kind="begun"), row("k1"), row("k2"), row("k3"), row("own")]
    assert found["outbox"] == [message("k1"), message("k1", number=2), message("k2")]
    assert [each.sequence for each in await shop.domain(target).outbox()] == [1, 2, 3]


@pytest.mark.parametrize(("source", "target"), PAIRS)
async def test_what_became_of_each_message_arrives_also_later(source: str, target: str, shop: Shop) -> None:
    await fill(shop, source)
    await note(shop, source, 1, MessageState.SENT)
    assert shop.copy(source, target).changed
    assert shop.all_of(target) == shop.all_of(source)

    await note(shop, source, 2, MessageState.REFUSED)
    assert shop.copy(source, target, replace=True).changed
    assert not shop.copy(source, target).changed
    assert [each.state for each in await shop.domain(target).messages_of("k1")] == [
        MessageState.SENT,
        MessageState.REFUSED,
    ]

    # What is known better there stays.
    await note(shop, target, 2, MessageState.UNKNOWN, expected=MessageState.REFUSED, minutes=1)
    assert not shop.copy(source, target).changed

    # Sent from here once more: it went, whatever is said of it there.
    await note(shop, source, 2, MessageState.SENT, expected=MessageState.REFUSED, minutes=-1)
    assert shop.copy(source, target, replace=True).changed
    assert [each.state for each in await shop.domain(target).messages_of("k1")] == [MessageState.SENT] * 2


@pytest.mark.parametrize(("source", "target"), PAIRS)
async def test_what_was_taken_back_since_a_first_copy_is_taken_back_there_too(
    source: str, target: str, shop: Shop
) -> None:
    await fill(shop, source)
    await note(shop, source, 1, MessageState.REFUSED)
    shop.copy(source, target)
    await note(shop, source, 1, MessageState.REFUSED, expected=MessageState.REFUSED, minutes=1, why=TAKEN_BACK)

    assert shop.copy(source, target, replace=True).changed

    assert [each.note for each in await shop.domain(target).messages_of("k1")] == [TAKEN_BACK, ""]


async def note(
    shop: Shop,
    kind: str,
    number: int,
    state: MessageState,
    *,
    expected: MessageState = MessageState.WRITTEN,
    minutes: int = 0,
    why: str = "why",
) -> None:
    at = NOON + timedelta(minutes=minutes)
    told = MessageNote(key="k1", number=number, expected=frozenset({expected}), state=state, note=why, at=at)
    assert (await shop.domain(kind).note_message(told)).changed


@pytest.mark.parametrize(("source", "target"), [("json", "sqlite"), ("sqlite", "json"), ("json", "postgresql")])
async def test_two_stores_that_worked_on_one_repair_are_not_mixed(source: str, target: str, shop: Shop) -> None:
    await fill(shop, source)
    domain = shop.domain(target)
    await domain.store()
    with domain._kept.store().change() as change:  # pyright: ignore[reportPrivateUsage]
        change.write_row(row("k2", after="something else"))
    before = shop.all_of(target)

    with pytest.raises(StoreError, match="'k2' something else"):
        shop.copy(source, target, replace=True)
    assert shop.all_of(target) == before


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
async def test_nothing_to_copy_is_said_and_makes_nothing(target: str, shop: Shop) -> None:
    with pytest.raises(UserError, match="there are no records in"):
        shop.copy("json", target)
    assert shop.all_of(target) is None
    with pytest.raises(UserError, match="there are no records in"):
        shop.copy(target, "json")
    assert not (shop.folder / "store.json").exists()


class Cut(BaseException):
    """As if the process had ended there."""


QUICK = [("json", "sqlite", "nothing"), ("sqlite", "json", "records")]
CUTS = [(*pair, there) for pair in PAIRS for there in ("nothing", "records")]


@pytest.mark.parametrize(
    ("source", "target", "there"),
    [pytest.param(*each, marks=[] if each in QUICK else pytest.mark.long) for each in CUTS],
)
async def test_cut_at_any_step_the_target_is_as_it_was_and_the_source_too(
    source: str, target: str, there: str, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(shop, source)
    if there == "records":
        await shop.domain(target).store()
    before = shop.all_of(source), shop.all_of(target)
    for step in count():
        with monkeypatch.context() as patched:
            cut_at(step, shop.whole(target), patched)
            try:
                shop.copy(source, target, replace=True)
            except Cut:
                assert (shop.all_of(source), shop.all_of(target)) == before, step
            else:
                assert step > 8
                assert shop.all_of(target) == shop.all_of(source) == before[0]
                return


def cut_at(step: int, target: WholeStore, patched: pytest.MonkeyPatch) -> None:
    """Let the intake of this kind of store end at its so-manieth step."""
    steps = iter(range(step))
    kind = type(target)
    begin = kind.intake

    @contextmanager
    def intake(self: WholeStore) -> Generator[StoreIntake]:
        with begin(self) as found:
            for name in (
                "put_documents",
                "put_records",
                "put_ledger_row",
                "put_message",
                "pages",
                "rows_of",
                "messages_of",
            ):
                patched.setattr(found, name, counted(getattr(found, name)), raising=False)
            yield found
            counted(lambda: None)()

    def counted(work: Callable[..., object]) -> Callable[..., object]:
        def one(*given: object) -> object:
            if next(steps, None) is None:
                raise Cut
            return work(*given)

        return one

    patched.setattr(kind, "intake", intake)


@pytest.mark.parametrize(("source", "target"), PAIRS)
async def test_what_does_not_arrive_as_it_was_sent_changes_nothing(
    source: str, target: str, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(shop, source)
    before = shop.all_of(target)
    kind = type(shop.whole(target))
    begin = kind.intake

    for spoil in (more_in_records, another_tool, another_reader, nothing_around):

        @contextmanager
        def intake(self: WholeStore, spoil: Callable[[StoreIntake], None] = spoil) -> Generator[StoreIntake]:
            with begin(self) as found:
                spoil(found)
                yield found

        with monkeypatch.context() as patched:
            patched.setattr(kind, "intake", intake)
            with pytest.raises(StoreDamaged, match="is not what was sent"):
                shop.copy(source, target)
        assert shop.all_of(target) == before, spoil.__name__


def more_in_records(intake: StoreIntake) -> None:
    put = intake.put_records
    intake.put_records = lambda collection, rows: put(collection, [{**each, "extra": 1} for each in rows])


def another_tool(intake: StoreIntake) -> None:
    put = intake.put_ledger_row
    intake.put_ledger_row = lambda row: put(row.model_copy(update={"tool": "another"}))


def another_reader(intake: StoreIntake) -> None:
    put = intake.put_message
    intake.put_message = lambda message: put(message.model_copy(update={"to": "somebody@else.example"}))


def nothing_around(intake: StoreIntake) -> None:
    put = intake.put_documents
    intake.put_documents = lambda about, extras: put(about, {})


async def test_a_store_that_is_copied_takes_no_effect_meanwhile(shop: Shop) -> None:
    await fill(shop, "json")
    store = JsonStore(shop.folder, documents=("orders.json", "inventory.json"), lock_wait=timedelta())

    with shop.whole("json").contents(), pytest.raises(StoreBusy), store.change():
        pass

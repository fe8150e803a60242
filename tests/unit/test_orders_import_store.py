"""An import replaces the records of a store as one change: nothing is lost, nobody's own are taken away unasked."""

import errno
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import simplejson
from orders_shop import BADGES, EGG, Shop, own_shop, shipped_shop

from daper.core.errors import StoreDamaged, StoreError, UserError
from daper.core.models import Proposal, Scope
from daper.core.outcomes import OutcomeStatus
from daper.domains.orders import shipped
from daper.domains.orders.addresses import IN_PLAY_APPROVER
from daper.domains.orders.domain import open_domain
from daper.domains.orders.importing import draft as importing
from daper.ports import ImportDraft, Replaced
from daper.stores.jsonfiles.disk import PosixDisk
from daper.stores.jsonfiles.store import JsonStore

NOW = datetime(2025, 7, 1, tzinfo=UTC)
ORDERS = {"orders": [{"order_id": "O-1", "status": "processing", "items": [{"item_id": "I-1", "quantity": 1}]}]}
NOTHING: list[object] = []
INVENTORY = {"inventory": [{"item_id": "I-1", "current_stock": 5}]}


async def read(shop: Shop, orders: object = ORDERS, inventory: object = INVENTORY) -> ImportDraft:
    beside = shop.folder.parent
    files = (beside / "my-orders.json", beside / "my-inventory.json")
    for path, content in zip(files, (orders, inventory), strict=True):
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    draft = await shop.domain.read_import(files, now=NOW)
    assert draft.faults == ()
    return draft


async def bring(shop: Shop, orders: object = ORDERS, inventory: object = INVENTORY, *, own: bool = False) -> Replaced:
    return await shop.domain.import_records(await read(shop, orders, inventory), replace_own=own)


def kept(done: Replaced) -> dict[str, bytes]:
    assert done.backup is not None
    return {path.name: path.read_bytes() for path in Path(done.backup).iterdir()}


def backups(shop: Shop) -> list[Path]:
    return sorted((shop.folder / "backups").glob("*"))


def written(shop: Shop) -> dict[Path, tuple[int, int, bytes]]:
    """Each file with which file it is, when it was last written and what it holds. Reading it changes none of these."""
    files = {path: path.stat() for path in shop.folder.rglob("*.json")}
    return {path: (each.st_ino, each.st_mtime_ns, path.read_bytes()) for path, each in files.items()}


def about(shop: Shop) -> Mapping[str, object]:
    return shop.raw("store.json")


async def test_an_import_keeps_id_ledger_and_outbox_and_nobody_pretends_to_answer(shop: Shop) -> None:
    await shop.run("request_approval", EGG)
    before = await shop.domain.store()

    done = await bring(shop)

    assert done.changed
    assert await shop.domain.store() == done.store
    assert (done.store.store_id, done.store.as_of, done.store.counterparty) == (before.store_id, None, None)
    assert about(shop)["dataset"] == "own"
    assert len(list((shop.folder / "ledger").iterdir())) == 1
    assert len(await shop.domain.outbox()) == 1
    assert [row["order_id"] for row in shop.rows("orders.json")] == ["O-1"]


async def test_what_was_replaced_is_in_a_dated_backup_byte_for_byte_and_as_private_as_it_was(shop: Shop) -> None:
    (shop.folder / "orders.json").chmod(0o600)
    before = {**shop.files(), "store.json": (shop.folder / "store.json").read_bytes()}

    done = await bring(shop)

    assert kept(done) == before
    assert done.backup is not None
    assert (Path(done.backup) / "orders.json").stat().st_mode & 0o777 == 0o600
    assert Path(done.backup).parent == shop.folder / "backups"
    assert datetime.strptime(Path(done.backup).name[:20], "%Y-%m-%dT%H-%M-%SZ").replace(tzinfo=UTC) > NOW


async def test_each_backup_has_a_folder_of_its_own_also_within_one_second(shop: Shop) -> None:
    done = [
        await bring(shop, inventory={"inventory": [{"item_id": "I-1", "current_stock": n}]}, own=True)
        for n in (1, 2, 3)
    ]

    assert len({each.backup for each in done}) == len(backups(shop)) == 3


async def test_shipped_records_are_replaced_unasked_and_own_ones_only_with_leave(shop: Shop) -> None:
    assert not (await read(shop)).replaces_own
    assert not await shop.domain.holds_own()
    await bring(shop)
    assert await shop.domain.holds_own()
    mine = shop.files()
    other = {"orders": NOTHING}

    assert (await read(shop, other)).replaces_own
    for replacing in (bring(shop, other), shop.domain.reset()):
        with pytest.raises(UserError, match=r"are your own\. Say --yes"):
            await replacing
    assert shop.files() == mine
    assert len(backups(shop)) == 1

    assert (await bring(shop, other, own=True)).changed
    done = await shop.domain.reset(replace_own=True)
    assert kept(done)["inventory.json"] == mine["inventory.json"]
    assert shop.files() == {name: text.encode() for name, text in shipped.texts("hogwarts").items()}


async def test_records_that_somebody_put_there_are_own_ones_also_before_the_first_use(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "orders.json").write_text("mine")
    shop = Shop(domain=open_domain(folder, {}), folder=folder)

    assert (await read(shop)).replaces_own
    with pytest.raises(UserError, match="are your own"):
        await bring(shop)
    assert [path.name for path in folder.iterdir() if path.suffix == ".json"] == ["orders.json"]

    assert kept(await bring(shop, own=True)) == {"orders.json": b"mine"}
    assert await shop.domain.count_open(Scope()) == 1


async def test_a_new_folder_gets_the_imported_records_and_never_the_shipped_ones(tmp_path: Path) -> None:
    shop = Shop(domain=open_domain(tmp_path / "data", {}), folder=tmp_path / "data")

    draft = await read(shop)
    assert not draft.replaces_own
    assert not shop.folder.exists()
    done = await shop.domain.import_records(draft)

    assert (done.changed, done.backup) == (True, None)
    assert not backups(shop)
    assert [record.ref for record in (await shop.domain.scan(Scope())).records] == ["orders/O-1", "inventory/I-1"]


@pytest.mark.parametrize(
    ("orders", "inventory"),
    [
        (ORDERS, INVENTORY),
        (json.dumps(ORDERS, indent=7).encode(), json.dumps(INVENTORY["inventory"]).encode()),
        (b"\xef\xbb\xbf" + json.dumps(ORDERS).replace(" ", "\r\n").encode(), INVENTORY),
    ],
)
async def test_the_very_same_records_change_nothing_in_whatever_layout(
    shop: Shop, orders: object, inventory: object
) -> None:
    await bring(shop)
    before = written(shop)

    draft = await read(shop, orders, inventory)
    done = await shop.domain.import_records(draft, replace_own=True)

    assert draft.same
    assert (done.changed, done.backup) == (False, None)
    assert written(shop) == before


@pytest.mark.parametrize(("one", "other"), [("1", "true"), ("1.5", "1.50"), ("2.0", '"2.0"'), ("null", '"null"')])
async def test_values_that_only_look_the_same_are_other_records(shop: Shop, one: str, other: str) -> None:
    text = '{"orders": [], "x": %s}'
    await bring(shop, (text % one).encode())

    draft = await read(shop, (text % other).encode())

    assert not draft.same
    assert (await shop.domain.import_records(draft, replace_own=True)).changed
    assert (shop.folder / "orders.json").read_text() == text % other


async def test_a_file_whose_records_are_the_same_keeps_the_layout_that_a_person_gave_it(shop: Shop) -> None:
    await bring(shop)
    by_hand = json.dumps(ORDERS, indent=9)
    (shop.folder / "orders.json").write_text(by_hand)

    assert (await bring(shop, inventory={"inventory": NOTHING}, own=True)).changed

    assert (shop.folder / "orders.json").read_text() == by_hand
    assert shop.rows("inventory.json") == []


async def test_importing_the_store_s_own_files_makes_shipped_records_a_person_s_own_and_then_nothing(
    shop: Shop,
) -> None:
    files = [shop.folder / name for name in shipped.DOCUMENTS]
    before = shop.files()

    first = await shop.domain.read_import(files, now=NOW)
    assert (first.same, first.faults) == (False, ())
    assert (await shop.domain.import_records(first)).changed
    again = await shop.domain.read_import(files, now=NOW)

    assert (again.same, again.replaces_own) == (True, True)
    assert shop.files() == before
    assert about(shop)["counterparty"] is None


async def test_a_backup_can_be_imported_again(shop: Shop) -> None:
    shop.edit("orders.json", "order_id", "ORD-001-HJP", notes="by hand")
    before = shop.files()
    done = await bring(shop)
    assert done.backup is not None

    draft = await shop.domain.read_import([Path(done.backup) / name for name in shipped.DOCUMENTS], now=NOW)
    await shop.domain.import_records(draft, replace_own=True)

    assert shop.files() == before


async def test_a_damaged_file_is_replaced_and_kept(shop: Shop) -> None:
    (shop.folder / "orders.json").write_bytes(b'{"orders": [')

    done = await bring(shop)

    assert kept(done)["orders.json"] == b'{"orders": ['
    assert await shop.domain.count_open(Scope()) == 1


async def test_a_reset_of_shipped_records_that_nobody_touched_changes_nothing(shop: Shop) -> None:
    done = await shop.domain.reset()

    assert (done.changed, done.backup) == (False, None)
    shop.edit("orders.json", "order_id", "ORD-001-HJP", notes="by hand")
    assert b"by hand" in kept(await shop.domain.reset())["orders.json"]


async def test_a_copied_store_is_not_imported_into(shop: Shop, tmp_path: Path) -> None:
    copy = Shop(domain=open_domain(tmp_path / "copy", {}), folder=tmp_path / "copy")
    copy.folder.mkdir()
    for name in ("orders.json", "inventory.json", "store.json"):
        (copy.folder / name).write_bytes((shop.folder / name).read_bytes())
    before = copy.files()

    with pytest.raises(StoreDamaged, match="records adopt"):
        await read(copy)
    with pytest.raises(StoreDamaged, match="records adopt"):
        await copy.domain.import_records(await read(shop), replace_own=True)
    assert copy.files() == before


class FullDisk(PosixDisk):
    """A disk on which there is room for so many more files, and no more."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write_new(self, path: Path, data: bytes, *, mode: int | None = None) -> None:
        self.room -= 1
        if self.room < 0:
            super().write_new(path, data[: len(data) // 2], mode=mode)
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        super().write_new(path, data, mode=mode)


async def test_a_full_disk_leaves_the_old_records_and_with_room_again_the_next_try_works(
    shop: Shop,
) -> None:
    draft = await read(shop)
    for room in range(13):
        await shop.domain.reset(replace_own=True)
        before = shop.files()
        store = JsonStore(shop.folder, documents=shipped.DOCUMENTS, disk=FullDisk(room))
        with pytest.raises(StoreError, match="No space left on device"):
            store.replace(draft.contents, about=importing.ABOUT)
        await shop.domain.count_open(Scope())  # finishes what had begun
        assert shop.files() == before
        await shop.domain.import_records(draft, replace_own=True)
        assert shop.files() == draft.contents


async def test_a_plan_of_before_an_import_runs_on_records_that_are_the_same_and_on_no_others(tmp_path: Path) -> None:
    shop = await shipped_shop(tmp_path / "data", approvers=IN_PLAY_APPROVER)
    badges, egg = await shop.call(BADGES, "badges"), await shop.call(EGG, "egg")
    orders, inventory = shop.raw("orders.json"), shop.raw("inventory.json")
    changed = next(row for row in shop.rows("orders.json") if row["order_id"] == BADGES["order_id"])
    texts = [simplejson.dumps(each, use_decimal=True) for each in (orders, inventory)]
    texts[0] = texts[0].replace(str(changed["customer_name"]), "Somebody Else")
    await bring(shop, *(text.encode() for text in texts))
    before = shop.files()

    stale = await shop.tool("order_inventory").apply(badges)

    assert stale.status is OutcomeStatus.STALE
    assert "orders/ORD-002-HJG was changed since the plan read it" in stale.evidence
    assert shop.files() == before
    assert await shop.domain.outbox() == ()
    applied = await shop.tool("request_approval").apply(egg)
    assert (applied.status, applied.simulated) == (OutcomeStatus.APPLIED, False)
    assert shop.order("ORD-004-RHG")["status"] == "approval-requested"


async def test_a_plan_for_records_that_an_import_took_away_changes_nothing(shop: Shop) -> None:
    calls = {"order_inventory": await shop.call(BADGES, "badges"), "request_approval": await shop.call(EGG, "egg")}
    await bring(shop)
    before = shop.files()

    for tool, call in calls.items():
        assert (await shop.tool(tool).apply(call)).status is OutcomeStatus.STALE

    assert shop.files() == before


def restock() -> Proposal:
    return Proposal(record_id=str(BADGES["order_id"]), tool="order_inventory", arguments=dict(BADGES), answers=("x",))


NO_FIELDS: dict[str, object] = {}
COST = Decimal("170.00")


@pytest.mark.parametrize(
    ("fields", "spends"),
    [
        (NO_FIELDS, COST),
        ({"currency": ""}, COST),
        ({"currency": None}, COST),
        ({"currency": "GBP"}, None),
        ({"currency": "galleons"}, None),
        ({"currency": {"code": "GBP"}}, None),
        ({"currency": 826}, None),
    ],
)
async def test_what_a_restock_costs_in_other_money_is_known_to_nobody_so_no_policy_covers_it(
    tmp_path: Path, fields: Mapping[str, object], spends: Decimal | None
) -> None:
    shop = await own_shop(tmp_path / "data")
    shop.edit("inventory.json", "item_id", "STP-ORG-001", **fields)

    records = await shop.domain.context([str(BADGES["order_id"])])

    assert shop.domain.terms(restock(), records).spends == spends


@pytest.mark.parametrize("currencies", [("GBP", "EUR"), ("GBP", None)])
async def test_amounts_in_several_currencies_are_never_added_up(
    tmp_path: Path, currencies: tuple[str | None, ...]
) -> None:
    shop = await own_shop(tmp_path / "data")
    before = shop.raw("orders.json")["order_summary"]
    for order_id, currency in zip(("ORD-001-HJP", "ORD-003-RBW"), currencies, strict=True):
        shop.edit("orders.json", "order_id", order_id, currency=currency, total=10**6)

    assert (await shop.run("request_approval", EGG)).status is OutcomeStatus.APPLIED

    after = shop.raw("orders.json")["order_summary"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    for amount in ("total_revenue", "average_order_value"):
        assert after[amount] == before[amount]
    assert after["orders_by_status"] != before["orders_by_status"]

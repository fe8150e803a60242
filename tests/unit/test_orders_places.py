"""Where a store is: at home, moved, or a copy that must not answer to the id of its original."""

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from orders_shop import BADGES, Raw, Shop, shipped_shop

from daper.core.errors import StoreDamaged
from daper.core.models import Scope
from daper.core.outcomes import OutcomeStatus
from daper.domains.orders import shipped
from daper.domains.orders.domain import OrdersDomain, open_domain
from daper.stores.jsonfiles.disk import FileStat, PosixDisk
from daper.stores.jsonfiles.store import JsonStore


def copy_of(shop: Shop, folder: Path) -> Shop:
    shutil.copytree(shop.folder, folder)
    return Shop(domain=open_domain(folder, {}), folder=folder)


def said(folder: Path) -> Raw:
    return cast("Raw", json.loads((folder / "store.json").read_text(encoding="utf-8")))


def write_said(place: Path, /, **fields: object) -> None:
    (place / "store.json").write_text(json.dumps(said(place) | fields), encoding="utf-8")


async def test_a_store_remembers_its_folder(shop: Shop) -> None:
    assert said(shop.folder)["folder"] == str(shop.folder.resolve())


async def test_a_copied_store_is_refused_by_everything_and_names_the_way_out(shop: Shop, tmp_path: Path) -> None:
    copy = copy_of(shop, tmp_path / "copy")
    before = copy.files()
    call = await shop.call(BADGES)
    tool = copy.tool("order_inventory")
    for attempt in (
        copy.domain.store(),
        copy.domain.scan(Scope()),
        copy.domain.context(["ORD-001-HJP"]),
        copy.domain.count_open(Scope()),
        copy.domain.outbox(),
        copy.domain.reset(),
        tool.apply(call),
    ):
        with pytest.raises(StoreDamaged, match=r"is a copy of .*data.*: daper records adopt;"):
            await attempt
    assert copy.files() == before
    assert said(copy.folder) == said(shop.folder)
    assert (await shop.tool("order_inventory").apply(call)).status is OutcomeStatus.APPLIED


async def test_an_adopted_copy_has_an_id_of_its_own_and_keeps_ledger_and_outbox(shop: Shop, tmp_path: Path) -> None:
    await shop.run("order_inventory", BADGES)
    info = await shop.domain.store()
    copy = copy_of(shop, tmp_path / "copy")
    adopted = await copy.domain.adopt()
    assert adopted.store_id not in ("", info.store_id)
    assert adopted.as_of == info.as_of
    assert adopted == await copy.domain.store() == await open_domain(copy.folder, {}).store()
    assert await copy.domain.outbox() == await shop.domain.outbox()
    assert len(await copy.domain.outbox()) == 1
    again = await copy.run("order_inventory", BADGES)
    assert again.status is OutcomeStatus.ALREADY_APPLIED
    assert (await open_domain(shop.folder, {}).store()).store_id == info.store_id


async def test_adopting_what_is_no_copy_keeps_its_id(shop: Shop) -> None:
    assert await shop.domain.adopt() == await shop.domain.store()
    info = await shop.domain.store()
    assert await shop.domain.adopt() == info


async def test_a_moved_store_keeps_its_id_and_remembers_where_it_is_now(shop: Shop, tmp_path: Path) -> None:
    info = await shop.domain.store()
    moved = tmp_path / "moved"
    shop.folder.rename(moved)
    there = await open_domain(moved, {}).store()
    assert (there.store_id, there.place) == (info.store_id, str(moved))
    assert said(moved)["folder"] == str(moved.resolve())


async def test_a_store_that_moved_away_from_where_another_is_now_is_no_copy(shop: Shop, tmp_path: Path) -> None:
    info = await shop.domain.store()
    moved = tmp_path / "moved"
    shop.folder.rename(moved)
    other = await shipped_shop(tmp_path / "data")
    assert (await open_domain(moved, {}).store()).store_id == info.store_id
    assert (await other.domain.store()).store_id != info.store_id


async def test_the_same_folder_by_another_name_is_neither_copy_nor_moved(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(shop.folder)
    before = said(shop.folder)
    assert (await open_domain(tmp_path / "link", {}).store()).store_id == before["store_id"]
    assert said(shop.folder) == before


class MountedDisk(PosixDisk):
    """A disk on which one folder is there a second time, under another path."""

    def __init__(self, alias: Path, folder: Path) -> None:
        self._alias = alias
        self._folder = folder

    def stat(self, path: Path) -> FileStat | None:
        return super().stat(self._folder / path.relative_to(self._alias) if path.is_relative_to(self._alias) else path)


async def test_a_folder_that_is_mounted_twice_is_no_copy_of_itself(shop: Shop, tmp_path: Path) -> None:
    write_said(shop.folder, folder=str(tmp_path / "mount"))
    before = said(shop.folder)
    disk = MountedDisk(tmp_path / "mount", shop.folder)
    about = JsonStore(shop.folder, documents=shipped.DOCUMENTS, disk=disk).about()
    assert about.store_id == before["store_id"]
    assert said(shop.folder) == before


async def test_a_copy_made_of_hard_links_is_a_copy(shop: Shop, tmp_path: Path) -> None:
    shutil.copytree(shop.folder, tmp_path / "copy", copy_function=os.link)
    with pytest.raises(StoreDamaged, match="daper records adopt"):
        await open_domain(tmp_path / "copy", {}).store()


async def test_a_remembered_folder_that_cannot_be_judged_counts_as_the_original(shop: Shop, tmp_path: Path) -> None:
    copy = copy_of(shop, tmp_path / "copy")
    (shop.folder / "store.json").write_text("{", encoding="utf-8")
    with pytest.raises(StoreDamaged, match="daper records adopt"):
        await copy.domain.store()
    assert (await copy.domain.adopt()).store_id


async def test_a_store_file_of_before_gets_its_folder_at_the_first_look(shop: Shop) -> None:
    old = {name: value for name, value in said(shop.folder).items() if name != "folder"}
    (shop.folder / "store.json").write_text(json.dumps(old), encoding="utf-8")
    assert (await open_domain(shop.folder, {}).store()).store_id == old["store_id"]
    assert said(shop.folder) == old | {"folder": str(shop.folder.resolve())}


@pytest.mark.parametrize("text", ["2025-06-28T12:00:00", "2025-06-28T12:00:00Z", "2025-06-28T14:00:00+02:00"])
async def test_a_date_without_a_zone_in_the_store_file_counts_as_utc(shop: Shop, text: str) -> None:
    write_said(shop.folder, as_of=text)
    domain: OrdersDomain = open_domain(shop.folder, {})
    as_of = (await domain.store()).as_of
    assert as_of is not None
    assert as_of == datetime(2025, 6, 28, 12, tzinfo=UTC)
    records = (await domain.scan(Scope())).records
    assert domain.detect(records, as_of)

"""A store on a disk that lacks something, is full, or refuses at any one step: all of a change or nothing."""

import copy
import errno
import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from orders_shop import BADGES, shipped_shop
from test_json_store import ABOUT, add_stock, change_with, row, stock
from test_json_store import TEXTS as SHOP
from test_store_crash_points import (
    AFTER,
    BEFORE,
    CrashingDisk,
    apply,
    installed,
    leftovers,
    open_store,
    pending_with_an_edited_file,
    state,
)

from daper.adapters.tokens.files import TokenFile
from daper.adapters.whole_file import replace_file
from daper.clock import utc_now
from daper.core.access import Access
from daper.core.errors import RecoveryNeeded, StoreDamaged, StoreError, StoreUnavailable
from daper.core.outcomes import OutcomeStatus
from daper.stores.jsonfiles.disk import FileStat, PosixDisk
from daper.stores.jsonfiles.store import JsonChange, JsonStore


def refusal(code: int) -> OSError:
    return OSError(code, os.strerror(code), "/records")


def refuses(code: int) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise refusal(code)

    return refuse


class RefusingDisk(CrashingDisk):
    """A disk that refuses its steps from number `at` on, `times` of them: all of them, or those that need room."""

    at: int | None = None
    times = 1
    code = errno.ENOSPC
    only_writes = False

    @property
    def never_asked(self) -> bool:
        """Whether there were fewer steps than it would have let pass."""
        return self.at is not None and self.at >= 0

    def write_new(self, path: Path, data: bytes, *, mode: int | None = None) -> None:
        if self.only_writes:
            self._refuse()
        super().write_new(path, data, mode=mode)

    def _step(self) -> None:
        if not self.only_writes:
            self._refuse()
        super()._step()

    def _refuse(self) -> None:
        if self.at is None:
            return
        self.at -= 1
        if -self.times <= self.at < 0:
            raise refusal(self.code)


def refusing(root: Path) -> RefusingDisk:
    disk, fresh = RefusingDisk(root), installed(root)
    disk.names, disk.durable = copy.deepcopy((fresh.names, fresh.durable))
    return disk


def applied(root: Path, disk: CrashingDisk) -> bool:
    """Whether an effect is said to have happened; else it is said that the disk refuses for now."""
    try:
        apply(open_store(root, disk))
    except StoreUnavailable:
        return False
    return True


# A1: what a file system has not


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS, errno.EACCES])
async def test_a1_a_file_system_that_keeps_no_modes_keeps_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    shop = await shipped_shop(tmp_path / "store")
    monkeypatch.setattr(os, "fchmod", refuses(code))

    done = await shop.run("order_inventory", BADGES, "c0ffee" * 8)

    assert done.status is OutcomeStatus.APPLIED
    assert not (shop.folder / "journal.json").exists()
    assert shop.stock("STP-ORG-001")["current_stock"] == 247 + 200 - 300


def test_a1_a_private_file_stays_private_where_modes_can_only_be_given_at_birth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = JsonStore(tmp_path / "records", documents=["orders", "inventory"])
    store.install(SHOP, about=ABOUT)
    path = store.folder / "inventory.json"
    path.chmod(0o600)
    monkeypatch.setattr(os, "fchmod", refuses(errno.EPERM))

    change_with(store)

    assert (stock(store), path.stat().st_mode & 0o777) == (1, 0o600)


def test_a1_a_file_system_that_syncs_no_folders_keeps_records_reports_and_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, chmod = os.fsync, refuses(errno.EPERM)

    def files_only(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().is_dir():
            raise refusal(errno.EINVAL)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", files_only)
    monkeypatch.setattr(os, "fchmod", chmod)
    monkeypatch.setattr(Path, "chmod", chmod)
    store = JsonStore(tmp_path / "records", documents=["orders", "inventory"])
    store.install(SHOP, about=ABOUT)
    change_with(store, lambda change: change.write_row(row("k1")))
    report = tmp_path / "report.md"
    for text in (b"one", b"two"):
        replace_file(report, text)
    tokens = TokenFile(tmp_path / "home" / "tokens.json", now=utc_now)
    for name in ("Luna", "Ginny"):
        tokens.add(name, {Access.READ})

    assert (stock(store), report.read_bytes(), len(tokens.grants())) == (1, b"two", 2)
    assert not (store.folder / "journal.json").exists()


# A3: a disk that refuses for now


@pytest.mark.parametrize("times", [1, 10_000])
def test_a3_a_disk_that_is_full_from_any_write_on_never_leaves_a_change_half_done(tmp_path: Path, times: int) -> None:
    """What has begun needs no more room: it happens. What has not leaves nothing behind that takes room."""
    clean, seen = refusing(tmp_path), set[bool]()
    for at in itertools.count():
        disk = copy.deepcopy(clean)
        disk.at, disk.times, disk.only_writes = at, times, True
        happened = applied(tmp_path, disk)
        seen.add(happened)
        assert state(open_store(tmp_path, disk)) == (AFTER if happened else BEFORE), f"write {at}"
        assert leftovers(tmp_path, disk) == []
        if disk.never_asked:
            break
    assert seen == {True, False}


@pytest.mark.parametrize("code", [errno.EIO, errno.EROFS, errno.ENOSPC])
@pytest.mark.parametrize("times", [1, 7])
def test_a3_a_disk_that_refuses_at_any_step_gives_all_or_nothing_and_then_exactly_once(
    tmp_path: Path, code: int, times: int
) -> None:
    clean, points = refusing(tmp_path), 0
    for at in itertools.count():
        disk = copy.deepcopy(clean)
        disk.at, disk.times, disk.code = at, times, code
        said = applied(tmp_path, disk)
        over = disk.never_asked
        disk.at = None  # the disk is well again
        now = state(open_store(tmp_path, disk))
        assert now == AFTER if said else now in (BEFORE, AFTER), f"step {at}: what is said to have happened has"
        apply(open_store(tmp_path, disk))
        assert state(open_store(tmp_path, disk)) == AFTER, f"step {at}"
        assert leftovers(tmp_path, disk) == []
        points += 1
        if over:
            break
    assert points > 30


class UnreadableDisk(PosixDisk):
    """A disk that cannot read the ledger, nor what the store says of itself, now."""

    def read_bytes(self, path: Path) -> bytes | None:
        if path.parent.name == "ledger" or path.name == "store.json":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return super().read_bytes(path)


def look_up(change: JsonChange) -> object:
    return change.row("k1")


def ask_about(change: JsonChange) -> object:
    return change.records.about()


@pytest.mark.parametrize("look", [look_up, ask_about])
def test_a3_what_cannot_be_read_within_a_change_is_told_as_what_cannot_be_written(
    tmp_path: Path, look: Callable[[JsonChange], object]
) -> None:
    JsonStore(tmp_path, documents=["orders", "inventory"]).install(SHOP, about=ABOUT)
    store = JsonStore(tmp_path, documents=["orders", "inventory"], disk=UnreadableDisk())
    with pytest.raises(StoreUnavailable, match="the disk fails"):
        change_with(store, look)


# A2: only what was planned gets a name


class TamperingDisk(CrashingDisk):
    """Somebody without a lock writes into what is staged, just before the journal is begun."""

    tampered: tuple[str, ...] = ()

    def fsync_file(self, path: Path) -> None:
        super().fsync_file(path)
        if path.name.endswith(".journal"):
            for name in [name for name in self.names if name.parent.name == "txn" and name.suffix in self.tampered]:
                self.edit(name, b'{"orders": "another change"}')


def tampering(root: Path, *suffixes: str) -> TamperingDisk:
    disk, fresh = TamperingDisk(root), installed(root)
    disk.names, disk.durable, disk.tampered = *copy.deepcopy((fresh.names, fresh.durable)), suffixes
    return disk


def test_a2_what_was_staged_for_a_name_and_changed_since_does_not_get_it(tmp_path: Path) -> None:
    disk = tampering(tmp_path, ".fresh")
    apply(open_store(tmp_path, disk))
    assert state(open_store(tmp_path, disk)) == AFTER


@pytest.mark.parametrize(
    ("suffixes", "error"), [((".journal",), StoreUnavailable), ((".fresh", ".after"), StoreDamaged)]
)
def test_a2_no_other_content_than_the_planned_one_is_ever_in_a_record_file(
    tmp_path: Path, suffixes: tuple[str, ...], error: type[StoreError]
) -> None:
    disk = tampering(tmp_path, *suffixes)
    before = {path: data for path, data in disk.contents().items() if path.suffix == ".json"}
    with pytest.raises(error):
        apply(open_store(tmp_path, disk))
    after = {path: data for path, data in disk.contents().items() if path.suffix == ".json"}
    after.pop(tmp_path / "journal.json", None)
    assert after == before


def test_a2_no_two_changes_use_one_name_for_what_they_stage(tmp_path: Path) -> None:
    seen: list[Path] = []

    class Listing(CrashingDisk):
        def write_new(self, path: Path, data: bytes, *, mode: int | None = None) -> None:
            seen.append(path)
            super().write_new(path, data, mode=mode)

    for _ in range(2):
        disk, fresh = Listing(tmp_path), installed(tmp_path)
        disk.names, disk.durable = fresh.names, fresh.durable
        apply(open_store(tmp_path, disk))
    assert len(seen) == len(set(seen)) > 10


# A4: an editor that saves in place


class EditedDisk(PosixDisk):
    """A disk on which an editor has truncated `orders.json`, and writes it again for some looks."""

    def __init__(self, *halves: bytes, moving: bool = True) -> None:
        self.halves = list(halves)
        self.moving = moving

    def read_bytes(self, path: Path) -> bytes | None:
        if path.name == "orders.json" and self.halves:
            return self.halves.pop(0)
        return super().read_bytes(path)

    def stat(self, path: Path) -> FileStat | None:
        found = super().stat(path)
        if found is None or path.name != "orders.json" or not self.moving:
            return found
        return found._replace(size=len(self.halves))


def edited(folder: Path, *halves: bytes, moving: bool = True) -> JsonStore:
    store = JsonStore(folder, documents=["orders", "inventory"])
    store.install(SHOP, about=ABOUT)
    return JsonStore(folder, documents=["orders", "inventory"], disk=EditedDisk(*halves, moving=moving))


def test_a4_a_file_that_is_being_written_in_place_is_read_when_it_is_whole(tmp_path: Path) -> None:
    assert stock(edited(tmp_path, b"", b'{"orders": [', b'{"orders": [{"order_id"')) == 0


def test_a4_a_change_meets_a_file_that_is_being_written_in_place_and_is_made(tmp_path: Path) -> None:
    store = edited(tmp_path, b"", b'{"orders": [', moving=True)
    with store.change() as change:
        add_stock(change)
    assert stock(store) == 1


def test_a4_a_file_that_stays_damaged_is_called_so_after_two_looks(tmp_path: Path) -> None:
    halves = [b'{"orders": ['] * 9
    store = edited(tmp_path, *halves, moving=False)
    with pytest.raises(StoreDamaged, match="line 1, column 13"):
        store.read()


# A5: a change that is half done


def test_a5_a_change_that_needs_a_person_is_told_apart_from_damage_and_waited_for(tmp_path: Path) -> None:
    for disk in pending_with_an_edited_file(tmp_path)[::5]:
        with pytest.raises(RecoveryNeeded) as caught:
            open_store(tmp_path, disk).read()
        assert caught.value.retryable

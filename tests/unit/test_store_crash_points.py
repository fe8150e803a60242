"""D1, D19: the store dies at every write, fsync and rename, losing what was not synced: all of a change, or nothing."""

import copy
import itertools
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daper.core.errors import StoreDamaged
from daper.core.outcomes import Effect, OutcomeStatus
from daper.ports.store import LedgerRow, Message, StoreAbout
from daper.stores.jsonfiles.disk import FileStat
from daper.stores.jsonfiles.rowfiles import to_bytes
from daper.stores.jsonfiles.store import JsonStore, StoreReplaced

NOW = datetime(2025, 6, 28, tzinfo=UTC)
KEY = "c0ffee" * 8
TEXTS = {"orders": '{"orders": [{"order_id": "O-1", "status": "new"}]}', "inventory": '{"inventory": [{"stock": 0}]}'}
OWN = {"orders": b'{"orders":   []}', "inventory": b'{"inventory": []}'}
BY_HAND = b'{"inventory": [{"stock": 70}]}'


class Crash(BaseException):
    """The process is gone."""


class Inode:
    """A file's content: as written, and as it would be after a power cut."""

    def __init__(self, number: int, data: bytes) -> None:
        self.number = number
        self.data = data
        self.synced: bytes | None = None


Names = dict[Path, Inode | None]  # None: a folder
Pick = Callable[[str, int], int]  # a question, how many answers → one of them


class CrashingDisk:
    """A disk in memory that fails at operation `left` and knows what a power cut would lose."""

    def __init__(self, root: Path) -> None:
        self.names: Names = {root: None}
        self.durable: Names = {root: None}
        self.left: int | None = None
        self.done = 0
        self._numbers = itertools.count(1)

    def read_bytes(self, path: Path) -> bytes | None:
        inode = self.names.get(path)
        return None if inode is None else inode.data

    def stat(self, path: Path) -> FileStat | None:
        if path not in self.names:
            return None
        inode = self.names[path]
        return (
            FileStat(0, 0, crc32(bytes(path)), 0o755)
            if inode is None
            else FileStat(1, len(inode.data), inode.number, 0o644)
        )

    def list_names(self, folder: Path) -> list[str]:
        return sorted(path.name for path in self.names if path.parent == folder)

    def make_folder(self, path: Path) -> None:
        self._step()
        self.names.setdefault(path, None)

    def write_new(self, path: Path, data: bytes, *, mode: int | None = None) -> None:
        if path in self.names:
            raise FileExistsError(path)
        torn = self.left == 0
        self.names[path] = Inode(next(self._numbers), data[: len(data) // 2] if torn else data)
        self._step()

    def fsync_file(self, path: Path) -> None:
        self._step()
        inode = self.names[path]
        assert inode is not None
        inode.synced = inode.data

    def fsync_dir(self, path: Path) -> None:
        self._step()
        for name in [name for name in self.durable if name.parent == path]:
            del self.durable[name]
        self.durable |= {name: inode for name, inode in self.names.items() if name.parent == path}

    def rename(self, source: Path, target: Path) -> None:
        self._step()
        self.names[target] = self.names.pop(source)

    def link(self, source: Path, target: Path) -> None:
        self._step()
        if target in self.names:
            raise FileExistsError(target)
        self.names[target] = self.names[source]

    def remove(self, path: Path) -> None:
        if path in self.names:
            self._step()
            del self.names[path]

    def edit(self, path: Path, data: bytes) -> None:
        """Somebody saves a file by hand, safely."""
        inode = Inode(next(self._numbers), data)
        inode.synced = data
        self.names[path] = self.durable[path] = inode

    def after_crash(self, root: Path, pick: Pick) -> "CrashingDisk":
        """The disk as the next process finds it: for each name and content not synced, `pick` says what was lost."""
        found = CrashingDisk(root)
        contents: dict[int, bytes] = {}
        for path in sorted({*self.names, *self.durable}):
            kept = self.names if pick(f"name {path}", 2) else self.durable
            if path not in kept or (path != root and path.parent not in found.names):
                continue
            inode = kept[path]
            if inode is None:
                found.names[path] = found.durable[path] = None
                continue
            if inode.number not in contents:
                lost = inode.synced if inode.synced is not None else b""
                answer = pick(f"data {inode.number}", 3) if inode.synced != inode.data else 2
                contents[inode.number] = (lost, inode.data[: len(inode.data) // 2], inode.data)[answer]
            found.edit(path, contents[inode.number])
        return found

    def contents(self) -> Mapping[Path, bytes]:
        return {path: inode.data for path, inode in self.names.items() if inode is not None}

    def _step(self) -> None:
        self.done += 1
        if self.left is not None:
            if self.left == 0:
                raise Crash
            self.left -= 1


def killed(question: str, answers: int) -> int:
    """Only the process died: the system still writes everything."""
    return answers - 1


def power_cut(question: str, answers: int) -> int:
    """All that was not synced is lost."""
    return 0


def empty_files(question: str, answers: int) -> int:
    """Names survive, contents do not."""
    return 0 if question.startswith("data") else 1


def lost_names(question: str, answers: int) -> int:
    """Contents survive, names do not."""
    return answers - 1 if question.startswith("data") else 0


LOSSES = [killed, power_cut, empty_files, lost_names]


def open_store(root: Path, disk: CrashingDisk) -> JsonStore:
    return JsonStore(root, documents=["orders", "inventory"], disk=disk, lock_wait=timedelta(seconds=1))


def installed(root: Path) -> CrashingDisk:
    disk = CrashingDisk(root)
    open_store(root, disk).install(TEXTS, about=StoreAbout(dataset="test"))
    return disk


def apply(store: JsonStore) -> None:
    """One effect: both documents, a ledger row, two messages; nothing if the ledger has its key."""
    with store.change() as change:
        if change.row(KEY) is not None:
            return
        change.documents["orders"]["orders"] = [{"order_id": "O-1", "status": "done"}]
        change.documents["inventory"]["inventory"] = [{"stock": stock_of(change.documents) + 1}]
        effect = Effect(status=OutcomeStatus.APPLIED)
        change.write_row(LedgerRow(key=KEY, kind="effect", record_id="O-1", at=NOW, effect=effect))
        for to in ("ministry", "supplier"):
            change.send(Message(key=KEY, to=to, subject="s", body="b", record_id="O-1", at=NOW))


def stock_of(documents: Mapping[str, Mapping[str, object]]) -> int:
    rows = documents["inventory"]["inventory"]
    assert isinstance(rows, list)
    stock: object = rows[0]["stock"]  # pyright: ignore[reportUnknownVariableType] - JSON
    assert isinstance(stock, int)
    return stock


def state(store: JsonStore) -> tuple[bool, bool, bool, int]:
    """Whether each part of the effect is there."""
    documents = store.read()
    return (
        documents["orders"]["orders"] == [{"order_id": "O-1", "status": "done"}],
        stock_of(documents) == 1,
        store.ledger_row(KEY) is not None,
        len(store.outbox()),
    )


BEFORE = (False, False, False, 0)
AFTER = (True, True, True, 2)


def leftovers(root: Path, disk: CrashingDisk) -> list[Path]:
    return [path for path in disk.contents() if path.parent.name == "txn" or path.name == "journal.json"]


def crash(disk: CrashingDisk, at: int, work: Callable[[], object]) -> bool:
    """Whether `work` died at its operation `at`."""
    disk.left = at
    try:
        work()
    except Crash:
        return True
    finally:
        disk.left = None
    return False


@pytest.mark.parametrize("loss", LOSSES)
def test_d1_a_crash_at_any_operation_leaves_all_of_a_change_or_nothing(tmp_path: Path, loss: Pick) -> None:
    clean = installed(tmp_path)
    seen: set[tuple[bool, bool, bool, int]] = set()
    points = 0
    for at in itertools.count():
        disk = copy.deepcopy(clean)
        store = open_store(tmp_path, disk)
        died = crash(disk, at, lambda store=store: apply(store))
        found = disk.after_crash(tmp_path, loss)
        again = open_store(tmp_path, found)
        seen.add(state(again))
        if not died:
            assert state(again) == AFTER, "a change that returned must be there"
        apply(again)
        assert state(again) == AFTER, f"operation {at}"
        assert [(one.sequence, one.to) for one in again.outbox()] == [(1, "ministry"), (2, "supplier")]
        assert not leftovers(tmp_path, found)
        points += 1
        if not died:
            break
    assert seen == {BEFORE, AFTER}
    assert points > 30


@pytest.mark.long
@given(first=st.integers(0, 60), second=st.integers(0, 60), seed=st.integers(0, 2**32))
@settings(deadline=None, derandomize=True, max_examples=250)
def test_d1_a_crash_in_the_recovery_from_a_crash_leaves_all_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, first: int, second: int, seed: int
) -> None:
    root = tmp_path_factory.getbasetemp()
    chance = random.Random(seed)

    def pick(question: str, answers: int) -> int:
        return chance.randrange(answers)

    disk = installed(root)
    crash(disk, first, lambda: apply(open_store(root, disk)))
    found = disk.after_crash(root, pick)
    decided = state(open_store(root, copy.deepcopy(found)))
    crash(found, second, lambda: open_store(root, found).read())
    last = found.after_crash(root, pick)
    store = open_store(root, last)
    assert state(store) == decided
    assert decided in {BEFORE, AFTER}
    apply(store)
    assert state(store) == AFTER
    assert not leftovers(root, last)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_crash_while_a_store_is_installed_leaves_a_store_or_none(tmp_path: Path, loss: Pick) -> None:
    for at in itertools.count():
        disk = CrashingDisk(tmp_path)
        store = open_store(tmp_path, disk)
        died = crash(disk, at, lambda store=store: store.install(TEXTS, about=StoreAbout(dataset="test")))
        found = disk.after_crash(tmp_path, loss)
        again = open_store(tmp_path, found)
        assert again.install(TEXTS, about=StoreAbout(dataset="test")) is False or died
        assert again.about().dataset == "test"
        assert state(again) == BEFORE
        if not died:
            break


def replaced(root: Path) -> tuple[CrashingDisk, dict[str, bytes]]:
    """A store with an effect in it, and what its files hold."""
    disk = installed(root)
    apply(open_store(root, disk))
    return disk, {name: disk.contents()[root / name] for name in ("orders.json", "inventory.json", "store.json")}


def replace_by_own(root: Path, disk: CrashingDisk) -> StoreReplaced:
    return open_store(root, disk).replace(OWN, about=StoreAbout(dataset="own"), only=["test"])


def backups(root: Path, disk: CrashingDisk) -> dict[Path, dict[str, bytes]]:
    """The files of each backup there is."""
    found: dict[Path, dict[str, bytes]] = {}
    for path, data in disk.contents().items():
        if path.is_relative_to(root / "backups"):
            found.setdefault(path.parent, {})[path.name] = data
    return found


def check_old_or_new(root: Path, disk: CrashingDisk, before: Mapping[str, bytes]) -> bool:
    """Whether the new records are there, after all that must be true of either; the old ones are in one backup then."""
    store = open_store(root, disk)
    documents, about = store.read(), store.about()
    own = about.dataset == "own"
    now = {name: disk.contents()[root / name] for name in before}
    if own:
        assert {name: now[f"{name}.json"] for name in OWN} == OWN
        assert list(backups(root, disk).values()) == [before]
    else:
        assert now == before
        assert not backups(root, disk)
    assert documents["orders"]["orders"] == ([] if own else [{"order_id": "O-1", "status": "done"}])
    assert about.store_id in before["store.json"].decode()
    assert store.ledger_row(KEY) is not None
    assert len(store.outbox()) == 2
    assert root / "journal.json" not in disk.contents()
    return own


@pytest.mark.parametrize("loss", LOSSES)
def test_a_crash_while_all_records_are_replaced_leaves_the_old_or_the_new_and_a_backup(
    tmp_path: Path, loss: Pick
) -> None:
    clean, before = replaced(tmp_path)
    seen: set[bool] = set()
    for at in itertools.count():
        disk = copy.deepcopy(clean)
        died = crash(disk, at, lambda disk=disk: replace_by_own(tmp_path, disk))
        found = disk.after_crash(tmp_path, loss)
        own = check_old_or_new(tmp_path, found, before)
        seen.add(own)
        assert own or died, "what returned must be there"
        if not own:
            replace_by_own(tmp_path, found)
            assert check_old_or_new(tmp_path, found, before)
            assert not leftovers(tmp_path, found)
        if not died:
            break
    assert seen == {False, True}


@pytest.mark.long
@given(first=st.integers(0, 90), second=st.integers(0, 60), seed=st.integers(0, 2**32))
@settings(deadline=None, derandomize=True, max_examples=150)
def test_a_crash_in_the_recovery_from_a_crash_of_replacing_leaves_the_old_or_the_new(
    tmp_path_factory: pytest.TempPathFactory, first: int, second: int, seed: int
) -> None:
    root = tmp_path_factory.getbasetemp()
    chance = random.Random(seed)

    def pick(question: str, answers: int) -> int:
        return chance.randrange(answers)

    disk, before = replaced(root)
    crash(disk, first, lambda: replace_by_own(root, disk))
    found = disk.after_crash(root, pick)
    decided = check_old_or_new(root, copy.deepcopy(found), before)
    crash(found, second, lambda: open_store(root, found).read())
    assert check_old_or_new(root, found.after_crash(root, pick), before) is decided


def copied(root: Path) -> tuple[CrashingDisk, str]:
    """A store that remembers another folder, where a store with the same id still is."""
    disk = installed(root)
    about = open_store(root, disk).about()
    other = root / "original"
    disk.names[other] = disk.durable[other] = None
    disk.edit(other / "store.json", to_bytes(about))
    disk.edit(root / "store.json", to_bytes(about.model_copy(update={"folder": str(other)})))
    return disk, about.store_id


@pytest.mark.parametrize("loss", LOSSES)
def test_a_crash_while_a_copy_is_adopted_leaves_a_copy_or_a_store_of_its_own(tmp_path: Path, loss: Pick) -> None:
    clean, old = copied(tmp_path)
    seen: set[bool] = set()
    for at in itertools.count():
        disk = copy.deepcopy(clean)
        store = open_store(tmp_path, disk)
        died = crash(disk, at, store.adopt)
        again = open_store(tmp_path, disk.after_crash(tmp_path, loss))
        try:
            own = again.about().store_id != old
        except StoreDamaged:
            own = False
        seen.add(own)
        assert own or died
        adopted = again.adopt().store_id
        assert adopted not in ("", old)
        assert again.about().store_id == adopted
        if not died:
            break
    assert seen == {False, True}


def pending_with_an_edited_file(root: Path) -> list[CrashingDisk]:
    """Every half-done change there is, and then somebody saved the inventory."""
    found: list[CrashingDisk] = []
    clean = installed(root)
    for at in itertools.count():
        disk = copy.deepcopy(clean)
        store = open_store(root, disk)
        died = crash(disk, at, lambda store=store: apply(store))
        left = disk.after_crash(root, killed)
        if left.stat(root / "journal.json") is not None:
            left.edit(root / "inventory.json", BY_HAND)
            found.append(left)
        if not died:
            return found
    raise AssertionError


def test_a_file_edited_under_a_half_done_change_is_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    cases = pending_with_an_edited_file(tmp_path)
    assert len(cases) > 10
    for disk in cases:
        before = disk.contents()
        for act in (JsonStore.read, JsonStore.outbox, JsonStore.about, apply):
            with pytest.raises(StoreDamaged, match=r"inventory\.json.*--keep-edited.*--finish"):
                act(open_store(tmp_path, disk))
        assert disk.contents() == before


def kept(root: Path, disk: CrashingDisk) -> bool:
    store = open_store(root, disk)
    return (
        disk.read_bytes(root / "inventory.json") == BY_HAND
        and (state(store)[0], *state(store)[2:]) == (False, False, 0)
        and not leftovers(root, disk)
    )


def finished(root: Path, disk: CrashingDisk) -> bool:
    saved = disk.read_bytes(root / "inventory.json.edited-1") == BY_HAND
    return saved and state(open_store(root, disk)) == AFTER and not leftovers(root, disk)


@pytest.mark.parametrize(("keep_edited", "reached"), [(True, kept), (False, finished)])
def test_each_way_out_of_an_edited_file_gets_there_also_through_a_crash(
    tmp_path: Path, keep_edited: bool, reached: Callable[[Path, CrashingDisk], bool]
) -> None:
    for case in pending_with_an_edited_file(tmp_path)[::3]:
        for at in itertools.count():
            disk = copy.deepcopy(case)
            store = open_store(tmp_path, disk)
            died = crash(disk, at, lambda store=store: store.recover(keep_edited=keep_edited))
            found = disk.after_crash(tmp_path, LOSSES[at % len(LOSSES)])
            said = open_store(tmp_path, found).recover(keep_edited=keep_edited)
            assert reached(tmp_path, found), (at, said)
            if not died:
                assert said.startswith("nothing is half done")
                break


def test_choosing_the_other_way_out_after_a_crash_still_ends_in_one_of_the_two(tmp_path: Path) -> None:
    for case, first in itertools.product(pending_with_an_edited_file(tmp_path)[::4], (True, False)):
        for at in range(0, 40, 3):
            disk = copy.deepcopy(case)
            store = open_store(tmp_path, disk)
            crash(disk, at, lambda store=store, first=first: store.recover(keep_edited=first))
            found = disk.after_crash(tmp_path, power_cut)
            open_store(tmp_path, found).recover(keep_edited=not first)
            assert kept(tmp_path, found) or finished(tmp_path, found)


def test_a_way_out_once_begun_is_finished_by_whoever_opens_the_store_next(tmp_path: Path) -> None:
    case = pending_with_an_edited_file(tmp_path)[-2]  # all files but the edited one have to go back
    asked_again: list[bool] = []
    for at in itertools.count():
        disk = copy.deepcopy(case)
        store = open_store(tmp_path, disk)
        died = crash(disk, at, lambda store=store: store.recover(keep_edited=True))
        found = disk.after_crash(tmp_path, killed)
        try:
            open_store(tmp_path, found).read()
        except StoreDamaged:
            asked_again.append(True)
        else:
            asked_again.append(False)
            assert state(open_store(tmp_path, found))[2:] == (False, 0)
        if not died:
            break
    assert asked_again == sorted(asked_again, reverse=True)
    assert 0 < asked_again.count(True) < 6, "only until the choice is written down"

"""The JSON store on a real disk: what a person sees in the folder, many writers, dead holders, edits by hand."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daper.core.digests import content_version
from daper.core.errors import ActionFailed, RecoveryNeeded, StoreBusy, StoreChanged, StoreDamaged
from daper.core.outcomes import Effect, OutcomeStatus
from daper.ports.store import LedgerRow, Message, StoreAbout
from daper.stores.jsonfiles.disk import PosixDisk
from daper.stores.jsonfiles.store import JsonChange, JsonStore

NOW = datetime(2025, 6, 28, tzinfo=UTC)
ORDERS = '{"orders": [{"order_id": "O-1", "total": 37.90, "gift": null}], "order_summary": {"total_orders": 1}}'
TEXTS = {"orders": ORDERS, "inventory": '{"inventory": [{"stock": 0}]}'}
ABOUT = StoreAbout(dataset="test", as_of=NOW, counterparty="simulated")


def open_store(folder: Path, *, wait: float = 30) -> JsonStore:
    return JsonStore(folder, documents=["orders", "inventory"], lock_wait=timedelta(seconds=wait))


@pytest.fixture
def store(tmp_path: Path) -> JsonStore:
    store = open_store(tmp_path / "records")
    assert store.install(TEXTS, about=ABOUT)
    return store


def row(key: str) -> LedgerRow:
    effect = Effect(status=OutcomeStatus.APPLIED, before={"n": "\ud800", "x": 1.5}, evidence=("as asked",))
    return LedgerRow(key=key, kind="effect", tool="t", record_id="O-1", at=NOW, effect=effect)


def message(key: str, subject: str, *, after: int = 0) -> Message:
    at = NOW + timedelta(seconds=after)
    return Message(key=key, to="m@example.org", subject=subject, body="Please.", record_id="O-1", at=at)


def add_stock(change: JsonChange) -> None:
    rows = change.documents["inventory"]["inventory"]
    assert isinstance(rows, list)
    rows[0]["stock"] += 1


def change_with(store: JsonStore, *steps: Callable[[JsonChange], object]) -> None:
    with store.change() as change:
        for step in (add_stock, *steps):
            step(change)


def stock(store: JsonStore) -> object:
    rows = store.read()["inventory"]["inventory"]
    assert isinstance(rows, list)
    return rows[0]["stock"]  # pyright: ignore[reportUnknownVariableType] - JSON


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_a_store_is_installed_once_under_an_id_of_its_own(store: JsonStore, tmp_path: Path) -> None:
    other = open_store(tmp_path / "other")
    assert other.install(TEXTS, about=ABOUT)
    assert store.install(TEXTS, about=ABOUT.model_copy(update={"dataset": "later"})) is False
    mine = {"store_id": store.about().store_id, "folder": str(store.folder.resolve())}
    assert store.about() == ABOUT.model_copy(update=mine)
    assert len({store.about().store_id, other.about().store_id, ""}) == 3


def test_records_that_somebody_put_there_are_adopted_and_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "orders.json").write_text('{"orders": []}')
    with pytest.raises(StoreDamaged, match=r"but not inventory\.json"):
        open_store(tmp_path).install(TEXTS, about=ABOUT)
    (tmp_path / "inventory.json").write_text('{"inventory": []}')
    assert open_store(tmp_path).install(TEXTS, about=ABOUT)
    about = open_store(tmp_path).about()
    assert (about.dataset, about.as_of, about.counterparty) == ("own", None, None)
    assert open_store(tmp_path).read() == {"orders": {"orders": []}, "inventory": {"inventory": []}}


def test_a_change_writes_records_ledger_and_outbox_where_a_person_can_read_them(store: JsonStore) -> None:
    with store.change() as change:
        add_stock(change)
        change.write_row(row("k1"))
        assert change.row("k1") == row("k1")
        change.send(message("k1", "second", after=1))
        change.send(message("k1", "first"))
    assert stock(store) == 1
    assert store.ledger_row("k1") == row("k1")
    assert [(one.sequence, one.subject) for one in store.outbox()] == [(1, "second"), (2, "first")]
    there = files(store.folder)
    names = {"orders.json", "inventory.json", "store.json", "ledger/k1.json", "outbox/k1-1.json", "outbox/k1-2.json"}
    names.add("outbox/sequence")
    assert set(there) == names
    assert there["inventory.json"] == b'{\n  "inventory": [\n    {\n      "stock": 1\n    }\n  ]\n}\n'
    assert there["orders.json"].decode() == ORDERS, "a file whose content did not change keeps its layout"


def test_a_change_that_raises_writes_nothing(store: JsonStore) -> None:
    before = files(store.folder)
    with pytest.raises(ZeroDivisionError):
        change_with(store, lambda change: change.write_row(row("k1")), lambda _: 1 / 0)
    with pytest.raises(TypeError):
        change_with(store, lambda change: change.documents["orders"].update(when=NOW))
    assert files(store.folder) == before


def test_a_second_ledger_row_of_one_key_is_refused_and_so_is_its_change(store: JsonStore) -> None:
    with store.change() as change:
        change.write_row(row("k1"))
    for _ in range(2):
        with pytest.raises(ActionFailed, match="'k1'"):
            change_with(store, lambda change: change.write_row(row("k1")))
    assert stock(store) == 0


@pytest.mark.parametrize("key", ["../store", "", ".", "a/b", "a" * 200, "k\n"])
def test_a_key_never_leaves_the_ledger_folder(store: JsonStore, key: str) -> None:
    with pytest.raises(ActionFailed), store.change() as change:
        change.write_row(row("x").model_copy(update={"key": key}))
    with pytest.raises(ActionFailed):
        store.ledger_row(key)


def test_a_reader_sees_an_edit_by_hand_at_once_and_a_parsed_file_is_reused(store: JsonStore) -> None:
    first = store.read()
    assert store.read() is first
    path = store.folder / "inventory.json"
    path.write_text('{"inventory": [{"stock": 12}]}')
    assert stock(store) == 12


def test_d19_a_file_edited_under_a_change_makes_the_change_fail_and_the_edit_stay(store: JsonStore) -> None:
    path = store.folder / "orders.json"
    with pytest.raises(StoreChanged, match=r"orders\.json"):
        change_with(store, lambda _: path.write_text('{"orders": []}'))
    assert path.read_text() == '{"orders": []}'
    assert stock(store) == 0
    assert not list((store.folder / "txn").iterdir())
    with store.change() as change:
        add_stock(change)
    assert stock(store) == 1


@pytest.mark.parametrize("edited", ["inventory.json", "orders.json"])
def test_a_file_edited_between_two_files_of_one_change_stays_and_the_change_waits_for_a_person(
    store: JsonStore, edited: str
) -> None:
    class EditedAtOnce(PosixDisk):
        """Somebody saves a file when the change is in the middle: just before the first of the records moves."""

        saved = False

        def read_bytes(self, path: Path) -> bytes | None:
            data = super().read_bytes(path)
            if path.suffix == ".fresh" and not self.saved:
                self.saved = True
                (store.folder / edited).write_text('{"orders": [], "inventory": []}')
            return data

    def add_order(change: JsonChange) -> None:
        change.documents["orders"]["orders"] = []

    other = JsonStore(store.folder, documents=["orders", "inventory"], disk=EditedAtOnce())
    with pytest.raises(RecoveryNeeded, match=edited):
        change_with(other, add_order)
    assert (store.folder / edited).read_text() == '{"orders": [], "inventory": []}'
    store.recover(keep_edited=False)
    assert stock(store) == 1
    assert (store.folder / f"{edited}.edited-1").read_text() == '{"orders": [], "inventory": []}'


def test_permissions_of_a_private_file_stay_private(store: JsonStore) -> None:
    path = store.folder / "inventory.json"
    path.chmod(0o600)
    with store.change() as change:
        add_stock(change)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_reset_brings_the_records_back_and_keeps_id_ledger_and_outbox(store: JsonStore) -> None:
    with store.change() as change:
        add_stock(change)
        change.write_row(row("k1"))
        change.send(message("k1", "asked"))
    (store.folder / "orders.json").write_text('{"orders": [')
    with pytest.raises(StoreDamaged, match="line 1, column 13"):
        store.read()
    store_id = store.about().store_id
    done = store.replace({name: text.encode() for name, text in TEXTS.items()}, about=ABOUT)
    assert done.backup is not None
    assert (done.backup / "orders.json").read_text() == '{"orders": ['
    assert (store.about().store_id, stock(store)) == (store_id, 0)
    assert store.ledger_row("k1") is not None
    assert len(store.outbox()) == 1


def test_a_missing_or_unreadable_file_is_one_sentence(store: JsonStore, tmp_path: Path) -> None:
    (store.folder / "orders.json").unlink()
    with pytest.raises(StoreDamaged, match=r"orders\.json' is missing; .*: daper records reset"):
        store.read()
    with pytest.raises(StoreDamaged, match=r"nowhere.* is missing"):
        open_store(tmp_path / "nowhere").read()
    (store.folder / "orders.json").mkdir()
    with pytest.raises(StoreDamaged, match=r"orders\.json' is not what it must be: Is a directory"):
        store.read()


class UnlinkingDisk(PosixDisk):
    """A file system without second names."""

    def link(self, source: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted", str(source))


def test_a_file_system_without_links_will_do(tmp_path: Path) -> None:
    store = JsonStore(tmp_path, documents=["orders", "inventory"], disk=UnlinkingDisk())
    store.install(TEXTS, about=ABOUT)
    with store.change() as change:
        add_stock(change)
    assert stock(store) == 1


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_json_store import add_stock, open_store
for _ in range(5):
    with open_store(Path(sys.argv[2])).change() as change:
        add_stock(change)
"""

HOLDER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_json_store import add_stock, open_store
with open_store(Path(sys.argv[2])).change() as change:
    add_stock(change)
    print("held", flush=True)
    sys.stdin.read()
"""


def start(script: str, folder: Path) -> subprocess.Popen[str]:
    command: Sequence[str] = [sys.executable, "-c", script, str(Path(__file__).parent), str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.long
def test_d19_s10_fifty_parallel_writers_lose_no_update_and_readers_see_whole_changes(store: JsonStore) -> None:
    processes = [start(WRITER, store.folder) for _ in range(3)]
    stores = [store, open_store(store.folder)]
    torn: list[object] = []
    over = threading.Event()

    def write(number: int) -> None:
        with stores[number % 2].change() as change:
            add_stock(change)
            change.documents["orders"]["seen"] = change.documents["inventory"]["inventory"]
            change.write_row(row(f"w{number}"))

    def read() -> None:
        while not over.is_set():
            now = stores[1].read()
            seen = now["orders"].get("seen")
            if seen != now["inventory"]["inventory"]:
                torn.append(now)

    for process in processes:
        process.communicate(timeout=30)
        assert process.returncode == 0
    assert stock(store) == 15
    processes = [start(WRITER, store.folder) for _ in range(2)]
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(write, range(50)))
    for process in processes:
        process.communicate(timeout=30)
    assert stock(store) == 15 + 10 + 50
    write(50)
    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(51, 91)))
    over.set()
    reader.join()
    assert not torn
    assert stock(store) == 116
    assert all(store.ledger_row(f"w{number}") for number in range(91))


def test_s10_a_busy_store_names_its_holder_and_a_killed_holder_lets_the_next_one_in(store: JsonStore) -> None:
    holder = start(HOLDER, store.folder)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(StoreBusy, match=f"process {holder.pid} .* since .* UTC") as busy,
            open_store(store.folder, wait=0.05).change(),
        ):
            raise AssertionError
        assert busy.value.retryable
        assert stock(open_store(store.folder, wait=0.05)) == 0, "reading needs no lock"
        holder.kill()
    with open_store(store.folder, wait=1).change() as change:
        add_stock(change)
    assert stock(store) == 1


def test_a_thread_that_holds_the_store_keeps_other_threads_out_for_as_long_as_they_may_wait(store: JsonStore) -> None:
    with store.change(), pytest.raises(StoreBusy), open_store(store.folder, wait=0.05).change():
        raise AssertionError
    with store.change():
        assert (store.folder / "lock").read_text().startswith("process ")
    assert (store.folder / "lock").exists()


def test_the_version_of_a_record_is_a_digest_of_its_content_whatever_the_order_of_its_keys() -> None:
    assert content_version({"a": 1, "b": "x"}) == content_version({"b": "x", "a": 1})
    assert (
        len(
            {
                content_version({"a": 1}),
                content_version({"a": 2}),
                content_version({"a": "\ud800"}),
                content_version({}),
            }
        )
        == 4
    )
    assert len(content_version({})) == 32


def test_a_ledger_row_that_somebody_broke_is_refused_with_its_name(store: JsonStore) -> None:
    with store.change() as change:
        change.write_row(row("k1"))
    (store.folder / "ledger" / "k1.json").write_text('{"key": "k1"}')
    with pytest.raises(StoreDamaged, match=r"k1\.json"):
        store.ledger_row("k1")


def send(store: JsonStore, *keys: str) -> None:
    with store.change() as change:
        for key in keys:
            change.send(message(key, key))


def test_the_outbox_is_in_sending_order_whatever_the_keys_and_however_equal_the_dates(store: JsonStore) -> None:
    send(store, "z", "a", "z")
    send(store, "m")
    send(open_store(store.folder), "b")
    assert [(one.sequence, one.key) for one in store.outbox()] == [(1, "z"), (2, "a"), (3, "z"), (4, "m"), (5, "b")]


def test_the_number_of_a_message_that_somebody_deleted_is_not_given_out_again(store: JsonStore) -> None:
    send(store, "a", "b")
    for path in (store.folder / "outbox").glob("*.json"):
        path.unlink()
    send(store, "c")
    assert [(one.sequence, one.key) for one in store.outbox()] == [(3, "c")]


@pytest.mark.parametrize("counter", [None, "", "many", "-4"])
def test_without_its_counter_the_outbox_goes_on_after_what_is_in_it(store: JsonStore, counter: str | None) -> None:
    send(store, "b", "a")
    path = store.folder / "outbox" / "sequence"
    path.unlink() if counter is None else path.write_text(counter)
    send(store, "c")
    assert [(one.sequence, one.key) for one in store.outbox()] == [(1, "b"), (2, "a"), (3, "c")]


def test_messages_of_before_there_were_numbers_come_first_by_date(store: JsonStore) -> None:
    for key, after in (("y", 2), ("x", 1)):
        old = message(key, key, after=after).model_dump(mode="json", exclude={"sequence"})
        (store.folder / "outbox" / f"{key}-1.json").write_text(json.dumps(old))
    send(store, "a")
    assert [(one.sequence, one.key) for one in store.outbox()] == [(0, "x"), (0, "y"), (3, "a")]

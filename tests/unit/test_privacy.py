"""What is kept under DAPER_HOME is its owner's alone; what was not so is made so."""

import os
import re
import stat
from collections.abc import Generator
from pathlib import Path

import pytest

from daper.adapters import privacy
from daper.adapters.privacy import as_the_person_shares, keep_new_files_private, make_private
from daper.adapters.tokens.files import TokenFile
from daper.clock import utc_now
from daper.core.access import Access
from daper.entrypoints.cli.output_file import save
from daper.stores.sql.former_files import FORMER
from daper.stores.sql.home_database import STATE_FILE

OURS = (
    "data/orders/orders.json",
    "data/orders/ledger/key.json",
    "data/orders/outbox/key-1.json",
    "data/orders/backups/2026/orders.json",
    "reports/repair-x/report.json",
    "transcripts/repair-x/1.json",
    "logs/temporal.log",
    "daper.db",
    "daper.db-wal",
    "daper.db-shm",
    "daper.db.lock",
    "memory.db.taken-in",
    "spending.db",
    "temporal.db",
    "temporal.db-wal",
    "temporal.db.lock",
    "mcp-tokens.json",
    "mcp-tokens.json.lock",
    "mcp-forms.key",
    "mcp-forms.key.lock",
    "server.json",
    ".server.json.0123",
    "up.lock",
    "people.toml",
    "policy.toml",
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def usual() -> Generator[None]:
    """A mask as most people have it, whatever the tests run under."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def home(tmp_path: Path, usual: None) -> Path:
    """A home as earlier versions left it."""
    home = tmp_path / "home"
    for name in OURS:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("")
    (home / "data/orders/orders.json").chmod(0o755)
    return home


def test_a14_what_earlier_versions_left_open_becomes_private(home: Path) -> None:
    make_private(home)

    left = {str(path.relative_to(home)): oct(mode(path)) for path in home.rglob("*") if mode(path) & 0o077}
    assert left == {}
    assert mode(home) == 0o700
    assert mode(home / "data/orders/orders.json") == 0o700
    assert mode(home / "daper.db") == 0o600


def test_a14_what_is_not_daper_s_keeps_its_mode_and_so_does_a_folder_that_holds_such_things(home: Path) -> None:
    (home / "notes").mkdir()
    (home / "notes/mine.txt").write_text("")

    make_private(home)

    assert [mode(home), mode(home / "notes"), mode(home / "notes/mine.txt")] == [0o755, 0o755, 0o644]
    assert mode(home / "reports") == 0o700


def test_a14_what_somebody_put_elsewhere_and_linked_keeps_its_mode(home: Path, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/report.json").write_text("")
    (home / "data/elsewhere").symlink_to(tmp_path / "shared")
    (home / "reports/repair-x/report.md").symlink_to(tmp_path / "shared/report.json")

    make_private(home)

    assert [mode(tmp_path / "shared"), mode(tmp_path / "shared/report.json")] == [0o755, 0o644]


def test_a14_a_disk_without_modes_is_no_error(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def may_not(self: Path, mode: int, *, follow_symlinks: bool = True) -> None:
        raise PermissionError(1, "Operation not permitted", str(self))

    (home / "mcp-tokens.json").unlink()
    tokens = TokenFile(home / "mcp-tokens.json", now=utc_now)
    tokens.add("Luna", {Access.READ})
    monkeypatch.setattr(Path, "chmod", may_not)

    make_private(home)
    tokens.add("Neville", {Access.READ})

    assert mode(home) == 0o755


def test_a14_whatever_the_code_keeps_in_a_home_is_known_as_daper_s(tmp_path: Path) -> None:
    source = Path(privacy.__file__).parents[1]
    named = {
        name
        for path in source.rglob("*.py")
        for name in re.findall(r"""\bhome / ["']([^"']+)["']""", path.read_text("utf-8"))
        if path.name not in {"demo.py", "evaluation_command.py"}  # whose homes are thrown away
    }
    assert {"data", "reports"} <= named
    named |= {STATE_FILE, *FORMER}
    for name in named:
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o644)

    make_private(tmp_path)

    assert {name for name in named if mode(tmp_path / name) != 0o600} == set()


def test_a14_no_home_is_no_error(tmp_path: Path) -> None:
    make_private(tmp_path / "nothing")

    assert not (tmp_path / "nothing").exists()


def test_a14_new_files_are_private_and_a_file_that_the_person_named_is_as_theirs_are(
    tmp_path: Path, usual: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy, "_lent", None)
    keep_new_files_private()
    keep_new_files_private()

    (tmp_path / "ours").mkdir()
    (tmp_path / "ours/file").write_text("")
    save(tmp_path / "report.md", b"", home=tmp_path / "ours")
    with as_the_person_shares():
        (tmp_path / "theirs").write_text("")
    (tmp_path / "ours/again").write_text("")

    assert [mode(tmp_path / name) for name in ("ours", "ours/file", "ours/again")] == [0o700, 0o600, 0o600]
    assert [mode(tmp_path / name) for name in ("report.md", "theirs")] == [0o644, 0o644]

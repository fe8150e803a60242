"""What is built for others to install has all that the package needs beside its code."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_UPGRADES = """
import sys
from pathlib import Path
import daper
from daper.domains.orders.sql_keeping import BRANCHES
from daper.stores.sql.condition import state_of
from daper.stores.sql.sqlite_database import SqliteDatabase
from daper.stores.sql.state_schema import STATE
from daper.stores.sql.upgrading import upgrade
database = SqliteDatabase(Path(sys.argv[1]), (*BRANCHES, STATE), what="the records")
upgrade(database)
print(daper.__file__, state_of(database).condition.value, sep="\\n")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of what stands here."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.long
def test_a_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    there = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "daper").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as built:
        has = {name for name in built.namelist() if name.startswith("daper/")}
    assert has == there


@pytest.mark.long
def test_a_database_is_upgraded_by_what_was_installed_from_a_wheel(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as built:
        built.extractall(tmp_path / "installed")
    ran = subprocess.run(
        [sys.executable, "-c", _UPGRADES, str(tmp_path / "some.db")],
        env={"PYTHONPATH": str(tmp_path / "installed")},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    where, condition = ran.stdout.splitlines()
    assert Path(where).is_relative_to(tmp_path / "installed")
    assert condition == "ready"

"""Two homes on one Temporal and one task queue: nobody's plan touches another's files."""

import dataclasses
import hashlib
import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import Beside, Shop, make_shop


@pytest.fixture
def pair(tmp_path: Path, address: str, beside: Beside) -> tuple[Shop, Shop]:
    """Two shops that share Temporal and its task queue, as two people on two machines would."""
    mine, theirs = (make_shop(tmp_path / name, address, beside) for name in ("mine", "theirs"))
    return mine, dataclasses.replace(theirs, env=mine.env)


def contents(shop: Shop) -> dict[str, str]:
    """Every file of a shop's data, but the one that only says who holds the lock."""
    files = [path for path in sorted((shop.home / "data").rglob("*")) if path.is_file() and path.name != "lock"]
    return {str(path.relative_to(shop.home)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.long
def test_each_home_repairs_its_own_copy_of_the_same_records_and_no_other(pair: tuple[Shop, Shop]) -> None:
    mine, theirs = pair
    with mine.worker(), theirs.worker():
        untouched = contents(theirs)
        ran = mine.auto_approved()
        assert "4 of 4 proposed actions took effect" in ran.out, ran.err
        assert contents(theirs) == untouched

        mended = contents(mine)
        ran = theirs.auto_approved()
        assert "4 of 4 proposed actions took effect" in ran.out, ran.err
        assert contents(mine) == mended

    assert mine.orders()["ORD-001-HJP"]["status"] == theirs.orders()["ORD-001-HJP"]["status"]
    assert contents(theirs) != untouched


@pytest.mark.long
def test_a_plan_for_my_records_that_is_decided_from_another_home_still_runs_on_mine(pair: tuple[Shop, Shop]) -> None:
    mine, theirs = pair
    with mine.worker(), theirs.worker():
        repair_id = mine.begin()
        plan = mine.waiting_plan(repair_id)
        before, untouched = contents(mine), contents(theirs)

        approved = theirs.run("repair", "approve", repair_id, "--plan", plan.digest)
        followed = theirs.run("repair", "show", repair_id, "--follow")

        assert approved.code == 0, approved.err
        assert "4 of 4 proposed actions took effect" in followed.out
        assert contents(theirs) == untouched
        assert contents(mine) != before


@pytest.mark.long
def test_while_my_worker_is_away_nobody_else_s_takes_my_plan(pair: tuple[Shop, Shop]) -> None:
    mine, theirs = pair
    with mine.worker():
        repair_id = mine.begin()
        plan = mine.waiting_plan(repair_id)
    with theirs.worker():
        untouched = contents(theirs)
        theirs.run("repair", "approve", repair_id, "--plan", plan.digest)
        own = theirs.run("repair", "start", "--dry-run")
        assert own.code == 0, own.err
        assert theirs.run("repair", "show", repair_id, "--json").document()["phase"] == "PENDING-REPAIR"
        assert contents(theirs) == untouched
    with mine.worker():
        assert "4 of 4 proposed actions took effect" in mine.run("repair", "show", repair_id, "--follow").out


@pytest.mark.long
def test_a_copied_data_folder_works_for_nobody_until_it_has_an_id_of_its_own(pair: tuple[Shop, Shop]) -> None:
    mine, theirs = pair
    with mine.worker():
        shutil.copytree(mine.home / "data", theirs.home / "data")
        refused = theirs.run("worker")
        adopted = theirs.run("records", "adopt")
        with theirs.worker():
            untouched = contents(theirs)
            ran = mine.auto_approved()
            assert contents(theirs) == untouched

    assert refused.code == 1
    assert "daper records adopt" in refused.err
    assert adopted.code == 0, adopted.err
    assert "4 of 4 proposed actions took effect" in ran.out, ran.err


@pytest.mark.long
def test_two_homes_over_one_data_folder_share_the_work_and_do_it_once(pair: tuple[Shop, Shop]) -> None:
    mine, theirs = pair
    with mine.worker():
        theirs.home.mkdir(parents=True)
        (theirs.home / "data").symlink_to(mine.home / "data")
        with theirs.worker():
            ran = theirs.auto_approved()

    assert "4 of 4 proposed actions took effect" in ran.out, ran.err
    assert len(list((mine.home / "data/orders/ledger").iterdir())) == 4

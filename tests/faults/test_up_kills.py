"""D1, D19: `daper up`, its server, and both are killed with -9 while repairs run, and started again."""

import sys
from pathlib import Path

import pytest

from tests.faults.up_harness import KINDS, run

pytestmark = pytest.mark.long


async def test_kills_of_up_and_its_server_repeat_nothing_and_never_leave_two_servers_on_one_file(
    tmp_path: Path,
) -> None:
    aftermath = await run(kinds=KINDS, repairs=3, seed=5, home=tmp_path)
    sys.stdout.write(f"{aftermath}\n")

    assert aftermath.problems == (), str(aftermath)
    assert len(aftermath.evidence.results) == 9
    assert aftermath.most_at_once == 1
    assert aftermath.servers == 3  # one died with its up, one alone
    assert len(aftermath.addresses) == 1

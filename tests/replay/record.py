"""Records the histories that every later release must be able to replay.

`python -m tests.replay.record` writes all of them anew, and refuses once a release was tagged: from then on the kept
ones stand for repairs that are open somewhere. `--force-new` adds those that are missing and touches no other.
"""

import argparse
import asyncio
import logging
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from daper.adapters.temporal.codec import data_converter
from daper.adapters.temporal.embedded import embedded_server
from daper.entrypoints.cli.exits import leave
from tests.replay import kept
from tests.replay.scenarios import SCENARIOS

PROJECT = Path(__file__).parents[2]
INSTEAD = "/srv/daper"


class MustNotRecord(Exception):
    """What is kept must stay as it is."""


def to_record(
    *, wanted: Collection[str], have: Collection[str], releases: Sequence[str], force_new: bool
) -> tuple[str, ...]:
    """Which histories may be recorded now. Raises MustNotRecord when a release has been tagged."""
    if force_new:
        return tuple(name for name in wanted if name not in have)
    if releases:
        raise MustNotRecord(
            f"{releases[-1]} is released: kept histories are not recorded anew; to add new ones, say --force-new"
        )
    return tuple(wanted)


async def record(names: Collection[str], *, into: Path) -> None:
    """Run the repairs on a server of their own, and write their histories."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        async with embedded_server(log_file=root / "server.log") as server:
            env = WorkflowEnvironment.from_client(await _client(server.address))
            for name in names:
                home = root / name
                home.mkdir()
                ran = await SCENARIOS[name](env, home)
                for each, run in {name: ran}.items() if isinstance(ran, str) else ran.items():
                    workflow_id, _, run_id = run.partition(" ")
                    history = await env.client.get_workflow_handle(workflow_id, run_id=run_id or None).fetch_history()
                    text = await kept.scrubbed(history, replace=_replace(home))
                    (into / f"{each}.json").write_text(text, encoding="utf-8")
                    sys.stdout.write(f"{each}: {len(history.events)} events\n")


def _replace(home: Path) -> dict[str, str]:
    """What tells of this machine, and what stands there instead."""
    return {
        re.escape(str(home)): INSTEAD,
        re.escape(str(PROJECT)): f"{INSTEAD}/source",
        re.escape(str(Path.home())) + r"(?=/)": f"{INSTEAD}/home",
        rf"\d+@{re.escape(socket.gethostname())}": "worker",
    }


async def _client(address: str) -> Client:
    return await Client.connect(address, data_converter=data_converter())


def _releases() -> tuple[str, ...]:
    git = shutil.which("git")
    if git is None:
        raise MustNotRecord("there is no git, so nobody can tell whether a release was tagged: install it")
    listed = subprocess.run([git, "tag", "--list", "v*"], cwd=PROJECT, capture_output=True, text=True, check=True)
    return tuple(listed.stdout.split())


def main() -> int:
    """Record; 1 when that must not be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--force-new", action="store_true", help="add missing histories, also after a release")
    force_new: bool = parser.parse_args().force_new
    try:
        names = to_record(wanted=SCENARIOS, have=kept.names(), releases=_releases(), force_new=force_new)
    except MustNotRecord as error:
        sys.stderr.write(f"{error}\n")
        return 1
    kept.FOLDER.mkdir(exist_ok=True)
    logging.getLogger("temporalio").setLevel(logging.ERROR)  # some of the scenarios are about failures
    asyncio.run(record(names, into=kept.FOLDER))
    return 0


if __name__ == "__main__":
    leave(main())

"""What keeps its state in files starts without SQL, unless it needs that."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, sys
from daper.entrypoints.cli.app import run

def sql_after(*words):
    run(words)
    return [name for name in ("sqlalchemy", "psycopg", "alembic") if name in sys.modules]

found = {line: sql_after(*line.split()) for line in sys.argv[1:]}
print(json.dumps(found), file=sys.stderr)
"""
WITHOUT = ("--help", "records list", "mcp token list", "repair transcripts r", "repair list")


@pytest.mark.long
def test_commands_that_need_no_sql_import_none(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "TEMPORAL_ADDRESS": "127.0.0.1:1"}

    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, *WITHOUT, "records reset --yes"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    found = json.loads(ran.stderr.splitlines()[-1])
    assert found.pop("records reset --yes") == ["sqlalchemy"], "its memory does"
    assert found == {line: [] for line in WITHOUT}
